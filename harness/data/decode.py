"""Frames of video files, decoded by decord in one thread per file, at the size asked for.

A file that does not decode raises DecodeError with its name and the reason. Damage inside a picture that FFmpeg itself
conceals cannot be told from a picture.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.data.sampling import Indices

# How often decord asks its decoding thread for a frame once the file is read to its end, as small files are at once. It
# counts questions, not time: its default, 10240, passes within about 10 ms, so a busy machine would make good files
# fail at random (dmlc/decord#143, #156). These last some seconds. decord reads the variable when it opens a file.
os.environ.setdefault("DECORD_EOF_RETRY_MAX", str(1 << 23))

import decord

decord.logging.set_level(decord.logging.FATAL)

FAULT_TOLERANCE = 0.1
"""Share of a video's frames that may be missing at its end and repeat the last one instead, as happens to files that
were cut without coding them anew. decord itself would repeat it for any number (dmlc/decord#119)."""

SKIP_PIXELS = 32768
"""Frames x pixels up to which decoding on is quicker than decord's own skipping or seeking (measured, see `_walk`)."""


class DecodeError(Exception):
    """A video that cannot be read: which file, and why."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


@dataclass(frozen=True)
class Video:
    """A readable video file: its number of frames, frames per second (0 where it names none) and size in pixels."""

    path: Path
    frames: int
    fps: float
    height: int
    width: int

    def read(self, indices: Indices, height: int, width: int) -> npt.NDArray[np.uint8]:
        """The frames at these indices (any order, repeats allowed), scaled to height x width: uint8 [t h w c], RGB.

        Raises DecodeError where one of them does not decode.
        """
        wanted, where = np.unique(indices, return_inverse=True)
        frames = np.empty((len(wanted), height, width, 3), np.uint8)
        with _errors_of(self.path):
            for slot, frame in enumerate(_walk(_reader(self.path, height, width), wanted, self.height * self.width)):
                frames[slot] = _pixels(frame, height, width)
        return frames if len(wanted) == len(where) and (np.diff(where) > 0).all() else frames[where]


@lru_cache(maxsize=1 << 18)
def open_video(path: Path) -> Video:
    """What the file is, learnt by decoding its first frame and then remembered; raises DecodeError."""
    with _errors_of(path):
        reader = _reader(path, -1, -1)
        height, width, _ = _next(reader).shape
        return Video(path, len(reader), float(reader.get_avg_fps()), height, width)


def _reader(path: Path, height: int, width: int) -> decord.VideoReader:
    if not path.is_file():
        raise DecodeError(path, "no such file")
    # One thread: more slow small files down, and the caller decodes many files at once.
    return decord.VideoReader(
        str(path), ctx=decord.cpu(0), width=width, height=height, num_threads=1, fault_tol=FAULT_TOLERANCE
    )


def _walk(reader: decord.VideoReader, wanted: Indices, pixels: int) -> Iterator[decord.nd.NDArray]:
    """The wanted frames, whose indices increase.

    A seek or skip costs decord about 0.15 ms whatever the size, a frame decoded in passing about 4 ns per pixel. So
    small gaps in small frames are decoded through, and large ones are left to `seek_accurate`, which jumps to a key
    frame only where one lies between. `benchmarks/decode_clips.py` measures it against `get_batch`.
    """
    position = 0
    for index in wanted.tolist():
        if (index - position) * pixels <= SKIP_PIXELS:
            for _ in range(index - position):
                _next(reader)
        else:
            reader.seek_accurate(index)
        yield _next(reader)
        position = index + 1


def _next(reader: decord.VideoReader) -> decord.nd.NDArray:
    try:
        return reader.next()
    except StopIteration:
        raise EOFError("the stream ends before the frame asked for") from None


def _pixels(frame: decord.nd.NDArray, height: int, width: int) -> npt.NDArray[np.uint8]:
    """uint8 [h w c]. decord takes the padding that FFmpeg adds to the rows of some widths (24, 48, 72, ...) for a
    fourth channel and refuses such a frame in `get_batch`; read row by row, the pixels are all there."""
    array: npt.NDArray[np.uint8] = frame.asnumpy()
    return array.reshape(height, -1)[:, : 3 * width].reshape(height, width, 3)


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    try:
        yield
    except (decord.DECORDError, decord.DECORDLimitReachedError, RuntimeError, AssertionError, EOFError) as error:
        raise DecodeError(path, _reason(error)) from None


def _reason(error: Exception) -> str:
    """What decord says, without the checks and the places in its source."""
    text = " ".join(str(error).split())
    if text.startswith("Error reading"):
        return "not a video, or cut short"
    said = re.sub(r"^.*Check failed: .*\(-?\d+ vs\. -?\d+\)|^\[[^]]*\] \S+: \[[^]]*\]", "", text).strip()
    return said or text or "the stream ends before the frame asked for"
