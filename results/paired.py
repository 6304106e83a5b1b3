"""Two variants on the same videos: how far their accuracies differ, and whether the data tell them apart.

What one video does to both at once cancels here, which two intervals side by side do not show. Pure functions of which
videos each training answers rightly, `[v]` of booleans a seed, the videos of all in the same order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

Right = npt.NDArray[np.bool_]
"""[v], one training's answers: which videos it has right."""

ALPHA: Final = 0.05
SMALLEST_P: Final = 1e-12
"""Below this, a sum of rounding errors would pass for a probability of the permutation test."""
ENOUGH: Final = 10
"""Videos from which a class is compared: fewer move by more than ten points with a single video."""
RESAMPLES: Final = 10_000


@dataclass(frozen=True)
class Difference:
    """B's accuracy minus A's, as shares (0..1) of the same videos, means over each one's seeds."""

    mean: float
    low: float
    """The 95 % interval: what other videos, and of several seeds other seeds too, could have given."""
    high: float
    p: float
    """How likely so large a difference, either way, is of two that are equally good."""
    test: Literal["McNemar", "permutation"]
    videos: int
    a_better: int
    """Videos that A has right in a larger share of its seeds than B."""
    b_better: int
    seeds: tuple[int, int]
    """Of A and of B."""

    @property
    def tells_apart(self) -> bool:
        """Whether both say so: the test, which knows no other seeds, and the interval, which with several does."""
        return self.p < ALPHA and not self.low <= 0 <= self.high


@dataclass(frozen=True)
class ClassDifference:
    """One class's videos, as `Difference`."""

    label: int
    videos: int
    a: float
    """A's accuracy, a share."""
    b: float
    p: float
    """Of this class alone."""
    p_holm: float
    """The same after Holm's correction for all classes that were looked at."""

    @property
    def mean(self) -> float:
        """B's accuracy minus A's."""
        return self.b - self.a

    @property
    def tells_apart(self) -> bool:
        """Whether chance, which has as many tries as there are classes, hardly explains it."""
        return self.p_holm < ALPHA


def difference(a: Sequence[Right], b: Sequence[Right]) -> Difference:
    """Compare two variants, one array a seed each.

    One seed each: McNemar's exact test ("Note on the sampling error of the difference between correlated proportions",
    Psychometrika 12, 1947), two-sided. Several: its generalisation to shares of seeds, Fisher's permutation test, in
    which A and B change places video by video. Intervals: `video_interval`, `seed_interval`. Swapping A and B changes
    signs only. Raises ValueError without a seed or a video, and where the numbers of videos differ.
    """
    first, second = _stacked(a, b)
    units = lcm(len(first), len(second))
    gained = _gained(first, second, units)
    single = units == 1
    low, high = video_interval(gained) if single else seed_interval(first, second)
    return Difference(
        mean=float(gained.sum() / (units * len(gained))),
        low=low,
        high=high,
        p=_p(gained, units),
        test="McNemar" if single else "permutation",
        videos=len(gained),
        a_better=int((gained < 0).sum()),
        b_better=int((gained > 0).sum()),
        seeds=(len(first), len(second)),
    )


def by_class(a: Sequence[Right], b: Sequence[Right], labels: npt.NDArray[np.int64]) -> list[ClassDifference]:
    """The difference of each class that has `ENOUGH` videos, what B gains most first; `labels` [v] of the same videos.

    Raises ValueError as `difference`.
    """
    first, second = _stacked(a, b)
    units = lcm(len(first), len(second))
    gained = _gained(first, second, units)
    numbers, videos = np.unique(labels, return_counts=True)
    enough = [int(label) for label in numbers[videos >= ENOUGH]]
    found = [_p(gained[labels == label], units) for label in enough]
    rows = [
        ClassDifference(
            label=label,
            videos=int(own.sum()),
            a=float(first[:, own].mean()),
            b=float(second[:, own].mean()),
            p=p,
            p_holm=corrected,
        )
        for label, p, corrected in zip(enough, found, holm(found), strict=True)
        for own in [labels == label]
    ]
    return sorted(rows, key=lambda row: -row.mean)


def holm(p: Sequence[float]) -> list[float]:
    """The p-values of tests that were all made, each as it counts among them.

    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).
    """
    corrected, highest = [0.0] * len(p), 0.0
    for rank, index in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        highest = max(highest, min(1.0, (len(p) - rank) * p[index]))
        corrected[index] = highest
    return corrected


def mcnemar(a_only: int, b_only: int) -> float:
    """Exact two-sided p of so many videos that only A, and only B, has right: of equals, a coin decides each."""
    tosses, term, tail = a_only + b_only, 1, 0
    for heads in range(min(a_only, b_only) + 1):
        tail += term
        term = term * (tosses - heads) // (heads + 1)
    return min(1.0, float(2 * tail / 2**tosses))


