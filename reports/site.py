"""The reports of suites as a small web site: a page a suite, a page a job, and an index over all of them.

<folder>/index.html             the index over all suites and searches (`write_index`)
<folder>/<suite>/index.html     a suite's page (`write`), with beside it
    <table>.csv, .md, .tex      its tables
    figures/                    its figures
    jobs/<id>.html              its jobs' pages
    summary.json                its line of the index

The pages of a search are `reports.study_site`'s.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import pandas as pd
from markupsafe import Markup, escape
from pydantic import BaseModel, ConfigDict, ValidationError

from reports import figures, jobs, markup, render
from reports.content import OF_TRIALS, Figure, Panel, Report, SuiteInfo, Table
from reports.metrics import METRICS, Column, best_rows, cell_text, groups, is_number, plain, spread_text, title
from results.claims import Verdict
from results.store import write_atomic

Draw = Callable[[Figure, Path], Sequence[Path]]
"""Writes a figure's files into a folder, `<name>-<panel>.svg` (panels from 1) among them, and returns all of them."""
SUMMARY: Final = "summary.json"
STEP: Final = 250
"""Jobs that a page shows at a time where there are very many: laying out ten thousand rows takes a browser seconds."""
TOLD: Final = 40
"""Marks of a panel that its words name; of more only how many there are."""


class Summary(BaseModel):
    """A suite's line of the index, or a search's."""

    model_config = ConfigDict(frozen=True)

    folder: str
    """Where its page is, from the index."""
    name: str
    title: str
    question: str
    scale: str
    answers: tuple[str, ...]
    findings: tuple[tuple[Verdict, str], ...]
    """Verdicts and what was claimed."""
    states: dict[str, int]
    """How many of its jobs, or trials, are how; the most telling first."""
    tones: dict[str, str]
    """How each state is coloured."""
    problems: int
    of: Literal["jobs", "trials"] = "jobs"

    def dumped(self) -> bytes:
        """The file's content."""
        return self.model_dump_json(indent=1).encode("utf-8", "replace") + b"\n"


def write(report: Report, folder: Path, of_jobs: Iterable[jobs.Job], draw: Draw = figures.draw) -> list[Path]:
    """Writes a suite's page and all that it links to into `folder`; returns the page, its tables and its figures.

    `of_jobs` is gone through once. The page links to the index in the folder above, which is `write_index`'s. The same
    report gives the same bytes. Raises OSError when the folder cannot be written.
    """
    rows = jobs.write(of_jobs, report.labels, report.suite, folder / "jobs", report.asked)
    drawn = {figure.name: list(draw(figure, folder / "figures")) for figure in report.figures}
    files = {
        name: text.encode("utf-8", "replace") for table in report.tables for name, text in texts(table, report.suite)
    }
    files[SUMMARY] = _summary(report, rows, folder.name).dumped()
    files["index.html"] = page(report, rows, drawn)
    for name, data in files.items():
        write_atomic(folder / name, data)
    tables = [folder / name for name in files if name not in ("index.html", SUMMARY)]
    return [folder / "index.html", *tables, *(path for paths in drawn.values() for path in paths)]


def page(report: Report, rows: Sequence[jobs.Row], drawn: dict[str, list[Path]]) -> bytes:
    """A suite's page; `rows` are its jobs', `drawn` each figure's files by its name."""
    records = report.records
    known = [any(row.cells[place] for row in rows) for place in range(len(jobs.COLUMNS))]
    states, tones = _states(rows)
    return markup.page(
        "suite.html",
        "suite.css",
        interactive=True,
        report=report,
        suite=report.suite,
        marks=render.MARKS,
        tables=[_table(table) for table in report.tables],
        origins={column.origin for table in report.tables for column in table.columns},
        figures=[shown(figure, drawn[figure.name]) for figure in report.figures],
        jobs=rows,
        headings=[heading for (heading, _), has in zip(jobs.COLUMNS, known, strict=True) if has],
        shown=[place for place, has in enumerate(known) if has],
        step=STEP if len(rows) > 2 * STEP else None,
        states=states,
        tones=tones,
        tests=_tests(records),
        environment=_environment(records.drop_duplicates("id")),
    )


