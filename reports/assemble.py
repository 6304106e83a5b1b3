"""From a suite's records to its report: the tables, the figures, the findings, and the answer in a sentence a set."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd

from reports import beside, comparison, conditions, plots, videos
from reports.beside import Counted
from reports.captions import caption
from reports.comparison import Asked, Variants
from reports.content import Figure, Report, SuiteInfo, Table
from reports.metrics import Column, bounds, is_number, title, written
from results import claims
from results.answers import Compare
from results.collect import NOT_RUN
from results.outline import Claim, Outline
from results.quantities import SHARES


@dataclass(frozen=True)
class Jobs:
    """A suite's jobs, in its order, by their ids."""

    frame: pd.DataFrame
    """Of `results.collect.frame`, those without a record too."""
    labels: Mapping[str, str]
    names: Mapping[str, str]
    """Labels that the seeds of a variant share."""
    bare: Mapping[str, str]
    """Labels that its data sets share too."""
    variants: Variants
    asked: Mapping[str, Sequence[Asked]]
    rows: Mapping[str, str]
    """The row of the paper that a job stands in; of some."""
    embedded: Collection[str] = ()
    """The data sets that the harness draws itself."""
    compare: Compare | None = None
    """Of the jobs' records."""


def report(
    suite: SuiteInfo,
    outline: Outline,
    jobs: Jobs,
    published: pd.DataFrame | None,
    counted: Mapping[str, Counted],
    problems: Sequence[str],
) -> Report:
    """Everything that is told of a suite. `published`: of the outline's file; `counted`: by the paper's rows."""
    rows = comparison.rows({**jobs.bare, **jobs.rows})
    records = jobs.frame[jobs.frame["status"] != NOT_RUN]
    unlike = conditions.unlike(records, jobs.bare)
    own = _own(suite, outline, jobs, rows, unlike)
    table = own if published is None else beside.beside(own, published, counted, suite.scale)
    table = replace(table, caption=caption(table, suite.scale, any(len(ids) > 1 for ids in rows.values())))
    drawn = [plots.curves(spec, jobs.frame, jobs.variants, jobs.rows) for spec in outline.figures]
    general = [] if drawn else [plots.accuracy(table, rows, jobs.frame), plots.cost(rows, records)]
    figures = [figure for figure in (*drawn, *general) if figure and _shows(figure)]
    return Report(
        suite=suite,
        answers=tuple(
            _leader(own.frame, column) for column in own.columns if column.metric == "top1" and outline.asks_accuracy
        ),
        findings=tuple(_judged(claim, jobs, unlike) for claim in outline.findings),
        tables=(table,),
        figures=tuple(_told(figure, _demo(jobs)) if suite.scale == "demo" else figure for figure in figures),
        records=records,
        labels=dict(jobs.labels),
        asked=jobs.asked,
        problems=problems,
    )


def _own(
    suite: SuiteInfo, outline: Outline, jobs: Jobs, rows: comparison.Rows, unlike: Mapping[str, conditions.Unlike]
) -> Table:
    """What the suite's jobs measured, without a caption."""
    tested, asked = comparison.own_tests(jobs.frame, jobs.asked)
    tests = comparison.tests(tested, asked)
    frame = comparison.table(tested, rows, asked, suite.scale)
    columns = conditions.heeded(comparison.columns(tested, asked, suite.scale), unlike)
    if outline.asks_accuracy:
        frame = _with_level(frame, rows, jobs, tests)
    else:  # of which none is best, for none is compared; and which say nothing where nothing is published
        columns = [replace(each, comparable=False) if each.metric in SHARES else each for each in columns]
        columns = [each for each in columns if outline.published or each.metric not in SHARES]
    return Table(
        name=outline.published[0] if outline.published else "comparison",
        frame=frame,
        columns=tuple(columns),
        caption="",
        notes=(
            *videos.by_data_set(jobs.frame[jobs.frame["status"] != NOT_RUN], jobs.labels),
            *(_own_tests(asked, rows, jobs) if any(each.metric in SHARES for each in columns) else ()),
            *(_stand_in(rows, jobs) if suite.scale == "demo" else ()),
            *((LEVEL,) if _any_level(frame) else ()),
            *(_not_compared(frame, tests) if jobs.compare else ()),
            *(each.told for each in unlike.values()),
        ),
    )


