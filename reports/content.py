"""What a report is made of before it is rendered: tables, figures, judged findings, and the jobs behind them.

Every suite's report has these parts (`reports.comparison`, `reports.plots` and `results.claims` make them from
records), and each rendering (`reports.render`, `reports.figures`, `reports.site`) takes them alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from reports.metrics import Column
from results.claims import Finding


@dataclass(frozen=True)
class SuiteInfo:
    """What a report says of its suite: its file's stem, its title, the question it asks and its scale."""

    name: str
    title: str
    question: str
    scale: str


@dataclass(frozen=True)
class Table:
    """A table: `frame` has a row's name in "scheme" and a value under the key of each column (`reports.metrics`)."""

    name: str
    """Of its files: `<name>.csv`, `.md`, `.tex`."""
    frame: pd.DataFrame
    columns: tuple[Column, ...]
    caption: str
    rows: str = "Variant"
    """What the rows are, the first column's heading."""
    notes: tuple[str, ...] = ()
    """Lines below the caption: footnotes, and what the data sets were."""


Kind = Literal["bars", "points", "curves"]


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    `data` has a row a mark: "series" (its name; of bars, the bar's), "x" and "y" (numbers, NaN where a word stands),
    "low" and "high" (ends of its interval, NaN for none), "word" (why there is no y, such as "out of memory"; else "")
    and "paper" (the published y that stands beside it, NaN for none). The order of series is that of their first rows.
    Bars lie, along y's axis; their "x" is NaN. Curves join a series' marks in the order of x.
    """

    title: str
    kind: Kind
    data: pd.DataFrame
    x: str
    """The axis' label, with its unit; of bars, nothing."""
    y: str
    chance: float | None = None
    """Where a line marks what guessing gives."""
    log_x: bool = False
    limits: tuple[float, float] | None = None
    """Of the y axis, where it has natural ends, such as 0 and 100 %."""


PANEL_COLUMNS = ("series", "x", "y", "low", "high", "word", "paper")


@dataclass(frozen=True)
class Figure:
    """Panels side by side, as in the paper."""

    name: str
    """Of its files: `<name>.svg`, `.pdf`, `.png`, `.csv`, and `<name>-<panel>.svg` from 1 for narrow pages."""
    panels: tuple[Panel, ...]
    caption: str


@dataclass(frozen=True)
class Report:
    """All that is told of one suite at one scale."""

    suite: SuiteInfo
    answers: tuple[str, ...]
    """The question's answer, a sentence each."""
    findings: tuple[Finding, ...]
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]
    records: pd.DataFrame
    """Of its jobs, as `results.collect.frame` makes them: a row a test."""
    labels: dict[str, str]
    """Each job's name in words, by its id, in the suite's order; also of jobs without a record."""
    problems: Sequence[str] = ()
    """What is wrong with the records, told first."""
