"""X3D against PyTorchVideo's, against published counts, and against figures of the paper where nothing is public."""

import pytest
import torch

from harness.cost import count
from models import registry
from models.catalog import X3DOptions
from models.x3d import rounded
from tests.models.peers import from_peer, pytorchvideo

CLIPS = {"xs": (4, 160), "s": (13, 160), "m": (16, 224), "l": (16, 312)}


@pytest.mark.parametrize("size", list(CLIPS))
def test_parity_with_pytorchvideo(size):
    frames = CLIPS[size][0]
    peer = pytorchvideo(f"x3d_{size}", model_num_class=5, head_activation=None)
    peer.blocks[5].pool.pool.kernel_size = (frames, 2, 2)  # of a crop of 64 pixels
    ours = from_peer(X3DOptions.model_validate({"size": size}), frames, 64, 5, peer.state_dict())
    clip = torch.randn(1, 3, frames, 64, 64)
    with torch.no_grad():
        theirs = peer(clip)
        torch.testing.assert_close(ours(clip), theirs, rtol=1e-4, atol=1e-4)
    assert theirs.std() > 0.01


def test_parity_with_pytorchvideo_at_a_larger_crop():
    torch.manual_seed(0)
    peer = pytorchvideo("x3d_s", model_num_class=5)  # its prediction: probabilities, averaged over windows
    peer.blocks[5].pool.pool.kernel_size = (4, 2, 2)
    peer.blocks[5].proj.weight.data *= 100  # so that the mean of logits is another prediction
    ours = from_peer(X3DOptions(size="s"), 4, 64, 5, peer.state_dict())
    clip = torch.randn(1, 3, 4, 128, 96)
    clip[..., 64:, :] += 3
    with torch.no_grad():
        assert ours.windows(clip).shape[1:3] == (3, 2)
        theirs = peer(clip)
        torch.testing.assert_close(ours(clip).softmax(dim=1), theirs, rtol=1e-4, atol=1e-5)
        logits = ours.head.projection(ours.windows(clip)).mean(dim=(1, 2))
    assert not torch.allclose(logits.softmax(dim=1), theirs, rtol=1e-4, atol=1e-5)


def test_the_norm_that_pytorchvideo_lacks_changes_nothing():
    peer = pytorchvideo("x3d_xs", model_num_class=5)
    assert "blocks.1.res_blocks.0.branch1_norm.weight" not in peer.state_dict()
    norm = from_peer(X3DOptions(size="xs"), 4, 64, 5, peer.state_dict()).stages[0][0].shortcut_bn
    x = torch.randn(2, 24, 2, 4, 4)
    torch.testing.assert_close(norm(x), x, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("size", "frames", "crop", "parameters_millions", "gigamacs"),
    [
        # MODEL_ZOO.md of facebookresearch/SlowFast, at the training crop
        ("xs", 4, 160, 3.79, 0.60),
        ("s", 13, 160, 3.79, 1.96),
        ("m", 16, 224, 3.79, 4.73),
        ("l", 16, 312, 6.15, 18.37),
        # The paper's, as no configuration is public; it prints fewer parameters of every size (M: 3.76, XL: 11.0,
        # XXL: 20.3)
        ("xl", 16, 312, 11.1, 35.84),
        ("xxl", 32, 312, 20.47, 143.5),
    ],
)
def test_published_counts(size, frames, crop, parameters_millions, gigamacs):
    cost = count(X3DOptions.model_validate({"size": size}), frames, crop, 400)
    assert cost.parameters / 1e6 == pytest.approx(parameters_millions, rel=0.005)
    assert cost.multiply_adds / 1e9 == pytest.approx(gigamacs, rel=0.01 if size == "xs" else 0.005)


def test_the_test_crop_counts_as_published():
    assert count(X3DOptions(), 16, 224, 400, crop=256).multiply_adds / 1e9 == pytest.approx(6.19, rel=0.001)


@pytest.mark.parametrize(("width", "multiple"), [(12, 16), (24, 24), (3.4, 8), (54, 56), (20, 24), (100, 104)])
def test_widths_are_multiples_of_eight(width, multiple):
    assert rounded(width) == multiple


def test_a_larger_crop_averages_probabilities_over_windows():
    model = registry.build(X3DOptions(size="demo"), 4, 32, 5).eval()
    clip = torch.randn(1, 3, 4, 64, 32)
    with torch.no_grad():
        windows = model.windows(clip)
        assert windows.shape[1:3] == (2, 1)
        each = model.head.projection(windows).softmax(dim=-1)
        torch.testing.assert_close(model(clip).softmax(dim=1), each.mean(dim=(1, 2)))
