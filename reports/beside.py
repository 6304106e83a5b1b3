"""A suite's table with the published numbers beside its own, row by row as the paper has them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, get_args

import pandas as pd

from reports.comparison import COSTS
from reports.content import Table
from reports.metrics import METRICS, NOT_COUNTED, Column, is_number, title
from results.literature import NOT_PRINTED
from results.outline import Fact

_METRICS: Final = {
    "parameters": ("parameters", "Parameters, M"),
    "multiply_adds": ("tflops", "TFLOPs"),
    "clip_frames": ("frames", "Clip, frames"),
    "clip_coverage": ("seconds", "Clip, s"),
    "test_clips": ("clips", "Test clips"),
    "training_time": ("hours", "Training, h"),
    "devices": ("devices", "Devices"),
    "top1": ("top1", "top-1"),
    "top5": ("top5", "top-5"),
}
"""What is published -> how it is written (`reports.metrics`), and its heading."""
_ACCURACIES: Final = ("top1", "top5")


@dataclass(frozen=True)
class Counted:
    """What was counted of a row's model at the paper's scale."""

    parameters: int
    multiply_adds: int | None
    """Of all views of its test; None where their number differs from video to video."""


def beside(table: Table, published: pd.DataFrame, counted: Mapping[str, Counted], scale: str) -> Table:
    """The table with a row for each row of `published` (of `results.literature`), then its own others.

    Published columns come first, counts at the paper's scale beside them. At the paper's scale what was measured stands
    beside what was published, with the difference; at demo scale it stands apart, for it is of other data and models.
    """
    named = list(dict.fromkeys(published["row"]))
    measured = table.frame.set_index("scheme")
    order = [*named, *(name for name in measured.index if name not in named)]
    frame = measured.reindex(order).astype(object)
    columns: list[Column] = []
    for dataset, metric in dict.fromkeys(_facts(published)):
        columns += _columns(frame, published, dataset, metric, counted, table.columns if scale == "paper" else ())
    own = [column for column in table.columns if column not in columns and column not in COSTS]
    if scale == "demo":
        own = [replace(column, label=f"demo, {column.label}") for column in own]
    frame = frame.drop(columns=[column.key for column in COSTS if column.key in frame]).reset_index(names="scheme")
    shown = tuple(_compared(columns, frame, len(named)))
    told = published[[_key(*fact) in {column.key for column in shown} for fact in _facts(published)]]
    return replace(table, frame=frame, columns=(*shown, *own), notes=(*table.notes, *_protocols(told)))


def _compared(columns: Sequence[Column], frame: pd.DataFrame, rows: int) -> Iterator[Column]:
    """Without what was not counted, and accuracies published of one row of several and beside none measured."""
    beside = {column.group for column in columns if column.origin == "measured"}
    for column in columns:
        known = frame[column.key].notna().sum()
        alone = column.origin == "paper" and column.metric in _ACCURACIES and known < min(2, rows)
        if column.group in beside or (known and not alone):
            yield column


def _columns(
    frame: pd.DataFrame, published: pd.DataFrame, dataset: str, metric: str, counted: Mapping[str, Counted],
    measured: tuple[Column, ...],
) -> Iterator[Column]:  # fmt: skip
    """The columns of one published fact, which are put into `frame`: published, counted or measured, difference."""
    kind, heading = _METRICS[metric]
    accuracy = metric in _ACCURACIES
    group = title(dataset) if accuracy else heading
    key = _key(dataset, metric)
    facts = published[(published["dataset"] == dataset) & (published["metric"] == metric)]
    rows = facts.drop_duplicates("row").set_index("row")["value"]  # of a fact in two files, the first's
    frame[key] = [_printed(rows, name) for name in frame.index]
    yield Column(key, kind, group, f"{heading}, paper" if accuracy else "paper", "paper")
    if metric in ("parameters", "multiply_adds") and f"counted {metric}" not in frame:
        frame[f"counted {metric}"] = [_count(counted.get(str(name)), metric) for name in frame.index]
        yield Column(f"counted {metric}", kind, group, "counted", "counted")
    for column in measured if accuracy else ():
        if column.metric == metric and column.group == group:
            yield column
            frame[f"{column.key} difference"] = [
                value - paper if is_number(value) and is_number(paper) else None
                for value, paper in zip(frame[column.key], frame[key], strict=True)
            ]
            yield Column(f"{column.key} difference", "difference", group, "difference", "measured")


def _facts(published: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """The data set and metric of each row."""
    return zip(published["dataset"], published["metric"], strict=True)


def _key(dataset: str, metric: str) -> str:
    return f"paper {metric} {dataset}".strip()


def _printed(rows: "pd.Series[float]", name: Any) -> float | str | None:
    """A published number, "N/A" where the paper prints that, nothing where it has no such cell."""
    if name not in rows.index:
        return None
    value = float(rows[name])
    return NOT_PRINTED if pd.isna(value) else value


def _count(counted: Counted | None, metric: str) -> float | str | None:
    if counted is None:
        return None
    if metric == "parameters":
        return counted.parameters / 1e6
    return NOT_COUNTED if counted.multiply_adds is None else counted.multiply_adds / 1e12


def _protocols(published: pd.DataFrame) -> Iterator[str]:
    """How the published numbers came about, a line for each protocol with its rows."""
    for protocol, rows in published.groupby("protocol", sort=False)["row"]:
        names = list(dict.fromkeys(rows))
        who = ", ".join(names) if len(names) < 5 else f"{len(names)} rows"
        yield f"Published ({who}): {protocol}"


assert set(_METRICS) == set(get_args(Fact))
assert {kind for kind, _ in _METRICS.values()} <= set(METRICS)
