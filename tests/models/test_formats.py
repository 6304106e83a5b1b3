"""Formats are told apart by the share of names that they know."""

import pytest
import torch

from models import registry
from models.formats import FORMATS, nearest, recognise, renamed
from tests.models.peers import pytorchvideo

OURS = {"timesformer": "TimeSformer, released", "xvit": "X-ViT, ours", "slowfast": "SlowFast, ours",
        "i3d": "I3D, ours", "x3d": "X3D, ours", "vit": "image ViT, timm"}  # fmt: skip


@pytest.mark.parametrize(("name", "title"), list(OURS.items()))
def test_our_own_names_are_recognised_and_kept(name, title):
    options = registry.options_type(name).model_validate({"size": "demo"})
    state = registry.build(options, 8, 32, 3).state_dict()
    found = recognise(state)
    assert found.title == title
    assert found.renamed(state).keys() == state.keys()


PYTORCHVIDEO = {
    "slowfast_r50": "SlowFast, PyTorchVideo",
    "i3d_r50": "I3D or another ResNet, PyTorchVideo",
    "x3d_xs": "X3D, PyTorchVideo",
}


@pytest.mark.parametrize(("name", "title"), PYTORCHVIDEO.items())
def test_pytorchvideos_names_are_all_known_also_where_the_stem_is_missing(name, title):
    names = list(pytorchvideo(name).state_dict())
    found, share = nearest(names)
    assert (found.title, share) == (title, 1.0)
    assert len({renamed(each, found.rules) for each in names}) == len(names)
    assert nearest([each for each in names if not each.startswith("blocks.0.")])[0] is found


@pytest.mark.parametrize(("name", "title"), list(OURS.items()))
def test_the_first_names_are_not_needed(name, title):
    options = registry.options_type(name).model_validate({"size": "demo"})
    state = registry.build(options, 8, 32, 3).state_dict()
    assert recognise(dict(list(state.items())[6:])).title == title


def test_what_stands_beside_known_names_does_not_hide_them():
    state = registry.build(registry.options_type("x3d")(size="demo"), 4, 32, 3).state_dict()
    extra = {f"extra.{index}": torch.zeros(1) for index in range(len(state) // 2)}
    assert recognise(state | extra).title == "X3D, ours"
    assert recognise(dict(list(state.items())[:10]) | extra) is None


def test_the_first_official_vits_have_a_layer_for_their_own_head():
    state = registry.build(registry.options_type("vit")(size="demo"), 4, 32, 3).state_dict()
    official = state | {"pre_logits.fc.weight": torch.zeros(64, 64), "pre_logits.fc.bias": torch.zeros(64)}
    found = recognise(official)
    assert found.title == "image ViT, timm"
    assert found.renamed(official).keys() == state.keys() - {"head.weight", "head.bias"}


def test_unknown_names_have_no_format():
    assert recognise({"encoder.weight": torch.zeros(1)}) is None


@pytest.mark.parametrize("each", FORMATS, ids=lambda each: each.title)
def test_every_format_is_for_models_that_exist(each):
    assert set(each.models) <= set(registry.names())
