import csv
import io
import os
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from reports import render
from reports.table1 import caption, columns, findings

GOLDEN = Path(__file__).with_name("golden")


def matches_golden(text: str, name: str) -> None:
    """RENEW_GOLDEN=1 writes what was rendered instead; read the difference in git before you keep it."""
    path = GOLDEN / name
    if os.environ.get("RENEW_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), (
        f"{name} is rendered otherwise than before. If that is meant: RENEW_GOLDEN=1 pytest tests/reports, then review "
        f"git diff {path}"
    )


def terminal(table: pd.DataFrame, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(render.terminal(table, columns("demo"), caption("demo"), findings(table, "demo"), width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_csv(mixed_table: pd.DataFrame) -> None:
    matches_golden(render.csv(mixed_table), "table1.csv")


def test_markdown(mixed_table: pd.DataFrame) -> None:
    matches_golden(render.markdown(mixed_table, columns("demo"), caption("demo")), "table1.md")


def test_latex(mixed_table: pd.DataFrame) -> None:
    matches_golden(render.latex(mixed_table, columns("demo"), caption("demo"), "tab:table1"), "table1.tex")


@pytest.mark.parametrize("width", [80, 140])
def test_terminal(mixed_table: pd.DataFrame, width: int) -> None:
    matches_golden(terminal(mixed_table, width), f"terminal-{width}.txt")


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160])
def test_no_cell_is_cut_at_any_width(table: pd.DataFrame, width: int) -> None:
    text = terminal(table, width)
    assert "…" not in text
    assert max(len(line) for line in text.splitlines()) <= width
    assert all(word in text for word in ("Sparse Local Global", "98.5 96.5–100.0", "minutes", "clips/s"))


def test_csv_reads_back_unrounded(table: pd.DataFrame) -> None:
    rows = list(csv.DictReader(io.StringIO(render.csv(table))))
    assert [row["scale"] for row in rows] == ["demo"] * 5
    assert [float(row["motion_percent.low"]) for row in rows] == list(table["motion_percent.low"])


def test_markdown_has_as_many_cells_in_every_row(mixed_table: pd.DataFrame) -> None:
    lines = render.markdown(mixed_table, columns("demo"), caption("demo")).split("\n\n")[0].splitlines()
    assert {line.count("|") for line in lines} == {len(columns("demo")) + 2}


def test_signs_of_a_format_are_escaped(table: pd.DataFrame) -> None:
    table.loc[0, "scheme"] = r"a_b & 50 % | {x}\y"
    assert r"a\_b \& 50 \% | \{x\}\textbackslash{}y &" in render.latex(table, columns("demo"), "", "tab:x")
    assert r"| a\_b & 50 % \| {x}\\y |" in render.markdown(table, columns("demo"), "")


def test_the_best_measured_value_is_bold(table: pd.DataFrame) -> None:
    assert "**98.5** (96.5–100.0)" in render.markdown(table, columns("demo"), "")
    assert r"\textbf{98.5} {\scriptsize 96.5--100.0}" in render.latex(table, columns("demo"), "", "tab:x")
    assert "**121.4**" not in render.markdown(table, columns("demo"), "")
