"""Which model a checkpoint fits."""

import pytest
import timm
import torch

from models import registry
from models.catalog import I3DOptions, SlowFastOptions, TimeSformerOptions, XViTOptions
from models.identify import fits, variants
from models.weights import understood
from tests.models.peers import released_xvit


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
    assert own.misfits.count == 0
    assert own.classes == 7
    assert own.frames in (frames, None)
    assert own.size in (size, None)


def test_image_weights_fit_every_inflated_network():
    found = fits(understood("image", timm.create_model("resnet50", num_classes=3).state_dict()))
    assert {each.options.name for each in found} == {"i3d", "slowfast"}
    assert all(each.settings().get("size", "r50").startswith("r50") for each in found)
    # SlowFast's last layer also sees the fast pathway.
    assert all(
        (each.classes, each.options.new_head) == ((3, False), (None, True))[each.options.name == "slowfast"]
        for each in found
    )


def test_the_nearest_is_told_where_none_fits():
    state = registry.build(I3DOptions(size="demo"), 8, 32, 7).state_dict()
    del state["stem.bn.weight"]
    (nearest,) = fits(understood("short", state))
    assert nearest.options == I3DOptions(size="demo")
    assert nearest.misfits.lines() == ["- missing (1): stem.bn.weight"]


def test_one_without_a_last_layer_fits_with_a_new_one():
    state = registry.build(SlowFastOptions(size="demo"), 8, 32, 7).state_dict()
    bare = {name: tensor for name, tensor in state.items() if not name.startswith("head.")}
    (found,) = fits(understood("bare", bare))
    assert (found.misfits.count, found.classes) == (0, None)
    assert found.settings() == {"name": "slowfast", "size": "demo", "new_head": True}


def test_released_x_vit_fits_released_windows_of_any_clip():
    found = fits(understood("released", released_xvit(8, 5, 4)))
    assert {each.options.windows for each in found} == {"released_kinetics", "released_ssv2"}
    assert {(each.frames, each.size, each.classes) for each in found} == {(None, 32, 5)}


def test_half_a_checkpoint_has_a_nearest():
    state = registry.build(I3DOptions(size="demo"), 8, 32, 7).state_dict()
    (nearest,) = fits(understood("half", dict(list(state.items())[len(state) * 2 // 3 :])))
    assert nearest.options == I3DOptions(size="demo")
    assert len(nearest.misfits.missing) == len(state) * 2 // 3


@pytest.mark.parametrize("name", ["time_embed", "pos_embed"])
@pytest.mark.parametrize("shape", [(8,), (), (1, 0, 64), (1, 1, 1, 1, 64)])
def test_embeddings_of_no_sense_are_misfits(name, shape):
    state = registry.build(TimeSformerOptions(size="demo"), 32, 224, 7).state_dict()
    (nearest,) = fits(understood("odd", state | {name: torch.zeros(shape)}))
    assert nearest.options == TimeSformerOptions(size="demo")
    assert [each.partition(" ")[0] for each in nearest.misfits.shapes] == [name]


def test_frames_that_no_scheme_takes_are_misfits_and_no_failure():
    state = registry.build(TimeSformerOptions(size="demo", attention="sparse_local_global"), 4, 32, 7).state_dict()
    found = fits(understood("odd", state | {"time_embed": torch.zeros(1, 3, 64)}))
    assert TimeSformerOptions(size="demo", attention="sparse_local_global") in [each.options for each in found]


def test_what_shares_nothing_has_no_nearest():
    assert fits(understood("odd", {"a": torch.zeros(2)})) == []


def test_variants_are_all_choices_that_change_parameters():
    assert len(list(variants(TimeSformerOptions))) == 5 * 5
    assert len(list(variants(SlowFastOptions))) == 5 * 2
