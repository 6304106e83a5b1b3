import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
import torch
from torch import nn

from models import registry
from models.catalog import Options, TimeSformerOptions
from models.registry import ModelError, UnknownModel, check_clip


class StubOptions(Options):
    name: Literal["stub"] = "stub"


def build_stub(options: StubOptions, frames: int, size: int, classes: int) -> nn.Module:
    return nn.Linear(frames * size, classes)


@pytest.fixture
def entries(monkeypatch):
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))


def test_an_unknown_name_is_answered_with_the_known_ones_closest_first():
    with pytest.raises(UnknownModel, match=r"no model 'timesfromer'; known: timesformer, .*; .*--models FILE"):
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


MINE = """
from typing import Literal
from models.catalog import Options
from models.registry import register

class MineOptions(Options):
    name: Literal["mine"] = "mine"

def build(options, frames, size, classes):
    from torch import nn
    return nn.Linear(frames, classes)

register("mine", MineOptions, "{module}:build")
"""


@pytest.fixture
def mine(entries, monkeypatch, tmp_path):
    """A file of a user's own model, and an environment and modules that forget it again."""
    monkeypatch.setenv(registry.FILES, "")
    path = tmp_path / "mine_models.py"
    path.write_text(MINE.format(module=path.stem), encoding="utf-8")
    yield path
    sys.modules.pop(path.stem, None)
    registry.discover.cache_clear()


def test_a_file_of_models_is_used_here_and_in_processes_started_from_here(mine):
    registry.use([mine])
    assert "mine" in registry.names()
    assert registry.build(registry.options_type("mine")(), 2, 3, 4).in_features == 2
    code = "from models import registry; print(registry.options_type('mine')().name)"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert ended.stdout == "mine\n"


def test_files_named_from_a_folder_are_found_from_another(mine, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(registry.FILES, mine.name)
    registry.discover.cache_clear()
    assert "mine" in registry.names()
    assert os.environ[registry.FILES] == str(mine)
    other = tmp_path / "elsewhere" / "other_models.py"
    other.parent.mkdir()
    other.write_text("", encoding="utf-8")
    monkeypatch.chdir(other.parent)
    registry.use([other, Path("..", mine.name)])
    assert os.environ[registry.FILES].split(os.pathsep)[:2] == [str(mine), str(other)]
    sys.modules.pop(other.stem)


def test_clips_that_are_none_or_not_of_floats_are_told():
    options = TimeSformerOptions(size="demo")
    check_clip(options, torch.zeros(1, 3, 8, 32, 32, dtype=torch.bfloat16))
    with pytest.raises(ModelError, match=r"a batch of no clips: its shape is \[0, 3, 8, 32, 32\]; give at least one"):
        check_clip(options, torch.zeros(0, 3, 8, 32, 32))
    for kind in (torch.uint8, torch.int64, torch.float64):
        told = f"float32, bfloat16 or float16, normalised; this one {str(kind)[6:]}"
        with pytest.raises(ModelError, match=told):
            check_clip(options, torch.zeros(1, 3, 8, 32, 32, dtype=kind))


def test_an_oblong_clip_has_each_fault_told_once():
    options = TimeSformerOptions(size="demo", attention="sparse_local_global")
    with pytest.raises(ModelError) as caught:
        check_clip(options, torch.zeros(1, 3, 7, 30, 33))
    assert [each.partition(":")[0] for each in str(caught.value).split("; clip")] == ["clip.frames", ".size", ".size"]


def test_weights_are_looked_at_when_a_model_is_made_and_not_with_every_clip(monkeypatch):
    options, looked = TimeSformerOptions(size="demo"), []
    monkeypatch.setattr(TimeSformerOptions, "weights_problems", lambda self: looked.append(1) or [])
    model = registry.build(options, 8, 32, 4)
    assert looked
    looked.clear()
    model(torch.zeros(1, 3, 8, 32, 32))
    assert looked == []


def test_a_file_that_does_not_exist_is_named(mine):
    with pytest.raises(ModelError, match=r"nowhere\.py: cannot be loaded: ModelError: no such Python file"):
        registry.use([mine.with_name("nowhere.py")])


def test_a_file_that_fails_is_named_with_its_reason(mine):
    mine.write_text("import nothing_of_the_kind", encoding="utf-8")
    with pytest.raises(ModelError, match=r"mine_models\.py: cannot be loaded: ModuleNotFoundError: .*nothing_of"):
        registry.use([mine])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('"mine"', '"x3d_m"'), "the model name 'x3d_m' is taken by a published model"),
        (('register("mine"', 'register("other"'), "calls its model 'mine', and it is registered as 'other'"),
        (("from models", "raise SystemExit(0)\nfrom models"), "cannot be loaded: SystemExit"),
    ],
)
def test_a_registration_that_could_not_work_is_refused(mine, change, told):
    mine.write_text(mine.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    with pytest.raises(ModelError, match=told):
        registry.use([mine])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("mine_models:build", "elsewhere:build"), "builder is 'elsewhere:build': No module named 'elsewhere'"),
        (("mine_models:build", "mine_models:make"), "builder is 'mine_models:make': .*no attribute 'make'"),
        (("return nn.Linear(frames, classes)", "return 3"), "returned 3, not a torch module"),
    ],
)
def test_a_builder_that_builds_nothing_is_told(mine, change, told):
    mine.write_text(mine.read_text(encoding="utf-8").replace(*change), encoding="utf-8")
    registry.use([mine])
    with pytest.raises(ModelError, match=told):
        registry.build(registry.options_type("mine")(), 2, 3, 4)


def test_a_file_named_as_another_module_is_refused(mine, monkeypatch):
    taken = mine.with_name("json.py")
    mine.rename(taken)
    with pytest.raises(ModelError, match="there is another module named json; rename the file"):
        registry.use([taken])


def test_an_installed_package_announces_its_models(mine, monkeypatch):
    monkeypatch.syspath_prepend(mine.parent)
    point = importlib.metadata.EntryPoint("mine", "mine_models", registry.ENTRY_POINTS)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == registry.ENTRY_POINTS else [])
    registry.discover.cache_clear()
    assert "mine" in registry.names()
