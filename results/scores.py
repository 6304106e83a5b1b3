"""Softmax scores of single views, kept beside a job's record: `jobs/<id>/scores/<crop size>.npz`.

A view is a clip's position in its video and a crop's place. Which views a test protocol averages is kept too, so that
accuracies and intervals of any protocol that was tested come from the file, without the model and its
videos. Scores are float16, right to 1 part in 2048, which an average over views and a best class can bear: half the
bytes of float32, 480 MB for 20,000 videos of 30 views and 400 classes. A record's accuracies are those of the scores in
the file.

    ids [v], labels [v]         the videos, in the data set's order
    video [n], position [n], crop [n], softmax [n k]
                                one row a view: its video's place in `ids`; the clip's first frame, counted in the part
                                that is annotated (segment sampling: its place in each segment, 0..1); the crop (0 left
                                or top, 1 middle, 2 right or bottom); a score for each class
    <clips>x<crops>.video, <clips>x<crops>.position
                                one row a clip of this protocol, repeats included where a video is too short
    about                       JSON: what they are scores of, undecodable (protocol to id to reason), seconds
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Softmax = npt.NDArray[np.float16]
Key = tuple[float, int]
"""What tells one view of a video from another: the clip's position and the crop's place."""

CROPS: Mapping[int, tuple[int, ...]] = {1: (1,), 3: (0, 1, 2)}
"""The places along the long side that a protocol's crops take: the one crop is the middle one of three."""

AT_ONCE = 4096
"""Rows that are added up together: float32 copies of all would take twice the memory of the scores."""
_MISSING = "the scores of some views are missing"


def protocol_name(clips: int | str, crops: int) -> str:
    """`10x3`, `coverx3`: what a protocol is called in a score file."""
    return f"{clips}x{crops}"


def file_name(size: int) -> str:
    """The score file of all tests at one crop size."""
    return f"{size}.npz"