def _judged(claim: Claim, jobs: Jobs, unlike: Mapping[str, conditions.Unlike]) -> claims.Finding:
    """The finding, with a word where what it compares was not measured alike."""
    found = claims.judge(claim, jobs.frame, jobs.names, written, jobs.compare)
    if found.verdict == "not measured" or not conditions.concern(claim, unlike):
        return found
    return replace(found, evidence=f"{found.evidence}; not measured alike, see below the table")


LEVEL: Final = (
    "≈ best: the same videos do not tell it from the best, by McNemar's test (of several seeds a permutation test) and "
    "the interval of the difference."
)


def _shows(figure: Figure) -> bool:
    """Whether it has any number."""
    return any(panel.data["y"].notna().any() for panel in figure.panels)


def _told(figure: Figure, words: str) -> Figure:
    return replace(figure, caption=f"{figure.caption} {words}")


def _demo(jobs: Jobs) -> str:
    """What the numbers of this scale are of."""
    used = set(jobs.frame["data.name"])
    return f"Demo scale: small models{' on embedded clips' if used <= {*jobs.embedded} else ''}."


COMPARED_MOST: Final = 50
"""Rows up to which each is compared with the best: every comparison reads two files of scores at least."""


def _with_level(table: pd.DataFrame, rows: comparison.Rows, jobs: Jobs, tests: Sequence[Asked]) -> pd.DataFrame:
    """The table with `<accuracy>.level`: whether a row's videos do not tell it from the best of its column."""
    for test in tests if len(table) <= COMPARED_MOST else ():
        key = comparison.key(test)
        values = dict(zip(map(str, table["scheme"]), table[key], strict=True))
        measured = {name: value for name, value in values.items() if is_number(value)}
        if len(measured) > 1:
            highest = max(measured.values())
            best = [name for name, value in measured.items() if value == highest]  # of some the scores may be missing
            told = {
                name: next(
                    (each for each in (_is_level(name, one, test, rows, jobs) for one in best) if each is not None),
                    None,
                )
                for name, value in measured.items()
                if value < highest
            }
            table[f"{key}.level"] = [told.get(name) for name in values]
    return table


def _not_compared(frame: pd.DataFrame, tests: Sequence[Asked]) -> list[str]:
    """Which rows the same videos could not be asked about."""
    found: dict[str, None] = {}
    for test in tests:
        key = comparison.key(test)
        known = frame[frame[key].map(is_number)] if f"{key}.level" in frame else frame.iloc[:0]
        behind = known[known[key] != known[key].max()]
        found |= dict.fromkeys(str(row["scheme"]) for _, row in behind.iterrows() if row[f"{key}.level"] is None)
    told = "Not compared with the best on the same videos, as scores of either are missing or the videos are others"
    return [f"{told}: {', '.join(found)}."] if found else []


def _own_tests(asked: Mapping[str, Sequence[Asked]], rows: comparison.Rows, jobs: Jobs) -> list[str]:
    """Which test, or which size of its crop, each row had, where they differ: a line a data set."""
    found: dict[str, dict[str, list[str]]] = {}
    for name, ids in rows.items():
        for id_ in ids:
            for (data, clips, *_, size), (_, *real) in zip(asked[id_], jobs.asked[id_], strict=False):
                if size == comparison.OWN_SIZE:
                    own = clips == comparison.OWN
                    of = f"{title(data)}, {'clips × crops of so many pixels' if own else 'pixels of a crop'}"
                    named = found.setdefault(of, {}).setdefault(comparison.told(*real) if own else f"{real[-1]}", [])
                    named += [] if name in named else [name]
    told = {of: [f"{test}: {', '.join(names)}" for test, names in tests.items()] for of, tests in found.items()}
    return [f"{of}: {'; '.join(tests)}" for of, tests in told.items()]


