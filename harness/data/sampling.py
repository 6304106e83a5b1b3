"""Which frames of a video and which part of a frame a clip takes: pure functions, random only through a generator.

Frame indices are int64 [t], never decrease, and stay within the video: one shorter than asked repeats its last frame
(dense) or repeats frames evenly (segment). All count from the first frame of the part that is annotated (`part`).
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.data.videos import Sampling

Indices = npt.NDArray[np.int64]
Clips = int | Literal["cover"]
"""How many clips a test takes of a video: so many, or as many as cover it without overlap."""

RATE_FPS = 30.0
"""A stride is in frames at this rate; others are stepped in proportion (facebookresearch/SlowFast, TARGET_FPS)."""


def part(frames: int, first: int, last: int | None) -> int:
    """How many frames of a file the annotated part [first, last) has; it ends with the file where that is shorter.

    Raises ValueError where nothing of it is there.
    """
    length = min(frames, frames if last is None else last) - first
    if length < 1:
        end = "its end" if last is None else f"frame {last}"
        raise ValueError(f"the annotated part is from frame {first} to {end}, the file has {frames} frames")
    return length


def frame_step(stride: int, fps: float) -> float:
    """Frames between two samples of a video of `fps`, for a stride at 30 fps; a file without a rate counts as such."""
    return stride * fps / RATE_FPS if fps > 0 else float(stride)


def dense_indices(length: int, frames: int, step: float, start: float) -> Indices:
    """`frames` indices `step` apart from `start`, as Kinetics is sampled (paper, section 4).

    Times are rounded down to frames. The released code instead spreads the indices over the whole span of
    frames x stride, which widens its stride of 32 to 36.4; here the stride is what is said.
    """
    indices = np.floor(start + step * np.arange(frames)).astype(np.int64)
    return _within(indices, length)


def random_start(length: int, frames: int, step: float, generator: np.random.Generator) -> float:
    """The start of a training clip: uniform over all at which the clip still fits; 0 in a video that is too short."""
    return float(np.floor(generator.uniform(0, _slack(length, frames, step) + 1)))


def middle_or_spread_starts(length: int, frames: int, step: float, clips: int) -> tuple[float, ...]:
    """The starts of a test's clips: one in the middle (paper, Appendix A), several spread evenly from first to last."""
    slack = _slack(length, frames, step)
    if clips == 1:
        return (float(slack // 2),)
    return tuple(float(slack * clip // (clips - 1)) for clip in range(clips))


def covering_starts(length: int, frames: int, step: float) -> tuple[float, ...]:
    """The starts of as many clips, one after the other, as it takes to cover the video (paper, section 4.5).

    A clip spans frames x step; the last one may reach beyond the end, where it repeats the last frame. A rest of no
    more than one step has no clip of its own: 48 clips of 8.5 s cover the paper's 410 s.
    """
    span = frames * step
    clips = max(1, int(np.ceil((length - step) / span)))
    return tuple(float(np.floor(clip * span)) for clip in range(clips))


def positions(sampling: Sampling, length: int, frames: int, step: float, clips: Clips) -> tuple[float, ...]:
    """Where a test's clips lie: their starts (dense), or the place in [0, 1) of their frames in each segment (segment).

    A position says all that tells one clip of a video from another, whatever number of clips it is one of. A clip of
    segments spans the whole video, so a single one covers it.
    """
    if sampling == "segment":
        number = 1 if clips == "cover" else clips
        return tuple((clip + 0.5) / number for clip in range(number))
    if clips == "cover":
        return covering_starts(length, frames, step)
    return middle_or_spread_starts(length, frames, step, clips)


def indices_at(sampling: Sampling, length: int, frames: int, step: float, position: float) -> Indices:
    """The frames of the test clip at this position."""
    if sampling == "segment":
        return _in_segments(length, frames, np.full(frames, position))
    return dense_indices(length, frames, step, position)


def _slack(length: int, frames: int, step: float) -> int:
    """Last whole frame at which a clip may start."""
    return max(0, int(np.floor(length - 1 - step * (frames - 1))))


def random_segment_indices(length: int, frames: int, generator: np.random.Generator) -> Indices:
    """One random frame of each of `frames` equal segments, as Something-Something is sampled in training (TSN)."""
    return _in_segments(length, frames, generator.random(frames))


def _in_segments(length: int, frames: int, positions: npt.NDArray[np.float64]) -> Indices:
    """The frame at a position in [0, 1) of each segment.

    Segments are half-open and cover the video without overlap. (The released code cuts length - 1 frames and
    lets neighbouring segments share a frame.)
    """
    indices = np.floor((np.arange(frames) + positions) * length / frames).astype(np.int64)
    return _within(indices, length)  # the product may round up to `length`


def _within(indices: Indices, length: int) -> Indices:
    return np.asarray(np.minimum(indices, length - 1), dtype=np.int64)


def short_side_size(height: int, width: int, short: int) -> tuple[int, int]:
    """(height, width) after scaling the short side to `short` pixels, the aspect ratio kept."""
    scale = short / min(height, width)
    return max(short, round(height * scale)), max(short, round(width * scale))


def crop_offsets(height: int, width: int, size: int, crops: int) -> tuple[tuple[int, int], ...]:
    """(top, left) of each test crop: 1 is the centre; 3 lie along the long side: left, centre, right or top to bottom.

    Raises ValueError where the frame is smaller than the crop or `crops` is neither 1 nor 3.
    """
    if crops not in (1, 3):
        raise ValueError(f"a test takes 1 or 3 crops, not {crops}")
    if size > min(height, width):
        raise ValueError(f"a frame of {width} x {height} pixels has no crop of {size}")
    down, right = height - size, width - size
    centre = (down // 2, right // 2)
    if crops == 1:
        return (centre,)
    if width >= height:
        return (centre[0], 0), centre, (centre[0], right)
    return (0, centre[1]), centre, (down, centre[1])


def random_crop_offset(height: int, width: int, size: int, generator: np.random.Generator) -> tuple[int, int]:
    """(top, left) of a training crop, uniform over the frame."""
    return int(generator.integers(height - size + 1)), int(generator.integers(width - size + 1))
