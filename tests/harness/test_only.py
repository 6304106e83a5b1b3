from pathlib import Path

import pytest

from harness.errors import SuiteError
from harness.suite import load

SUITE = """\
base:
  model: {name: timesformer, size: demo}
  data: motion
  clip: {frames: 8, size: 32}
  recipe: demo
  seeds: [0, 1]
matrix:
  model.attention: [space, divided]
  clip.frames: [4, 8]
  data.fraction: [0.5, 1.0]
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "suite.yaml"
    path.write_text(SUITE, encoding="utf-8")
    return path


def count(suite: Path, *only: str) -> int:
    return len(load(suite, only=only).jobs)


@pytest.mark.parametrize(
    ("only", "kept"),
    [
        ("model.attention=space", 8),
        ("model.attention=space,divided", 16),
        ("clip.frames=4", 8),
        ('clip.frames="4"', 8),
        ("clip.frames=4.0", 8),
        ("data.fraction=0.50", 8),
        ("data.fraction=.5", 8),
        ("data.fraction=1", 8),
        ("seeds=1", 8),
        ("seed=0,1", 16),
        ("data=motion", 16),
        ("model.weights=null", 16),
        ("model.weights=", 16),
        ("precision=float32", 16),
    ],
)
def test_values_are_compared_as_yaml_reads_them(suite, only, kept):
    assert count(suite, only) == kept


def test_a_list_is_one_value(suite):
    jitter = ",".join(str(part) for part in load(suite).jobs[0].spec.recipe.jitter)
    assert count(suite, f"recipe.jitter=[{jitter}]") == 16


def test_several_must_all_hold(suite):
    assert count(suite, "clip.frames=4", "seeds=1", "model.attention=divided") == 2


@pytest.mark.parametrize(
    ("only", "problem"),
    [
        ("model.attention=dividd", "unknown value of model.attention 'dividd' (did you mean 'divided'?); allowed: "),
        ("clip.frames=9", "unknown value of clip.frames '9'; allowed: 4, 8"),
        ("model.fused=1", "unknown value of model.fused '1'; allowed: true"),
        ("seeds=7", "unknown value of seeds '7'; allowed: 0, 1"),
        ("frames=4", "unknown key 'frames'; what varies here, closest first: clip.frames (4, 8), "),
        ("clip=4", "unknown key 'clip'; what varies here, closest first: clip.frames (4, 8), "),
        ("nonsense", "expected KEY=VALUE, such as model.attention=divided; what varies here, closest first: "),
        ("clip.frames=[4", "'[4' is no YAML value"),
    ],
)  # fmt: skip
def test_what_keeps_nothing_is_told_with_what_there_is(suite, only, problem):
    with pytest.raises(SuiteError) as caught:
        load(suite, only=[only])
    (told,) = str(caught.value).splitlines()
    assert told.startswith(f"--only: {only}: {problem}")


def test_where_nothing_varies_that_is_told(suite):
    with pytest.raises(SuiteError, match="unknown key 'x'; there is one job only"):
        load(suite, only=["clip.frames=4", "seeds=1", "model.attention=divided", "data.fraction=1", "x=1"])
