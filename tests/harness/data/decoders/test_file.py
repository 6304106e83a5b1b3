import pickle
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

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


def test_an_error_crosses_processes():
    again = pickle.loads(pickle.dumps(DecodeError(Path("a.mp4"), "frame 3: damaged")))
    assert (again.path, again.reason, str(again)) == (Path("a.mp4"), "frame 3: damaged", "a.mp4: frame 3: damaged")


def test_what_is_no_file_is_told(tmp_path):
    (tmp_path / "empty.mp4").touch()
    for path, reason in (("nothing.mp4", "no such file"), ("empty.mp4", "empty file"), (".", "not a file")):
        with pytest.raises(DecodeError, match=reason):
            changed_ns(tmp_path / path)
