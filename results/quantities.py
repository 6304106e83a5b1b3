"""The quantities that jobs are compared by, each computed from a row of `results.collect.frame`."""

from collections.abc import Callable, Mapping
from math import isnan
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    import pandas as pd

Quantity = Literal[
    "top1", "top5", "class_mean", "parameters", "gmacs", "test_gmacs", "peak_memory", "clips_per_s", "latency",
    "device_minutes", "training_minutes",
]  # fmt: skip
SHARES: Final = {"top1", "top5", "class_mean"}
"""Those that are percents of the test videos, so that differences are points."""
OF_TESTS: Final = {*SHARES, "test_gmacs"}
"""Those that each test of a job has its own of; the others are of the job."""
COUNTED: Final = {"parameters", "gmacs"}
"""Those that a job has before it is run."""


def _of_view(row: "Mapping[Any, Any] | pd.Series[Any]") -> float:
    """Multiply-adds of a view of the test; of the training's, whose crop most tests share, where only that is known."""
    counted = float(row.get("test.multiply_adds") or "nan")
    return float(row["multiply_adds"]) if isnan(counted) else counted


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
}
"""In percent; millions; 10^9 multiply-adds of a view, or of all views of a test; MiB; clips a second; milliseconds; and
minutes times devices, of all of a job (tests included) or of its training."""


def value(quantity: str, row: "Mapping[Any, Any] | pd.Series[Any]") -> float | None:
    """The quantity of a row; None where it was not measured."""
    try:
        found = QUANTITIES[quantity](row)
    except (TypeError, ValueError):  # None
        return None
    return None if isnan(found) else found


def views(row: "Mapping[Any, Any] | pd.Series[Any]") -> str:
    """The views of a row's test, by which it is called: `10 × 3 of 224`, clips × crops of so many pixels."""
    clips = row["test.clips"]
    return f"{clips if isinstance(clips, str) else f'{clips:.0f}'} × {row['test.crops']:.0f} of {row['test.size']:.0f}"
