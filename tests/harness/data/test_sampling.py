import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data import sampling
from results.scores import CROPS

lengths = st.integers(1, 400)
counts = st.integers(1, 32)
steps = st.floats(0.5, 40, allow_nan=False)
seeds = st.integers(0, 2**32)


def within(indices, length, frames):
    assert indices.shape == (frames,)
    assert indices.dtype == np.int64
    assert indices.min() >= 0
    assert indices.max() < length
    assert (np.diff(indices) >= 0).all()


@given(lengths, counts, steps, seeds)
def test_dense_training_clips_stay_within_the_video_and_fit_where_they_can(length, frames, step, seed):
    start = sampling.random_start(length, frames, step, np.random.default_rng(seed))
    indices = sampling.dense_indices(length, frames, step, start)
    within(indices, length, frames)
    if step * (frames - 1) <= length - 1:
        assert start + step * (frames - 1) <= length - 1  # nothing was clamped


def test_dense_training_starts_reach_both_ends():
    generator = np.random.default_rng(0)
    starts = {sampling.random_start(32, 8, 4, generator) for _ in range(200)}
    assert starts == {0, 1, 2, 3}


@given(lengths, counts, steps, st.integers(1, 10))
def test_test_clips_are_in_order_and_symmetric(length, frames, step, clips):
    starts = sampling.middle_or_spread_starts(length, frames, step, clips)
    assert len(starts) == clips
    assert list(starts) == sorted(starts)
    for start in starts:
        within(sampling.dense_indices(length, frames, step, start), length, frames)
    latest = max(0, int(length - 1 - step * (frames - 1)))
    assert abs(starts[0] + starts[-1] - latest) <= 1


def test_one_test_clip_lies_in_the_middle():
    (start,) = sampling.middle_or_spread_starts(300, 8, 32, 1)
    indices = sampling.dense_indices(300, 8, 32, start)
    assert indices.tolist() == [37, 69, 101, 133, 165, 197, 229, 261]


def test_several_test_clips_reach_from_first_to_last_frame():
    assert sampling.middle_or_spread_starts(300, 8, 32, 3) == (0, 37, 75)


def test_a_video_shorter_than_the_clip_repeats_its_last_frame():
    assert sampling.dense_indices(10, 4, 4, 0).tolist() == [0, 4, 8, 9]


@pytest.mark.parametrize(("fps", "step"), [(30, 32), (25, 32 * 25 / 30), (15, 16), (0, 32)])
def test_a_stride_is_in_frames_at_30_fps(fps, step):
    assert sampling.frame_step(32, fps) == pytest.approx(step)


@given(lengths, counts, seeds)
def test_every_segment_gives_one_frame_of_its_own(length, frames, seed):
    trained = sampling.random_segment_indices(length, frames, np.random.default_rng(seed))
    tested = sampling.indices_at("segment", length, frames, 1, 0.5)
    for indices in (trained, tested):
        within(indices, length, frames)
        segments = np.floor(np.arange(frames + 1) * length / frames)
        assert (indices >= segments[:-1]).all()
        assert (indices <= np.ceil(np.arange(1, frames + 1) * length / frames)).all()
    if length >= frames:
        assert (np.diff(tested) > 0).all()


@given(st.integers(1, 16), st.integers(1, 8))
def test_several_test_clips_divide_the_segments(frames, clips):
    length = frames * clips
    places = sampling.positions("segment", length, frames, 1, clips)
    taken = np.stack([sampling.indices_at("segment", length, frames, 1, place) for place in places])
    assert sorted(taken.ravel().tolist()) == list(range(length))


