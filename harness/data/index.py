"""What a data set's files are: learnt once by opening each of them, in parallel, and kept; and what is wrong with them.

`<root>/index/<name>.jsonl` holds a line a file, written as it is learnt: an index that was stopped goes on, and a file
that changed since is opened again. Nothing is ever decided by this index alone: training and testing open the files
themselves, and name what does not decode in their record.
"""

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.decode import DecodeError, open_video
from harness.data.pool import Lost, Pool
from harness.data.videos import Dataset, Decoder, Video, digest

PROBED_BYTES = 1 << 16
"""Read from either end of a file to tell copies apart: containers keep times and sizes there."""

ENDS_LIMIT_S, WHOLE_LIMIT_S = 120.0, 3600.0
"""Seconds that a process has for one file: to decode its first and last frame, which takes milliseconds where a disk
answers; and to decode all of it: a busy core decodes 90 frames of 1920 x 1080 a second, three hours of film in one.
What hangs costs one process that long."""

PIECE_FRAMES = 1 << 14
"""Frames of a whole file that are decoded in one go, 12 MiB: each piece starts anew at a key frame, or at the first."""

SYNC_EVERY = 1000
"""Files after which what was learnt is forced to disk."""


@dataclass(frozen=True)
class Facts:
    """What one file is. Without a problem, its first and its last frame were decoded."""

    path: str
    bytes: int = 0
    changed_ns: int = 0
    """Its modification time, by which a file that changed is known."""
    frames: int = 0
    fps: float = 0.0
    height: int = 0
    width: int = 0
    codec: str = ""
    content: str = ""
    """A hash of its size and both ends: equal for copies."""
    problem: str = ""
    """Why it cannot be used; empty where it can."""
    decoder: str = "decord"
    whole: bool = False
    """Whether every frame was decoded, and not the first and the last alone."""


@dataclass(frozen=True)
class Task:
    """A file to open, as plain data for another process."""

    path: str
    decoder: Decoder
    whole: bool


def learn(task: Task) -> Facts:
    """Open one file; what is wrong with it is in the answer."""
    path = Path(task.path)
    about = Facts(task.path, decoder=task.decoder, whole=task.whole)
    try:
        status = path.stat()
        about = replace(about, bytes=status.st_size, changed_ns=status.st_mtime_ns)
        if not status.st_size:
            return replace(about, problem="empty file")
        about = replace(about, content=_content(path, status.st_size))
        file = open_video(path, task.decoder)
        about = replace(
            about, frames=file.frames, fps=round(file.fps, 3), height=file.height, width=file.width, codec=file.codec
        )
        _decode(file.read, file.frames, task.whole)
    except DecodeError as error:
        return replace(about, problem=error.reason)
    except OSError as error:
        return replace(about, problem=_unreachable(error))
    return about


def _unreachable(error: OSError) -> str:
    return "no such file" if isinstance(error, FileNotFoundError) else error.strerror or str(error)


