"""Both splits of a data set while they are read: videos, the lines that name them, and what must hold between them."""

import gc
import hashlib
import itertools
import os
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from harness.data.formats.finder import Finder, is_video
from harness.data.formats.labels import By, Numbering, numbering
from harness.data.formats.text import Mistakes, name_problem
from harness.data.videos import DatasetError, Video

CLASSES_BELOW = 10_000
"""Numbers of classes that a list may reach by itself, however few its videos."""

SEPARATORS = (",", ";", "\t", "|")


class Annotations(NamedTuple):
    """What every format is read to."""

    classes: tuple[str, ...]
    train: tuple[Video, ...]
    val: tuple[Video, ...]


class Row(NamedTuple):
    """One video as a list names it: its name, its label's text, and the part of the file that is meant."""

    line: int
    name: str
    label: str
    other: str = ""
    """The name under which it may lie instead."""
    first: int = 0
    last: int | None = None


@dataclass
class Listed:
    """The videos of one split, and the line of `path` on which each stands."""

    path: Path
    videos: list[Video] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def add(self, video: Video, line: int) -> None:
        """Append one video."""
        self.videos.append(video)
        self.lines.append(line)


def annotations(
    train: tuple[Path, Sequence[Row]],
    val: tuple[Path, Sequence[Row]],
    *,
    folder: Path,
    names: tuple[str, ...],
    count: int | None,
    by: By | None,
    mistakes: Mistakes,
) -> Annotations:
    """Rows as videos: names as files of `folder`, label texts as numbers; raises DatasetError with every mistake."""
    trained, tested = ({row.label for row in rows} for _, rows in (train, val))
    if mistakes.found:  # rows are lacking that may have named a class, so that none is told to be unknown
        trained |= tested
    try:
        made = numbering(trained, tested, names, count, by, max(CLASSES_BELOW, len(train[1]) + len(val[1])))
    except DatasetError as error:
        mistakes.add(train[0], 0, str(error))
        mistakes.tell()
        raise
    finder = Finder(folder)
    listed = [_listed(path, rows, _Bare(finder, path, mistakes), made, mistakes) for path, rows in (train, val)]
    if not mistakes.found:
        _tell_gap(made, listed, mistakes)
    return checked(made.classes, listed[0], listed[1], mistakes)


def _listed(path: Path, rows: Sequence[Row], bare: "_Bare", made: Numbering, mistakes: Mistakes) -> Listed:
    """The videos of one list; written for lists of hundreds of thousands."""
    split, below, numbers = Listed(path), f"{bare.finder.folder}/", made.numbers
    for row in rows:
        line, name, label, _, first, last = row
        number = numbers.get(label)
        problem = name_problem(name)
        if problem or number is None:
            mistakes.add(path, line, problem or ("its label too" if mistakes.full else made.problem(label)))
            continue
        file = name if name[-4:] == ".mp4" or is_video(name) else bare.resolved(row)
        id_ = name if last is None and not first else f"{name}:{first}-{last or ''}"
        split.videos.append(Video(id_, Path(file if file[0] == "/" else below + file), number, first, last))
        split.lines.append(line)
    bare.tell_if_none()
    return split


def _tell_gap(made: Numbering, listed: Sequence[Listed], mistakes: Mistakes) -> None:
    """Note where numbers of classes are left out, on the first line that has the label behind them."""
    if gap := made.gap({video.label for video in listed[0].videos}):
        number, problem = gap
        places = ((split, line) for split in listed for video, line in zip(split.videos, split.lines, strict=True)
                  if video.label == number)  # fmt: skip
        for split, line in itertools.islice(places, 1):
            mistakes.add(split.path, line, problem)


