"""What several packages' tests share."""

import signal
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A shell's background job ignores Ctrl-C, and so would every command that a test starts and stops by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def embedded_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the embedded sets, made once for all xdist workers (their temporary folders share a parent)."""
    folder = tmp_path_factory.getbasetemp().parent / "embedded"
    (folder / "costs").mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def root(tmp_path: Path, embedded_cache: Path) -> Path:
    """An output folder of its own whose embedded sets and counted costs are the shared ones."""
    folder = tmp_path / "runs"
    folder.mkdir()
    (folder / "data").symlink_to(embedded_cache)
    (folder / "costs").symlink_to(embedded_cache / "costs")
    return folder


@pytest.fixture
def small_suite(tmp_path: Path) -> Path:
    """A suite of two variants that trains for seconds: 2 epochs of 12 videos."""
    path = tmp_path / "small.yaml"
    path.write_text(SMALL_SUITE, encoding="utf-8")
    return path


SMALL_SUITE = """\
title: Small
question: Does it run?
base:
  model: {name: timesformer, size: demo, init: scratch, drop_path: 0.2}
  data: {name: motion, fraction: 0.015}
  clip: {frames: 4, stride: 4, size: 16}
  recipe: {name: demo, epochs: 2, batch_size: 4}
  test: {clips: 1, crops: 1}
matrix:
  model.attention: [space, divided]
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Clusters first: their tests wait much and compute little, so that other workers compute meanwhile."""
    items.sort(key=lambda item: not {"slurm", "blind"} & set(getattr(item, "fixturenames", ())))
