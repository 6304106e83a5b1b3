import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap, t

from results.statistics import bootstrap_interval, mean_interval, mean_std, share_interval


@given(st.integers(20, 400), st.floats(0.1, 0.9), st.integers(0, 99))
def test_the_bootstrap_of_a_share_is_between_the_binomials_quantiles(n: int, share: float, seed: int) -> None:
    correct = max(1, round(share * n))
    values = [1.0] * correct + [0.0] * (n - correct)
    low, high = bootstrap_interval(values, seed=seed)
    assert low <= correct / n <= high
    spread = 1.96 * (correct / n * (1 - correct / n) / n) ** 0.5
    assert high - low == pytest.approx(2 * spread, abs=2.5 / n + 0.2 * spread)


def test_the_bootstrap_is_scipys() -> None:
    values = np.random.default_rng(0).normal(size=80).round(1)
    mine = bootstrap_interval(values)
    its = bootstrap((values,), np.mean, method="percentile", n_resamples=10_000, rng=1).confidence_interval
    assert mine == pytest.approx((its.low, its.high), abs=0.01)


def test_the_bootstrap_gives_the_same_numbers_again_in_any_order() -> None:
    assert bootstrap_interval([0, 1, 1, 0, 1]) == bootstrap_interval([1, 1, 1, 0, 0])
    assert bootstrap_interval([1.0] * 7) == (1.0, 1.0)


@pytest.mark.parametrize("values", [[], [1.0, float("nan")]])
def test_the_bootstrap_of_no_values_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="at least one value"):
        bootstrap_interval(values)


def test_mean_and_sample_deviation() -> None:
    assert mean_std([1.0, 2.0, 3.0]) == (2.0, 1.0)


def test_one_value_has_no_spread() -> None:
    assert mean_std([0.5]) == (0.5, None)


def test_no_value_has_no_mean() -> None:
    with pytest.raises(ValueError, match="no values"):
        mean_std([])


@pytest.mark.parametrize("videos", [1, 20, 200])
def test_none_or_all_right_says_what_the_binomial_distribution_says(videos):
    low, high = binomtest(videos, videos).proportion_ci(0.95, "exact")
    assert share_interval([True] * videos) == pytest.approx((low, high))
    assert share_interval([False] * videos) == pytest.approx((1 - high, 1 - low))


def test_a_share_between_them_is_bootstrapped():
    answers = [True, True, False, True]
    assert share_interval(answers) == bootstrap_interval(answers)


@given(st.lists(st.floats(0, 100), min_size=2, max_size=9).filter(lambda values: max(values) - min(values) > 0.01))
def test_the_interval_of_a_mean_is_scipys(values: list[float]) -> None:
    found, (mean, std) = mean_interval(values), mean_std(values)
    assert found == pytest.approx(t.interval(0.95, len(values) - 1, mean, (std or 0) / len(values) ** 0.5), rel=1e-6)


def test_of_one_value_there_is_no_interval_of_the_mean() -> None:
    assert mean_interval([3.0]) is None
