import csv
import io
import os
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from reports import render
from reports.content import Table
from results.claims import Finding

GOLDEN = Path(__file__).with_name("golden")
LABEL = "tab:table1"


def matches_golden(text: str, name: str) -> None:
    """RENEW_GOLDEN=1 writes what was rendered instead; read the difference in git before you keep it."""
    path = GOLDEN / name
    if os.environ.get("RENEW_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), (
        f"{name} is rendered otherwise than before. If that is meant: RENEW_GOLDEN=1 pytest tests/reports, then review "
        f"git diff {path}"
    )


FINDINGS = (
    Finding(
        "Motion needs attention over time", "not measured", "joint · motion not measured (asked for: above 80.0 %)"
    ),
    Finding("Appearance does not", "shown", "space · appearance 97.5 % (asked for: above 80.0 %)"),
    Finding("Axial attention is the best", "not shown", "axial · motion 95.5 % (asked for: above joint 97.5 %)"),
)


def terminal(table: Table, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(render.terminal(table, FINDINGS, width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_csv(mixed_table: Table) -> None:
    matches_golden(render.csv(mixed_table), "table1.csv")


def test_markdown(mixed_table: Table) -> None:
    matches_golden(render.markdown(mixed_table), "table1.md")


def test_latex(mixed_table: Table) -> None:
    matches_golden(render.latex(mixed_table, LABEL, "Space-time attention (Table 1)"), "table1.tex")


@pytest.mark.parametrize(
    ("title", "caption", "read"),
    [
        ("Schemes & sets", "Bold: best.", r"\caption{Schemes \& sets. Bold: best.}"),
        ("Which is best?", "Bold: best.", r"\caption{Which is best? Bold: best.}"),
        ("Schemes", "", r"\caption{Schemes.}"),
        ("", "Bold: best.", r"\caption{Bold: best.}"),
    ],
)
def test_the_caption_begins_with_the_suites_title(table: Table, title: str, caption: str, read: str) -> None:
    assert read in render.latex(replace(table, caption=caption), LABEL, title).splitlines()


@pytest.mark.parametrize("width", [80, 140])
def test_terminal(mixed_table: Table, width: int) -> None:
    matches_golden(terminal(mixed_table, width), f"terminal-{width}.txt")


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160])
def test_no_cell_is_cut_at_any_width(table: Table, width: int) -> None:
    text = terminal(table, width)
    assert "…" not in text
    assert max(len(line) for line in text.splitlines()) <= width
    assert all(word in text for word in ("Sparse Local Global", "98.5 96.5–100.0", "minutes", "clips/s"))


def test_csv_reads_back_unrounded(table: Table) -> None:
    rows = list(csv.DictReader(io.StringIO(render.csv(table))))
    key = next(column.key for column in table.columns if column.group == "Motion set")
    assert [row["scheme"] for row in rows] == table.frame["scheme"].tolist()
    assert [float(row[f"{key}.low"]) for row in rows if row[key]] == table.frame[f"{key}.low"].dropna().tolist()
    assert len(rows) >= 5


def test_markdown_has_as_many_cells_in_every_row(mixed_table: Table) -> None:
    lines = render.markdown(mixed_table).split("\n\n")[0].splitlines()
    assert {line.count("|") for line in lines} == {len(mixed_table.columns) + 2}


def test_signs_of_a_format_are_escaped(table: Table) -> None:
    table.frame.loc[0, "scheme"] = r"a_b & 50 % | {x}\y"
    assert r"a\_b \& 50 \% | \{x\}\textbackslash{}y &" in render.latex(table, LABEL)
    assert r"| a\_b & 50 % \| {x}\\y |" in render.markdown(table)


def test_the_best_measured_value_is_bold(table: Table) -> None:
    assert "**98.5** (96.5–100.0)" in render.markdown(table)
    assert r"\textbf{98.5} {\scriptsize 96.5--100.0}" in render.latex(table, LABEL)
    assert "**121.4**" not in render.markdown(table)
