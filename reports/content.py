"""What a report is made of before it is rendered: tables, figures, judged findings, and the jobs behind them.

Every suite's report has these parts (`reports.comparison`, `reports.plots` and `results.claims` make them from
records; `reports.study` and `reports.trial_plots` from a search), and each rendering (`reports.render`,
`reports.figures`, `reports.site`, `reports.study_site`) takes them alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Final, Literal

import pandas as pd

from reports.comparison import Asked
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


Kind = Literal["bars", "points", "curves", "trials", "courses", "parallel"]
OF_TRIALS: Final = frozenset({"trials", "courses", "parallel"})
"""Those whose marks are a search's trials; their series have fixed looks (`reports.marks.TRIALS`)."""


@dataclass(frozen=True)
class Scale:
    """One of the axes of a panel of parallel ones: from `low` to `high`, or names side by side."""

    name: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    names: tuple[str, ...] = ()
    better: Literal["higher", "lower"] | None = None
    """Of an objective."""

    def share(self, value: float | str) -> float:
        """Where a value stands, from 0 to 1; a name in the middle of its part. Raises ValueError for a foreign name."""
        if isinstance(value, str):
            return (self.names.index(value) + 0.5) / len(self.names)
        ends = (self.low, self.high, value)
        low, high, at = (log(end) for end in ends) if self.log else ends
        return 0.5 if low == high else (at - low) / (high - low)


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    `data` has a row a mark: "series" (its name; of bars, the bar's), "x" and "y" (numbers, NaN where a word stands),
    "low" and "high" (ends of its interval, NaN for none), "word" (why there is no y, such as "out of memory"; else "")
    and "paper" (the published y that stands beside it, NaN for none). The order of series is that of their first rows.
    Bars lie, along y's axis; their "x" is NaN. Curves join a series' marks in the order of x.

    Those of `OF_TRIALS` have a "trial" too, its number: "trials" are marks alone, those without "y" in a strip below
    the others; "courses" join a trial's marks; "parallel" axes lie below each other, in "parameter" an axis' name, in
    "x" the share of it at which the trial stands (NaN where it has no value), in "y" its place from 0, and in "word"
    the value as it is read.
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
    """Of the y axis, where it has natural ends, such as 0 and 100 %; of trials, the values that all panels hold."""
    names: tuple[str, ...] = ()
    """What stands at x = 0, 1, 2 ... in place of numbers."""
    scales: tuple[Scale, ...] = ()
    """Parallel axes, in their order; the last one is the value's. Of trials, the range that x had."""
    strip: bool = False
    """Of trials, whether there is room for those without a value where this panel has none, as its neighbours have."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Those of `data` that are drawn and told."""
        return TRIAL_COLUMNS if self.kind in OF_TRIALS else PANEL_COLUMNS


PANEL_COLUMNS = ("series", "x", "y", "low", "high", "word", "paper")
TRIAL_COLUMNS = (*PANEL_COLUMNS, "trial", "parameter")


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
    asked: Mapping[str, Sequence[Asked]]
    """The tests that each job owes this suite, by its id."""
    problems: Sequence[str] = ()
    """What is wrong with the records, told first."""


@dataclass(frozen=True)
class Entry:
    """A trial as its study's page shows it beside its row of the tables."""

    name: str
    """As in its row."""
    state: str
    why: str
    jobs: tuple[str, ...]
    is_own: bool
    """Whether it is the suite's own recipe."""


@dataclass(frozen=True)
class StudyReport:
    """All that is told of one search at one scale."""

    suite: SuiteInfo
    answers: tuple[str, ...]
    """The best trial and how it compares, a sentence each."""
    progress: tuple[str, ...]
    """How far the search is and what it cost, a sentence each."""
    caution: str
    """What is to be known of the best value; nothing where there is none."""
    confirm: str
    """The command that trains the best again with fresh seeds; nothing where there is no best."""
    best: Table
    trials: Table
    entries: tuple[Entry, ...]
    """Of `trials`' rows, in their order."""
    figures: tuple[Figure, ...]
    absent: tuple[str, ...]
    """Why figures are left out, a sentence each."""
    facts: tuple[tuple[str, str], ...]
    """How was searched: a name and what stands beside it."""
    labels: dict[str, str]
    """Each job's name in words, by its id, in the trials' order."""
    problems: Sequence[str] = ()
    """What is wrong with the records, told first."""
