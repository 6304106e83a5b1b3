import pytest

from reports import words
from reports.content import Panel
from reports.drawing import picture, style
from reports.marks import marks
from tests.reports.made_panels import COSTS, SCHEMES, frames, panel, points, row, tidied


def drawn(made: Panel):
    """The axes as they stand on their figure."""
    panels = tidied(made)
    with style():
        return picture(panels, marks(panels[0].data["series"])).axes[0]


def boxes(axes, texts) -> list:
    return [text.get_window_extent() for text in axes.texts if text.get_text() in texts]


def test_a_line_is_of_one_series_and_word():
    (made,) = tidied(frames())
    assert words.rows(made) == [
        words.Row("out of memory", ("Joint Space-Time",), (64.0, 96.0)),
        words.Row("out of memory", ("Axial",), (32.0,)),
    ]


def test_many_series_share_the_line_of_a_word():
    (made,) = tidied(panel("curves", *(row(name, x, word="not run") for name in SCHEMES for x in (8, 16))))
    assert words.rows(made) == [words.Row("not run", SCHEMES, (8.0, 16.0))]


def test_bars_say_their_words_themselves():
    (made,) = tidied(panel("bars", row("A", 1, word="timeout")))
    assert words.rows(made) == []


def test_crossed_marks_stand_above_the_axes_at_their_x():
    axes = drawn(frames())
    crosses = [line for line in axes.lines if line.get_marker() == "x"]
    assert [list(line.get_xdata()) for line in crosses] == [[64, 96], [32]]
    top = axes.get_window_extent().y1
    assert all(line.get_transform().transform((64, 1))[1] > top for line in crosses)


@pytest.mark.parametrize("lost", [(8,), (96,), (8, 96), (8, 16, 32), (8, 16, 32, 64, 96)], ids=str)
def test_a_word_covers_no_mark_and_stays_on_the_panel(lost):
    made = panel("curves", *(row("A", x, word="out of memory") if x in lost else row("A", x, 5.0)
                             for x in (8, 16, 32, 64, 96)))  # fmt: skip
    axes = drawn(made)
    (box,) = boxes(axes, ["out of memory"])
    room = axes.get_window_extent()
    assert room.x0 <= box.x0 < box.x1 <= axes.figure.bbox.x1
    places = [axes.transData.transform((x, 5.0))[0] for x in lost]
    assert not any(box.x0 < place < box.x1 for place in places)


def test_nine_names_stand_beside_their_points_and_cover_nothing():
    axes = drawn(points())
    named = boxes(axes, COSTS)
    assert len(named) == len(COSTS)
    assert not any(one.overlaps(other) for place, one in enumerate(named) for other in named[:place])
    marked = [axes.transData.transform(values) for values in COSTS.values()]
    assert not any(box.contains(*mark) for box in named for mark in marked)
    assert all(box.x0 >= 0 and box.x1 <= axes.figure.bbox.x1 and box.y1 <= axes.figure.bbox.y1 for box in named)


def test_no_name_stands_where_one_finds_no_room():
    close = panel("points", *(row(f"a name as long as this {k}", 8 + k / 100, 50 + k / 10) for k in range(9)),
                  limits=(0, 100))  # fmt: skip
    axes = drawn(close)
    assert boxes(axes, close.data["series"].tolist()) == []
    assert [text.get_text() for text in axes.figure.legends[0].get_texts()] == close.data["series"].tolist()


def test_series_of_several_points_are_told_by_the_legend():
    axes = drawn(panel("points", row("A", 1, 2.0), row("A", 5, 6.0)))
    assert boxes(axes, ["A"]) == []
    assert [text.get_text() for text in axes.figure.legends[0].get_texts()] == ["A"]
