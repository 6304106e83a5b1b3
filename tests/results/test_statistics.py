import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from results.statistics import mean_std, wilson_interval

counts = st.integers(1, 20_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts, st.floats(0.5, 0.999))
def test_wilson_is_scipys(counted: tuple[int, int], confidence: float) -> None:
    interval = binomtest(*counted).proportion_ci(confidence, method="wilson")
    assert wilson_interval(*counted, confidence) == pytest.approx((interval.low, interval.high), abs=1e-9)


@given(counts)
def test_the_interval_holds_the_share_and_stays_a_share(counted: tuple[int, int]) -> None:
    low, high = wilson_interval(*counted)
    assert 0 <= low <= counted[0] / counted[1] <= high <= 1


@given(counts)
def test_right_and_wrong_mirror_each_other(counted: tuple[int, int]) -> None:
    correct, n = counted
    low, high = wilson_interval(correct, n)
    assert wilson_interval(n - correct, n) == pytest.approx((1 - high, 1 - low))


def test_the_interval_keeps_its_width_at_the_ends() -> None:
    assert wilson_interval(200, 200)[0] == pytest.approx(0.98115, abs=1e-5)


@pytest.mark.parametrize("counted", [(0, 0), (3, 2), (-1, 2)])
def test_impossible_counts_are_refused(counted: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="0 <= correct <= n"):
        wilson_interval(*counted)


def test_mean_and_sample_deviation() -> None:
    assert mean_std([1.0, 2.0, 3.0]) == (2.0, 1.0)


def test_one_value_has_no_spread() -> None:
    assert mean_std([0.5]) == (0.5, None)


def test_no_value_has_no_mean() -> None:
    with pytest.raises(ValueError, match="no values"):
        mean_std([])