def write_index(summaries: Sequence[Summary], folder: Path) -> Path:
    """Writes `<folder>/index.html`, a page over the suites in this order. Raises OSError."""
    data = markup.page("index.html", "suite.css", summaries=summaries, marks=render.MARKS)
    write_atomic(folder / "index.html", data)
    return folder / "index.html"


def summaries(folder: Path) -> list[Summary]:
    """Of all suites whose pages are in `folder`, by their titles, those of this run and of earlier ones.

    One that is damaged or of another harness is left out, until its suite's page is written again.
    """
    found = []
    for path in folder.glob(f"*/{SUMMARY}"):
        try:
            found.append(Summary.model_validate_json(path.read_bytes()))
        except (OSError, ValidationError):
            continue
    return sorted(found, key=lambda each: (each.title, each.folder))


def texts(table: Table, suite: SuiteInfo) -> Iterator[tuple[str, str]]:
    """The table's files: their names and texts."""
    yield f"{table.name}.csv", render.csv(table)
    yield f"{table.name}.md", render.markdown(table)
    yield f"{table.name}.tex", render.latex(table, f"tab:{suite.name}-{table.name}", suite.title)


def _summary(report: Report, rows: Sequence[jobs.Row], folder: str) -> Summary:
    states, tones = _states(rows)
    return Summary(
        folder=folder,
        name=report.suite.name,
        title=report.suite.title,
        question=report.suite.question,
        scale=report.suite.scale,
        answers=report.answers,
        findings=tuple((finding.verdict, finding.claim) for finding in report.findings),
        states=states,
        tones=tones,
        problems=len(report.problems),
    )


def _states(rows: Sequence[jobs.Row]) -> tuple[dict[str, int], dict[str, str]]:
    """How many jobs are how, and how each state is coloured: what ended well, badly, and not yet."""
    tones = {row.state: row.tone for row in rows}
    counts = Counter(row.state for row in rows)
    order = sorted(counts, key=lambda state: (("good", "bad", "quiet").index(tones[state]), -counts[state], state))
    return {state: counts[state] for state in order}, tones


def _table(table: Table) -> dict[str, Any]:
    """What a template needs to show it; `at` is a column's place, from 1."""
    best = {column.key: best_rows(table.frame, column) for column in table.columns}
    places = {column.key: place for place, column in enumerate(table.columns, 1)}
    heads = [
        (group, [(column, places[column.key], _first(column)) for column in members])
        for group, members in groups(table.columns)
    ]
    rows = [
        (str(row["scheme"]), [_cell(row, column, index in best[column.key]) for column in table.columns])
        for index, row in table.frame.iterrows()
    ]
    two = any(column.label for column in table.columns)
    return {"table": table, "heads": heads, "rows": rows, "two": two}


def _first(column: Column) -> str:
    """How a column is sorted at first: what is better stands above."""
    return "descending" if METRICS[column.metric].better == "higher" else "ascending"


def _cell(row: "pd.Series[Any]", column: Column, is_best: bool) -> dict[str, Any]:
    value = row[column.key]
    word = not is_number(value)
    kinds = [column.origin, "word" if word else "", "best" if is_best else ""]
    return {
        "kind": " ".join(filter(None, kinds)),
        "text": cell_text(row, column),
        "spread": spread_text(row, column),
        "value": None if word else f"{value:.9g}",
        "best": is_best,
    }


