"""What a video file is and where its frames lie, learnt from its packets and its first picture.

Containers tell the number of frames wrongly or not at all, and say nothing of the order in which frames are shown. So
all packets are read (not decoded): 1 ms for ten seconds of video.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import cast

import av
import av.logging
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from harness.data.decoders.file import DecodeError

av.logging.set_level(None)  # what is wrong is said by an exception, and not on stderr besides

MAX_PIXELS = 1 << 26
"""Twice a picture of 8K; what claims more is damaged, and would take gigabytes."""

KINDS = {"mov", "matroska", "avi", "mpegts", "mpeg", "flv", "asf", "ogg", "mxf", "nut", "gif"}
"""FFmpeg's names of containers of video. It opens far more: pictures, playlists that lead elsewhere, plain text."""

FAULTS = (av.FFmpegError, OSError, ValueError, EOFError, LookupError, ArithmeticError, MemoryError)
"""What PyAV raises at damaged files: a stream that appears midway is an IndexError, a rate of zero a division."""

RATE_FRAMES = 10
"""From this many frames on, timestamps tell a rate that can overrule the header's."""

RATE_TOLERANCE = 0.02
"""Timestamps of whole milliseconds make a rate no wronger than this; a header that is further off is wrong."""


@dataclass(frozen=True)
class Timeline:
    """The packets of a stream, in the order in which they are decoded, and which of them is which frame."""

    times: npt.NDArray[np.int64]
    """When each packet's picture is shown, in the stream's units; unique."""
    packets: npt.NDArray[np.int64]
    """The packet of each frame."""
    keys: npt.NDArray[np.int64]
    """The packet from which each frame can be decoded."""


@dataclass(frozen=True)
class Scan:
    """A video stream. Without a timeline its frames can only be counted as they are decoded."""

    frames: int
    fps: float
    height: int
    width: int
    codec: str
    timeline: Timeline | None
    plain: bool
    """Whether decord finds its frames: mp4 or Matroska, nothing hidden, groups of pictures that are closed, a first
    picture that is whole, as many frames as the header says (decord takes memory for those, and its process aborts)."""


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The file and its video stream, which decodes in one thread; raises DecodeError, also for what happens inside."""
    try:
        with av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace") as container:
            stream = container.streams.best("video")
            if not KINDS.intersection(container.format.name.split(",")):
                raise DecodeError(path, f"not a video (FFmpeg takes it for {container.format.name})")
            if stream is None or stream.codec_context is None:
                raise DecodeError(path, "no video stream that FFmpeg can decode")
            if stream.disposition & av.stream.Disposition.attached_pic:
                raise DecodeError(path, "no video stream: its picture is a cover")
            stream.codec_context.thread_count = 1
            yield container, stream
    except FileNotFoundError:
        raise DecodeError(path, "no such file") from None
    except FAULTS as error:
        raise DecodeError(path, words(error)) from None


def packets(container: InputContainer, stream: VideoStream) -> Iterator[av.Packet]:
    """The stream's packets, the last one empty. PyAV's own generator leaks where it is left early and not closed."""
    found = cast(Generator[av.Packet, None, None], container.demux(stream))
    try:
        yield from found
    finally:
        found.close()


def pictures(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """The stream's frames, from where it is to its end."""
    for packet in packets(container, stream):
        yield from stream.codec_context.decode(packet if packet.size else None)


def words(error: Exception, damage: str = "not a video, or cut short") -> str:
    """What FFmpeg says, without its number and the file's name; `damage` for its "Invalid data". Never nothing."""
    said = getattr(error, "strerror", None) or str(error)
    if not said:  # as Python's own MemoryError
        return "not enough memory" if isinstance(error, MemoryError) else type(error).__name__
    return damage if said == "Invalid data found when processing input" else said


@lru_cache(maxsize=16)
def scan(path: Path, changed_ns: int) -> Scan:
    """What the file is, as of its last change; raises DecodeError."""
    del changed_ns  # a file that changed is another
    with opened(path) as (container, stream):
        height, width, sound = _first_picture(path, container, stream)
    with opened(path) as (container, stream):
        timeline, hidden = _timeline(container, stream)
        if _reorders_blindly(container, stream):
            timeline = None
        fps = _rate(stream, timeline)
        codec = str(stream.codec_context.name)
        plain = sound and not hidden and _is_plain(container, stream, timeline)
    frames = _count(path) if timeline is None else len(timeline.packets)
    if frames == 0:
        raise DecodeError(path, "no frames")
    return Scan(frames, fps, height, width, codec, timeline, plain)


