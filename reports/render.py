"""A table in, text out: terminal, CSV, Markdown, LaTeX."""

import re
from collections.abc import Callable, Sequence
from textwrap import fill
from typing import Final

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from reports.content import Table
from reports.metrics import Column, best_rows, cell_text, groups, is_number, spread_text
from results.claims import Finding

MARKS: Final = {"shown": "✓", "not shown": "✗", "not measured": "–"}
_STYLES: Final = {"shown": "green", "not shown": "red", "not measured": "dim"}


def terminal(table: Table, findings: Sequence[Finding], width: int) -> RenderableType:
    """For `rich.console.Console.print`: the table in as many blocks as `width` characters need, caption, findings."""
    head = _cells(table.rows, "", table.frame["scheme"].tolist())
    blocks: list[list[tuple[Column, list[Text]]]] = [[]]
    used = _breadth(head)
    for column, cells in [(column, _column(table.frame, column)) for column in table.columns]:
        if blocks[-1] and used + _breadth(cells) > width:
            blocks.append([])
            used = _breadth(head)
        blocks[-1].append((column, cells))
        used += _breadth(cells)
    spaced = [part for block in blocks for part in (_block(head, block), Text())]
    below = [Text(line, style="dim") for line in (table.caption, *table.notes)]
    return Group(*spaced, *below, Text(), *(_judged(finding) for finding in findings))


def csv(table: Table) -> str:
    """For machines: every column of the DataFrame under its key, numbers unrounded, words where numbers are owed."""
    return table.frame.to_csv(index=False, lineterminator="\n")


def markdown(table: Table) -> str:
    """A GitHub table, its caption and notes below; the best measured value of a column is bold."""
    titles = [table.rows, *(column.title for column in table.columns)]
    lines = [titles, ["---", *("--:" for _ in table.columns)]]
    lines += _body(table, _escape_markdown, lambda text: f"**{text}**", lambda text: f" ({text})")
    body = "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
    listed = "".join(f"- {_escape_markdown(note)}\n" for note in table.notes)
    return f"{body}\n{_escape_markdown(table.caption)}\n" + (f"\n{listed}" if listed else "")


def latex(table: Table, label: str, title: str = "") -> str:
    """A `table*` for the booktabs and graphicx packages; the best measured value of a column is bold.

    `title`, that of its suite, stands before its caption.
    """
    spans, rules, labels, at = [table.rows], [], [""], 2
    for heading, members in groups(table.columns):
        spans.append(f"\\multicolumn{{{len(members)}}}{{c}}{{{_escape_latex(heading)}}}")
        rules.append(f"\\cmidrule(lr){{{at}-{at + len(members) - 1}}}")
        labels += [_escape_latex(column.label) for column in members]
        at += len(members)
    body = _body(table, _escape_latex, lambda text: f"\\textbf{{{text}}}", _latex_spread)
    lines = [
        "\\begin{table*}",
        "\\centering",
        "\\resizebox{\\textwidth}{!}{%",
        f"\\begin{{tabular}}{{l{'r' * len(table.columns)}}}",
        "\\toprule",
        f"{' & '.join(spans)} \\\\",
        " ".join(rules),
        f"{' & '.join(labels)} \\\\",
        "\\midrule",
        *(f"{' & '.join(cells)} \\\\" for cells in body),
        "\\bottomrule",
        "\\end{tabular}}",
        f"\\caption{{{_escape_latex(' '.join(filter(None, (_sentence(title), table.caption))))}}}",
        f"\\label{{{label}}}",
        *(f"{{\\footnotesize {_escape_latex(note)}\\par}}" for note in table.notes),
        "\\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def _body(
    table: Table, escape: Callable[[str], str], bold: Callable[[str], str], spread: Callable[[str], str]
) -> list[list[str]]:
    best = {column.key: best_rows(table.frame, column) for column in table.columns}
    rows = []
    for index, row in table.frame.iterrows():
        cells = [escape(str(row["scheme"]))]
        for column in table.columns:
            text = escape(cell_text(row, column))
            around = escape(spread_text(row, column))
            cells.append((bold(text) if index in best[column.key] else text) + (spread(around) if around else ""))
        rows.append(cells)
    return rows


def _sentence(title: str) -> str:
    return f"{title}." if title and title[-1] not in ".?!" else title


def _escape_markdown(text: str) -> str:
    return re.sub(r"([\\|*_`<>\[\]])", r"\\\1", text)


def _escape_latex(text: str) -> str:
    signs = {"\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}"}
    signs |= {"–": "--", "±": "$\\pm$", "×": "$\\times$", "−": "$-$", "≈": "$\\approx$"}
    signs |= {sign: f"\\{sign}" for sign in "&%$#_{}"}
    return "".join(signs.get(character, character) for character in text)


def _latex_spread(text: str) -> str:
    return f" {{\\scriptsize {text}}}"


def _column(table: pd.DataFrame, column: Column) -> list[Text]:
    """The column's heading, then its cells, as the terminal shows them."""
    best = best_rows(table, column)
    values: list[Text] = []
    for index, row in table.iterrows():
        style = "bold" if index in best else "" if is_number(row[column.key]) else "yellow"
        around = spread_text(row, column)
        values.append(Text.assemble((cell_text(row, column), style), (f" {around}" if around else "", "dim")))
    room = max(8, *(len(value.plain) for value in values))
    title, label = (fill(text, room, break_long_words=False) for text in (column.group, column.label))
    return _cells(title, label, values)


def _cells(title: str, label: str, values: Sequence[Text | str]) -> list[Text]:
    heading = Text.assemble((title, "bold"), (f"\n{label}" if label else "", "dim"))
    return [heading, *(value if isinstance(value, Text) else Text(value) for value in values)]


def _breadth(cells: Sequence[Text]) -> int:
    """Characters that the column takes, with the two that part it from the next."""
    return max(len(line) for cell in cells for line in cell.plain.split("\n")) + 2


def _block(head: Sequence[Text], block: Sequence[tuple[Column, list[Text]]]) -> Grid:
    table = Grid(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column(head[0], no_wrap=True)
    for _, cells in block:
        table.add_column(cells[0], justify="right", no_wrap=True)
    for index in range(1, len(head)):
        table.add_row(head[index], *(cells[index] for _, cells in block))
    return table


def _judged(finding: Finding) -> Text:
    style = _STYLES[finding.verdict]
    verdict = f"{MARKS[finding.verdict]} {finding.verdict}: "
    return Text.assemble((verdict, style), finding.claim, (f" ({finding.evidence})", "dim"))
