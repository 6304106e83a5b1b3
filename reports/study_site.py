"""The report of a search as pages: its own, which stands among those of suites, and those of its trials' jobs.

<folder>/index.html             the search's page (`write`), with beside it
    best.csv, .md, .tex         the best trials; so trials.*, which are all
    figures/                    its figures
    jobs/<id>.html              its jobs' pages
    summary.json                its line of the index (`reports.site`)
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from reports import figures, jobs, markup, site
from reports.content import Entry, StudyReport, Table
from reports.metrics import METRICS, Column, best_rows, cell_text, is_number, spread_text
from reports.study import STATES, TOLD
from results.store import write_atomic

TONES: Final = {"complete": "good", "failed": "bad"}
"""How states are coloured, others quietly."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table of trials."""

    entry: Entry
    tone: str
    cells: tuple[dict[str, Any], ...]
    jobs: tuple[tuple[str, bool], ...]
    """Ids, and whether each has a page."""


def write(report: StudyReport, folder: Path, of_jobs: Iterable[jobs.Job], draw: site.Draw = figures.draw) -> list[Path]:
    """Writes a search's page and all that it links to into `folder`; returns the page, its tables and its figures.

    `of_jobs` is gone through once; jobs without a record are among them or left out. The page links to the index in
    the folder above, which is `site.write_index`'s. The same report gives the same bytes. Raises OSError when the
    folder cannot be written.
    """
    written = jobs.write(of_jobs, report.labels, report.suite, folder / "jobs", {})
    linked = {row.id for row in written if row.linked}
    drawn = {figure.name: list(draw(figure, folder / "figures")) for figure in report.figures}
    files: dict[str, bytes] = {}
    for table in (report.best, report.trials):
        files |= {name: text.encode("utf-8", "replace") for name, text in site.texts(table, report.suite)}
    tables = [folder / name for name in files]
    files[site.SUMMARY] = _summary(report, folder.name).dumped()
    files["index.html"] = page(report, linked, drawn)
    for name, data in files.items():
        write_atomic(folder / name, data)
    return [folder / "index.html", *tables, *(path for paths in drawn.values() for path in paths)]


def page(report: StudyReport, linked: set[str], drawn: dict[str, list[Path]]) -> bytes:
    """A search's page; `linked`: jobs that have one, `drawn`: each figure's files by its name."""
    every = {each.name: each for each in report.entries}
    rows = _rows(report.trials, every, linked)
    return markup.page(
        "study.html",
        "suite.css",
        "study.css",
        interactive=True,
        report=report,
        suite=report.suite,
        best=_rows(report.best, every, linked),
        trials_rows=rows,
        columns=_columns(report.best),
        of_trials=_columns(report.trials),
        figures=[site.shown(figure, drawn[figure.name]) for figure in report.figures],
        step=site.STEP if len(rows) > 2 * site.STEP else None,
        states=_states(report),
        tones={state: TONES.get(state, "quiet") for state in STATES},
    )


def _states(report: StudyReport) -> dict[str, int]:
    """How many trials are how."""
    counts = Counter(entry.state for entry in report.entries)
    return {state: counts[state] for state in STATES if counts[state]}


def _summary(report: StudyReport, folder: str) -> site.Summary:
    states = _states(report)
    return site.Summary(
        folder=folder,
        name=report.suite.name,
        title=report.suite.title,
        question=report.suite.question,
        scale=report.suite.scale,
        answers=report.answers,
        findings=(),
        states=states,
        tones={state: TONES.get(state, "quiet") for state in states},
        problems=len(report.problems),
        of="trials",
    )


def _columns(table: Table) -> list[tuple[Column, str, str]]:
    """Each column, whether it sorts as numbers or as text, and how at first."""
    found = []
    for column in table.columns:
        values = table.frame[column.key.removesuffix(TOLD)].dropna()
        kind = "text" if len(values) and not any(map(is_number, values)) else "number"
        first = "descending" if METRICS[column.metric].better == "higher" else "ascending"
        found.append((column, kind, first))
    return found


def _rows(table: Table, entries: dict[str, Entry], linked: set[str]) -> list[Row]:
    best = {column.key: best_rows(table.frame, column) for column in table.columns}
    found = []
    for index, row in table.frame.iterrows():
        entry = entries[str(row["scheme"])]
        cells = tuple(_cell(row, column, index in best[column.key]) for column in table.columns)
        pages = tuple((id_, id_ in linked) for id_ in entry.jobs)
        found.append(Row(entry, TONES.get(entry.state, "quiet"), cells, pages))
    return found


def _cell(row: "pd.Series[Any]", column: Column, is_best: bool) -> dict[str, Any]:
    value = row[column.key.removesuffix(TOLD)]
    return {
        "text": cell_text(row, column),
        "spread": spread_text(row, column),
        "value": f"{value:.9g}" if is_number(value) else None,
        "best": is_best,
        "measured": column.origin == "measured",
        "state": column.key == f"state{TOLD}",
    }