def shown(figure: Figure, paths: Sequence[Path]) -> dict[str, Any]:
    """Its panels as elements of the page, and its files."""
    of_panels = {f"{figure.name}-{place}.svg": panel for place, panel in enumerate(figure.panels, 1)}
    panels = [
        Markup(figures.inline(path.read_text(encoding="utf-8"), escape(told(of_panels[path.name]))))
        for path in paths
        if path.name in of_panels
    ]
    files = [path.name for path in paths if path.name not in of_panels]
    return {"figure": figure, "panels": panels, "files": files}


def told(panel: Panel) -> str:
    """A panel in words, for who cannot see it: of curves the ends, of trials how many, of all else each mark."""
    if panel.kind in OF_TRIALS:
        parts = [_counted(str(name), marks) for name, marks in panel.data.groupby("series", sort=False)]
    elif panel.kind == "curves":
        parts = [_course(str(name), marks) for name, marks in panel.data.groupby("series", sort=False)]
    else:
        parts = [f"{mark['series']} {_place(panel, mark)}" for _, mark in panel.data.head(TOLD).iterrows()]
        parts += [f"and {len(panel.data) - TOLD} more"] * (len(panel.data) > TOLD)
    axes = f"{panel.y} over {panel.x}" if panel.x else panel.y
    title = f"{panel.title}, {axes}" if axes else panel.title
    return f"{title}: {'; '.join(parts) or 'nothing measured yet'}"


def _counted(name: str, marks: pd.DataFrame) -> str:
    """A series of trials: how many, and from which value to which; on parallel axes, whose places are none, the best
    one's settings."""
    known, count = marks["y"].dropna(), marks["trial"].nunique()
    if marks["parameter"].any():
        settings = zip(marks["parameter"], marks["word"], strict=True)
        return f"{name} " + (", ".join(f"{key} {word}" for key, word in settings) if count == 1 else f"({count})")
    ends = f" {known.min():.4g} to {known.max():.4g}" if len(known) else " without a value"
    return f"{name} ({count}){ends}"


def _course(name: str, marks: pd.DataFrame) -> str:
    known = marks[marks["y"].notna() & marks["x"].notna()].sort_values("x")
    if known.empty:
        words = [str(word) for word in marks["word"] if word]
        return f"{name} {words[0] if words else 'not measured'}"
    ends = known.iloc[[0, -1]] if len(known) > 1 else known
    return f"{name} " + " to ".join(f"{y:.4g} at {x:.4g}" for x, y in zip(ends["x"], ends["y"], strict=True))


def _place(panel: Panel, mark: "pd.Series[Any]") -> str:
    if not is_number(mark["y"]):
        return str(mark["word"] or "not measured")
    return f"{mark['y']:.4g} at {mark['x']:.4g}" if panel.kind == "points" else f"{mark['y']:.4g}"


def _environment(records: pd.DataFrame) -> list[tuple[str, str]]:
    """What the jobs ran on; several values of a fact are all told, with the jobs they hold for."""
    facts = []
    for column in [name for name in records.columns if name.startswith("environment.")]:
        counts = records[column].dropna().map(plain).value_counts().sort_index()
        values = [
            str(value) if len(counts) == 1 else f"{value} ({count} job{'s' * (count > 1)})"
            for value, count in counts.items()
        ]
        if values:
            facts.append((column.removeprefix("environment."), ", ".join(values)))
    return facts


def _tests(records: pd.DataFrame) -> list[str]:
    """The test protocols as they were run, in words."""
    columns = ["data.name", "test.clips", "test.crops", "test.size", "test.videos"]
    tested = records.dropna(subset=columns)[columns].drop_duplicates()
    return [
        f"{title(name)}: {_clips(clips)} × {crops:.0f} crops of {size:.0f} pixels, {videos:.0f} validation videos"
        for name, clips, crops, size, videos in tested.itertuples(index=False)
    ]


def _clips(clips: Any) -> str:
    """A protocol's clips in words; numbers come back from a DataFrame as floats."""
    return "covering clips" if isinstance(clips, str) else f"{clips:.0f} clip{'' if clips == 1 else 's'}"
