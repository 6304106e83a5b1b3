"""decord, for the files whose frames it finds.

It counts frames from the key frame that it jumped to, and so miscounts where pictures of one group refer to the group
before, and where packets are hidden or timestamps are not those of showing (AVI, MPEG-TS): it gives its neighbours instead
of the frames asked for, without a word. `harness.data.decoders.scan` tells which files those are; PyAV reads them.
"""

import os
import sys
from collections.abc import Iterator
from importlib.metadata import version as version_of

import numpy as np
import numpy.typing as npt

from harness.data.decoders.file import Frames, VideoFile, changed_ns
from harness.data.decoders.pyav_file import PyavFile
from harness.data.sampling import Indices

# How often decord asks its decoding thread for a frame once the file is read to its end, as small files are at once. It
# counts questions, not time: its default, 10240, passes within about 10 ms, so a busy machine would make good files
# fail at random (dmlc/decord#143, #156). These last some seconds. decord reads the variable when it opens a file.
os.environ.setdefault("DECORD_EOF_RETRY_MAX", str(1 << 23))

# decord2 loads every library of NVIDIA's packages that it finds, NVBLAS among them, which then stands before torch's
# own BLAS: products on the CPU crash where torch is imported later, and each decoding process holds 600 MiB more. The
# CPU build needs none of them, so they are hidden from it; a CUDA build, which does not load without, finds them.
_nvidia = sys.modules.get("nvidia")
sys.modules["nvidia"] = None  # type: ignore[assignment]
try:
    import decord
except OSError:
    del sys.modules["nvidia"]
    import decord
finally:
    sys.modules.pop("nvidia", None)
    if _nvidia is not None:
        sys.modules["nvidia"] = _nvidia

decord.logging.set_level(decord.logging.FATAL)

FAULT_TOLERANCE = 1e-9
"""Share of a video's frames that may be missing and repeat another instead: none. 0 would mean any (dmlc/decord#119)."""

FAULTS = (decord.DECORDError, decord.DECORDLimitReachedError, RuntimeError, AssertionError, EOFError)

SKIP_PIXELS = 32768
"""Frames x pixels up to which decoding on is quicker than decord's own skipping or seeking (measured, see `_walk`)."""


def version() -> str:
    """decord's build and version."""
    return f"decord2 {version_of('decord2')}"


class DecordFile(VideoFile):
    """A file that decord reads in one thread, seeking only to what is needed."""

    def _read(self, wanted: Indices, height: int, width: int) -> Frames:
        changed_ns(self.path)  # says why it cannot be opened; decord's reason is on stderr
        frames = np.empty((len(wanted), height, width, 3), np.uint8)
        try:
            for slot, frame in enumerate(_walk(self._reader(height, width), wanted, self.height * self.width)):
                frames[slot] = _pixels(frame, height, width)
        except FAULTS:
            # Its thread decodes ahead, so it also fails at frames before the damage, and cannot say which one is damaged.
            return PyavFile(**vars(self)).read(wanted, height, width)
        return frames

    def _reader(self, height: int, width: int) -> decord.VideoReader:
        # One thread: more slow small files down, and the caller decodes many files at once.
        reader = decord.VideoReader(
            str(self.path), ctx=decord.cpu(0), width=width, height=height, num_threads=1, fault_tol=FAULT_TOLERANCE
        )
        if len(reader) != self.frames:
            raise EOFError(f"{len(reader)} frames of {self.frames}")
        return reader


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
        raise EOFError from None


def _pixels(frame: decord.nd.NDArray, height: int, width: int) -> Frames:
    """uint8 [h w c]. decord takes the padding that FFmpeg adds to the rows of some widths (24, 48, 72, ...) for a
    fourth channel and refuses such a frame in `get_batch`; read row by row, the pixels are all there."""
    array: npt.NDArray[np.uint8] = frame.asnumpy()
    return array.reshape(height, -1)[:, : 3 * width].reshape(height, width, 3)
