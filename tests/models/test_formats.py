"""Formats are told apart by their names alone."""

import pytest
import torch

from models import registry
from models.formats import FORMATS, recognise, renamed
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


@pytest.mark.parametrize("name", ["slowfast_r50", "i3d_r50", "x3d_xs"])
def test_no_other_format_takes_pytorchvideos(name):
    names = list(pytorchvideo(name).state_dict())
    (found,) = [each for each in FORMATS if each.fits(names)]
    assert found.title.endswith("PyTorchVideo")
    assert len({renamed(each, found.rules) for each in names}) == len(names)


def test_unknown_names_have_no_format():
    assert recognise({"encoder.weight": torch.zeros(1)}) is None


@pytest.mark.parametrize("each", FORMATS, ids=lambda each: each.title)
def test_every_format_is_for_models_that_exist(each):
    assert set(each.models) <= set(registry.names())
