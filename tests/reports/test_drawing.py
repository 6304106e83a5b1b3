import matplotlib as mpl
import pytest
from matplotlib.text import Text

from reports import drawing, trial_plots
from reports.marks import TRIALS, marks
from tests.reports import made_studies
from tests.reports.made_panels import EDGES, FOREIGN, SCHEMES, bars, frames, many, panel, points, row, tidied


def pictured(*made):
    panels = tidied(*made)
    with drawing.style():
        return drawing.picture(panels, marks(name for each in panels for name in each.data["series"]))


def legend(figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


@pytest.mark.parametrize("name", EDGES)
def test_no_text_is_cut_off(name):
    figure = pictured(EDGES[name])
    with drawing.style():
        figure.draw_without_rendering()
    paper = figure.bbox.padded(1)
    ticks = {tick for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for tick in axis.get_major_ticks()
             if not axis.get_view_interval().min() <= tick.get_loc() <= axis.get_view_interval().max()}  # fmt: skip
    hidden = {text for tick in ticks for text in tick.findobj(Text)}
    for text in set(figure.findobj(Text)) - hidden:
        if text.get_text() and text.get_visible():
            box = text.get_window_extent()
            assert paper.x0 <= box.x0 < box.x1 <= paper.x1, text
            assert paper.y0 <= box.y0 < box.y1 <= paper.y1, text


@pytest.mark.parametrize("made", [frames(), many("curves"), bars(), EDGES["no costs"]], ids=lambda made: made.kind)
def test_legend_notes_and_labels_stand_below_each_other(made):
    figure = pictured(made)
    (axes,) = figure.axes
    bottom = figure.legends[0].get_window_extent().y1 if figure.legends else 0
    assert axes.xaxis.get_tightbbox().y0 >= bottom
    notes = [text.get_window_extent() for text in axes.texts if text.get_text().startswith("Not shown")]
    assert all(bottom <= box.y0 and box.y1 <= axes.xaxis.get_tightbbox().y0 + 1 for box in notes)


def test_panels_stand_side_by_side_under_one_legend():
    figure = pictured(frames(), frames(title="Appearance (demo)"))
    left, right = (axes.get_position() for axes in figure.axes)
    assert left.x1 < right.x0
    assert (left.y0, left.y1) == (right.y0, right.y1)
    assert legend(figure) == [*SCHEMES, "paper", "chance"]
    assert figure.get_figwidth() == pytest.approx(9)


def test_a_series_looks_the_same_in_every_panel():
    figure = pictured(panel("curves", row("A", 1, 2.0), row("B", 1, 3.0)), panel("curves", row("B", 1, 3.0)))
    left, right = ([(line.get_color(), line.get_marker()) for line in axes.lines] for axes in figure.axes)
    assert right == left[1:]


def test_what_has_no_mark_is_told_below():
    figure = pictured(panel("points", row("A", 1, 2.0), row("B", word="out of memory"), row("C")))
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert "Not shown: B (out of memory), C" in texts
    assert legend(figure) == []


def test_signs_of_mathtext_are_shown_as_they_are():
    figure = pictured(many("curves"))
    assert f"{FOREIGN}0" in legend(figure)
    with drawing.style():
        svg = drawing.saved(figure, "many.svg").decode()
    assert "$x_1$ &amp; &lt;b&gt;90%" in svg


def test_an_axes_is_as_large_alone_as_beside_others():
    alone, beside = pictured(points()), pictured(points(), bars())
    sizes = [(box.width, box.height) for box in (figure.axes[0].get_window_extent() for figure in (alone, beside))]
    assert sizes[0][1] == pytest.approx(sizes[1][1])


@pytest.mark.parametrize("suffix", ["svg", "pdf", "png"])
def test_the_same_panels_give_the_same_bytes(suffix):
    def data() -> bytes:
        figure = pictured(frames(), points())
        with drawing.style():
            return drawing.saved(figure, f"frames.{suffix}")

    assert data() == data()


def test_drawing_leaves_matplotlib_as_it_was_and_ignores_how_it_was():
    with mpl.rc_context({"font.size": 30, "axes.grid": True}):
        before = dict(mpl.rcParams)
        svg = drawing.saved(pictured(bars()), "bars.svg")
        assert dict(mpl.rcParams) == before
    assert drawing.saved(pictured(bars()), "bars.svg") == svg


def test_many_panels_of_a_search_stand_in_rows():
    (slices,) = [each for each in trial_plots.figures(made_studies.EDGES["three seeds"]) if each.name == "slices"]
    panels = tidied(*slices.panels)
    with drawing.style():
        boxes = [axes.get_position() for axes in drawing.picture(panels, TRIALS).axes]
        alone = drawing.picture(panels[:1], TRIALS, ())
    assert [round(box.x0, 6) for box in boxes[3:]] == [round(box.x0, 6) for box in boxes[:2]]
    assert len({round(box.y1, 6) for box in boxes[:3]}) == 1
    assert max(box.y1 for box in boxes[3:]) < min(box.y0 for box in boxes[:3])
    assert legend(alone) == []