def permutation(gained: npt.NDArray[np.int64]) -> float:
    """Two-sided p of a sum of whole numbers [v], of equals each as likely with the other sign.

    R. A. Fisher, "The Design of Experiments" (1935), section 21. No sign is drawn: all 2^v are counted by the Fourier
    transform of the sum's distribution, the product of cos(w |gained|) (M. Pagano and D. Tritchler, "On obtaining
    permutation distributions in polynomial time", JASA 78, 1983). Of -1, 0 and 1 it is McNemar's exact test.
    """
    sizes, counts = np.unique(np.abs(gained[gained != 0]), return_counts=True)
    most, seen = int(sizes @ counts), abs(int(gained.sum()))
    if not seen:
        return 1.0
    angles = 2 * np.pi * np.arange(most + 1) / (2 * most + 1)
    transform = np.ones(most + 1)
    for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
        transform *= np.cos(angles * size) ** count
    probabilities = np.fft.irfft(transform, 2 * most + 1)  # of 0, 1, ..., most, -most, ..., -1
    return float(np.clip(2 * probabilities[seen : most + 1].sum(), SMALLEST_P, 1.0))


def video_interval(gained: npt.NDArray[np.int64], confidence: float = 1 - ALPHA) -> tuple[float, float]:
    """Bounds of the mean of -1, 0 and 1 [v]: bootstrap over videos, without drawing one.

    B. Efron's percentiles ("Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics 7, 1979) of the sum
    of as many independent values, whose distribution is computed (Fourier transform) rather than sampled. Drawn from
    the videos at hand with two more: one on which A and B agree, one that is half B's and half A's (A. Agresti and
    Y. Min, "Simple improved confidence intervals for comparing matched proportions", Statistics in Medicine 24, 2005).
    Else two that never disagree in 20 videos would be certain to be equal.
    """
    videos = len(gained)
    up, down = ((int((gained == sign).sum()) + 0.5) / (videos + 2) for sign in (1, -1))
    turn = np.exp(-2j * np.pi * np.arange(videos + 1) / (2 * videos + 1))
    probabilities = np.fft.irfft((1 - up - down + up * turn + down / turn) ** videos, 2 * videos + 1)
    probabilities = np.roll(probabilities, videos)  # of -videos, ..., videos
    tail = (1 - confidence) / 2
    low = int(np.searchsorted(np.cumsum(probabilities), tail)) - videos
    high = videos - int(np.searchsorted(np.cumsum(probabilities[::-1]), tail))
    return low / videos, high / videos


def seed_interval(
    a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_], confidence: float = 1 - ALPHA, seed: int = 0
) -> tuple[float, float]:
    """Bounds of B's mean minus A's, of [s v] each, three arrays or more in all: other videos, and other seeds.

    Videos are drawn as in `video_interval`, each with its mean over seeds. Beside them stands what other trainings
    could have given: resampled, two or three seeds would vary too little, so it is drawn from Student's t (Biometrika
    6, 1908) with the variance of the seeds' accuracies, that of A and B together. What varies with video and seed at
    once is in both, which is cautious: simulated, the interval covers the truth in 95 to 99.8 of 100 comparisons.
    """
    freedom = len(a) + len(b) - 2
    deviations = np.concatenate([each.mean(axis=1) - each.mean() for each in (a, b)])
    spread = np.sqrt((deviations**2).sum() / freedom * (1 / len(a) + 1 / len(b)))
    units, tail = lcm(len(a), len(b)), (1 - confidence) / 2
    bounds = []
    for gained in (_gained(a, b, units), _gained(b, a, units)):  # the mean of both: swapped, it changes signs only
        generator, videos = np.random.default_rng(seed), len(gained)
        values, counts = np.unique(gained, return_counts=True)
        values, shares = np.append(values, [-units, 0, units]), np.append(counts, [0.5, 1.0, 0.5]) / (videos + 2)
        of_videos = generator.multinomial(videos, shares, size=RESAMPLES) @ values / (units * videos)
        of_seeds = generator.standard_t(freedom, RESAMPLES) * spread
        bounds.append(np.quantile(of_videos + of_seeds, [tail, 1 - tail]))
    there, back = bounds
    return float(there[0] - back[1]) / 2, float(there[1] - back[0]) / 2


def _stacked(a: Sequence[Right], b: Sequence[Right]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """[s v] of each; raises ValueError where they cannot be compared."""
    lengths = {len(each) for each in (*a, *b)}
    if not a or not b or lengths in ({0}, set()):
        raise ValueError("a comparison needs at least one seed of each, and at least one video")
    if len(lengths) > 1:
        raise ValueError(f"a comparison needs the same videos of all, not {sorted(lengths)} of them")
    return np.array(a, np.bool_), np.array(b, np.bool_)


def _gained(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_], units: int) -> npt.NDArray[np.int64]:
    """[v], B's share of seeds that are right minus A's, in whole `units` of a seed's share."""
    gained: npt.NDArray[np.int64] = b.sum(axis=0) * (units // len(b)) - a.sum(axis=0) * (units // len(a))
    return gained


def _p(gained: npt.NDArray[np.int64], units: int) -> float:
    if units > 1:
        return permutation(gained)
    return mcnemar(int((gained < 0).sum()), int((gained > 0).sum()))
