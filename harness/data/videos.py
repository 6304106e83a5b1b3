"""What a data set is: two lists of annotated videos, and how its protocol samples them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Sampling = Literal["dense", "segment"]
Decoder = Literal["decord", "pyav"]


class DatasetError(ValueError):
    """A data set that is not configured, or whose annotations are wrong; one line for each mistake."""


class TooManyUndecodable(Exception):
    """More of a split's videos failed to decode than `data.max_undecodable` allows."""

    def __init__(self, count: int, videos: int, split: str, allowed: float, first: str, reason: str) -> None:
        super().__init__(
            f"{count} of {videos} {split} videos did not decode, more than the share of {allowed:g} that "
            f"data.max_undecodable allows; the first is {first}: {reason}"
        )


@dataclass(frozen=True)
class Video:
    """One annotated video. The id is its name in the annotations, unique in the data set."""

    id: str
    path: Path
    label: int
    first: int = 0
    """The first frame of the part of the file that is annotated."""
    last: int | None = None
    """One past the last frame of that part; None: to the end of the file."""


@dataclass(frozen=True)
class Dataset:
    """Both splits of a data set, and how its protocol samples and flips: no flip where left and right matter."""

    name: str
    classes: tuple[str, ...]
    sampling: Sampling
    flip: bool
    train: tuple[Video, ...]
    val: tuple[Video, ...]
    decoder: Decoder = "decord"


def digest(videos: Sequence[Video]) -> str:
    """Sixteen hexadecimal digits that name a split: its videos' ids, labels and parts, in their order.

    The order is in it because a training is: which clips share a batch is drawn from places in the list.
    """
    lines = (f"{video.id}\t{video.label}\t{video.first}\t{video.last}\n" for video in videos)
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


def subset(videos: Sequence[Video], fraction: float) -> tuple[Video, ...]:
    """A share of each class, at least one video of it, in the given order.

    Chosen by a hash of the ids, so a larger fraction contains every smaller one, on any machine and for any seed.
    """
    by_class: dict[int, list[Video]] = {}
    for video in videos:
        by_class.setdefault(video.label, []).append(video)
    kept: set[str] = set()
    for members in by_class.values():
        members.sort(key=lambda video: hashlib.sha256(video.id.encode()).digest())
        kept.update(video.id for video in members[: max(1, round(fraction * len(members)))])
    return tuple(video for video in videos if video.id in kept)
