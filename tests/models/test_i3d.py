"""I3D against PyTorchVideo's and PySlowFast's, and against published counts."""

import pytest
import torch

from harness.cost import count
from models.catalog import I3DOptions
from models.i3d import I3D
from tests.models.peers import from_peer, pyslowfast, pytorchvideo


def test_parity_with_pytorchvideo():
    peer = pytorchvideo("i3d_r50", head_pool_kernel_size=(4, 2, 2), model_num_class=5)
    ours = from_peer(I3DOptions(), 8, 64, 5, peer.state_dict())
    clip = torch.randn(2, 3, 8, 64, 64)
    with torch.no_grad():
        theirs = peer(clip)
        torch.testing.assert_close(ours(clip), theirs, rtol=1e-4, atol=1e-4)
    assert theirs.std() > 0.01


@pytest.mark.parametrize(("size", "non_local"), [("r50", False), ("r50", True), ("r101", True)])
def test_parity_with_pyslowfast_also_at_a_larger_crop(size, non_local):
    blocks = 23 if size == "r101" else 6
    places = [[[]], [[1, 3]], [[1, 3, 5]], [[]]] if non_local else [[[]]] * 4
    peer = pyslowfast(
        "i3d", 8, 64, 5, RESNET__DEPTH=101 if size == "r101" else 50, NONLOCAL__LOCATION=places,
        NONLOCAL__INSTANTIATION="softmax", RESNET__NUM_BLOCK_TEMP_KERNEL=[[3], [4], [blocks], [3]],
        DATA__INPUT_CHANNEL_NUM=[3],
    )  # fmt: skip
    options = I3DOptions.model_validate({"size": size, "non_local": non_local})
    ours = from_peer(options, 8, 64, 5, peer.state_dict())
    for crop in (64, 96):
        clip = torch.randn(2, 3, 8, crop, crop)
        with torch.no_grad():
            theirs = peer([clip])  # probabilities
            torch.testing.assert_close(ours(clip).softmax(dim=1), theirs, rtol=1e-4, atol=1e-5)
    assert theirs.std() > 1e-3


@pytest.mark.parametrize(
    ("options", "frames", "parameters_millions", "gigamacs"),
    [
        ({}, 8, 28.04, 37.1),  # the figure; PyTorchVideo's zoo prints 37.53 with norms counted
        ({"size": "r101", "non_local": True}, 32, 59.1, 353.8),  # behind Table 2's 10.8 TFLOPs for 30 views
    ],
)
def test_published_counts(options, frames, parameters_millions, gigamacs):
    cost = count(I3DOptions.model_validate(options), frames, 256, 400)
    assert cost.parameters / 1e6 == pytest.approx(parameters_millions, rel=0.005)
    assert cost.multiply_adds / 1e9 == pytest.approx(gigamacs, rel=0.005)


def test_non_local_blocks_start_as_nothing():
    plain, with_blocks = (I3D(I3DOptions(size="r50", non_local=each), 4, 32, 3).eval() for each in (False, True))
    with_blocks.load_state_dict(plain.state_dict(), strict=False)
    clip = torch.randn(1, 3, 4, 32, 32)
    torch.testing.assert_close(with_blocks(clip), plain(clip))