def _decode(read: Callable[..., object], frames: int, whole: bool) -> None:
    """The first and the last frame, or all of them; small, as only decoding is tried."""
    wanted = np.arange(frames) if whole else np.unique([0, frames - 1])
    for part in np.array_split(wanted, -(-len(wanted) // PIECE_FRAMES)):
        read(part, 16, 16)


def _content(path: Path, size: int) -> str:
    seen = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        seen.update(file.read(PROBED_BYTES))
        file.seek(max(size - PROBED_BYTES, 0))
        seen.update(file.read(PROBED_BYTES))
    return seen.hexdigest()[:16]


def update(
    path: Path, dataset: Dataset, workers: int, *, whole: bool = False, told: Callable[[int, int], None]
) -> dict[str, Facts]:
    """The facts of every file of a data set, from the index at `path` where they still hold; the rest is learnt.

    `told(done, all)` is called after every file. What kills or hangs the process that opens it becomes its problem.
    Raises OSError where the index cannot be written.
    """
    files = dict.fromkeys(str(video.path) for split in (dataset.train, dataset.val) for video in split)
    known = {name: facts for name, facts in _read(path).items() if name in files and _holds(facts, dataset, whole)}
    decoder: Decoder = "pyav" if whole else dataset.decoder  # which names damage that decord conceals
    tasks = [Task(name, decoder, whole) for name in files if name not in known]
    told(len(known), len(files))
    path.parent.mkdir(parents=True, exist_ok=True)
    limit_s = WHOLE_LIMIT_S if whole else ENDS_LIMIT_S
    with Pool(workers, limit_s) as pool, path.open("a", encoding="utf-8") as file:
        if tasks and file.tell():
            file.write("\n")  # ends a line that a stop may have cut off; empty ones are passed over
        for found, facts in enumerate(map(_facts, pool.map(learn, tasks)), start=1):
            known[facts.path] = facts
            file.write(json.dumps(asdict(facts)) + "\n")
            if found % SYNC_EVERY == 0:
                file.flush()
                os.fsync(file.fileno())
            told(len(known), len(files))
    return {name: known[name] for name in files}


def _facts(learnt: Facts | Lost) -> Facts:
    if not isinstance(learnt, Lost):
        return learnt
    task: Task = learnt.task
    about = Facts(task.path, decoder=task.decoder, whole=task.whole, problem=learnt.reason)
    try:
        status = Path(task.path).stat()
    except OSError as error:  # since it was opened
        return replace(about, problem=_unreachable(error))
    return replace(about, bytes=status.st_size, changed_ns=status.st_mtime_ns)


def _read(path: Path) -> dict[str, Facts]:
    """What an index holds, the newest line of a file; lines that a stop cut off or a disk damaged are passed over."""
    known: dict[str, Facts] = {}
    for line in _lines(path):
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):  # not JSON, nor UTF-8; too many brackets
            continue
        if _is_whole(said):
            known[said["path"]] = Facts(**said)
    return known


def _lines(path: Path) -> Iterator[bytes]:
    if path.is_file():
        with path.open("rb") as file:
            yield from file


KINDS = {field.name: field.type for field in fields(Facts)}


def _is_whole(said: Any) -> bool:
    """Whether what a line says can be the facts of a file."""
    if not isinstance(said, dict) or {name: type(value) for name, value in said.items()} != KINDS:
        return False
    return bool(said["problem"]) or (said["frames"] > 0 and said["fps"] >= 0 and math.isfinite(said["fps"]))


def _holds(facts: Facts, dataset: Dataset, whole: bool) -> bool:
    """Whether a file is still what the index says, and was looked at as closely.

    What is wrong with a file may pass though the file stays the same (permissions, a disk that did not answer): it is
    opened again, as long as it is wrong.
    """
    if facts.problem:
        return False
    try:
        status = Path(facts.path).stat()
    except OSError:
        return False
    same = (status.st_size, status.st_mtime_ns) == (facts.bytes, facts.changed_ns)
    return same and (facts.whole or (not whole and facts.decoder == dataset.decoder))


@dataclass(frozen=True)
class Split:
    """One split, as it lies on this disk."""

    name: str
    videos: int
    digest: str
    published: int | None
    """Videos of the split as its authors count them; None where nobody published a number."""
    classes: int
    """Of which there is at least one video."""
    unreadable: tuple[tuple[str, str], ...]
    """(id, reason) of missing, empty, damaged and too short files, in the list's order."""
    shortened: tuple[tuple[str, str], ...]
    """(id, reason) of parts that end behind their file's end: clips are taken of what is there (`sampling.part`)."""
    seconds: float
    """Of all that can be read."""


@dataclass(frozen=True)
class Report:
    """What is to be known of a data set before numbers are made from it."""

    name: str
    splits: tuple[Split, ...]
    copies: tuple[tuple[str, ...], ...]
    """Groups of videos of one split and one label that are the same file under several ids, as `train/id`."""
    overlap: tuple[tuple[str, ...], ...]
    """Groups that span both splits, whatever their labels."""
    contradictory: tuple[tuple[tuple[str, str], ...], ...]
    """Groups of several labels, of one split or both: (`train/id`, its class) of each video."""
    unlabelled: tuple[str, ...]
    """Video files in the videos' folders that no list names."""

    @property
    def usable(self) -> bool:
        """Whether every video can be read, and none is in both splits or has two labels."""
        return not (self.overlap or self.contradictory or any(split.unreadable for split in self.splits))


def report(dataset: Dataset, facts: Mapping[str, Facts], published: Mapping[str, int]) -> Report:
    """What the facts of its files say of a data set; `published` holds the sizes of `train` and `val`."""
    splits = {"train": dataset.train, "val": dataset.val}
    groups = list(_same(splits, facts))
    return Report(
        dataset.name,
        tuple(_split(name, videos, facts, published.get(name)) for name, videos in splits.items()),
        tuple(_ids(group) for group in groups if not _spans(group) and not _contradicts(group)),
        tuple(_ids(group) for group in groups if _spans(group)),
        tuple(
            tuple(zip(_ids(group), (dataset.classes[video.label] for _, video in group), strict=True))
            for group in groups
            if _contradicts(group)
        ),
        tuple(sorted(_unlabelled(facts))),
    )


def _split(name: str, videos: Sequence[Video], facts: Mapping[str, Facts], published: int | None) -> Split:
    unreadable = [(video.id, problem) for video in videos if (problem := _problem(video, facts[str(video.path)]))]
    bad = {id_ for id_, _ in unreadable}
    read = [(video, facts[str(video.path)]) for video in videos if video.id not in bad]
    shortened = [
        (video.id, f"its part ends at frame {video.last} of {each.frames}")
        for video, each in read
        if video.last is not None and video.last > each.frames
    ]
    seconds = sum(each.frames / each.fps for _, each in read if each.fps)
    labels = {video.label for video in videos}
    return Split(
        name, len(videos), digest(videos), published, len(labels), tuple(unreadable), tuple(shortened), seconds
    )


def _problem(video: Video, facts: Facts) -> str:
    if not facts.problem and video.first >= facts.frames:
        return f"its part begins at frame {video.first} of {facts.frames}"
    return facts.problem


Group = list[tuple[str, Video]]
"""Videos, each with its split, that are the same part of the same bytes."""


def _same(splits: Mapping[str, Sequence[Video]], facts: Mapping[str, Facts]) -> Iterator[Group]:
    found: dict[tuple[str, int, int | None], Group] = {}
    for name, videos in splits.items():
        for video in videos:
            content = facts[str(video.path)].content
            if content:
                found.setdefault((content, video.first, video.last), []).append((name, video))
    return (group for group in found.values() if len(group) > 1)


def _ids(group: Group) -> tuple[str, ...]:
    return tuple(f"{split}/{video.id}" for split, video in group)


def _spans(group: Group) -> bool:
    return len({split for split, _ in group}) > 1


def _contradicts(group: Group) -> bool:
    return len({video.label for _, video in group}) > 1


def _unlabelled(facts: Mapping[str, Facts]) -> Iterator[str]:
    """Files beside the listed ones, of the same kinds, that are not listed."""
    listed = {Path(name) for name in facts}
    suffixes = {path.suffix.lower() for path in listed}
    for folder in {path.parent for path in listed}:
        if folder.is_dir():
            with os.scandir(folder) as entries:  # quick also where there are hundreds of thousands
                found = (Path(entry.path) for entry in entries)
                yield from (str(path) for path in found if path.suffix.lower() in suffixes and path not in listed)
