"""What every decoder gives: a file that tells what it is, reads the frames asked for, or says why it cannot."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.data.sampling import Indices

Frames = npt.NDArray[np.uint8]

MAX_READ_PIXELS = 1 << 29
"""Frames x height x width of one read, as scaled: 1.5 GiB of RGB, in each decoding process. Clips of 8 frames at
224 x 398 may cover 107 minutes; a damaged or odd shape is refused (2 x 8192 scales to 224 x 917504, 617 MB a frame)."""


class DecodeError(Exception):
    """A video that cannot be read: which file, and why; the reason begins with the frame where it is one frame's."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return DecodeError, (self.path, self.reason)


@dataclass(frozen=True)
class VideoFile(ABC):
    """A readable video file; its frames are numbered in the order in which they are shown."""

    path: Path
    frames: int
    fps: float
    """On average; 0 where the file names no rate."""
    height: int
    """Pixels, as shown: after the rotation that the file asks for."""
    width: int
    codec: str

    def read(self, indices: Indices, height: int, width: int) -> Frames:
        """The frames at these indices (any order, repeats allowed), scaled to height x width: uint8 [t h w c], RGB.

        Raises DecodeError where one of them does not exist or does not decode, and where they are more pixels than
        MAX_READ_PIXELS or than there is memory for.
        """
        asked = f"{len(indices)} frames, scaled to {width} x {height} pixels"
        if len(indices) * height * width > MAX_READ_PIXELS:
            raise DecodeError(
                self.path, f"{asked}, of a video of {self.width} x {self.height}: more than {MAX_READ_PIXELS} in all"
            )
        wanted, where = np.unique(indices, return_inverse=True)
        outside = wanted[(wanted < 0) | (wanted >= self.frames)]
        if len(outside):
            raise DecodeError(self.path, f"frame {outside[0]}: the video ends before it, it has {self.frames} frames")
        try:
            frames = self._read(wanted, height, width)
            return frames if len(wanted) == len(where) and (np.diff(where) > 0).all() else frames[where]
        except MemoryError:
            raise DecodeError(self.path, f"not enough memory for {asked}") from None

    @abstractmethod
    def _read(self, wanted: Indices, height: int, width: int) -> Frames:
        """`read` for indices that exist and increase."""


def changed_ns(path: Path) -> int:
    """When the file changed last; raises DecodeError where it is gone or empty."""
    try:
        status = path.stat()
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else str(error.strerror)
        raise DecodeError(path, reason) from None
    if not path.is_file():
        raise DecodeError(path, "not a file")
    if not status.st_size:
        raise DecodeError(path, "empty file")
    return status.st_mtime_ns
