"""The parts of the convolutional networks, each by its law."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from models import registry
from models.catalog import I3DOptions, SlowFastOptions, X3DOptions
from models.resnet3d import Bottleneck, FrameConv, NonLocal, Stem, mean_prediction, pool_windows


@pytest.mark.parametrize(("pool", "side"), [(True, 8), (False, 16)])
def test_the_stem_halves_once_or_twice(pool, side):
    assert Stem(16, 5, pool)(torch.zeros(1, 3, 4, 32, 32)).shape == (1, 16, 4, side, side)


@pytest.mark.parametrize("frames", [1, 2, 5])
@pytest.mark.parametrize(("kernel", "stride", "groups"), [((1, 3, 3), 2, 1), ((5, 1, 1), 1, 1), ((3, 3, 3), 2, 6)])
def test_frames_as_images_give_the_same_sums_and_gradients_as_one_convolution_in_3d(kernel, stride, groups, frames):
    conv = FrameConv(6, 12, kernel, stride, groups=groups, bias=True)
    clip = torch.randn(2, 6, frames, 7, 8, requires_grad=True)
    whole = F.conv3d(clip, conv.weight, conv.bias, conv.stride, conv.padding, groups=groups)
    taken_apart = conv(clip.contiguous(memory_format=torch.channels_last_3d))
    torch.testing.assert_close(taken_apart, whole, rtol=1e-4, atol=1e-5)
    assert taken_apart.is_contiguous(memory_format=torch.channels_last_3d)
    sought = (clip, conv.weight, conv.bias)
    weights = torch.randn_like(whole)
    expected = torch.autograd.grad((whole * weights).sum(), sought)
    given = torch.autograd.grad((taken_apart * weights).sum(), sought)
    torch.testing.assert_close(given, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "frames"),
    [(I3DOptions(size="demo", non_local=True), 8), (SlowFastOptions(size="demo"), 16), (X3DOptions(size="demo"), 4)],
    ids=lambda each: getattr(each, "name", None),
)
@pytest.mark.parametrize("clips", [1, 2])
def test_channels_stay_last_through_the_whole_model(options, frames, clips):
    model = registry.build(options, frames, 64, 5).eval()
    seen = []
    for module in model.modules():
        if isinstance(module, FrameConv):
            module.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        model(torch.randn(clips, 3, frames, 64, 64))
    assert seen
    assert all(x.is_contiguous(memory_format=torch.channels_last_3d) for x in seen)


def test_a_new_bottleneck_with_its_last_norm_at_zero_passes_its_input_on():
    block = Bottleneck(64, 16, 64, 3, 1)
    torch.nn.init.zeros_(block.c_bn.weight)
    x = torch.rand(2, 64, 3, 4, 4)
    torch.testing.assert_close(block(x), x)


def test_a_non_local_map_is_what_its_branch_mixes_by():
    block = NonLocal(8, softmax=True).eval()
    torch.nn.init.ones_(block.bn.weight)
    x = torch.randn(2, 8, 3, 4, 4)
    weights = block.weights(x)
    assert weights.shape == (2, 1, 3 * 16, 3 * 4)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 1, 48))
    g = block.conv_g(F.max_pool3d(x, (1, 2, 2))).flatten(2)
    mixed = (weights[:, 0] @ g.mT).mT.reshape(2, 4, 3, 4, 4)
    torch.testing.assert_close(block(x), x + block.bn(block.conv_out(mixed)), rtol=1e-4, atol=1e-5)


def test_the_other_form_divides_products_by_their_number():
    block = NonLocal(8, softmax=False).eval()
    x = torch.randn(1, 8, 2, 4, 4)
    theta, phi = block.conv_theta(x).flatten(2), block.conv_phi(F.max_pool3d(x, (1, 2, 2))).flatten(2)
    torch.testing.assert_close(block.weights(x)[0, 0], theta[0].T @ phi[0] / 8, rtol=1e-4, atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 4), st.integers(1, 6), st.integers(1, 6), st.integers(1, 4))
def test_windows_are_means_of_all_places_of_a_square(frames, height, width, window):
    x = torch.randn(1, 2, frames, height, width)
    pooled = pool_windows(x, window)
    rows, columns = min(window, height), min(window, width)
    assert pooled.shape == (1, height - rows + 1, width - columns + 1, 2)
    last = x[:, :, :, height - rows :, width - columns :].mean(dim=(2, 3, 4))
    torch.testing.assert_close(pooled[:, -1, -1], last, rtol=1e-4, atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(2, 5))
def test_a_prediction_over_windows_is_the_mean_of_their_probabilities(height, width, classes):
    logits = 5 * torch.randn(2, height, width, classes)
    mean = logits.softmax(-1).mean(dim=(1, 2))
    torch.testing.assert_close(mean_prediction(logits).softmax(-1), mean, rtol=1e-4, atol=1e-6)
    if height == width == 1:
        assert torch.equal(mean_prediction(logits), logits[:, 0, 0])
