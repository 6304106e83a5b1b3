"""The quantities that jobs are compared by, each computed from a row of `results.collect.frame`."""

from collections.abc import Callable, Iterable, Mapping
from math import isnan
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    import pandas as pd

Quantity = Literal[
    "top1", "top5", "class_mean", "parameters", "gmacs", "test_gmacs", "peak_memory", "clips_per_s", "latency",
    "device_minutes", "training_minutes", "training_hours",
]  # fmt: skip
SHARES: Final = {"top1", "top5", "class_mean"}
"""Those that are percents of the test videos, so that differences are points."""
OF_TESTS: Final = {*SHARES, "test_gmacs"}
"""Those that each test of a job has its own of; the others are of the job."""
COUNTED: Final = {"parameters", "gmacs"}
"""Those that a job has before it is run."""


def _of_view(row: "Mapping[Any, Any] | pd.Series[Any]") -> float:
    """Multiply-adds of a view of the test, which are those of the training's view where the crop is the same."""
    counted = float(row.get("test.multiply_adds") or "nan")
    return float(row["multiply_adds"]) if isnan(counted) and row["test.size"] == row["clip.size"] else counted


def _times(column: str, factor: float) -> Callable[[Any], float]:
    return lambda row: float(row[column]) * factor


QUANTITIES: Final[Mapping[str, Callable[[Any], float]]] = {
    "top1": _times("top1", 100),
    "top5": _times("top5", 100),
    "class_mean": _times("class_mean", 100),
    "parameters": _times("parameters", 1e-6),
    "gmacs": _times("multiply_adds", 1e-9),
    "test_gmacs": lambda row: _of_view(row) * float(row["test.clips_per_video"]) * row["test.crops"] / 1e9,
    "peak_memory": _times("peak_memory_bytes", 2**-20),
    "clips_per_s": _times("clips_per_s", 1),
    "latency": _times("latency_s", 1000),
    "device_minutes": _times("device_hours", 60),
    "training_minutes": lambda row: float(row["train_s"]) * float(row["devices"]) / 60,
    "training_hours": lambda row: float(row["train_s"]) * float(row["devices"]) / 3600,
}
"""In percent; millions; 10^9 multiply-adds of a view, or of all views of a test; MiB; clips a second; milliseconds; and
minutes or hours times devices, of all of a job (tests included) or of its training."""


def value(quantity: str, row: "Mapping[Any, Any] | pd.Series[Any]") -> float | None:
    """The quantity of a row; None where it was not measured."""
    try:
        found = QUANTITIES[quantity](row)
    except (TypeError, ValueError):  # None
        return None
    return None if isnan(found) else found


def measured(quantity: str, rows: "Iterable[Mapping[Any, Any]]") -> list[float] | None:
    """The quantity of each of a variant's jobs; None where one of them has not ended well, or lacks it.

    Of those that are left, the good or the cheap ones may be those that ended well.
    """
    found = [value(quantity, row) if row["status"] == "done" or quantity in COUNTED else None for row in rows]
    known = [each for each in found if each is not None]
    return known if known and len(known) == len(found) else None


def chance(classes: "Iterable[float | None]") -> float | None:
    """What guessing gives, in percent, where all jobs of which it is known have so many classes; else None."""
    known = {each for each in classes if each is not None and not isnan(each)}
    return 100 / known.pop() if len(known) == 1 else None


def views(row: "Mapping[Any, Any] | pd.Series[Any]") -> str:
    """The views of a row's test, by which it is called: `10 × 3 of 224`, clips × crops of so many pixels."""
    clips = row["test.clips"]
    return f"{clips if isinstance(clips, str) else f'{clips:.0f}'} × {row['test.crops']:.0f} of {row['test.size']:.0f}"