def _first_picture(path: Path, container: InputContainer, stream: VideoStream) -> tuple[int, int, bool]:
    """(height, width) of the first picture as shown, and whether it is sound; what does not decode is passed over."""
    if stream.width * stream.height > MAX_PIXELS:
        raise DecodeError(path, f"pictures of {stream.width} x {stream.height} pixels")
    for frame in pictures(container, stream):
        height, width = (frame.width, frame.height) if quarters(frame) % 2 else (frame.height, frame.width)
        return height, width, not frame.is_corrupt
    raise DecodeError(path, "no frames")


def quarters(frame: VideoFrame) -> int:
    """Quarter turns counterclockwise by which a frame is to be shown; what is no quarter turn is damage, and none."""
    turns = round(frame.rotation / 90)
    return turns % 4 if abs(turns) <= 4 and abs(frame.rotation - 90 * turns) <= 1 else 0


def _timeline(container: InputContainer, stream: VideoStream) -> tuple[Timeline | None, bool]:
    """Where each frame lies, if timestamps tell, and whether any packet is not a frame."""
    found = [
        (packet.pts, packet.is_keyframe, packet.is_discard or _is_unseen(packet, stream))
        for packet in packets(container, stream)
        if packet.size
    ]
    if not found or any(time is None for time, _, _ in found):
        return None, True
    times = np.array([time for time, _, _ in found], np.int64)
    is_key = np.array([key for _, key, _ in found])
    shown = ~np.array([unseen for _, _, unseen in found])
    keys = np.flatnonzero(is_key)
    if is_key[0] and times.min() == times[0] and len(np.unique(times)) == len(times):
        return _in_order(times, keys, shown), not shown.all()
    return None, True  # starts midway, or its timestamps are damaged: what FFmpeg makes of it shows


def _in_order(times: npt.NDArray[np.int64], keys: npt.NDArray[np.int64], shown: npt.NDArray[np.bool_]) -> Timeline:
    packets = np.flatnonzero(shown)
    packets = packets[np.argsort(times[packets])]
    return Timeline(times, packets, _start(times, packets, keys))


def _is_unseen(packet: av.Packet, stream: VideoStream) -> bool:
    """Whether a packet is one that VP8 keeps to predict from and does not show (RFC 6386, section 9.1, show_frame)."""
    return stream.codec_context.name == "vp8" and not memoryview(packet)[0] & 0x10


def _start(
    times: npt.NDArray[np.int64], packets: npt.NDArray[np.int64], keys: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """The last key frame before each packet that is also shown before it.

    A picture decoded after a key frame and shown before it (an open group of pictures) needs the group before, too.
    """
    chosen = np.searchsorted(keys, packets, side="right") - 1
    while (early := times[keys[chosen]] > times[packets]).any():
        chosen = chosen - early
    return keys[chosen]


def _reorders_blindly(container: InputContainer, stream: VideoStream) -> bool:
    """AVI has no time of showing: where frames are shown in another order than decoded, its timestamps are wrong."""
    return container.format.name == "avi" and bool(stream.codec_context.has_b_frames)


def _rate(stream: VideoStream, timeline: Timeline | None) -> float:
    """Frames per second: what the header says, or the timestamps where they clearly differ (a variable rate)."""
    said = float(stream.average_rate or stream.base_rate or 0)
    if timeline is None or len(timeline.packets) < RATE_FRAMES or stream.time_base is None:
        return said
    first, last = timeline.times[timeline.packets[[0, -1]]].tolist()
    measured = (len(timeline.packets) - 1) / float((last - first) * stream.time_base)
    return said if abs(said / measured - 1) <= RATE_TOLERANCE else measured


def _is_plain(container: InputContainer, stream: VideoStream, timeline: Timeline | None) -> bool:
    if timeline is None or not {"mov", "matroska"}.intersection(container.format.name.split(",")):
        return False
    if stream.frames not in (0, len(timeline.packets)):
        return False
    starts = np.unique(timeline.keys)
    nearest = starts[np.searchsorted(starts, timeline.packets, side="right") - 1]
    return bool((nearest == timeline.keys).all())


def _count(path: Path) -> int:
    """Frames that the whole stream decodes to."""
    with opened(path) as (container, stream):
        return sum(1 for _ in pictures(container, stream))
