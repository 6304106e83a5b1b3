import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
from torch import nn

from models import registry
from models.catalog import Options, TimeSformerOptions
from models.registry import ModelError, UnknownModel
from models.timesformer import TimeSformer


class StubOptions(Options):
    name: Literal["stub"] = "stub"


def build_stub(options: StubOptions, frames: int, size: int, classes: int) -> nn.Module:
    return nn.Linear(frames * size, classes)


@pytest.fixture
def entries(monkeypatch):
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))


def test_every_registered_model_builds_from_its_defaults():
    for name in registry.names():
        assert registry.options_type(name)().name == name
    model = registry.build(TimeSformerOptions(size="demo"), frames=8, size=32, classes=4)
    assert isinstance(model, TimeSformer)


def test_an_unknown_name_is_answered_with_the_known_ones_closest_first(entries):
    registry.register("resnet", StubOptions, "elsewhere:build")
    with pytest.raises(UnknownModel, match="no model 'timesfromer'; known: timesformer, resnet"):
        registry.options_type("timesfromer")


def test_a_registered_model_is_built_by_its_function(entries, monkeypatch):
    monkeypatch.setitem(sys.modules, "a_plugin", sys.modules[__name__])
    registry.register("stub", StubOptions, "a_plugin:build_stub")
    registry.register("stub", StubOptions, "a_plugin:build_stub")
    assert registry.options_type("stub") is StubOptions
    model = registry.build(StubOptions(), frames=2, size=3, classes=5)
    assert isinstance(model, nn.Linear)
    assert (model.in_features, model.out_features) == (6, 5)


def test_registration_refuses_taken_names_and_malformed_builders(entries):
    with pytest.raises(ModelError, match=r"'timesformer' is taken by models\.timesformer:build"):
        registry.register("timesformer", StubOptions, "a_plugin:build_stub")
    with pytest.raises(ModelError, match="should be 'module:function'"):
        registry.register("stub", StubOptions, "a_plugin.build_stub")


def test_building_tells_all_problems_at_once():
    options = TimeSformerOptions(attention="sparse_local_global", weights="imagenet")
    with pytest.raises(ModelError, match=r"clip\.frames: .*; clip\.size: .*; model\.weights: "):
        registry.build(options, frames=7, size=225, classes=4)


def test_looking_up_imports_no_torch():
    code = (
        "import sys; from models.registry import options_type;"
        "options_type('timesformer')().problems(8, 224); print('torch' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert run.stdout == "False\n"