@dataclass
class Scores:
    """The scores of views of one crop size, finished or not; see the module."""

    ids: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    classes: int
    of: Mapping[str, str | int]
    """What they are scores of: weights, list of videos, decoder, crop size. Scores of anything else are others."""
    undecodable: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of each protocol, the videos whose views did not decode, with the reason."""
    seconds: float = 0.0
    """What scoring took, in all attempts."""
    taken: dict[str, dict[int, tuple[float, ...]]] = field(default_factory=dict)
    """Of each protocol, the positions of the clips of each video whose views are all scored."""
    _rows: list[tuple[npt.NDArray[Any], ...]] = field(default_factory=list)

    def add(self, videos: Sequence[int], keys: Sequence[Key], softmax: npt.NDArray[np.floating[Any]]) -> None:
        """Rows of the table: `softmax` [n k] of these views."""
        self._rows.append((
            np.array(videos, np.int32),
            np.array([position for position, _ in keys], np.float64),
            np.array([crop for _, crop in keys], np.uint8),
            softmax.astype(np.float16),
        ))  # fmt: skip

    def rows(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64], npt.NDArray[np.uint8], Softmax]:
        """The table: video [n], position [n], crop [n], softmax [n k]."""
        nothing = np.empty(0, np.int32), np.empty(0), np.empty(0, np.uint8), np.empty((0, self.classes), np.float16)
        if len(self._rows) != 1:
            self._rows = [tuple(np.concatenate(parts) for parts in zip(nothing, *self._rows, strict=True))]
        video, position, crop, softmax = self._rows[0]
        return video, position, crop, softmax

    def empty(self) -> "Scores":
        """Scores of the same videos, none yet."""
        return Scores(self.ids, self.labels, self.classes, self.of)

    def merge(self, other: "Scores") -> None:
        """Add what other scores of the same videos hold, but for views that are here already."""
        held = {(video, *key) for video, keys in self.keys().items() for key in keys}
        video, position, crop, softmax = other.rows()
        names = zip(video.tolist(), position.tolist(), crop.tolist(), strict=True)
        new = np.array([name not in held for name in names], np.bool_)
        self._rows.append((video[new], position[new], crop[new], softmax[new]))
        for name, taken in other.taken.items():
            self.taken.setdefault(name, {}).update(taken)
        for name, failed in other.undecodable.items():
            self.undecodable.setdefault(name, {}).update(failed)

    def keys(self) -> dict[int, set[Key]]:
        """The views of each video that are scored."""
        video, position, crop, _ = self.rows()
        found: dict[int, set[Key]] = {}
        for index, *key in zip(video.tolist(), position.tolist(), crop.tolist(), strict=True):
            found.setdefault(index, set()).add((key[0], key[1]))
        return found

    def averaged(self, clips: int | str, crops: int) -> npt.NDArray[np.float64]:
        """[v k], the mean over a protocol's views of each video; NaN where the video has none.

        Raises KeyError for a protocol that was not tested.
        """
        taken = self.taken[protocol_name(clips, crops)]
        counts = np.array([len(positions) for positions in taken.values()], np.int64)
        wanted = np.repeat(np.array(list(taken), np.int64), counts)
        positions = np.array([position for each in taken.values() for position in each], np.float64)
        total = np.zeros((len(self.ids), self.classes))
        for crop in CROPS[crops]:
            rows = self._find(wanted, positions, crop)
            for start in range(0, len(rows), AT_ONCE):
                part = slice(start, start + AT_ONCE)
                np.add.at(total, wanted[part], self.rows()[3][rows[part]].astype(np.float64))
        views = np.full(len(self.ids), np.nan)
        views[list(taken)] = counts * crops
        averaged: npt.NDArray[np.float64] = total / views[:, None]
        return averaged

    def _find(self, video: npt.NDArray[np.int64], position: npt.NDArray[np.float64], crop: int) -> npt.NDArray[np.intp]:
        """The row of each of these views; raises ValueError where one is missing."""
        if not len(video):
            return np.empty(0, np.intp)
        videos, positions, crops, _ = self.rows()
        among = np.flatnonzero(crops == crop)
        if not len(among):
            raise ValueError(_MISSING)
        ranks, rank = np.unique(np.concatenate([positions[among], position]), return_inverse=True)
        names = np.concatenate([videos[among], video]).astype(np.int64) * len(ranks) + rank
        held, asked = names[: len(among)], names[len(among) :]
        order = np.argsort(held)
        places = order[np.minimum(np.searchsorted(held, asked, sorter=order), len(held) - 1)]
        if not np.array_equal(held[places], asked):
            raise ValueError(_MISSING)
        return among[places]

    def write(self, path: Path, *, compressed: bool = True) -> None:
        """Write them whole or not at all; raises OSError. Compressing takes longer than reading the videos' list."""
        about = {"of": dict(self.of), "classes": self.classes, "undecodable": self.undecodable, "seconds": self.seconds}
        arrays: dict[str, Any] = dict(zip(("video", "position", "crop", "softmax"), self.rows(), strict=True))
        arrays |= {"about": np.array(json.dumps(about)), "ids": np.array(self.ids), "labels": self.labels}
        for name, taken in self.taken.items():
            counts = [len(positions) for positions in taken.values()]
            arrays[f"{name}.video"] = np.repeat(np.array(list(taken), np.int32), counts)
            arrays[f"{name}.position"] = np.array(
                [each for positions in taken.values() for each in positions], np.float64
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f".{path.name}.*.tmp"):  # by a process that was killed while it wrote
            left.unlink(missing_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        save = np.savez_compressed if compressed else np.savez
        try:
            with temporary.open("wb") as file:
                save(file, **arrays)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def read(path: Path) -> Scores | None:
    """What a score file holds; None where there is none, or it is damaged."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            scored = Scores(tuple(file["ids"].tolist()), file["labels"], about["classes"], about["of"])
            scored.undecodable, scored.seconds = about["undecodable"], about["seconds"]
            scored._rows = [tuple(file[name] for name in ("video", "position", "crop", "softmax"))]
            names = [name.removesuffix(".video") for name in file.files if name.endswith(".video")]
            scored.taken = {name: _taken(file[f"{name}.video"], file[f"{name}.position"]) for name in names}
    except Exception:  # NumPy and zipfile raise a dozen types for a damaged file
        return None
    return scored


def seconds(path: Path) -> float:
    """What scoring took in all, of a score file; 0 where it is missing or damaged."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return float(json.loads(str(file["about"]))["seconds"])
    except Exception:
        return 0.0


def _taken(video: npt.NDArray[np.int32], position: npt.NDArray[np.float64]) -> dict[int, tuple[float, ...]]:
    taken: dict[int, list[float]] = {}
    for index, each in zip(video.tolist(), position.tolist(), strict=True):
        taken.setdefault(index, []).append(each)
    return {index: tuple(positions) for index, positions in taken.items()}
