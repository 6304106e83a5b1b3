"""What is shown and how: the one table of units, directions and formats behind every table, figure and page."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import floor, isfinite, log10
from numbers import Real
from typing import Any, Final, Literal, TypeGuard

import pandas as pd

from results.collect import DAMAGED


@dataclass(frozen=True)
class Metric:
    """How one kind of number is written; `digits` are decimals, None stands for three significant digits."""

    unit: str
    better: Literal["higher", "lower"] | None
    digits: int | None
    signed: bool = False

    def text(self, value: float) -> str:
        """The number without its unit, which stands in the heading."""
        digits = max(0, 2 - floor(log10(abs(value)))) if self.digits is None and value else self.digits or 0
        text = f"{value:{'+' if self.signed else ''}.{digits}f}"
        return text if any(digit in text for digit in "123456789") else text.lstrip("+-")  # what reads 0 has no sign

    def printed(self, value: float) -> str:
        """A published number, by which its source is told: never rounded, and no digit more than was printed.

        A whole number has one decimal where others of its kind have some.
        """
        _, _, exponent = Decimal(str(value)).normalize().as_tuple()
        return f"{value:.{max(-int(exponent), min(self.digits or 0, 1))}f}"


METRICS: Final = {
    "parameters": Metric("M", None, 1),
    "size": Metric("M", None, None),
    "tflops": Metric("TFLOPs", None, 2),
    "gmacs": Metric("GMACs", None, None),
    "top1": Metric("%", "higher", 1),
    "difference": Metric("points", None, 1, signed=True),
    "peak_memory": Metric("MiB", "lower", 0),
    "clips_per_s": Metric("clips/s", "higher", None),
    "device_minutes": Metric("min", "lower", None),
    "training_minutes": Metric("min", "lower", None),
    "training_hours": Metric("h", "lower", None),
    "test_gmacs": Metric("GMACs", None, None),
    "latency": Metric("ms", "lower", None),
    "top5": Metric("%", "higher", 1),
    "class_mean": Metric("%", "higher", 1),
    "frames": Metric("frames", None, 0),
    "seconds": Metric("s", None, 1),
    "clips": Metric("clips", None, 0),
    "hours": Metric("h", "lower", 1),
    "devices": Metric("GPUs", None, 0),
}

_TITLES: Final = {
    "k400": "K400", "k600": "K600", "ssv2": "SSv2", "diving48": "Diving-48", "howto100m": "HowTo100M",
    "appearance": "Appearance set", "motion": "Motion set", "long": "Long set",
}  # fmt: skip


def title(data: Any) -> str:
    """A data set as the paper calls it; others by their own names."""
    return _TITLES.get(data, str(data))


_OF: Final = {"gmacs": " a view", "test_gmacs": " a video"}
"""What a number is of, where running text has no heading that says so."""


def written(metric: str, value: float) -> str:
    """A number in running text, with its unit: `97.5 %`."""
    return f"{METRICS[metric].text(value)} {METRICS[metric].unit}{_OF.get(metric, '')}"


Origin = Literal["paper", "counted", "measured"]


@dataclass(frozen=True)
class Column:
    """One column of numbers: `key` in the DataFrame, `group` and `label` above it, and where its numbers come from.

    `key.low`, `key.high` (95 % interval), `key.std`, `key.seeds`, `key.owed` (how many seeds should have given it) and
    `key.level` (whether the data do not tell it from the best) may stand beside it in the DataFrame.
    """

    key: str
    metric: str
    group: str
    label: str
    origin: Origin
    comparable: bool = True
    """Whether one of its rows can be best: not where they were measured under other conditions, or never compared."""

    @property
    def title(self) -> str:
        """The heading where there is room for one line only."""
        return f"{self.group} ({self.label})" if self.label else self.group


WORDS: Final = {
    DAMAGED: "damaged",
    "failed": "failed",
    "oom": "out of memory",
    "timeout": "timeout",
    "diverged": "diverged",
}
"""What stands where a job that did not end well owes a number; in the order in which the worst is told first."""
NOT_TESTED: Final = "not tested"
NOT_COUNTED: Final = "not counted"
NOT_MEASURED: Final = "not measured"


def percent_of(share: Any) -> float | None:
    """A share (0..1) in percent; None where it is not known."""
    return None if pd.isna(share) else float(share) * 100


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a cell holds a number, not a word or nothing."""
    return not isinstance(value, bool) and isinstance(value, Real) and isfinite(value)


def plain(value: Any) -> str:
    """A value in words; whole numbers come back from a DataFrame as floats."""
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() else str(value)


def cell_text(row: "pd.Series[Any]", column: Column) -> str:
    """The number as it is read, the word that stands in its place, or nothing where none is owed."""
    value, metric = row[column.key], METRICS[column.metric]
    if is_number(value):
        return metric.printed(value) if column.origin == "paper" else metric.text(value)
    return "" if pd.isna(value) else str(value)


def spread_text(row: "pd.Series[Any]", column: Column) -> str:
    """What is known of the number's uncertainty: "94.3–98.9" (95 % interval), "±0.4, 3 seeds", or nothing.

    Where fewer jobs gave the number than owe it: "±0.4, 2 of 3 seeds"; where it is not told apart from the best of its
    column: "±0.4, ≈ best".
    """
    low, high, std, seeds, owed = (row.get(f"{column.key}.{name}") for name in ("low", "high", "std", "seeds", "owed"))
    text = METRICS[column.metric].text
    parts = [f"±{text(std)}"] if is_number(std) else []
    parts += [f"{text(low)}–{text(high)}"] if is_number(low) and is_number(high) else []
    if is_number(seeds) and is_number(owed) and seeds < owed:
        parts.append(f"{seeds:.0f} of {owed:.0f} seeds")
    elif is_number(seeds) and is_number(std):
        parts.append(f"{seeds:.0f} seeds")
    if row.get(f"{column.key}.level") is True:
        parts.append("≈ best")
    return ", ".join(parts)


def bounds(row: "pd.Series[Any]", key: str) -> tuple[float, float]:
    """The ends of the 95 % interval, else of one standard deviation to each side, else the number itself twice."""
    low, high, std = (row.get(f"{key}.{name}") for name in ("low", "high", "std"))
    if is_number(low) and is_number(high):
        return low, high
    around = std if is_number(std) else 0.0
    return row[key] - around, row[key] + around


def best_rows(table: pd.DataFrame, column: Column) -> set[Any]:
    """Index labels of the rows that hold the best measured value, those that read the same included.

    None where all read the same.
    """
    metric = METRICS[column.metric]
    if column.origin != "measured" or metric.better is None or not column.comparable:
        return set()
    values = {index: value for index, value in table[column.key].items() if is_number(value)}
    if not values:
        return set()
    best = (max if metric.better == "higher" else min)(values.values())
    found = {index for index, value in values.items() if metric.text(value) == metric.text(best)}
    return found if len(found) < len(values) else set()


def groups(columns: Sequence[Column]) -> list[tuple[str, list[Column]]]:
    """Neighbouring columns under one heading."""
    grouped: list[tuple[str, list[Column]]] = []
    for column in columns:
        if grouped and grouped[-1][0] == column.group:
            grouped[-1][1].append(column)
        else:
            grouped.append((column.group, [column]))
    return grouped
