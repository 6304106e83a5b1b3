"""Decoding against PyAV, which decodes every frame in order and shares no code with decord."""

from pathlib import Path

import av
import numpy as np
import pytest

from harness.data.decode import DecodeError, open_video

REAL = Path(__file__).parents[3].parent / "shared" / "clips"
real_clips = pytest.mark.skipif(not REAL.is_dir(), reason="the real clips do not lie beside this checkout")


def write(path: Path, frames: int, height: int, width: int, **options: str) -> Path:
    """A video whose frame i is grey i * 200 / frames, so that a frame tells its number."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "10", **options})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(frames):
            grey = np.full((height, width, 3), 20 + index * 200 // frames, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def greys(tmp_path_factory):
    return write(tmp_path_factory.mktemp("videos") / "greys.mp4", 50, 64, 80, g="12", bf="2")


def test_a_video_tells_what_it_is(greys):
    video = open_video(greys)
    assert (video.frames, video.fps, video.height, video.width) == (50, 25, 64, 80)


@pytest.mark.parametrize("size", [(64, 80), (640, 800), (17, 23)])
@pytest.mark.parametrize("indices", [[0], [49], [0, 1, 2], [3, 30, 31, 49], [11, 12, 13, 24], list(range(1, 50, 7))])
def test_the_frames_asked_for_are_the_frames_given(greys, indices, size):
    frames = open_video(greys).read(np.array(indices), *size)
    assert frames.shape == (len(indices), *size, 3)
    assert frames.dtype == np.uint8
    assert (
        np.abs(frames.mean((1, 2, 3)) - [20 + index * 4 for index in indices]).max() < 2.1
    )  # greys are 4 apart; scaling rounds


def test_large_gaps_are_skipped_and_small_ones_decoded_to_the_same_frames(tmp_path):
    video = open_video(write(tmp_path / "large.mp4", 60, 240, 320, g="20", bf="2"))
    indices = np.array([2, 3, 15, 39, 40, 59])  # within a group of pictures, across several, at a key frame
    one_by_one = [video.read(np.array([index]), 30, 40)[0] for index in indices]
    assert np.array_equal(video.read(indices, 30, 40), np.stack(one_by_one))
    assert np.array_equal(video.read(np.arange(60), 30, 40)[indices], np.stack(one_by_one))


def test_repeated_and_unordered_indices_give_their_frames(greys):
    video = open_video(greys)
    straight = video.read(np.arange(50), 32, 40)
    indices = np.array([7, 3, 3, 49, 0, 7])
    assert np.array_equal(video.read(indices, 32, 40), straight[indices])


@pytest.mark.parametrize("width", [24, 38, 48, 50, 72])
def test_widths_whose_rows_are_padded_give_the_same_picture(tmp_path, width):
    """decord reports four channels for 24, 48 and 72 pixels."""
    ramp = np.tile(np.linspace(0, 255, width).astype(np.uint8)[None, :, None], (40, 1, 3))
    with av.open(str(tmp_path / "ramp.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "4"})
        stream.width, stream.height, stream.pix_fmt = width, 40, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(ramp, format="rgb24")))
        container.mux(stream.encode())
    video = open_video(tmp_path / "ramp.mp4")
    assert (video.height, video.width) == (40, width)
    difference = video.read(np.array([1]), 40, width)[0].astype(int) - ramp
    assert np.abs(difference).max() < 20


def test_a_file_that_is_absent_is_named(tmp_path):
    with pytest.raises(DecodeError, match=r"gone\.mp4: no such file"):
        open_video(tmp_path / "gone.mp4")


def damage(good: bytes, kind: str) -> bytes:
    return {
        "empty": b"",
        "text": b"not a video\n" * 50,
        "cut": good[: len(good) // 2],
        "header": good[:40] + bytes(200) + good[240:-400] + bytes(400),
        "zeros": good[:60] + bytes(len(good) // 2) + good[60 + len(good) // 2 :],
    }[kind]


@pytest.mark.parametrize("kind", ["empty", "text", "cut", "header", "zeros"])
def test_a_damaged_file_is_named_with_a_reason_of_one_line(greys, tmp_path, kind):
    path = tmp_path / f"{kind}.mp4"
    path.write_bytes(damage(greys.read_bytes(), kind))
    with pytest.raises(DecodeError) as caught:
        open_video(path).read(np.arange(50), 32, 40)
    assert caught.value.path == path
    assert 0 < len(caught.value.reason) < 120
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_video_that_vanishes_after_it_was_opened_is_named(tmp_path):
    path = write(tmp_path / "brief.mp4", 4, 32, 32)
    video = open_video(path)
    path.unlink()
    with pytest.raises(DecodeError, match="no such file"):
        video.read(np.array([0]), 32, 32)


def trim(path: Path, target: Path, frames: int) -> Path:
    """A copy whose edit list hides its first frames, as cutting without coding anew leaves it."""
    with av.open(str(path)) as source, av.open(str(target), "w", options={"avoid_negative_ts": "disabled"}) as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.pts -= frames * packet.duration
                packet.dts -= frames * packet.duration
                packet.stream = stream
                copy.mux(packet)
    return target


def test_a_few_frames_missing_at_the_end_repeat_the_last_and_many_are_an_error(greys, tmp_path):
    few = open_video(trim(greys, tmp_path / "few.mp4", 3))
    frames = few.read(np.arange(few.frames), 32, 40)
    assert np.array_equal(frames[-1], frames[-4])
    many = open_video(trim(greys, tmp_path / "many.mp4", 11))
    with pytest.raises(DecodeError, match="duplicate frames"):
        many.read(np.arange(many.frames), 32, 40)


def test_an_index_beyond_the_end_is_an_error_and_no_hang(greys):
    with pytest.raises(DecodeError, match="ends before the frame asked for"):
        open_video(greys).read(np.array([50]), 32, 40)


@real_clips
@pytest.mark.parametrize(("name", "frames"), [("arm_wrestling.mp4", 280), ("pancake.mkv", 310)])
def test_real_clips_give_the_frames_that_pyav_gives(name, frames):
    video = open_video(REAL / name)
    assert video.frames == frames
    indices = np.array([0, 31, 100, 101, 200, frames - 1])
    ours = video.read(indices, video.height, video.width)
    with av.open(str(REAL / name)) as container:
        theirs = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    for frame, index in zip(ours, indices, strict=True):
        near = [np.abs(frame.astype(int) - theirs[i]).mean() for i in range(max(0, index - 1), min(frames, index + 2))]
        assert np.abs(frame.astype(int) - theirs[index]).mean() == min(near) < 4


@real_clips
def test_the_real_damaged_clip_is_named():
    def read_all(path):
        video = open_video(path)
        return video.read(np.arange(video.frames), 90, 160)

    with pytest.raises(DecodeError, match=r"corrupted\.mp4"):
        read_all(REAL / "corrupted.mp4")
