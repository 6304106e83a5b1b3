"""What a decoding process is asked for, as plain values: one training clip, or all test views of a video.

No torch, no data set and no suite here, so that such a process starts at once and stays small. What goes wrong with a
video is a value too, `Undecodable`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from harness.data.decode import DecodeError, VideoFile, open_video
from harness.data.sampling import (
    Clips,
    Indices,
    crop_offsets,
    dense_indices,
    frame_step,
    indices_at,
    part,
    positions,
    random_crop_offset,
    random_segment_indices,
    random_start,
    short_side_size,
)
from harness.data.videos import Decoder, Sampling
from results.scores import CROPS, Key

T = TypeVar("T")
R = TypeVar("R")

Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Undecodable:
    """A video that gave nothing, and why."""

    reason: str


@dataclass(frozen=True)
class Source:
    """The annotated part of a file, and what clips are taken of it."""

    path: Path
    first: int
    last: int | None
    decoder: Decoder
    sampling: Sampling
    frames: int
    stride: int
    size: int


@dataclass(frozen=True)
class ClipTask:
    """One training clip. `short` is the range of the frame's short side in pixels; `key` seeds all that is drawn."""

    source: Source
    short: tuple[float, float]
    key: tuple[int, ...]
    lost: str = ""
    """Why the video is not to be opened again, where that is so."""


@dataclass(frozen=True)
class TrainClip:
    """A training clip, uint8 [t h w c], and whether it was drawn to be mirrored, which is not yet done."""

    frames: Frames
    mirrored: bool


@dataclass(frozen=True)
class ViewsTask:
    """The test views of one video for several protocols, (clips, crops) each, without the keys in `scored`."""

    source: Source
    protocols: tuple[tuple[Clips, int], ...]
    scored: frozenset[Key] = frozenset()


@dataclass(frozen=True)
class View:
    """One view: its key, which of the frames that were read are its own, and the crop's corner."""

    key: Key
    frames: Indices
    top: int
    left: int


@dataclass(frozen=True)
class Views:
    """Frames that were read once, uint8 [u h w c], and the views in them; clips share frames, crops share pixels."""

    frames: Frames
    size: int
    views: tuple[View, ...]
    positions: tuple[tuple[float, ...], ...]
    """Of each protocol's clips, repeats included where a video is too short for as many different ones; none of a
    protocol that failed."""
    failed: Mapping[int, str] = field(default_factory=dict)
    """Places of the protocols that cannot be tested on this video, with the reason; the views are of the others."""

    def crop(self, view: View) -> Frames:
        """uint8 [t h w c], as the model gets it."""
        rows, columns = slice(view.top, view.top + self.size), slice(view.left, view.left + self.size)
        return self.frames[view.frames, rows, columns]


def train_clip(task: ClipTask) -> TrainClip | Undecodable:
    """A random part of the video, at a random scale, a random crop of it."""
    return Undecodable(task.lost) if task.lost else _or_undecodable(_train_clip, task)


def test_views(task: ViewsTask) -> Views | Undecodable:
    """All views of a video that are still wanted, from one decode at the size of the crop's short side.

    What a protocol gets of a video, or why it gets nothing, is what it gets alone: where not all frames can be read
    together, each protocol's are read by themselves. Undecodable is a video of which no protocol gets anything.
    """
    return _or_undecodable(_test_views, task)


test_views.__test__ = False  # type: ignore[attr-defined] # not a test, whatever pytest takes its name for


def _or_undecodable(read: Callable[[T], R], task: T) -> R | Undecodable:
    try:
        return read(task)
    except DecodeError as error:
        return Undecodable(error.reason)
    except MemoryError:
        return Undecodable("not enough memory for its frames")


def _opened(source: Source) -> tuple[VideoFile, int, float]:
    """The file, how many frames its annotated part has, and the step between a clip's frames."""
    file = open_video(source.path, source.decoder)
    try:
        length = part(file.frames, source.first, source.last)
    except ValueError as error:
        raise DecodeError(source.path, str(error)) from None
    return file, length, frame_step(source.stride, file.fps)


def _train_clip(task: ClipTask) -> TrainClip:
    source, generator = task.source, np.random.default_rng(task.key)
    file, length, step = _opened(source)
    if source.sampling == "segment":
        indices = random_segment_indices(length, source.frames, generator)
    else:
        start = random_start(length, source.frames, step, generator)
        indices = dense_indices(length, source.frames, step, start)
    size = source.size
    height, width = short_side_size(file.height, file.width, round(generator.uniform(*task.short)))
    top, left = random_crop_offset(height, width, size, generator)
    mirrored = bool(generator.random() < 0.5)
    frames = file.read(source.first + indices, height, width)[:, top : top + size, left : left + size]
    return TrainClip(np.ascontiguousarray(frames), mirrored)


def _test_views(task: ViewsTask) -> Views:
    file, length, step = _opened(task.source)
    try:
        return _views(task, file, length, step)
    except DecodeError:
        if len(task.protocols) == 1:
            raise
        return _each_alone(task, file, length, step)


def _each_alone(task: ViewsTask, file: VideoFile, length: int, step: float) -> Views:
    """`_views`, a protocol after the other, without those that fail; raises DecodeError where all do."""
    parts: dict[int, Views] = {}
    failed: dict[int, str] = {}
    known = task.scored
    for place, protocol in enumerate(task.protocols):
        try:
            parts[place] = _views(replace(task, protocols=(protocol,), scored=known), file, length, step)
        except DecodeError as error:
            failed[place] = error.reason
        else:
            known |= {view.key for view in parts[place].views}
    if not parts:
        raise DecodeError(file.path, "; ".join(dict.fromkeys(failed.values())))
    starts = np.cumsum([0, *(len(part.frames) for part in parts.values())]).tolist()
    views = (
        replace(view, frames=view.frames + start)
        for part, start in zip(parts.values(), starts, strict=False)
        for view in part.views
    )
    positions = tuple(() if place in failed else parts[place].positions[0] for place in range(len(task.protocols)))
    frames = np.concatenate([part.frames for part in parts.values()])
    return Views(frames, task.source.size, tuple(views), positions, failed)


def _views(task: ViewsTask, file: VideoFile, length: int, step: float) -> Views:
    source = task.source
    taken = [positions(source.sampling, length, source.frames, step, clips) for clips, _ in task.protocols]
    keys = {
        (position, crop)
        for found, (_, crops) in zip(taken, task.protocols, strict=True)
        for position in found
        for crop in CROPS[crops]
    }
    wanted = sorted(keys - task.scored)
    height, width = short_side_size(file.height, file.width, source.size)
    if not wanted:
        return Views(np.empty((0, height, width, 3), np.uint8), source.size, (), tuple(taken))
    clips = {
        position: indices_at(source.sampling, length, source.frames, step, position)
        for position in dict.fromkeys(position for position, _ in wanted)
    }
    read, where = np.unique(np.stack(list(clips.values())), return_inverse=True)
    rows = dict(zip(clips, where.reshape(len(clips), source.frames), strict=True))
    offsets = crop_offsets(height, width, source.size, 3)
    views = tuple(View(key, rows[key[0]], *offsets[key[1]]) for key in wanted)
    return Views(file.read(source.first + read, height, width), source.size, views, tuple(taken))