def _stand_in(rows: comparison.Rows, jobs: Jobs) -> list[str]:
    """Which jobs stand in the paper's rows, where these are called otherwise than findings and jobs are."""
    found = {name: " and ".join(dict.fromkeys(jobs.bare[id_] for id_ in ids)) for name, ids in rows.items()}
    told = [f"{name}: {label}" for name, label in found.items() if not _is_in(label, name)]
    return [f"Jobs in the rows: {'; '.join(told)}"] if told else []


def _is_in(label: str, name: str) -> bool:
    """Whether a row's name says all that a job's label does, as `Joint Space-Time` does of `joint`."""
    whole, *parts = (re.sub(r"[\W_]", "", text).casefold() for text in (name, *label.split(" · ")))
    return all(part in whole for part in parts)


def _any_level(table: pd.DataFrame) -> bool:
    return any(True in table[name].tolist() for name in table if str(name).endswith(".level"))


def _is_level(name: str, best: str, test: Asked, rows: comparison.Rows, jobs: Jobs) -> bool | None:
    """None for what cannot be told, as where no scores are at hand."""
    data, clips, crops, size = test
    tested = jobs.frame[(jobs.frame["data.name"] == data) & jobs.frame["test.crops"].notna()]
    if clips != comparison.OWN:
        tested = tested[(tested["test.clips"] == clips) & (tested["test.crops"] == crops)]
    if size != comparison.OWN_SIZE:
        tested = tested[tested["test.size"] == size]
    ours, others = (
        [claims.tested(row) for row in tested[tested["id"].isin(rows[each])].to_dict("records")]
        for each in (name, best)
    )
    found = jobs.compare(ours, others) if jobs.compare else None
    return None if found is None else not found.tells_apart


_COMPARED: Final = ("not told apart on the same videos", "told apart from all others on the same videos")
_BY_INTERVAL: Final = ("not told apart by their intervals", "no other is within its uncertainty")


def _leader(frame: pd.DataFrame, column: Column) -> str:
    """The most accurate variant of a data set and test, and those level with it."""
    where = f"{column.group} ({column.label.removeprefix('top-1, ')})"
    measured = frame[frame[column.key].map(is_number)]
    owed = frame[column.key].notna().sum()
    if measured.empty:
        return f"{where}: nothing was measured yet."
    best = measured.sort_values(column.key, ascending=False, kind="stable").iloc[0]
    text = written("top1", best[column.key])
    shared = [row["scheme"] for _, row in measured.iterrows() if written("top1", row[column.key]) == text]
    if len(measured) == 1:
        only = "" if owed == 1 else ", the only one measured so far"
        return f"{where}: {best['scheme']}, {text}{only}."
    least, _ = bounds(best, column.key)
    others = measured[measured["scheme"] != best["scheme"]]
    level = [row["scheme"] for _, row in others.iterrows() if _near(row, column.key, least)]
    rivals = others[others[column.key] != best[column.key]]  # one that is as good to the last digit is not compared
    compared = all(isinstance(row.get(f"{column.key}.level"), bool) for _, row in rivals.iterrows())
    how, none = _COMPARED if compared else _BY_INTERVAL
    beside = f"{how}: {', '.join(level)}" if level else none
    among = "" if len(measured) == owed else f" of the {len(measured)} measured so far"
    if len(shared) > 1:
        rest = [name for name in level if name not in shared]
        more = f" ({how}: {', '.join(rest)})" if rest else ""
        who = f"{', '.join(shared[:-1])} and {shared[-1]}"
        return f"{where}: {who} share the highest accuracy{among}, {text}{more}."
    return f"{where}: {best['scheme']} is the most accurate{among}, {text} ({beside})."


def _near(row: "pd.Series[Any]", key: str, least: float) -> bool:
    """Whether a row is level with the best: by the same videos, else by the interval of the best."""
    level = row.get(f"{key}.level")
    return level if isinstance(level, bool) else row[key] >= least