class _Bare:
    """Finds the videos of one list that are named without extension, and counts those that are not there."""

    def __init__(self, finder: Finder, path: Path, mistakes: Mistakes) -> None:
        self.finder, self.path, self.mistakes = finder, path, mistakes
        self.found = 0
        self.absent: list[Row] = []

    def resolved(self, row: Row) -> str:
        """The file of a row; where there is none, one that is absent, to be told and counted as others are."""
        found = self.finder.find(row.name) or (self.finder.find(row.other, spans=False) if row.other else [])
        if len(found) > 1:
            self.mistakes.add(self.path, row.line, f"{row.name} can be each of {', '.join(found[:4])}")
        if not found:
            self.absent.append(row)
        self.found += bool(found)
        return found[0] if found else f"{row.name}.mp4"

    def tell_if_none(self) -> None:
        """A list of which nothing at all is found has a wrong root or prefix, and not missing files."""
        if self.absent and not self.found:
            first = self.absent[0]
            said = f"no video {first.name} with an extension below {self.finder.folder}, nor any other of this list"
            others = [other for other in SEPARATORS if other in first.label]
            hint = f" And the separator (`separator: {others[0]!r}`)? The label is {first.label!r}." if others else ""
            self.mistakes.add(self.path, first.line, f"{said}: is the root right?{hint}")


def checked(classes: tuple[str, ...], train: Listed, val: Listed, mistakes: Mistakes) -> Annotations:
    """Both splits without their lines; raises all mistakes at once, repeated videos and shared ones among them."""
    empty = [(split, word) for split, word in ((train, "training"), (val, "validation")) if not split.videos]
    for split, word in () if mistakes.found else empty:
        mistakes.add(split.path, 0, f"the {word} split is empty: no video is listed")
    videos = [*train.videos, *val.videos]
    if any(len(set(map(key, videos))) < len(videos) for key in KEYS):
        _tell_repeated(train, val, mistakes)
    mistakes.tell()
    return Annotations(classes, tuple(train.videos), tuple(val.videos))


def _part(video: Video) -> tuple[str, int, int | None]:
    """What is watched: a part of a file, which may be named in several ways."""
    file = str(video.path)
    return os.path.normpath(file) if ".." in file else file, video.first, video.last


KEYS: tuple[Callable[[Video], Hashable], ...] = (attrgetter("id"), _part)
"""What must be a video's own, in both splits."""


def _tell_repeated(train: Listed, val: Listed, mistakes: Mistakes) -> None:
    """Note each video that is there already, under its id or as the same part of the same file."""
    first: dict[Hashable, str] = {}
    shared: dict[Hashable, str] = {}
    for split in (train, val):
        first, shared = {}, first
        for video, line in zip(split.videos, split.lines, strict=True):
            keys = [key(video) for key in KEYS]
            if place := next((first[key] for key in keys if key in first), None):
                mistakes.add(split.path, line, f"the video {video.id} stands twice (first at {place})")
            elif place := next((shared[key] for key in keys if key in shared), None):
                mistakes.add(split.path, line, f"the video {video.id} is in the training split too ({place})")
            for key in keys:
                first.setdefault(key, f"{split.path}:{line}" if line else str(video.path))


def shuffled(names: Sequence[str], seed: int) -> list[int]:
    """The indices of names in an order drawn by a seed: the same on any machine, and of any order of the names."""
    drawn = [hashlib.sha256(f"{seed}\t{name}".encode()).digest() for name in names]
    return sorted(range(len(names)), key=drawn.__getitem__)


def share_of_each_class(rows: Sequence[Row], share: float, seed: int) -> tuple[list[Row], list[Row]]:
    """(training, validation) rows: this share of each class is for validation, one video at least if there are two."""
    by_class: dict[str, list[int]] = {}
    for index in shuffled([row.name for row in rows], seed):
        by_class.setdefault(rows[index].label, []).append(index)
    held: set[int] = set()
    for members in by_class.values():
        held.update(members[: min(len(members) - 1, max(1, round(share * len(members))))])
    return [row for index, row in enumerate(rows) if index not in held], [rows[index] for index in sorted(held)]


def held_out(
    path: Path, rows: Sequence[Row], share: float, seed: int, mistakes: Mistakes
) -> tuple[list[Row], list[Row]]:
    """`share_of_each_class` of what `path` lists, noting where that holds nothing out."""
    train, val = share_of_each_class(rows, share, seed)
    if train and not val and not mistakes.found:
        said = "no class has two videos, of which `val_share` could hold one out"
        mistakes.add(path, 0, f"the validation split is empty: {said}")
    return train, val


@contextmanager
def no_collection() -> Iterator[None]:
    """Halves the time to make hundreds of thousands of small objects, among which there is nothing to collect."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
