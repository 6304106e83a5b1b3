import pickle
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from harness.data.decoders import file
from harness.data.decoders.file import DecodeError, VideoFile, changed_ns


@dataclass(frozen=True)
class Numbered(VideoFile):
    """Frame i is i everywhere; what was asked of it is kept."""

    asked: list = field(default_factory=list)

    def _read(self, wanted, height, width):
        self.asked.append(wanted.tolist())
        return np.broadcast_to(wanted.astype(np.uint8)[:, None, None, None], (len(wanted), height, width, 3)).copy()


@pytest.fixture
def video():
    return Numbered(Path("v.mp4"), 10, 25.0, 4, 6, "h264")


@pytest.mark.parametrize("indices", [[0], [3, 1, 1, 9], [2, 5, 7], [4, 4]])
def test_each_frame_is_decoded_once_and_given_where_it_is_asked(video, indices):
    frames = video.read(np.array(indices), 2, 3)
    assert frames[:, 0, 0, 0].tolist() == indices
    assert video.asked == [sorted(set(indices))]


@pytest.mark.parametrize("indices", [[10], [0, -1], [99]])
def test_frames_that_do_not_exist_are_named(video, indices):
    with pytest.raises(DecodeError, match=r"v.mp4: frame -?\d+: the video ends before it, it has 10 frames"):
        video.read(np.array(indices), 2, 3)


@pytest.mark.parametrize("indices", [range(9), [3] * 9])
def test_more_pixels_than_are_read_at_once_are_refused_with_the_numbers(video, indices, monkeypatch):
    """Those that are repeated take memory as well."""
    monkeypatch.setattr(file, "MAX_READ_PIXELS", 8 * 20 * 30)
    assert len(video.read(np.array(indices)[:8], 20, 30)) == 8
    with pytest.raises(DecodeError, match=r"v\.mp4: 9 frames, scaled to 30 x 20 pixels, of .* 6 x 4: more than 4800"):
        video.read(np.array(indices), 20, 30)
    assert len(video.asked) == 1


def test_memory_that_is_not_there_is_the_videos_fault_and_not_the_jobs(video, monkeypatch):
    def full(*_):
        raise MemoryError

    monkeypatch.setattr(Numbered, "_read", full)
    with pytest.raises(DecodeError, match=r"v\.mp4: not enough memory for 2 frames, scaled to 3 x 2 pixels"):
        video.read(np.array([1, 2]), 2, 3)


def test_an_error_crosses_processes():
    again = pickle.loads(pickle.dumps(DecodeError(Path("a.mp4"), "frame 3: damaged")))
    assert (again.path, again.reason, str(again)) == (Path("a.mp4"), "frame 3: damaged", "a.mp4: frame 3: damaged")


def test_what_is_no_file_is_told(tmp_path):
    (tmp_path / "empty.mp4").touch()
    for path, reason in (("nothing.mp4", "no such file"), ("empty.mp4", "empty file"), (".", "not a file")):
        with pytest.raises(DecodeError, match=reason):
            changed_ns(tmp_path / path)
