from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import pandas as pd
import pytest

from reports import figures


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".pdf"}


@pytest.fixture
def drawn(tmp_path: Path, table: pd.DataFrame) -> list[Path]:
    return figures.draw(table, "demo", tmp_path)


def test_panels_are_svg_and_figures_png_and_pdf(drawn: list[Path]) -> None:
    assert {path.name for path in drawn} == {
        *(f"{figure}-{dataset}.svg" for figure in ("accuracy", "cost") for dataset in ("appearance", "motion")),
        *("accuracy.png", "accuracy.pdf", "cost.png", "cost.pdf"),
    }
    starts = {".svg": b"<?xml", ".png": b"\x89PNG", ".pdf": b"%PDF"}
    assert all(path.read_bytes().startswith(starts[path.suffix]) for path in drawn)


def test_the_numbers_stand_in_the_drawing_as_text(drawn: list[Path]) -> None:
    svg = next(path for path in drawn if path.name == "accuracy-motion.svg").read_text()
    texts = "".join(ElementTree.fromstring(svg).itertext())
    assert all(text in texts for text in ("27.0", "98.5", "Divided Space-Time", "chance", "SSv2, paper", "(demo)"))


def test_words_are_drawn_where_bars_would_stand(tmp_path: Path, mixed_table: pd.DataFrame) -> None:
    figures.draw(mixed_table, "demo", tmp_path)
    texts = "".join(ElementTree.fromstring((tmp_path / "accuracy-motion.svg").read_text()).itertext())
    assert all(word in texts for word in ("failed", "not run", "diverged", "out of memory"))


def test_nothing_measured_is_said(tmp_path: Path, table: pd.DataFrame) -> None:
    table["motion_percent"] = "not run"
    figures.draw(table, "demo", tmp_path)
    assert "nothing measured yet" in (tmp_path / "cost-motion.svg").read_text()


def test_the_same_numbers_are_not_drawn_again(
    drawn: list[Path], tmp_path: Path, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "_draw", lambda *_: pytest.fail("drawn again"))
    assert figures.draw(table, "demo", tmp_path) == drawn


@pytest.mark.parametrize("change", ["number", "missing file", "file of another table"])
def test_a_change_is_drawn(
    drawn: list[Path], tmp_path: Path, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    calls: list[object] = []
    monkeypatch.setattr(figures, "_draw", lambda *arguments: calls.append(arguments) or {})
    if change == "number":
        table.loc[0, "motion_percent"] = 28.0
    elif change == "file of another table":
        drawn[0].write_bytes(drawn[1].read_bytes())
    else:
        drawn[0].unlink()
    figures.draw(table, "demo", tmp_path)
    assert len(calls) == 1


def test_reports_that_draw_at_once_never_write_one_file_together(
    tmp_path: Path, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a second report does between the writing of a file and its renaming, both come to an end."""
    replace, inner = Path.replace, []

    def replace_while_another_draws(path: Path, target: Path) -> Path:
        if not inner:
            inner.append(target)
            figures.draw(table, "demo", tmp_path)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", replace_while_another_draws)
    drawn = figures.draw(table, "demo", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*(path.name for path in drawn), "drawn-from.sha256"}
    monkeypatch.setattr(figures, "_draw", lambda *_: pytest.fail("drawn again"))
    figures.draw(table, "demo", tmp_path)


def test_the_same_numbers_give_the_same_bytes(drawn: list[Path], tmp_path: Path, table: pd.DataFrame) -> None:
    figures.draw(table, "demo", tmp_path / "again")
    again = contents(tmp_path / "again")
    assert again == {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name in again}


def test_drawing_leaves_matplotlib_as_it_was(tmp_path: Path, table: pd.DataFrame) -> None:
    before = dict(mpl.rcParams)
    figures.draw(table, "demo", tmp_path)
    assert dict(mpl.rcParams) == before


def test_inline_takes_the_pages_colours_and_keeps_to_itself(drawn: list[Path]) -> None:
    for path in drawn:
        if path.suffix == ".svg":
            svg = figures.inline(path.read_text(), "what it shows")
            ElementTree.fromstring(svg)
            assert svg.startswith('<svg role="img" aria-label="what it shows"')
            assert "var(--ink)" in svg
            assert not any(sign in svg for sign in ("<style", "<metadata", figures.INK, figures.ACCENT, "http://purl"))
