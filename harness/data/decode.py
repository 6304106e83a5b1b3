"""Frames of video files, at the size asked for: the seam behind which decord and PyAV are the same.

A file that does not decode raises DecodeError with its name, the frame and the reason. Damage inside a picture that
FFmpeg itself conceals cannot be told from a picture. What crashes or hangs FFmpeg is `harness.data.pool`'s.
"""

from functools import lru_cache
from pathlib import Path

from harness.data.decoders import decord_file, pyav_file
from harness.data.decoders.decord_file import DecordFile
from harness.data.decoders.file import DecodeError, VideoFile, changed_ns
from harness.data.decoders.pyav_file import PyavFile
from harness.data.decoders.scan import scan
from harness.data.videos import Decoder

__all__ = ["DecodeError", "VideoFile", "open_video", "version"]


def open_video(path: Path, decoder: Decoder = "decord") -> VideoFile:
    """What the file is, learnt once and remembered until it changes; raises DecodeError."""
    return _opened(path, decoder, changed_ns(path))


@lru_cache(maxsize=1 << 14)
def _opened(path: Path, decoder: Decoder, changed: int) -> VideoFile:
    found = scan(path, changed)
    kind = DecordFile if decoder == "decord" and found.plain else PyavFile
    return kind(path, found.frames, found.fps, found.height, found.width, found.codec)


def version(decoder: Decoder) -> str:
    """The decoder of a data set, for its record."""
    return {"decord": decord_file.version, "pyav": pyav_file.version}[decoder]()