def test_eight_segments_take_every_stop_of_the_motion_set_once():
    generator = np.random.default_rng(0)
    for _ in range(50):
        assert (sampling.random_segment_indices(16, 8, generator) // 2).tolist() == list(range(8))
    assert sampling.indices_at("segment", 16, 8, 1, 0.5).tolist() == [1, 3, 5, 7, 9, 11, 13, 15]


@given(lengths, counts, st.floats(1, 40, allow_nan=False))
def test_covering_clips_cover_the_video_and_share_no_frame(length, frames, step):
    starts = sampling.positions("dense", length, frames, step, "cover")
    clips = [sampling.indices_at("dense", length, frames, step, start) for start in starts]
    for indices in clips:
        within(indices, length, frames)
    for one, other in itertools.pairwise(clips):
        assert one[-1] < other[0]
        assert other[0] - one[-1] < step + 2  # nothing is left out between them, but for rounding both to frames
    assert clips[0][0] == 0
    assert starts[-1] + frames * step >= length - step - 1
    assert len(starts) == 1 or starts[-1] + step < length


def test_covering_clips_are_as_many_as_the_paper_says():
    assert len(sampling.positions("dense", 410 * 30, 8, 32, "cover")) == 48
    assert len(sampling.positions("dense", 410 * 30, 96, 32, "cover")) == 4


def test_one_clip_of_segments_covers_the_video():
    assert sampling.positions("segment", 500, 8, 1, "cover") == sampling.positions("segment", 500, 8, 1, 1) == (0.5,)


samplings = st.sampled_from(["dense", "segment"])


@given(samplings, lengths, counts, steps, st.one_of(st.integers(1, 12), st.just("cover")))
def test_a_position_alone_says_which_frames_a_clip_has(kind, length, frames, step, clips):
    """The same position of another protocol is the same clip, and what was known before is what is taken."""
    found = sampling.positions(kind, length, frames, step, clips)
    assert found == sampling.positions(kind, length, frames, step, clips)
    for number, position in enumerate(found):
        indices = sampling.indices_at(kind, length, frames, step, position)
        within(indices, length, frames)
        if kind == "segment" and clips != "cover":
            shares = [Fraction(2 * number + 1, 2 * clips) + segment for segment in range(frames)]
            exact = np.array([int(share * length / frames) for share in shares])
            assert (np.abs(indices - exact) <= 1).all()  # which floats may round to the frame beside it


@given(st.integers(1, 12), st.integers(0, 5))
def test_an_odd_number_of_times_more_clips_of_segments_includes_them(clips, more):
    few = sampling.positions("segment", 100, 8, 1, clips)
    assert set(few) <= set(sampling.positions("segment", 100, 8, 1, clips * (2 * more + 1)))


@given(lengths, st.integers(0, 500), st.one_of(st.none(), st.integers(1, 500)))
def test_a_part_lies_within_its_file(frames, first, last):
    if first >= min(frames, frames if last is None else last):
        with pytest.raises(ValueError, match="the annotated part"):
            sampling.part(frames, first, last)
    else:
        length = sampling.part(frames, first, last)
        assert 1 <= length <= frames - first
        assert last is None or first + length <= last


def test_the_one_crop_is_the_middle_one_of_three():
    for height, width in ((240, 320), (320, 240), (224, 224)):
        three = sampling.crop_offsets(height, width, 224, 3)
        assert [three[place] for place in CROPS[1]] == [*sampling.crop_offsets(height, width, 224, 1)]
        assert [three[place] for place in CROPS[3]] == [*three]


@given(st.integers(8, 500), st.integers(8, 500), st.integers(4, 300))
def test_scaling_sets_the_short_side_and_keeps_the_aspect(height, width, short):
    scaled = sampling.short_side_size(height, width, short)
    assert min(scaled) == short
    assert scaled[0] / scaled[1] == pytest.approx(height / width, abs=1.0 * max(scaled) / short**2)


@given(st.integers(8, 300), st.integers(0, 300), st.booleans())
def test_three_crops_lie_along_the_long_side(size, extra, upright):
    height, width = (size + extra, size) if upright else (size, size + extra)
    first, centre, last = sampling.crop_offsets(height, width, size, 3)
    assert first == (0, 0)
    assert last == (height - size, width - size)
    assert sampling.crop_offsets(height, width, size, 1) == (centre,)
    assert centre == (last[0] // 2, last[1] // 2)


def test_three_crops_of_a_wide_frame_are_centred_on_its_short_side():
    assert sampling.crop_offsets(240, 320, 224, 3) == ((8, 0), (8, 48), (8, 96))


@given(st.integers(8, 100), st.integers(0, 40), st.integers(0, 40), seeds)
def test_a_random_crop_lies_within_the_frame(size, down, right, seed):
    top, left = sampling.random_crop_offset(size + down, size + right, size, np.random.default_rng(seed))
    assert 0 <= top <= down
    assert 0 <= left <= right


@pytest.mark.parametrize(
    ("arguments", "said"), [((40, 40, 32, 2), "1 or 3 crops, not 2"), ((30, 40, 32, 1), "40 x 30")]
)
def test_impossible_crops_are_refused(arguments, said):
    with pytest.raises(ValueError, match=said):
        sampling.crop_offsets(*arguments)
