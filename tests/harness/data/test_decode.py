"""Decoding: the frames asked for are the frames given, told by the numbers in their pixels, by both decoders."""

import os
import pickle
from pathlib import Path

import av
import numpy as np
import pytest

from harness.data.decode import DecodeError, open_video, version
from harness.data.decoders.decord_file import DecordFile
from harness.data.decoders.pyav_file import PyavFile
from harness.data.sampling import (
    dense_indices,
    frame_step,
    indices_at,
    middle_or_spread_starts,
    random_segment_indices,
    random_start,
)
from tests.harness.data.counters import KINDS, VFR, number, numbers, picture, write

REAL = Path(os.environ.get("VIDEO_HARNESS_CLIPS", Path(__file__).parents[3].parent / "shared" / "clips"))
real_clips = pytest.mark.skipif(not REAL.is_dir(), reason="the real clips do not lie beside this checkout")
both = pytest.mark.parametrize("decoder", ["decord", "pyav"])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A video of a kind, made once."""
    folder = tmp_path_factory.mktemp("videos")

    def make(name):
        path = folder / name
        return path if path.is_file() else write(path, **KINDS[name])

    return make


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    return write(tmp_path_factory.mktemp("short") / "short.mp4", 50, g="12", bf="2")


def samples(length, fps):
    """Picks of every sampler, for one video."""
    generator = np.random.default_rng(0)
    step = frame_step(4, fps)
    yield dense_indices(length, 8, step, random_start(length, 8, step, generator))
    for start in middle_or_spread_starts(length, 8, step, 5):
        yield dense_indices(length, 8, step, start)
    yield from (
        random_segment_indices(length, 8, generator),
        indices_at("segment", length, 8, step, 0.5),
        indices_at("segment", length, 16, step, 0.75),
    )
    yield generator.integers(0, length, 12)


@both
@pytest.mark.parametrize("name", KINDS)
def test_the_frames_that_each_sampler_picks_are_read(made, name, decoder):
    video = open_video(made(name), decoder)
    assert video.frames == 100
    for indices in samples(video.frames, video.fps):
        for height, width in ((64, 80), (45, 52)):
            assert numbers(video.read(indices, height, width)) == indices.tolist()


@pytest.mark.parametrize("name", KINDS)
def test_both_decoders_give_the_same_pixels(made, name):
    ours, theirs = (open_video(made(name), decoder) for decoder in ("decord", "pyav"))
    assert (ours.frames, ours.fps, ours.codec) == (theirs.frames, theirs.fps, theirs.codec)
    indices = np.array([0, 30, 31, 64, 99])
    for size in ((64, 80), (32, 38), (100, 150)):
        assert np.array_equal(ours.read(indices, *size), theirs.read(indices, *size))


def test_decord_reads_what_it_counts_right_and_pyav_the_rest(made):
    for name, kind in {"h264_reordered.mp4": DecordFile, "h264_open.mp4": PyavFile, "h264.avi": PyavFile}.items():
        assert isinstance(open_video(made(name), "decord"), kind)
        assert isinstance(open_video(made(name), "pyav"), PyavFile)


@both
def test_a_video_tells_what_it_is(short, decoder):
    video = open_video(short, decoder)
    assert (video.frames, video.fps, video.height, video.width, video.codec) == (50, 25, 64, 80, "h264")


@both
@pytest.mark.parametrize("name", ["variable.mp4", "variable.mkv", "variable.webm"])
def test_a_variable_rate_is_the_mean_and_not_what_the_header_says(made, name, decoder):
    assert open_video(made(name), decoder).fps == pytest.approx(99_000 / (VFR[-1] - VFR[0]), rel=0.02)


@both
def test_decoders_name_their_version(decoder):
    assert {"decord": "decord2 ", "pyav": "av "}[decoder] in version(decoder)
    assert any(character.isdigit() for character in version(decoder))


@both
@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_a_rotated_video_is_shown_upright_by_both(tmp_path, rotation, decoder):
    video = open_video(write(tmp_path / "turned.mp4", 12, rotation=rotation), decoder)
    assert (video.height, video.width) == ((64, 80) if rotation == 180 else (80, 64))
    turned = np.rot90(picture(11, 64, 80), rotation // 90)
    for size in ((video.height, video.width), (40, 36)):
        assert number(video.read(np.array([11]), *size)[0]) == number(turned)


@both
@pytest.mark.parametrize(("height", "width"), [(63, 81), (40, 24), (38, 50), (48, 72), (17, 130)])
def test_odd_sizes_and_widths_whose_rows_are_padded_are_read(tmp_path, height, width, decoder):
    """decord reports four channels for 24, 48 and 72 pixels; yuv444p, as others have even sizes only."""
    ramp = np.tile(np.linspace(0, 255, width).astype(np.uint8)[None, :, None], (height, 1, 3))
    with av.open(str(tmp_path / "ramp.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "4"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv444p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(ramp, format="rgb24")))
        container.mux(stream.encode())
    video = open_video(tmp_path / "ramp.mp4", decoder)
    assert (video.height, video.width) == (height, width)
    assert np.abs(video.read(np.array([1]), height, width)[0].astype(int) - ramp).max() < 20


@both
@pytest.mark.parametrize("frames", [1, 2, 5])
def test_videos_shorter_than_a_clip_repeat_their_frames(tmp_path, frames, decoder):
    video = open_video(write(tmp_path / "few.mp4", frames), decoder)
    assert video.frames == frames
    indices = dense_indices(frames, 8, 1.0, 0.0)
    assert numbers(video.read(indices, 64, 80)) == [min(index, frames - 1) for index in range(8)]


@both
def test_repeated_and_unordered_indices_give_their_frames(short, decoder):
    assert numbers(open_video(short, decoder).read(np.array([7, 3, 3, 49, 0, 7]), 32, 40)) == [7, 3, 3, 49, 0, 7]


@both
def test_large_gaps_are_skipped_and_small_ones_decoded_to_the_same_frames(tmp_path, decoder):
    video = open_video(write(tmp_path / "large.mp4", 60, 240, 320, g="20", bf="2"), decoder)
    indices = np.array([2, 3, 15, 39, 40, 59])  # within a group of pictures, across several, at a key frame
    one_by_one = np.stack([video.read(np.array([index]), 30, 40)[0] for index in indices])
    assert np.array_equal(video.read(indices, 30, 40), one_by_one)
    assert np.array_equal(video.read(np.arange(60), 30, 40)[indices], one_by_one)


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


@both
@pytest.mark.parametrize("hidden", [3, 17])
def test_frames_that_an_edit_list_hides_do_not_count(short, tmp_path, hidden, decoder):
    """decord counts them, and repeats the last frame in their place."""
    video = open_video(trim(short, tmp_path / "cut.mp4", hidden), decoder)
    assert video.frames == 50 - hidden
    assert numbers(video.read(np.arange(video.frames), 32, 40)) == list(range(hidden, 50))


@both
def test_a_stream_that_starts_midway_counts_from_what_can_be_decoded(short, tmp_path, decoder):
    target = tmp_path / "midway.mkv"
    with av.open(str(short)) as source, av.open(str(target), "w") as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        for index, packet in enumerate(source.demux(video=0)):
            if packet.dts is not None and index >= 5:
                packet.stream = stream
                copy.mux(packet)
    video = open_video(target, decoder)
    assert numbers(video.read(np.arange(video.frames), 32, 40))[-30:] == list(range(20, 50))
    assert video.frames <= 45


@both
def test_a_file_that_is_absent_or_empty_or_a_folder_is_named(tmp_path, decoder):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder.mp4").mkdir()
    for name, reason in {"gone": "no such file", "empty": "empty file", "folder": "not a file"}.items():
        with pytest.raises(DecodeError, match=rf"{name}\.mp4: {reason}"):
            open_video(tmp_path / f"{name}.mp4", decoder)


@both
def test_a_video_that_vanishes_or_changes_after_it_was_opened_is_noticed(tmp_path, decoder):
    path = write(tmp_path / "brief.mp4", 4)
    video = open_video(path, decoder)
    write(path, 9)
    assert open_video(path, decoder).frames == 9
    path.unlink()
    with pytest.raises(DecodeError, match="no such file"):
        video.read(np.array([0]), 32, 32)


@both
def test_an_index_outside_the_video_is_an_error_and_no_hang(short, decoder):
    for index in (50, -1):
        with pytest.raises(DecodeError, match=rf"short\.mp4: frame {index}: .* 50 frames"):
            open_video(short, decoder).read(np.array([index]), 32, 40)


@both
def test_sound_without_pictures_is_named(tmp_path, decoder):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        for index in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48000, index * 1024
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with pytest.raises(DecodeError, match="no video stream"):
        open_video(path, decoder)


@both
def test_a_playlist_named_as_a_video_leads_nowhere(short, tmp_path, decoder):
    path = tmp_path / "list.mp4"
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{short}\n#EXT-X-ENDLIST\n", encoding="utf-8")
    with pytest.raises(DecodeError, match=r"list\.mp4: not a video"):
        open_video(path, decoder)


def damage(good: bytes, kind: str) -> bytes:
    return {
        "text": b"not a video\n" * 50,
        "cut": good[: len(good) // 2],
        "header": good[:40] + bytes(200) + good[240:-400] + bytes(400),
        "zeros": good[:60] + bytes(len(good) // 2) + good[60 + len(good) // 2 :],
    }[kind]


@both
@pytest.mark.parametrize("kind", ["text", "cut", "header", "zeros"])
def test_a_damaged_file_is_named_with_a_reason_of_one_line(short, tmp_path, kind, decoder):
    path = tmp_path / f"{kind}.mp4"
    path.write_bytes(damage(short.read_bytes(), kind))
    with pytest.raises(DecodeError) as caught:
        open_video(path, decoder).read(np.arange(50), 32, 40)
    assert caught.value.path == path
    assert 0 < len(caught.value.reason) < 120
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@both
def test_a_damaged_frame_is_named_and_those_before_it_are_read(tmp_path, decoder):
    path = write(tmp_path / "hole.mkv", 100, bf="0", g="20")
    with av.open(str(path)) as container:
        packet = next(packet for packet in container.demux(video=0) if packet.pts == 1640)  # frame 41
        hole = bytes(packet)
    path.write_bytes(path.read_bytes().replace(hole, b"\xff" * len(hole)))
    video = open_video(path, decoder)
    assert numbers(video.read(np.array([0, 40]), 32, 40)) == [0, 40]
    with pytest.raises(DecodeError, match=r"hole\.mkv: frame 4[12]: "):
        video.read(np.array([0, 42]), 32, 40)


def test_an_error_can_be_sent_from_one_process_to_another():
    error = pickle.loads(pickle.dumps(DecodeError(Path("a.mp4"), "frame 3: damaged")))
    assert (error.path, error.reason, str(error)) == (Path("a.mp4"), "frame 3: damaged", "a.mp4: frame 3: damaged")


@real_clips
@both
@pytest.mark.parametrize(("name", "frames"), [("arm_wrestling.mp4", 280), ("pancake.mkv", 310)])
def test_real_clips_give_the_frames_of_a_decode_from_end_to_end(name, frames, decoder):
    video = open_video(REAL / name, decoder)
    assert video.frames == frames
    indices = np.array([0, 31, 100, 101, 200, frames - 1])
    ours = video.read(indices, video.height, video.width)
    with av.open(str(REAL / name)) as container:
        theirs = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert np.array_equal(ours, np.stack([theirs[index] for index in indices]))


@real_clips
@both
def test_the_real_damaged_clip_is_named_with_its_frame(decoder):
    def read_all(path):
        video = open_video(path, decoder)
        return video.read(np.arange(video.frames), 90, 160)

    with pytest.raises(DecodeError, match=r"corrupted\.mp4: frame 3\d: "):
        read_all(REAL / "corrupted.mp4")
