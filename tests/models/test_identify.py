"""Which model a checkpoint fits."""

import pytest
import timm
import torch

from models import registry
from models.catalog import I3DOptions, SlowFastOptions, TimeSformerOptions, XViTOptions
from models.identify import fits, variants
from models.weights import understood


@pytest.mark.parametrize(
    ("options", "frames", "size"),
    [
        (TimeSformerOptions(size="demo", attention="axial"), 4, 48),
        (TimeSformerOptions(size="demo"), 7, 40),
        (XViTOptions(size="demo"), 16, 32),
        (XViTOptions(size="demo"), 12, 24),
        (I3DOptions(size="demo", non_local=True), 8, 32),
        (SlowFastOptions(size="demo"), 8, 32),
    ],
)
def test_a_models_own_checkpoint_fits_it(options, frames, size):
    found = fits(understood("own", registry.build(options, frames, size, 7).state_dict()))
    assert options in [each.options for each in found]
    (own,) = [each for each in found if each.options == options]
    assert own.misfits == []
    assert own.classes == 7
    assert own.frames in (frames, None)
    assert own.size in (size, None)


def test_image_weights_fit_every_inflated_network():
    found = fits(understood("image", timm.create_model("resnet50", num_classes=3).state_dict()))
    assert {each.options.name for each in found} == {"i3d", "slowfast"}
    assert all(each.classes is None and each.settings().get("size", "r50").startswith("r50") for each in found)


def test_the_nearest_is_told_where_none_fits():
    state = registry.build(I3DOptions(size="demo"), 8, 32, 7).state_dict()
    del state["stem.bn.weight"]
    (nearest,) = fits(understood("short", state))
    assert nearest.options == I3DOptions(size="demo")
    assert nearest.misfits == ["- missing (1): stem.bn.weight"]


def test_what_shares_nothing_has_no_nearest():
    assert fits(understood("odd", {"a": torch.zeros(2)})) == []


def test_variants_are_all_choices_that_change_parameters():
    assert len(list(variants(TimeSformerOptions))) == 5 * 5
    assert len(list(variants(SlowFastOptions))) == 5 * 2
