"""What a reader must know to read a table's numbers rightly: of what the table has, and of nothing else."""

from collections.abc import Iterator
from typing import Final

import pandas as pd

from reports.content import Table
from reports.metrics import best_rows, is_number
from results.literature import NOT_PRINTED

_ACCURACIES: Final = ("top1", "top5")
_TOGETHER: Final = {
    "peak_memory": "largest memory", "clips_per_s": "median clips/s", "training_minutes": "mean device-minutes",
    "training_hours": "mean device-hours",
}  # fmt: skip
"""What stands in a row of several jobs."""


def caption(table: Table, scale: str, several: bool) -> str:
    """A few sentences; `several`: whether a row stands for several jobs, which are its data sets and seeds."""
    return " ".join(_sentences(table, scale, several))


def _sentences(table: Table, scale: str, several: bool) -> Iterator[str]:
    shown = {column.metric for column in table.columns}
    if shown & {*_ACCURACIES}:
        yield _accuracy(table)
    if any(column.key.startswith("counted ") for column in table.columns):
        test = ", TFLOPs (10¹² multiply-adds) of all views of a test" if "tflops" in shown else ""
        yield f"Counted: of the model at the paper's scale{test}."
    if "gmacs" in shown:
        yield "Multiply-adds are of one view of the training crop."
    if scale == "demo" and _measured(table):
        beside = any(column.origin == "paper" for column in table.columns)
        other = " on other data, on this machine; not comparable with the paper's." if beside else ", on this machine."
        yield f"Demo: small models{other}"
    spreads = set(_spreads(table))
    if (True, False) in spreads:
        yield "Ranges: 95 % bootstrap intervals over the test videos (exact at 0 and 100 %)."
    if any(std for _, std in spreads):
        ranges = "; ranges beside it: 95 % intervals of their mean (Student's t, no narrower than over the test videos)"
        yield f"±: standard deviation over seeds{ranges * ((True, True) in spreads)}."
    together = [words for metric, words in _TOGETHER.items() if several and metric in shown]
    if together and _measured(table):
        yield f"Where a row has several jobs: their {', '.join(together)}."
    if any(best_rows(table.frame, column) for column in table.columns):
        yield "Bold: best measured value."


def _accuracy(table: Table) -> str:
    columns = [column for column in table.columns if column.metric in _ACCURACIES]
    measured = [column.key for column in columns if column.origin == "measured"]
    sizes = " of so many pixels" * any(" of " in each.label for each in columns)
    parts = ["Accuracy in percent" + f", clips × crops{sizes}" * any("×" in each.label for each in columns)]
    printed = table.frame[[column.key for column in table.columns if column.origin == "paper"]]
    empty = table.frame[measured].isna()
    bare = empty.all(axis=1) if measured and len(printed.columns) else pd.Series(data=False, index=empty.index)
    parts += ["empty: not asked for"] if empty[~bare].any(axis=None) else []
    parts += ["rows without a number of ours: published only"] if bare.any() else []
    parts += [f"{NOT_PRINTED}: not printed by the paper"] if (printed == NOT_PRINTED).any(axis=None) else []
    return "; ".join(parts) + "."


def _measured(table: Table) -> bool:
    """Whether any number of it was measured."""
    return any(table.frame[column.key].map(is_number).any() for column in table.columns if column.origin == "measured")


def _spreads(table: Table) -> Iterator[tuple[bool, bool]]:
    """Of each cell whether it has an interval, and whether it has a standard deviation."""
    for _, row in table.frame.iterrows():
        for column in table.columns:
            yield is_number(row.get(f"{column.key}.low")), is_number(row.get(f"{column.key}.std"))
