"""Intervals and spreads; pure functions, each with its source."""

from collections.abc import Sequence
from math import sqrt
from statistics import NormalDist, fmean, stdev

import numpy as np
import numpy.typing as npt


def wilson_interval(correct: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Bounds (0..1) of a share of `n` independent videos: what other videos of the same kind could have given.

    Wilson's score interval keeps its coverage near 0 and 1, where the textbook interval collapses: E. B. Wilson,
    "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22 (1927); recommended for such
    use by Brown, Cai and DasGupta, "Interval Estimation for a Binomial Proportion", Statistical Science 16 (2001).
    It says nothing of another seed's training: see `mean_std`. Raises ValueError outside 0 <= correct <= n, n > 0.
    """
    if not (0 <= correct <= n and n > 0 and 0 < confidence < 1):
        raise ValueError(f"{correct} correct of {n} at confidence {confidence}: need 0 <= correct <= n, n > 0")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = correct / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share))


def bootstrap_interval(
    values: npt.ArrayLike, confidence: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """Bounds of a mean over videos: of the means of as many videos, drawn again with replacement (percentiles).

    B. Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics 7 (1979). How often each
    different value is drawn is multinomial, so nothing is drawn video by video. At 0 and 1 the interval of a share
    collapses, where `wilson_interval` does not. Raises ValueError when there is no value or one that is no number.
    """
    found, counts = np.unique(np.asarray(values, np.float64), return_counts=True)
    if not len(found) or not np.isfinite(found).all():
        raise ValueError("an interval needs at least one value, and every value a number")
    videos = int(counts.sum())
    drawn = np.random.default_rng(seed).multinomial(videos, counts / videos, size=resamples)
    low, high = np.quantile(drawn @ found / videos, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def mean_std(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation (n - 1) over seeds; None for the latter with a single one.

    The n - 1 form estimates the spread of the trainings not run (Bessel's correction). Raises ValueError when empty.
    """
    if not values:
        raise ValueError("no values: a mean needs at least one")
    return fmean(values), stdev(values) if len(values) > 1 else None
