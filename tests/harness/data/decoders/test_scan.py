import numpy as np
import pytest

from harness.data.decoders.file import DecodeError, changed_ns
from harness.data.decoders.scan import scan, words
from tests.harness.data.counters import KINDS, VFR, write


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scanned")

    def make(name):
        path = folder / name
        if not path.is_file():
            write(path, **KINDS[name])
        return scan(path, changed_ns(path))

    return make


@pytest.mark.parametrize("name", ["h264.mp4", "h264_reordered.mkv", "vp9.webm", "variable.mp4"])
def test_a_timeline_numbers_frames_as_they_are_shown(scanned, name):
    timeline = scanned(name).timeline
    shown = timeline.times[timeline.packets]
    assert (np.diff(shown) > 0).all()
    assert sorted(timeline.packets.tolist()) == list(range(100))
    assert (timeline.keys <= timeline.packets).all()
    assert set(timeline.keys.tolist()) < set(range(100))


def test_reordered_packets_are_not_in_the_order_of_showing(scanned):
    assert (np.diff(scanned("h264.mp4").timeline.packets) == 1).all()
    assert (np.diff(scanned("h264_reordered.mp4").timeline.packets) < 0).any()


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("h264.mp4", True),
        ("h264_reordered.mkv", True),
        ("vp9.webm", True),
        ("h264_open.mp4", False),
        ("h264.avi", False),
        ("h264_reordered.ts", False),
    ],
)
def test_what_decord_counts_right_is_known(scanned, name, plain):
    assert scanned(name).plain is plain


def test_where_timestamps_cannot_tell_frames_are_counted(scanned):
    found = scanned("h264_reordered.avi")
    assert found.timeline is None
    assert found.frames == 100


def test_a_variable_rate_is_measured(scanned):
    assert scanned("variable.mp4").fps == pytest.approx(99_000 / (VFR[-1] - VFR[0]), rel=0.01)


@pytest.mark.parametrize(
    ("error", "said"), [(MemoryError(), "not enough memory"), (EOFError(), "EOFError"), (ValueError("bad"), "bad")]
)
def test_every_fault_has_words(error, said):
    """A reason of no letters would be none: the index takes such a file for a good one."""
    assert words(error) == said


@pytest.mark.parametrize("content", [b"plain text\n" * 50, b"\x00" * 4000, b"\x89PNG\r\n\x1a\n" + b"\x00" * 100])
def test_what_is_no_video_is_told(tmp_path, content):
    path = tmp_path / "no.mp4"
    path.write_bytes(content)
    with pytest.raises(DecodeError, match=r"no\.mp4: "):
        scan(path, changed_ns(path))
