"""Intervals and spreads; pure functions, each with its source."""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, stdev

import numpy as np
import numpy.typing as npt


def bootstrap_interval(
    values: npt.ArrayLike, confidence: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """Bounds of a mean over videos: of the means of as many videos, drawn again with replacement (percentiles).

    B. Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics 7 (1979). How often each
    different value is drawn is multinomial, so nothing is drawn video by video. Of values that are all the same
    the interval has no width. It says nothing of another seed's training: see `mean_std`. Raises ValueError when there
    is no value or one that is no number.
    """
    found, counts = np.unique(np.asarray(values, np.float64), return_counts=True)
    if not len(found) or not np.isfinite(found).all():
        raise ValueError("an interval needs at least one value, and every value a number")
    videos = int(counts.sum())
    drawn = np.random.default_rng(seed).multinomial(videos, counts / videos, size=resamples)
    low, high = np.quantile(drawn @ found / videos, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def share_interval(right: npt.ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """Bounds of the share of videos that are right: bootstrap, but exact where none or all are.

    There a bootstrap draws the same again and again and would claim that no other video could ever be wrong. The exact
    bound is Clopper and Pearson's (Biometrika 26, 1934). Raises ValueError without a video.
    """
    answers = np.asarray(right, np.bool_)
    if not len(answers) or 0 < answers.sum() < len(answers):
        return bootstrap_interval(answers, confidence)
    bound = ((1 - confidence) / 2) ** (1 / len(answers))
    return (bound, 1.0) if answers[0] else (0.0, 1 - bound)


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """Bounds of the mean over all seeds that there could be; None of a single one.

    Student's t ("The Probable Error of a Mean", Biometrika 6, 1908): wide for few seeds, and of other trainings on the
    same videos alone.
    """
    from scipy.special import stdtrit  # 0.1 s, which is spared where there is one seed

    mean, std = mean_std(values)
    if std is None:
        return None
    around = float(stdtrit(len(values) - 1, (1 + confidence) / 2)) * std / sqrt(len(values))
    return mean - around, mean + around


def mean_std(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation (n - 1) over seeds; None for the latter with a single one.

    The n - 1 form estimates the spread of the trainings not run (Bessel's correction). Raises ValueError when empty.
    """
    if not values:
        raise ValueError("no values: a mean needs at least one")
    return fmean(values), stdev(values) if len(values) > 1 else None
