import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn

from harness.data.videos import Dataset, subset
from harness.files import Order
from harness.spec import JobSpec
from harness.suite import load
from models import registry
from tests.cluster import cluster
from tests.harness.sweeps import Sweep, lacking


@pytest.fixture(autouse=True)
def known_models() -> Iterator[None]:
    """What a test registers is known to no other test of the process."""
    entries, files = dict(registry._entries), os.environ.get(registry.FILES)
    yield
    if registry._entries != entries:
        registry._entries.clear()
        registry._entries.update(entries)
        registry.discover.cache_clear()
        for path in registry.model_files():
            sys.modules.pop(path.stem, None)
        os.environ.pop(registry.FILES, None)
        if files is not None:
            os.environ[registry.FILES] = files


@pytest.fixture
def spec(small_suite: Path) -> JobSpec:
    """Divided attention on 12 motion videos for 2 epochs, with drop path, so that random states matter."""
    return load(small_suite, only=["model.attention=divided"]).jobs[0].spec


@pytest.fixture
def order(spec: JobSpec, root: Path) -> Order:
    return Order(spec, "demo", "divided", root, None)


def with_broken_videos(order: Order, tmp_path: Path, dataset: Dataset, places: Sequence[int]) -> Order:
    """The same job on a copy of the motion set in which its first training video and some others do not decode.

    `places`: those of the validation videos.
    """
    source = dataset.train[0].path.parent.parent
    copy, root = tmp_path / "broken" / source.name, tmp_path / "broken-runs"
    (copy / "videos").mkdir(parents=True)
    (copy / "labels").symlink_to(source / "labels")
    (copy / "COMPLETE").touch()
    lost = [subset(dataset.train, order.spec.data.fraction)[0], *(dataset.val[place] for place in places)]
    for video in (source / "videos").iterdir():
        path = copy / "videos" / video.name
        if any(each.path.name == video.name for each in lost):
            path.write_bytes(b"not a video")
        else:
            path.symlink_to(video)
    root.mkdir()
    (root / "data").symlink_to(copy.parent)
    (root / "costs").symlink_to((order.root / "costs").resolve())
    return replace(order, root=root)


def with_recipe(spec: JobSpec, **changes) -> JobSpec:
    return replace(spec, recipe=spec.recipe.model_copy(update=changes))


class Mean(nn.Module):
    """The smallest model: a linear layer on a clip's mean colour."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 2)

    def forward(self, clip):
        return self.head(clip.mean(dim=(2, 3, 4)))


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Make programs that answer like SLURM's, by shell scripts; each keeps what it was called with in `called`."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def make(**scripts: str) -> Path:
        for name in ("sbatch", "srun", "squeue", "scontrol", "scancel"):
            path = folder / name
            called = f'echo "{name} $*" >> {folder}/called'
            path.write_text(f"#!/bin/sh\n{called}\n{scripts.get(name, 'exit 0')}\n", encoding="utf-8")
            path.chmod(0o755)
        return folder / "called"

    return make


@pytest.fixture(scope="module")
def slurm():
    """A cluster of real daemons, for the tests of one file."""
    if lacking():
        pytest.skip(f"no SLURM here: {lacking()}")
    with cluster() as running:
        yield running


@pytest.fixture
def sweep(slurm, tmp_path, embedded_cache):
    """A sweep of its own on it, of which nothing is left."""
    yield Sweep(slurm, tmp_path, embedded_cache)
    slurm.clear()
