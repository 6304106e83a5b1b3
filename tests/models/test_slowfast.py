"""SlowFast against PyTorchVideo's and PySlowFast's, and against published counts."""

import pytest
import torch

from harness.cost import count
from models.catalog import SlowFastOptions
from models.registry import ModelError
from models.slowfast import SlowFast, slow_frames
from tests.models.peers import from_peer, pyslowfast, pytorchvideo

HUB = {"r50_8x8": "slowfast_r50", "r101_8x8": "slowfast_r101", "r101_16x8": "slowfast_16x8_r101_50_50"}


def pathways(clip: torch.Tensor, alpha: int) -> list[torch.Tensor]:
    return [clip[:, :, slow_frames(clip.shape[2], alpha)], clip]


@pytest.mark.parametrize("size", list(HUB))
def test_parity_with_pytorchvideo(size):
    options = SlowFastOptions.model_validate({"size": size})
    frames = 64 if size == "r101_16x8" else 32
    peer = pytorchvideo(HUB[size], model_num_class=5)
    for pool in peer.blocks[5].pool:  # 7 x 7 positions, those of a 224 crop; here 64 pixels
        pool.kernel_size = (pool.kernel_size[0], 2, 2)
    ours = from_peer(options, frames, 64, 5, peer.state_dict())
    clip = torch.randn(1, 3, frames, 64, 64)
    with torch.no_grad():
        theirs = peer(pathways(clip, 4))
        torch.testing.assert_close(ours(clip), theirs, rtol=1e-4, atol=1e-4)
    assert theirs.std() > 0.01


PYSLOWFAST = {
    ("r50_4x16", False): {"SLOWFAST__ALPHA": 8},
    ("r50_4x16", True): {
        "SLOWFAST__ALPHA": 8,
        "NONLOCAL__LOCATION": [[[], []], [[1, 3], []], [[1, 3, 5], []], [[], []]],
    },
    ("r50_8x8", False): {"SLOWFAST__ALPHA": 4, "SLOWFAST__FUSION_KERNEL_SZ": 7},
    ("r50_8x8", True): {
        "SLOWFAST__ALPHA": 4,
        "NONLOCAL__LOCATION": [[[], []], [[1, 3], []], [[1, 3, 5], []], [[], []]],
    },
    ("r101_16x8", True): {
        "SLOWFAST__ALPHA": 4,
        "RESNET__DEPTH": 101,
        "NONLOCAL__LOCATION": [[[], []], [[], []], [[6, 13, 20], []], [[], []]],
    },
}


@pytest.mark.parametrize(("size", "non_local"), list(PYSLOWFAST))
def test_parity_with_pyslowfast_also_at_a_larger_crop(size, non_local):
    settings = {
        "SLOWFAST__BETA_INV": 8,
        "SLOWFAST__FUSION_CONV_CHANNEL_RATIO": 2,
        "SLOWFAST__FUSION_KERNEL_SZ": 5,
        "NONLOCAL__LOCATION": [[[], []]] * 4,
        "NONLOCAL__GROUP": [[1, 1]] * 4,
        "NONLOCAL__POOL": [[[1, 2, 2], [1, 2, 2]]] * 4,
        "RESNET__NUM_BLOCK_TEMP_KERNEL": [[3, 3], [4, 4], [6, 6], [3, 3]],
        "RESNET__SPATIAL_STRIDES": [[1, 1], [2, 2], [2, 2], [2, 2]],
        "RESNET__SPATIAL_DILATIONS": [[1, 1]] * 4,
        "DATA__INPUT_CHANNEL_NUM": [3, 3],
        **PYSLOWFAST[size, non_local],
    }
    peer = pyslowfast("slowfast", 32, 64, 5, **settings)
    options = SlowFastOptions.model_validate({"size": size, "non_local": non_local})
    ours = from_peer(options, 32, 64, 5, peer.state_dict())
    for crop in (64, 96):
        clip = torch.randn(2, 3, 32, crop, crop)
        with torch.no_grad():
            theirs = peer(pathways(clip, ours.alpha))  # probabilities
            torch.testing.assert_close(ours(clip).softmax(dim=1), theirs, rtol=1e-4, atol=1e-5)
    assert theirs.std() > 1e-3


@pytest.mark.parametrize(
    ("options", "frames", "parameters_millions", "gigamacs"),
    [
        # MODEL_ZOO.md of facebookresearch/SlowFast and PyTorchVideo's model zoo, 256 crop
        ({"size": "r50_8x8"}, 32, 34.57, 65.71),
        ({"size": "r50_4x16"}, 32, 34.48, 36.1),
        # the public configuration behind Table 2's 7.0 TFLOPs for 30 views (docs/models.md)
        ({"size": "r101_16x8", "non_local": True}, 64, 60.08, 242.0),
    ],
)
def test_published_counts(options, frames, parameters_millions, gigamacs):
    cost = count(SlowFastOptions.model_validate(options), frames, 256, 400)
    assert cost.parameters / 1e6 == pytest.approx(parameters_millions, rel=0.005)
    assert cost.multiply_adds / 1e9 == pytest.approx(gigamacs, rel=0.005)


@pytest.mark.parametrize(("frames", "alpha"), [(32, 4), (32, 8), (64, 4), (8, 4), (96, 4)])
def test_slow_frames_are_those_of_the_released_code(frames, alpha):
    picked = torch.linspace(0, frames - 1, frames // alpha).long().tolist()
    assert slow_frames(frames, alpha) == picked
    assert (picked[0], picked[-1]) == (0, frames - 1)


def test_frames_that_alpha_does_not_divide_are_refused():
    model = SlowFast(SlowFastOptions(size="demo"), 8, 32, 4)
    with pytest.raises(
        ModelError, match="10 is not a multiple of the 4 fast frames for each slow one; nearest: 8 or 12"
    ):
        model(torch.zeros(1, 3, 10, 32, 32))
