"""From a suite's records to its report: the tables, the figures, the findings, and the answer in a sentence a set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from reports import beside, comparison, plots
from reports.beside import Counted
from reports.comparison import Asked, Variants
from reports.content import Figure, Report, SuiteInfo, Table
from reports.metrics import Column, bounds, is_number, written
from results import claims
from results.collect import NOT_RUN
from results.outline import Outline


@dataclass(frozen=True)
class Jobs:
    """A suite's jobs, in its order, by their ids."""

    frame: pd.DataFrame
    """Of `results.collect.frame`, those without a record too."""
    labels: Mapping[str, str]
    names: Mapping[str, str]
    """Labels that the seeds of a variant share."""
    variants: Variants
    asked: Mapping[str, Sequence[Asked]]
    rows: Mapping[str, str]
    """The row of the paper that a job stands in; of some."""


def report(
    suite: SuiteInfo,
    outline: Outline,
    jobs: Jobs,
    published: pd.DataFrame | None,
    counted: Mapping[str, Counted],
    problems: Sequence[str],
) -> Report:
    """Everything that is told of a suite. `published`: of the outline's file; `counted`: by the paper's rows."""
    rows = comparison.rows(jobs.variants, jobs.rows)
    records = jobs.frame[jobs.frame["status"] != NOT_RUN]
    own = Table(
        name=outline.published[0] if outline.published else "comparison",
        frame=comparison.table(jobs.frame, rows, jobs.asked),
        columns=comparison.columns(jobs.frame, jobs.asked),
        caption=comparison.caption(suite.scale),
        notes=tuple(comparison.splits(records, jobs.variants)),
    )
    table = own if published is None else beside.beside(own, published, counted, suite.scale)
    findings = [claims.judge(claim, jobs.frame, jobs.names, written) for claim in outline.findings]
    drawn = [plots.curves(spec, jobs.frame, jobs.variants, jobs.rows) for spec in outline.figures]
    general: list[Figure | None] = [] if drawn else [plots.accuracy(table, rows, jobs.frame), plots.cost(rows, records)]
    return Report(
        suite=suite,
        answers=tuple(_leader(own.frame, column) for column in own.columns if column.metric == "top1"),
        findings=tuple(findings),
        tables=(table,),
        figures=(*drawn, *(figure for figure in general if figure)),
        records=records,
        labels=dict(jobs.labels),
        problems=problems,
    )


def _leader(frame: pd.DataFrame, column: Column) -> str:
    """The most accurate variant of a data set and test, and those level with it."""
    where = f"{column.group} ({column.label.removeprefix('top-1, ')})"
    measured = frame[frame[column.key].map(is_number)]
    owed = frame[column.key].notna().sum()
    if measured.empty:
        return f"{where}: nothing was measured yet."
    best = measured.sort_values(column.key, ascending=False, kind="stable").iloc[0]
    text = written("top1", best[column.key])
    if len(measured) == 1:
        only = "" if owed == 1 else ", the only one measured so far"
        return f"{where}: {best['scheme']}, {text}{only}."
    least, _ = bounds(best, column.key)
    others = measured[measured["scheme"] != best["scheme"]]
    level = others[others[column.key] >= least]["scheme"].tolist()
    beside = f"not told apart by their intervals: {', '.join(level)}" if level else "no other is within its uncertainty"
    among = "" if len(measured) == owed else f" of the {len(measured)} measured so far"
    return f"{where}: {best['scheme']} is the most accurate{among}, {text} ({beside})."
