"""A suite's search with its storage and its name: what a command or a worker works with."""

import re
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from harness import site
from harness.errors import HarnessError
from harness.search import read, storage
from harness.search.block import Search
from harness.search.study import Shared
from harness.spec import Scale
from harness.suite import Suite, load
from results import trials as plain

SUITE = "suite.yaml"
"""The suite as it was when its study was last worked at, in the study's folder: what workers on a cluster read."""

NAME = re.compile(r"[^./\0][^/\0]*")
"""Of a study: a folder is called by it."""


@dataclass(frozen=True)
class Session:
    """A search that is worked at from here, or looked at."""

    suite: Suite
    search: Search
    sets: tuple[str, ...]
    root: Path
    datasets: Path
    url: str | None
    name: str

    @property
    def folder(self) -> Path:
        """Of the study, in the output folder."""
        return storage.folder(self.root, self.name)

    @property
    def page(self) -> str:
        """The folder of its report: the suite's own, or one of its own where a person named the study."""
        return self.name if self.name == self.suite.folder else f"search-{self.name}"

    def joined(self, check: Callable[[], None] | None = None, alone: bool = True) -> Shared:
        """The study, begun if there is none yet. Raises HarnessError.

        `alone`: whether no other worker is begun beside this one, which makes what it proposes reproducible.
        `check`: of one of several workers, which joins a study that there is, with patience from the beginning; it is
        called while the storage does not answer, and may raise Interrupted.
        """
        patience = storage.Patience(storage.told(self.url, self.root, self.name), _told_at_once)
        patience.check = check or patience.check
        open_it = partial(storage.opened, self.url, self.root, self.name)
        kept = patience.tried(open_it) if check else open_it()
        assert kept is not None
        return Shared(self.search, self.about(), kept, self.name, site.read().silent_s, alone, patience)

    def study(self) -> plain.Study | None:
        """The study as plain values; None where there is none yet. Raises StorageError and ChangedError."""
        kept = storage.opened(self.url, self.root, self.name, make=False)
        return read.study(kept, self.name, self.search, self.about()) if kept else None

    def arguments(self, until: float | None, path: Path | None = None) -> dict[str, Any]:
        """What a worker in a process of its own is told (`harness.search.process`). `path`: of the suite, if copied."""
        return {
            "suite": str((path or self.suite.path).resolve()), "scale": self.suite.scale, "sets": list(self.sets),
            "root": str(self.root), "datasets": str(self.datasets), "storage": self.url, "study": self.name,
            "until": until,
        }  # fmt: skip

    def about(self) -> dict[str, Any]:
        """What it is a study of: with anything else it is another."""
        job = self.suite.jobs[0]
        content = job.spec.content()
        seeds = [each.spec.seed for each in self.suite.jobs]
        del content["seed"]
        return {
            "scale": self.suite.scale,
            "space": self.search.space.plain(),
            "objective": [
                f"{each.objective.direction} {each.objective.quantity}" for each in self.search.block.objective
            ],
            "seeds": seeds,
            "own": content,
            "test": [test.model_dump(mode="json") for test in job.spec.tests],
        }

    def keep(self) -> Path:
        """Copy the suite into the study's folder, where every worker finds it. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / SUITE
        if path.resolve() != self.suite.path.resolve():
            shutil.copyfile(self.suite.path, path)
        return path


def begun(
    path: Path, scale: Scale, sets: Sequence[str], root: Path, datasets: Path, url: str | None, name: str | None
) -> Session:
    """A suite's search. Raises HarnessError, also where the suite has none."""
    suite = load(path, scale, sets, (), datasets)
    return of(suite, sets, root, datasets, url, name)


def of(suite: Suite, sets: Sequence[str], root: Path, datasets: Path, url: str | None, name: str | None) -> Session:
    """The same of a suite that is loaded."""
    if suite.search is None:
        problem = f"{suite.path}: has no `search` at {suite.scale} scale, so there is nothing to search"
        raise HarnessError(f"{problem}; docs/search.md says how")
    name = suite.folder if name is None else name
    if not NAME.fullmatch(name):
        raise HarnessError(f"--study {name}: a folder is called by it, so it has no / and does not begin with a dot")
    url = url or suite.search.block.storage
    if url and "://" not in url:
        url = str(Path(url).expanduser().absolute())  # workers on a cluster begin in another folder
    return Session(suite, suite.search, tuple(sets), root, datasets, url, name)


def _told_at_once(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
