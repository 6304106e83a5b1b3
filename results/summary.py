"""What a test's scores come to: accuracies, their interval, and which videos are right. Pure functions."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from results.record import Test
from results.scores import Scores, protocol_name
from results.statistics import share_interval

TOP5_FROM = 6
"""Classes from which top-5 says anything."""

LEAST = 2.0**-25
"""A score of 0 in the loss: float16 rounds to 0 what is below this."""


def test(scored: Scores, clips: int | Literal["cover"], crops: int) -> Test:
    """Accuracy of the averaged views. An undecodable video is unanswered, hence wrong; the loss is of the answered.

    Raises KeyError for a protocol that was not tested.
    """
    averaged = scored.averaged(clips, crops)
    answered, hits = _answered(averaged), _hits(averaged, scored.labels)
    per_class = _per_class(hits[:, 0], scored.labels, scored.classes)
    low, high = share_interval(hits[:, 0])
    chosen = averaged[answered, scored.labels[answered]]
    taken = [len(positions) for positions in scored.taken[protocol_name(clips, crops)].values()]
    return Test(
        clips=clips,
        crops=crops,
        size=int(scored.of["size"]),
        clips_per_video=float(np.mean(taken)) if taken else 0.0,
        videos=len(scored.ids),
        answered=int(answered.sum()),
        top1=float(hits[:, 0].mean()),
        top1_low=low,
        top1_high=high,
        top5=float(hits.any(axis=1).mean()) if scored.classes >= TOP5_FROM else None,
        class_mean=float(np.mean([share for share in per_class if share is not None])),
        per_class=per_class,
        loss=float(-np.log(np.maximum(chosen, LEAST)).mean()) if len(chosen) else float("nan"),
        undecodable=dict(sorted(scored.undecodable.get(protocol_name(clips, crops), {}).items())),
    )


test.__test__ = False  # type: ignore[attr-defined] # not a test case, whatever pytest takes its name for


def right(scored: Scores, clips: int | str, crops: int) -> npt.NDArray[np.bool_]:
    """[v], whether the averaged views of each video answer rightly; an undecodable one does not.

    Raises KeyError for a protocol that was not tested.
    """
    return _hits(scored.averaged(clips, crops), scored.labels)[:, 0]


def _answered(averaged: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """[v], which videos have a view: all of a row are numbers, or none."""
    return np.isfinite(averaged[:, 0])


def _hits(averaged: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """[v 5] (fewer of fewer classes), whether the best, the second best, ... class of each video is its own."""
    ranks = np.argsort(-averaged, axis=1, kind="stable")[:, :5]
    hits: npt.NDArray[np.bool_] = (ranks == labels[:, None]) & _answered(averaged)[:, None]
    return hits


def _per_class(right: npt.NDArray[np.bool_], labels: npt.NDArray[np.int64], classes: int) -> list[float | None]:
    """The share of each class's videos that is right; None for a class without videos."""
    videos = np.bincount(labels, minlength=classes)
    correct = np.bincount(labels, weights=right, minlength=classes)
    return [float(n / of) if of else None for n, of in zip(correct, videos, strict=True)]
