import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from reports import drawing, panels
from reports.content import Panel
from reports.marks import BAR, marks
from tests.reports.made_panels import EDGES, NAN, SCHEMES, bars, frames, panel, points, row, tidied


def painted(made: Panel):
    (made,) = tidied(made)
    with drawing.style():
        axes = Figure().add_axes((0.1, 0.1, 0.8, 0.8))
        panels.paint(axes, made, marks(made.data["series"]))
        axes.figure.draw_without_rendering()
    return axes


def lines(axes, shape: str):
    return [line for line in axes.lines if line.get_marker() == shape]


def test_tidy_makes_numbers_and_texts_of_what_is_there():
    made = panel("curves", row(7, 0, "3", None, float("inf"), None), row(" a\n b ", 2, pd.NA), log_x=True)
    data = panels.tidy(made).data
    assert data["series"].tolist() == ["7", "a b"]
    assert data["word"].tolist() == ["", ""]
    pd.testing.assert_frame_equal(
        data[["x", "y", "low", "high"]],
        pd.DataFrame({"x": [NAN, 2.0], "y": [3.0, NAN], "low": [NAN, NAN], "high": [NAN, NAN]}),
    )


@pytest.mark.parametrize("name", EDGES)
def test_every_edge_is_painted(name):
    axes = painted(EDGES[name])
    texts = [text.get_text() for text in axes.texts]
    assert ("nothing measured yet" in texts) == (name in ("no curves", "no points", "no bars", "all lost", "no costs",
                                                          "only published"))  # fmt: skip


def test_curves_break_where_a_number_is_missing():
    axes = painted(frames())
    xs = [line.get_xdata().round(6).tolist() for line in lines(axes, "P")]
    assert xs == [[8, 16], [64, 96]]


def test_curves_join_their_marks_in_the_order_of_x():
    (line,) = lines(painted(panel("curves", row("A", 3, 1.0), row("A", 1, 2.0), row("A", 2, 3.0))), "o")
    assert line.get_xydata().tolist() == [[1, 2], [2, 3], [3, 1]]


def test_whole_intervals_are_bands_and_single_ones_bars():
    bands = [part for part in painted(frames()).collections if part.get_alpha()]
    assert len(bands) == len(SCHEMES) + 1  # of the two parts of the broken curve
    single = painted(panel("curves", row("A", 1, 2.0, 1.0, 3.0), row("A", 2, 2.0)))
    assert not any(part.get_alpha() for part in single.collections)
    assert [[1, 1], [1, 3]] in [segment.tolist() for part in single.collections for segment in part.get_segments()]


def test_published_numbers_are_hollow_diamonds_of_their_series_colour():
    made = frames()
    diamonds = lines(painted(made), "D")
    colours = {to_hex(line.get_markeredgecolor()) for line in diamonds}
    assert colours == {marks(SCHEMES)[name].colour for name in ("Joint Space-Time", "Axial")}
    assert {line.get_ydata()[0] for line in diamonds} == {80.0}


def test_axes_hold_all_that_is_drawn():
    axes = painted(panel("points", row("A", 1, 50.0, 40.0, 70.0), row("B", 9, 60.0, paper=90.0), chance=5.0))
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    assert left < 1 < 9 < right
    assert low < 5 < 90 < high
    assert painted(frames()).get_ylim() == (0, 100)


def tick_labels(axis) -> list[str]:
    low, high = sorted(axis.get_view_interval())
    return [tick.label1.get_text() for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]


def test_ticks_stand_at_the_curves_own_x_or_at_round_numbers():
    assert tick_labels(painted(frames()).xaxis) == ["8", "16", "32", "64", "96"]
    assert tick_labels(painted(points()).xaxis) == ["10", "100", "1,000"]
    close = panel("points", row("A", 140, 1.0), row("B", 205, 2.0), log_x=True)
    assert tick_labels(painted(close).xaxis) == ["140", "160", "180", "200"]
    crowded = panel("curves", *(row("A", x, 1.0) for x in range(1, 40)))
    assert len(tick_labels(painted(crowded).xaxis)) < 10


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (-5, "−5"), (0.25, "0.25"), (12345, "12,345"), (2e6, "2·10⁶"), (1e-4, "10⁻⁴"), (-3e7, "−3·10⁷")],
)
def test_tick_numbers_are_short_and_exact(value, text):
    assert panels.number(value) == text


def test_bars_lie_in_order_with_their_numbers_and_words():
    axes = painted(bars())
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == [*SCHEMES, "Lost"]
    assert [round(bar.get_width(), 1) for bar in axes.patches] == [98.5, 89.5, 80.5, 71.5, 62.5]
    assert {to_hex(bar.get_facecolor()) for bar in axes.patches} == {BAR}
    assert [text.get_text() for text in axes.texts] == ["98.5", "89.5", "80.5", "71.5", "62.5", "out of memory"]
    assert axes.yaxis_inverted()


def test_bars_below_zero_are_whole():
    low, high = painted(EDGES["negative bars"]).get_xlim()
    assert low < -15 < 4.25 < high


def test_absent_are_series_without_any_mark():
    (made,) = tidied(panel("points", row("A", 1, 2.0), row("B", word="timeout"), row("C", y=2.0), row("D", 3)))
    assert panels.absent(made) == {"B": "timeout", "C": "", "D": ""}
    assert panels.absent(tidied(bars())[0]) == {}
