import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from reports import figures, marks, trial_plots
from reports.content import PANEL_COLUMNS, TRIAL_COLUMNS
from tests.conftest import PROJECT
from tests.reports import made_studies
from tests.reports.made_panels import FOREIGN, SCHEMES, bars, figure, frames, many, panel, points, row

MADE = figure(frames(), frames(title="Appearance (demo)", chance=None))


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the drawings; only to be read."""
    folder = tmp_path_factory.mktemp("drawn")
    figures.draw(MADE, folder)
    return folder


@pytest.fixture
def folder(once: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    for path in once.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def texts(svg: Path) -> str:
    return " ".join(" ".join(ElementTree.fromstring(svg.read_text(encoding="utf-8")).itertext()).split())


def test_files_are_the_whole_each_panel_and_the_numbers(once):
    drawn = figures.draw(MADE, once)
    assert {path.name for path in drawn} == {"frames-1.svg", "frames-2.svg", "frames.svg", "frames.pdf", "frames.png",
                                             "frames.csv"}  # fmt: skip
    starts = {".svg": b"<?xml", ".png": b"\x89PNG", ".pdf": b"%PDF", ".csv": b"panel,"}
    assert all(path.read_bytes().startswith(starts[path.suffix]) for path in drawn)


def test_names_words_and_labels_stand_in_the_drawing_as_text(once):
    for name, titles in {"frames": ("Motion", "Appearance"), "frames-1": ("Motion",)}.items():
        shown = texts(once / f"{name}.svg")
        assert all(text in shown for text in (*SCHEMES, *titles, "out of memory", "top-1 accuracy, %", "64", "paper"))
    assert "chance" in texts(once / "frames-1.svg")
    assert "chance" not in texts(once / "frames-2.svg")


def test_bars_points_and_foreign_names_stand_in_the_drawing_as_text(tmp_path):
    figures.draw(figure(bars(), points(), many("points"), name="mixed"), tmp_path)
    shown = texts(tmp_path / "mixed.svg")
    assert all(text in shown for text in ("98.5", "out of memory", "TimeSformer-HR", "1,000", FOREIGN))


def test_nothing_measured_is_said(tmp_path):
    figures.draw(figure(panel("curves"), name="none"), tmp_path)
    assert "nothing measured yet" in texts(tmp_path / "none-1.svg")
    assert pd.read_csv(tmp_path / "none.csv").empty


def test_numbers_are_those_of_all_panels_unrounded():
    made = figure(panel("curves", row("A", 8, 1 / 3, word=""), row("A", 16, word="out of memory", paper=80.0)), bars())
    table = pd.read_csv(io.StringIO(figures.csv(made)))
    assert table.columns.tolist() == ["panel", *PANEL_COLUMNS, "x_label", "y_label"]
    assert len(table) == 2 + len(bars().data)
    assert table.loc[0, ["panel", "series", "x", "y"]].tolist() == ["Motion (demo)", "A", 8, 1 / 3]
    assert table.loc[1, ["word", "paper", "x_label", "y_label"]].tolist() == [
        "out of memory", 80.0, "frames of a clip", "top-1 accuracy, %",
    ]  # fmt: skip


def test_the_same_figure_is_not_drawn_again(folder, monkeypatch):
    monkeypatch.setattr(figures, "_draw", lambda *_: pytest.fail("drawn again"))
    assert all(path.is_file() for path in figures.draw(figure(*MADE.panels), folder))


def change(what: str, folder: Path):
    first, second = MADE.panels
    if what == "number":
        data = first.data.copy()
        data.loc[0, "y"] += 1e-9
        return figure(replace(first, data=data), second)
    if what == "missing file":
        (folder / "frames.csv").unlink()
    elif what == "file of another figure":
        (folder / "frames-1.svg").write_bytes((folder / "frames-2.svg").read_bytes())
    return MADE


CHANGES = {"title": "Other", "y": "loss", "chance": 10.0, "log_x": False, "limits": None, "strip": True}


@pytest.mark.parametrize("what", ["number", "missing file", "file of another figure"])
def test_a_change_is_drawn(folder, monkeypatch, what):
    calls: list[object] = []
    monkeypatch.setattr(figures, "_draw", lambda made: calls.append(made) or {})
    figures.draw(change(what, folder), folder)
    assert len(calls) == 1


@pytest.mark.parametrize("field", CHANGES)
def test_another_word_is_drawn(folder, monkeypatch, field):
    calls: list[object] = []
    monkeypatch.setattr(figures, "_draw", lambda made: calls.append(made) or {})
    first, second = MADE.panels
    figures.draw(figure(replace(first, **{field: CHANGES[field]}), second), folder)
    assert len(calls) == 1


def test_other_code_is_other_drawings(folder, monkeypatch, tmp_path):
    calls: list[object] = []
    monkeypatch.setattr(figures, "_draw", lambda made: calls.append(made) or {})
    other = tmp_path / "panels.py"
    other.write_text("# changed\n")
    monkeypatch.setattr(figures, "_CODE", (*figures._CODE[:-1], other))
    figures.draw(MADE, folder)
    assert len(calls) == 1


def test_all_code_that_draws_is_named():
    names = {path.name for path in figures._CODE}
    assert names == {"figures.py", "drawing.py", "marks.py", "panels.py", "trial_panels.py", "words.py"}


def test_reports_that_draw_at_once_never_write_one_file_together(tmp_path, monkeypatch):
    """Whatever a second report does between the writing of a file and its renaming, both come to an end."""
    made, rename, inner = figure(bars(), name="bars"), Path.replace, []

    def replace_while_another_draws(path: Path, target: Path) -> Path:
        if not inner:
            inner.append(target)
            figures.draw(made, tmp_path)
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", replace_while_another_draws)
    drawn = figures.draw(made, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*(path.name for path in drawn), "bars.sha256"}
    monkeypatch.setattr(figures, "_draw", lambda *_: pytest.fail("drawn again"))
    figures.draw(made, tmp_path)


def test_the_same_figure_gives_the_same_bytes(once, tmp_path):
    figures.draw(figure(*MADE.panels), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in once.iterdir()
    }


def test_inline_takes_the_pages_colours_and_keeps_to_itself(once):
    svg = figures.inline((once / "frames-1.svg").read_text(encoding="utf-8"), "what it shows")
    root = ElementTree.fromstring(svg)
    assert svg.startswith('<svg role="img" aria-label="what it shows"')
    assert all(f"var(--{name})" in svg for name in ("ink", "muted", "rule", "page", "sans"))
    assert not any(sign in svg for sign in ("<style", "<metadata", marks.INK, marks.PAPER, marks.RULE, "http://purl"))
    assert marks.COLOURS[0] in svg
    ids = {element.get("id") for element in root.iter()} - {None}
    assert all(f"#{name}" in svg for name in ids)


def test_panels_of_one_page_share_no_id(once):
    parts = [figures.inline((once / f"frames-{place}.svg").read_text(encoding="utf-8"), "") for place in (1, 2)]
    one, other = ({element.get("id") for element in ElementTree.fromstring(part).iter()} - {None} for part in parts)
    assert one
    assert not one & other


def test_nothing_slow_is_imported_before_something_is_drawn():
    code = "import sys, reports.figures; sys.exit(any(name in sys.modules for name in ('matplotlib', 'seaborn')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0


SEARCHED = {figure.name: figure for figure in trial_plots.figures(made_studies.EDGES["two objectives"])}


def test_figures_of_a_search_have_all_files_and_their_trials_numbers(tmp_path):
    drawn = figures.draw(SEARCHED["history"], tmp_path)
    assert {path.name for path in drawn} == {"history-1.svg", "history-2.svg", "history.svg", "history.pdf",
                                             "history.png", "history.csv"}  # fmt: skip
    data = pd.read_csv(tmp_path / "history.csv")
    assert list(data) == ["panel", *TRIAL_COLUMNS, "x_label", "y_label"]
    assert data["trial"].max() == 35
    shown = texts(tmp_path / "history.svg")
    assert all(text in shown for text in ("pruned", "best so far", "the suite's own recipe", "no value"))
    assert "pruned" in texts(tmp_path / "history-1.svg")
    assert "pruned" not in texts(tmp_path / "history-2.svg")  # the legend is the first one's


def test_shades_of_a_page_are_its_own(tmp_path):
    figures.draw(SEARCHED["parallel"], tmp_path)
    svg = (tmp_path / "parallel-1.svg").read_text(encoding="utf-8")
    element = figures.inline(svg, "a label")
    assert marks.SHADES[0] in svg
    assert all(f"var(--shade-{place})" in element for place in range(len(marks.SHADES)))
    assert not any(shade in element for shade in marks.SHADES)


def test_the_same_search_is_drawn_to_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        for drawn in ("front", "courses"):
            figures.draw(SEARCHED[drawn], tmp_path / name)
    first, second = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("a", "b"))
    assert first == second


@pytest.mark.parametrize("kind", ["bars", "points", "curves"])
def test_letters_that_the_font_lacks_are_no_warning_and_text_in_svg(tmp_path, kind):
    """Warnings are errors in these tests."""
    figures.draw(figure(panel(kind, row("視頻 🎬", 1.0, 50.0), row("b", 2.0, 60.0)), name="f"), tmp_path)
    assert "視頻 🎬" in texts(tmp_path / "f.svg")
