"""Against scipy, closed forms, enumeration of all outcomes, and trainings whose truth is known."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from results import paired
from results.paired import by_class, difference, holm, mcnemar, permutation, seed_interval, video_interval


@st.composite
def runs(draw: st.DrawFn, most_seeds: int = 3) -> tuple[list, list]:
    videos = draw(st.integers(1, 30))
    answers = st.lists(st.booleans(), min_size=videos, max_size=videos).map(np.array)
    return draw(st.lists(answers, min_size=1, max_size=most_seeds)), draw(
        st.lists(answers, min_size=1, max_size=most_seeds)
    )


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemars_p_is_the_binomial_distributions(a_only: int, b_only: int) -> None:
    its = binomtest(a_only, a_only + b_only).pvalue if a_only + b_only else 1.0
    assert mcnemar(a_only, b_only) == pytest.approx(its)


def test_mcnemars_p_of_many_videos_neither_overflows_nor_is_slow() -> None:
    assert mcnemar(9_800, 10_200) == pytest.approx(binomtest(9_800, 20_000).pvalue)
    assert mcnemar(0, 5_000) == 0.0


@given(st.lists(st.integers(-6, 6), min_size=1, max_size=9))
def test_the_permutation_test_counts_every_choice_of_signs(gained: list[int]) -> None:
    seen = abs(sum(gained))
    sums = [abs(sum(sign * each for sign, each in zip(signs, gained, strict=True)))
            for signs in product((1, -1), repeat=len(gained))]  # fmt: skip
    assert permutation(np.array(gained)) == pytest.approx(np.mean([each >= seen for each in sums]))


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 20))
def test_the_permutation_test_of_single_seeds_is_mcnemars(a_only: int, b_only: int, both: int) -> None:
    gained = np.array([-1] * a_only + [1] * b_only + [0] * both, np.int64)
    assert permutation(gained) == pytest.approx(max(mcnemar(a_only, b_only), paired.SMALLEST_P), abs=1e-10)


@pytest.mark.parametrize("videos", [1, 4])
def test_the_interval_is_that_of_every_draw_of_videos(videos: int) -> None:
    """Of all outcomes of as many draws as there are videos, each with its probability."""
    gained = np.array([1, 1, -1, 0][:videos])
    share = {sign: ((gained == sign).sum() + (0.5 if sign else 1)) / (videos + 2) for sign in (-1, 0, 1)}
    outcomes: dict[int, float] = {}
    for draws in product(share, repeat=videos):
        outcomes[sum(draws)] = outcomes.get(sum(draws), 0.0) + float(np.prod([share[each] for each in draws]))
    below = np.cumsum([outcomes[total] for total in sorted(outcomes)])
    above = np.cumsum([outcomes[total] for total in sorted(outcomes, reverse=True)])
    low, high = sorted(outcomes)[int((below < 0.025).sum())], sorted(outcomes)[::-1][int((above < 0.025).sum())]
    assert video_interval(gained) == (low / videos, high / videos)


def test_two_that_answer_alike_are_not_told_apart_and_not_certain_to_be_equal() -> None:
    right = np.array([True, False] * 100)
    found = difference([right], [right])
    assert (found.mean, found.p, found.tells_apart, found.test) == (0.0, 1.0, False, "McNemar")
    assert found.low == -found.high == -0.01
    assert (found.a_better, found.b_better, found.videos, found.seeds) == (0, 0, 200, (1, 1))


def test_six_videos_that_only_one_has_right_are_the_fewest_that_tell_apart() -> None:
    for videos, told in ((5, False), (6, True)):
        b = np.array([True] * videos + [False] * 100)
        found = difference([np.zeros_like(b)], [b])
        assert (found.p, found.tells_apart) == (2 * 0.5**videos, told)


def test_what_all_videos_have_in_common_cancels() -> None:
    """Two apart by 4 of 200 videos, all one way, of which each alone is known to 7 points."""
    a = np.array([True] * 100 + [False] * 100)
    b = a.copy()
    b[100:108] = True
    found = difference([a], [b])
    assert found.mean == pytest.approx(0.04)
    assert found.low > 0
    assert found.high - found.low < 0.07
    assert found.tells_apart


@settings(max_examples=60, deadline=None)
@given(runs())
def test_swapping_the_two_changes_signs_only(pair: tuple[list, list]) -> None:
    there, back = difference(*pair), difference(*reversed(pair))
    assert there.mean == -back.mean
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-12)
    assert there.p == pytest.approx(back.p)
    assert (there.a_better, there.b_better, there.seeds) == (back.b_better, back.a_better, back.seeds[::-1])
    assert there.tells_apart == back.tells_apart
    assert there.low <= there.mean <= there.high
    mean = np.mean([right.mean() for right in pair[1]]) - np.mean([right.mean() for right in pair[0]])
    assert there.mean == pytest.approx(mean)


@settings(max_examples=30, deadline=None)
@given(runs(most_seeds=2), st.randoms(use_true_random=False))
def test_the_order_of_videos_does_not_matter_to_what_is_exact(pair: tuple[list, list], random: object) -> None:
    order = np.random.default_rng(random.randint(0, 99)).permutation(len(pair[0][0]))
    there = difference(*pair)
    other = difference(*([right[order] for right in each] for each in pair))
    assert (there.mean, there.a_better) == (other.mean, other.a_better)
    assert there.p == pytest.approx(other.p)


def test_an_interval_of_single_seeds_covers_the_truth_in_95_of_100_tests() -> None:
    generator, covered = np.random.default_rng(0), 0
    for _ in range(1000):
        gained = generator.choice([1, -1, 0], size=150, p=[0.09, 0.05, 0.86])
        low, high = video_interval(gained)
        covered += low <= 0.04 <= high
    assert 930 <= covered <= 975


@pytest.mark.parametrize(("seeds", "vary"), [(2, 0.03), (3, 0.03), (3, 0.0)])
def test_an_interval_of_several_seeds_covers_the_truth_where_seeds_vary(monkeypatch, seeds: int, vary: float) -> None:
    """Two equal variants: the interval, unlike the test that knows no other seeds, says so nearly always."""
    monkeypatch.setattr(paired, "RESAMPLES", 1000)
    generator, covered, told, small_p = np.random.default_rng(1), 0, 0, 0
    for _ in range(200):
        video = generator.uniform(0.2, 0.8, size=1000)
        sides = [[generator.random(1000) < video + generator.normal(0, vary) for _ in range(seeds)] for _ in "ab"]
        found = difference(*sides)
        covered += found.low <= 0 <= found.high
        told += found.tells_apart
        small_p += found.p < 0.05
    assert covered >= 188
    assert told <= 12
    assert (small_p > 50) == (vary > 0)


def test_seeds_that_differ_far_more_than_videos_give_students_interval() -> None:
    """Accuracies of 0.2 and 0.8 twice over 4000 videos: a half-width of t(0.975, 2) = 4.303 standard errors."""
    videos = np.arange(4000)
    runs = np.array([videos < 800, videos < 3200])
    low, high = seed_interval(runs, runs)
    expected = 4.303 * np.sqrt(0.18 * (1 / 2 + 1 / 2))
    assert -low == high == pytest.approx(expected, rel=0.1)


def test_several_seeds_are_averaged_video_by_video() -> None:
    a = [np.array([True, False, False, True]), np.array([True, False, True, False])]
    b = [np.array([True, True, True, True])]
    found = difference(a, b)
    assert (found.mean, found.test, found.seeds) == (0.5, "permutation", (2, 1))
    assert (found.a_better, found.b_better) == (0, 3)
    assert found.p == pytest.approx(0.25)  # 1, 1/2, 1/2 of one sign: 2 of 8


@pytest.mark.parametrize(
    ("a", "b", "told"),
    [
        ([], [[True]], "at least one seed"),
        ([[]], [[]], "at least one video"),
        ([[True]], [[True, False]], "the same videos"),
    ],
)
def test_what_cannot_be_compared_is_refused(a: list, b: list, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        difference([np.array(each, bool) for each in a], [np.array(each, bool) for each in b])


def test_holms_correction_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_classes_are_in_the_order_of_what_they_gain_and_small_ones_left_out() -> None:
    labels = np.array([0] * 20 + [1] * 20 + [2] * 9)
    a = np.array([False] * 20 + [True] * 20 + [False] * 9)
    b = np.array([True] * 20 + [True] * 18 + [False] * 2 + [True] * 9)
    gain, loss = by_class([a], [b], labels)
    assert (gain.label, gain.videos, gain.a, gain.b, gain.mean, gain.tells_apart) == (0, 20, 0.0, 1.0, 1.0, True)
    assert gain.p == 2 * 0.5**20
    assert gain.p_holm == 2 * gain.p
    assert (loss.label, loss.a, loss.b, loss.p, loss.tells_apart) == (1, 1.0, 0.9, 0.5, False)


def test_of_many_classes_that_move_by_chance_hardly_one_is_called_out() -> None:
    generator = np.random.default_rng(3)
    labels = np.repeat(np.arange(100), 50)
    a, b = (generator.random(5000) < 0.7 for _ in "ab")
    rows = by_class([a], [b], labels)
    assert sum(row.p < 0.05 for row in rows) >= 1
    assert sum(row.tells_apart for row in rows) == 0
