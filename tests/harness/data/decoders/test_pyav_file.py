from itertools import count

import av
import numpy as np
import pytest

from harness.data.decode import open_video
from harness.data.decoders import pyav_file
from harness.data.decoders.pyav_file import Scaler, version
from tests.harness.data.counters import number, picture, write


@pytest.mark.parametrize(("height", "width"), [(64, 80), (32, 40), (90, 100)])
def test_frames_are_scaled_to_rgb(height, width):
    frame = av.VideoFrame.from_ndarray(picture(37, 64, 80), format="rgb24").reformat(format="yuv420p")
    scaled = Scaler(height, width)(frame)
    assert scaled.shape == (height, width, 3)
    assert scaled.dtype == np.uint8
    assert number(scaled) == 37


def test_a_scaler_follows_a_stream_that_changes():
    scale = Scaler(32, 40)
    for number_, shape in zip(count(5), [(64, 80), (48, 64), (64, 80)], strict=False):
        frame = av.VideoFrame.from_ndarray(picture(number_, *shape), format="rgb24").reformat(format="yuv420p")
        assert number(scale(frame)) == number_


def test_only_the_groups_asked_for_are_decoded(tmp_path, monkeypatch):
    video = open_video(write(tmp_path / "v.mp4", 100, g="10", bf="0"), "pyav")
    decoded = []
    whole = pyav_file._Reader._whole

    def counted(reader, frame):
        decoded.append(frame)
        return whole(reader, frame)

    monkeypatch.setattr(pyav_file._Reader, "_whole", counted)
    assert number(video.read(np.array([95]), 64, 80)[0]) == 95
    assert 0 < len(decoded) <= 10


def test_the_version_names_ffmpeg():
    assert version().startswith(f"av {av.__version__} (FFmpeg ")
