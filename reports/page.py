"""A suite's report: one self-contained HTML page, with its table and figures as files beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from reports import figures, render, table1, videos
from reports.metrics import Column, best_rows, cell_text, groups, is_number, spread_text
from results.store import write_atomic

_TEMPLATES: Final = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class SuiteInfo:
    """What a page says of its suite: its file's stem, its title and the question it asks."""

    name: str
    title: str
    question: str


def write_report(
    folder: Path,
    suite: SuiteInfo,
    records: pd.DataFrame,
    costs: pd.DataFrame,
    published: pd.DataFrame,
    scale: str,
    problems: Sequence[str],
) -> list[Path]:
    """Writes index.html, table1.csv, .md, .tex and figures/ into `folder`; returns their paths, the page first.

    `records` are those of the suite's jobs (`results.collect.frame`), `costs` all that were counted, `published`
    `literature.published("table1")`. `problems` are told on the page, such as records that could not be read. Figures
    are drawn only when what they show has changed. Raises OSError when the folder cannot be written.
    """
    table = table1.table(records, costs, published, scale)
    drawn = figures.draw(table, scale, folder / "figures")
    columns, caption = table1.columns(scale), table1.caption(scale)
    texts = {
        "index.html": page(suite, table, records, published, scale, problems, drawn),
        "table1.csv": render.csv(table),
        "table1.md": render.markdown(table, columns, caption),
        "table1.tex": render.latex(table, columns, caption, f"tab:{suite.name}"),
    }
    for name, text in texts.items():
        write_atomic(folder / name, text)
    return [*(folder / name for name in texts), *drawn]


def page(
    suite: SuiteInfo,
    table: pd.DataFrame,
    records: pd.DataFrame,
    published: pd.DataFrame,
    scale: str,
    problems: Sequence[str],
    drawn: Sequence[Path],
) -> str:
    """The page's HTML, which needs no other file and no network; every text from elsewhere is escaped."""
    environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
    environment.trim_blocks = environment.lstrip_blocks = True
    columns = table1.columns(scale)
    jobs = records.drop_duplicates("id")
    return environment.get_template("page.html").render(
        suite=suite,
        scale=scale,
        answers=table1.answer(table, scale),
        findings=table1.findings(table, scale),
        marks=render.MARKS,
        groups=groups(columns),
        rows=_rows(table, columns),
        caption=table1.caption(scale),
        panels=_panels(drawn, table, scale),
        jobs=[_job(row) for _, row in jobs.iterrows()],
        environment=_environment(jobs),
        tests=_tests(records),
        sources=list(published[["source", "protocol"]].drop_duplicates().itertuples(index=False)),
        problems=problems,
        downloads=["table1.csv", "table1.md", "table1.tex", *_downloads(drawn)],
    )


def _rows(table: pd.DataFrame, columns: Sequence[Column]) -> list[dict[str, Any]]:
    best = {column.key: best_rows(table, column) for column in columns}
    return [
        {
            "scheme": row["scheme"],
            "cells": [
                {
                    "text": cell_text(row, column),
                    "spread": spread_text(row, column),
                    "origin": column.origin,
                    "word": not is_number(row[column.key]),
                    "best": index in best[column.key],
                }
                for column in columns
            ],
        }
        for index, row in table.iterrows()
    ]


def _panels(drawn: Sequence[Path], table: pd.DataFrame, scale: str) -> dict[str, list[Markup]]:
    """The SVG of each figure's panels, as elements of the page, with its numbers as words for a screen reader."""
    panels: dict[str, list[Markup]] = {name: [] for name in figures.FIGURES}
    for path in drawn:
        name, _, dataset = path.stem.partition("-")
        if path.suffix == ".svg":
            values = [f"{row['scheme']} {table1.percent(row[f'{dataset}_percent'])}" for _, row in table.iterrows()]
            label = escape(f"{table1.TITLES[dataset]}, {scale} scale, top-1 accuracy: {', '.join(values)}")
            panels[name].append(Markup(figures.inline(path.read_text(encoding="utf-8"), label)))
    return panels


def _job(row: "pd.Series[Any]") -> dict[str, Any]:
    """One line of the jobs table; what was not measured is None."""
    known = row.where(row.notna(), None)
    percent = None if known["top1"] is None else f"{known['top1'] * 100:.1f}"
    answered = "" if known["top1"] is None else f"{known['test.answered']:.0f} of {known['test.videos']:.0f}"
    error = f"{known['error.type']}: {known['error.message']}" if known["error.type"] else ""
    train = None if known["train.accuracy"] is None else f"{known['train.accuracy'] * 100:.1f}"
    times = {name: None if known[name] is None else f"{known[name]:.1f}" for name in ("train_s", "test_s")}
    wait = None if known["data_wait_share"] is None else f"{known['data_wait_share'] * 100:.0f}"
    latency = None if known["latency_s"] is None else f"{known['latency_s'] * 1000:.1f}"
    details = [line for line in [error, *videos.of_job(known), *str(known["notes"] or "").split("\n")] if line]
    return {
        **{name: known[name] for name in ("id", "status", "seed", "device")},
        "scheme": table1.SCHEMES.get(known["model.attention"], known["model.attention"]),
        "dataset": table1.TITLES.get(known["data.name"], known["data.name"]),
        "top1": percent,
        "answered": answered,
        "train": train,
        "wait": wait,
        "latency": latency,
        **times,
        "details": details,
    }


def _environment(jobs: pd.DataFrame) -> list[tuple[str, str]]:
    """What the jobs ran on; several values of a fact are all told, with the jobs they hold for."""
    facts = []
    for column in [name for name in jobs.columns if name.startswith("environment.")]:
        counts = jobs[column].dropna().astype(str).value_counts()
        values = [value if len(counts) == 1 else f"{value} ({count} jobs)" for value, count in counts.items()]
        if values:
            facts.append((column.removeprefix("environment."), ", ".join(str(value) for value in values)))
    return facts


def _tests(records: pd.DataFrame) -> list[str]:
    """The test protocols as they were run, in words."""
    columns = ["data.name", "test.clips", "test.crops", "test.size", "test.videos"]
    tested = records.dropna(subset=columns)[columns].drop_duplicates()
    return [
        f"{table1.TITLES.get(name, name)}: {_clips(clips)} × {crops:.0f} crops of {size:.0f} pixels,"
        f" {videos:.0f} validation videos"
        for name, clips, crops, size, videos in tested.itertuples(index=False)
    ]


def _clips(clips: Any) -> str:
    """A protocol's clips in words; numbers come back from a DataFrame as floats."""
    return "covering clips" if isinstance(clips, str) else f"{clips:.0f} clip{'' if clips == 1 else 's'}"


def _downloads(drawn: Sequence[Path]) -> list[str]:
    return [f"figures/{path.name}" for path in drawn if path.suffix != ".svg"]
