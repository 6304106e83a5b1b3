"""Videos whose frames carry their number in their pixels: sixteen squares, white where the bit is set."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

MILLISECONDS = Fraction(1, 1000)

OPEN = {"bf": "3", "x264-params": "open-gop=1:scenecut=0:keyint=20:bframes=3"}
VFR = np.cumsum(np.random.default_rng(1).integers(8, 120, 100)).tolist()
LATE = (1480 + 40 * np.arange(100)).tolist()

KINDS: dict[str, dict] = {
    "h264.mp4": {"bf": "0", "g": "12"},
    "h264_reordered.mp4": {"bf": "3", "g": "12"},
    "h264_reordered.mkv": {"bf": "3", "g": "12"},
    "h264_long.mp4": {"bf": "3", "g": "250"},
    "h264_open.mp4": OPEN,
    "h264_open.mkv": OPEN,
    "h264.avi": {"bf": "0", "g": "12"},
    "h264_reordered.avi": {"bf": "3", "g": "12"},
    "h264_reordered.ts": {"bf": "3", "g": "12"},
    "h264_reordered.flv": {"bf": "3", "g": "12"},
    "mpeg4.mp4": {"codec": "mpeg4", "g": "12", "b": "4000000"},
    "mpeg4_reordered.mp4": {"codec": "mpeg4", "g": "12", "bf": "2", "b": "4000000"},
    "mpeg4.avi": {"codec": "mpeg4", "g": "250", "b": "4000000"},
    "mpeg4_reordered.avi": {"codec": "mpeg4", "g": "12", "bf": "2", "b": "4000000"},
    "mpeg2.mpg": {"codec": "mpeg2video", "g": "12", "bf": "2", "b": "4000000"},
    "vp9.webm": {"codec": "libvpx-vp9", "g": "30", "deadline": "realtime", "cpu-used": "8"},
    "vp9_long.webm": {"codec": "libvpx-vp9", "g": "250", "cpu-used": "5", "auto-alt-ref": "1", "lag-in-frames": "16"},
    "vp8_hidden.webm": {"codec": "libvpx", "g": "30", "cpu-used": "5", "auto-alt-ref": "1", "lag-in-frames": "16"},
    "hevc_open.mp4": {"codec": "libx265", "x265-params": "log-level=none:keyint=20:bframes=3"},
    "variable.mp4": {"bf": "3", "g": "20", "times": VFR},
    "variable.mkv": {"bf": "3", "g": "20", "times": VFR},
    "variable.webm": {"codec": "libvpx-vp9", "g": "20", "deadline": "realtime", "cpu-used": "8", "times": VFR},
    "late.mp4": {"bf": "3", "g": "20", "times": LATE},
    "late.mkv": {"bf": "3", "g": "20", "times": LATE},
}
"""The videos that every decoder must read: the options of `write`, by file name."""


def picture(number: int, height: int, width: int) -> np.ndarray:
    """uint8 [h w c]"""
    bits = np.array([number >> bit & 1 for bit in range(16)]).reshape(4, 4)
    rows, columns = np.arange(height) * 4 // height, np.arange(width) * 4 // width
    return np.repeat((bits[rows][:, columns] * 215 + 20)[..., None], 3, 2).astype(np.uint8)


def number(frame: np.ndarray) -> int:
    """The number in a frame [h w c] of any size."""
    height, width = frame.shape[:2]
    rows = ((np.arange(4) + 0.5) * height / 4).astype(int)
    columns = ((np.arange(4) + 0.5) * width / 4).astype(int)
    return int(((frame[rows][:, columns].mean(2) > 128).ravel() * (1 << np.arange(16))).sum())


def numbers(frames: np.ndarray) -> list[int]:
    """The numbers in frames [t h w c]."""
    return [number(frame) for frame in frames]


def write(
    path: Path,
    frames: int = 100,
    height: int = 64,
    width: int = 80,
    codec: str = "libx264",
    times: Sequence[int] | None = None,
    rotation: int | None = None,
    **options: str,
) -> Path:
    """A video at 25 fps, or with a time in milliseconds for each frame."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        if rotation is not None:
            stream.set_display_rotation(rotation)
        if times is not None:
            stream.time_base = stream.codec_context.time_base = MILLISECONDS
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(index, height, width), format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = times[index], MILLISECONDS
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
