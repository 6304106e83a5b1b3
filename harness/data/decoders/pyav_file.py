"""PyAV: every frame is known by its timestamp, so a seek that lands elsewhere cannot give another frame."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import dropwhile, islice
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from harness.data.decoders.file import DecodeError, Frames, VideoFile, changed_ns
from harness.data.decoders.scan import Timeline, opened, quarters, scan, words
from harness.data.sampling import Indices

SKIPPING = {"h264", "hevc", "mpeg4", "mpeg2video"}
"""Decoders that look for every packet whether to skip it; libdav1d asks once, when it starts."""

TURNS = {1: ("cclock",), 2: ("clock", "clock"), 3: ("clock",)}
"""Transpositions for a rotation of so many quarters counterclockwise."""


def version() -> str:
    """PyAV and the FFmpeg that it brings: their versions."""
    return f"av {av.__version__} (FFmpeg {av.ffmpeg_version_info})"


class PyavFile(VideoFile):
    """A file that PyAV reads: only the groups of pictures asked for, and in them no picture that nothing needs."""

    def _read(self, wanted: Indices, height: int, width: int) -> Frames:
        frames = np.empty((len(wanted), height, width, 3), np.uint8)
        timeline = scan(self.path, changed_ns(self.path)).timeline
        scale = Scaler(height, width)
        with opened(self.path) as (container, stream):
            found = (
                self._counted(container, stream, wanted)
                if timeline is None
                else _Reader(self.path, container, stream, timeline).frames(wanted)
            )
            for slot, frame in found:
                frames[slot] = scale(frame)
        return frames

    def _counted(
        self, container: InputContainer, stream: VideoStream, wanted: Indices
    ) -> Iterator[tuple[int, VideoFrame]]:
        """Each slot of `wanted` and its frame, where frames can only be counted."""
        slots = {index: slot for slot, index in enumerate(wanted.tolist())}
        number = 0
        try:
            for number, frame in enumerate(container.decode(stream)):
                if frame.is_corrupt:
                    raise DecodeError(self.path, f"frame {number}: damaged")
                if number in slots:
                    yield slots.pop(number), frame
                if not slots:
                    return
        except av.FFmpegError as error:
            raise DecodeError(self.path, f"frame {number}: {words(error, 'damaged')}") from None
        raise DecodeError(self.path, f"frame {min(slots)}: the video ends before it")


class Scaler:
    """A frame as uint8 [h w c], RGB, turned as the file asks and scaled: by the filters of FFmpeg that decord uses.

    PyAV's own `reformat` is not among them: it places colours half a pixel from where decord does.
    """

    def __init__(self, height: int, width: int) -> None:
        self.height = height
        self.width = width
        self._made_for: tuple[object, ...] = ()
        self._graph = Graph()

    def __call__(self, frame: VideoFrame) -> Frames:
        described = (frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range, frame.rotation)
        if self._made_for != described:  # the first, or a stream that changes: kept, as making it takes long
            self._graph = self._filters(frame)
            self._made_for = described
        self._graph.push(frame)
        scaled = self._graph.pull()
        assert isinstance(scaled, VideoFrame)
        array: Frames = scaled.to_ndarray()
        return array

    def _filters(self, frame: VideoFrame) -> Graph:
        graph = Graph()
        graph.threads = 1
        turns = TURNS.get(quarters(frame), ())
        made = [
            graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1, 1000)
            ),
            *(graph.add("transpose", turn) for turn in turns),
            graph.add("scale", f"{self.width}:{self.height}"),
            graph.add("format", "rgb24"),
            graph.add("buffersink"),
        ]
        graph.link_nodes(*made)
        graph.configure()
        return graph


@dataclass(frozen=True)
class _Reader:
    """An open stream whose timeline is known."""

    path: Path
    container: InputContainer
    stream: VideoStream
    timeline: Timeline

    def frames(self, wanted: Indices) -> Iterator[tuple[int, VideoFrame]]:
        """Each slot of `wanted` and its frame, a group of pictures after the other."""
        keys = self.timeline.keys[wanted]
        for key in np.unique(keys).tolist():
            slots = np.flatnonzero(keys == key)
            missing = {int(self._time(wanted[slot])): int(slot) for slot in slots}
            last = int(self.timeline.packets[wanted[slots]].max())
            # Again from further back, where seeking leads astray, or the key frame is none (intra refresh).
            for start, seek in ((key, True), (key, False), (int(self.timeline.keys[0]), False)):
                for frame in self._decode(start, last, seek, frozenset(missing)):
                    if frame.pts in missing:
                        yield missing.pop(frame.pts), frame
                if not missing:
                    break
            else:
                index = int(wanted[min(missing.values())])
                raise DecodeError(self.path, f"frame {index}: FFmpeg gives no picture")

    def _time(self, index: int) -> int:
        return int(self.timeline.times[self.timeline.packets[index]])

    def _decode(self, start: int, last: int, seek: bool, wanted: frozenset[int]) -> Iterator[VideoFrame]:
        """The frames of the packets from a key frame to `last`, except those that neither are wanted nor referred to."""
        context = self.stream.codec_context
        context.flush_buffers()
        may_skip = context.name in SKIPPING
        earliest = int(self.timeline.times[start])
        for packet in self._packets(start, last, seek):
            if packet.pts < earliest:
                continue  # refers to the group before
            if may_skip:
                context.skip_frame = "DEFAULT" if packet.pts in wanted else "NONREF"
            try:
                decoded = context.decode(packet)
            except av.FFmpegError as error:
                raise DecodeError(self.path, f"frame {self._number(packet.pts)}: {words(error, 'damaged')}") from None
            yield from map(self._whole, decoded)
        yield from map(self._whole, context.decode(None))

    def _whole(self, frame: VideoFrame) -> VideoFrame:
        """The frame, unless FFmpeg filled it in: then those that refer to it are wrong as well, and not marked."""
        if frame.is_corrupt:
            raise DecodeError(self.path, f"frame {self._number(frame.pts)}: damaged")
        return frame

    def _packets(self, start: int, last: int, seek: bool) -> Iterator[av.Packet]:
        """The packets from one to another, sought, or counted from the start of the file.

        They end early where they are not those of the timeline, as after seeking in MPEG-PS and -TS.
        """
        times = self.timeline.times[start : last + 1].tolist()
        if seek:
            self.container.seek(times[0], stream=self.stream)
            sought = dropwhile(lambda packet: packet.pts != times[0], _full(self.container.demux(self.stream)))
            yield from _while_at(times, sought)
            return
        with opened(self.path) as (container, stream):
            yield from _while_at(times, islice(_full(container.demux(stream)), start, None))

    def _number(self, time: int) -> int:
        """The frame shown at a time."""
        shown = self.timeline.times[self.timeline.packets]
        return int(np.searchsorted(shown, time))


def _full(packets: Iterator[av.Packet]) -> Iterator[av.Packet]:
    return (packet for packet in packets if packet.size)


def _while_at(times: list[int], packets: Iterator[av.Packet]) -> Iterator[av.Packet]:
    """The packets, as long as they are shown at these times."""
    for time, packet in zip(times, packets, strict=False):
        if packet.pts != time:
            return
        yield packet
