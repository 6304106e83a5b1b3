from collections.abc import Iterator

import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.text import Text

from reports import drawing, trial_panels, trial_plots
from reports.content import Figure, Panel, Scale
from reports.marks import BEST, OWN, SHADES, SO_FAR, TRIALS
from reports.panels import tidy
from results.trials import Study
from tests.reports.made_studies import EDGES, MINUTES, PARAMETERS, trial
from tests.reports.made_studies import study as made


def figures(study: Study) -> dict[str, Figure]:
    return {figure.name: figure for figure in trial_plots.figures(study) if figure.name != "importances"}


def painted(panel: Panel) -> Axes:
    from matplotlib.figure import Figure as Drawn

    with drawing.style():
        axes = Drawn().add_axes((0.1, 0.1, 0.8, 0.8))
        trial_panels.paint(axes, tidy(panel), TRIALS)
        axes.figure.draw_without_rendering()
    return axes


def every() -> Iterator[tuple[str, str]]:
    names = ("one running", "one complete", "all failed", "own beyond the ranges", "two objectives", "minutes only")
    yield from ((name, each) for name in names for each in figures(EDGES[name]))


@pytest.mark.parametrize(("name", "figure"), list(every()))
def test_no_text_is_cut_off(name: str, figure: str) -> None:
    panels = [tidy(panel) for panel in figures(EDGES[name])[figure].panels]
    with drawing.style():
        drawn = drawing.picture(panels, TRIALS)
        drawn.draw_without_rendering()
    paper = drawn.bbox.padded(1)
    for axes in drawn.axes:
        ticks = {tick for axis in (axes.xaxis, axes.yaxis) for tick in axis.get_major_ticks()
                 if not axis.get_view_interval().min() <= tick.get_loc() <= axis.get_view_interval().max()}  # fmt: skip
        hidden = {text for tick in ticks for text in tick.findobj(Text)}
        for text in set(axes.findobj(Text)) - hidden:
            if text.get_text() and text.get_visible():
                box = text.get_window_extent()
                assert paper.x0 <= box.x0 < box.x1 <= paper.x1, text
                assert paper.y0 <= box.y0 < box.y1 <= paper.y1, text


SOME = (trial(0), trial(1, "pruned"), trial(2, value=95.0), trial(3, "failed"))


def test_trials_without_a_value_stand_in_a_strip_below_all_others() -> None:
    axes = painted(figures(made(*SOME))["history"].panels[0])
    shapes = {line.get_marker(): line.get_ydata() for line in axes.lines if line.get_linestyle() == "None"}
    lowest = axes.get_ylim()[0]
    assert lowest < shapes["v"][0] == shapes["X"][0] < min(shapes["o"])
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[-1] == trial_panels.NO_VALUE
    whole = painted(figures(made(SOME[0], SOME[2]))["history"].panels[0])
    assert trial_panels.NO_VALUE not in [label.get_text() for label in whole.get_yticklabels()]


def test_slices_can_be_compared_by_height() -> None:
    some = {PARAMETERS[0].name: 0.001}
    study = made(trial(0), trial(1, "pruned", parameters=some), trial(2, value=50.0, parameters=some))
    axes = [painted(panel) for panel in figures(study)["slices"].panels]
    assert len({each.get_ylim() for each in axes}) == 1
    assert all(each.get_yticklabels()[-1].get_text() == trial_panels.NO_VALUE for each in axes)
    assert axes[0].get_ylim()[0] < 50


def test_states_differ_in_shape_and_colour_and_the_best_and_the_own_stand_out() -> None:
    shapes = [mark.shape for mark in TRIALS.values() if mark.shape]
    assert len(set(shapes)) == len(shapes)
    colours = [
        mark.colour for name, mark in TRIALS.items() if name in ("complete", "pruned", "failed", "running", BEST)
    ]
    assert len(set(colours)) == len(colours)
    axes = painted(figures(made(*SOME))["history"].panels[0])
    sizes = {line.get_marker(): line.get_markersize() for line in axes.lines if line.get_linestyle() == "None"}
    assert min(sizes["*"], sizes["s"]) > sizes["o"]


def test_the_best_so_far_is_a_line_of_steps() -> None:
    axes = painted(figures(made(*SOME))["history"].panels[0])
    (line,) = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
    assert line.get_xydata().tolist() == [[0, 90], [2, 95], [3, 95]]
    handles = trial_panels.entries([tidy(figures(made(*SOME))["history"].panels[0])], TRIALS)
    assert [name for _, name in handles] == ["complete", "pruned", "failed", SO_FAR, OWN, BEST]


def test_where_no_trial_has_a_value_that_is_said() -> None:
    axes = painted(figures(EDGES["all failed"])["history"].panels[0])
    assert "no value yet" in [text.get_text() for text in axes.texts]


def test_courses_are_a_line_each_the_best_one_thick() -> None:
    axes = painted(figures(made(*SOME))["courses"].panels[0])
    lines = {to_hex(each.get_color()[0]): (len(each.get_segments()), each.get_linewidth()[0])
             for each in axes.collections if isinstance(each, LineCollection)}  # fmt: skip
    assert {colour: count for colour, (count, _) in lines.items()} == {
        TRIALS[name].colour: 1 for name in ("pruned", "failed", OWN, BEST)
    }
    assert max(lines, key=lambda colour: lines[colour][1]) == TRIALS[BEST].colour


def parallel(study: Study) -> tuple[Axes, list[LineCollection]]:
    axes = painted(figures(study)["parallel"].panels[0])
    return axes, [each for each in axes.collections if isinstance(each, LineCollection)]


def test_parallel_axes_run_down_to_the_value_with_the_best_named() -> None:
    axes, lines = parallel(made(*SOME))
    assert len(lines) == 4
    assert all(len(line.get_segments()[0]) == 6 for line in lines)
    texts = [text.get_text() for text in axes.texts]
    assert "best: trial 2" in texts
    assert trial_panels.NO_VALUE in texts
    assert trial_panels.NOT_USED not in texts
    assert max(line.get_linewidth()[0] for line in lines) == lines[-1].get_linewidth()[0]
    assert to_hex(lines[-1].get_color()[0]) == TRIALS[BEST].colour


def test_a_setting_that_is_not_used_passes_left_of_its_axis() -> None:
    unused = trial(1, parameters={"recipe.learning_rate": 0.001})
    axes, lines = parallel(made(trial(0), unused))
    assert min(point[0] for line in lines for point in line.get_segments()[0]) < 0
    assert trial_panels.NOT_USED in [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("sign", [1, -1])
def test_the_better_a_value_the_farther_its_shade_is_along(sign: int) -> None:
    values = [50.0 + 3 * number for number in range(12)][::sign]
    trials = [trial(number, value=value, own=False) for number, value in enumerate(values)]
    _, lines = parallel(made(*trials) if sign > 0 else made(*trials, objectives=(MINUTES,)))
    shades = [SHADES.index(to_hex(line.get_color()[0])) for line in lines[:-1]]
    assert shades == sorted(shades)
    assert {shades[0], shades[-1]} == {0, len(SHADES) - 1}


def test_of_equal_values_none_looks_worse() -> None:
    _, lines = parallel(EDGES["equal values"])
    assert {to_hex(line.get_color()[0]) for line in lines[:-1]} == {SHADES[-1]}


def test_ticks_have_the_ends_and_do_not_meet() -> None:
    assert trial_panels.ticks(Scale("a", 0.0, 0.5)) == [
        (0.0, "0"), (0.4, "0.2"), (0.8, "0.4"), (1.0, "0.5")
    ]  # fmt: skip
    assert [text for _, text in trial_panels.ticks(Scale("a", 1e-5, 0.1, log=True))] == [
        "10⁻⁵", "10⁻⁴", "0.001", "0.01", "0.1"
    ]  # fmt: skip
    assert trial_panels.ticks(Scale("a", 3.0, 3.0)) == [(0.5, "3")]
    assert trial_panels.ticks(Scale("a", names=("x", "y"))) == [(0.25, "x"), (0.75, "y")]


def test_long_names_are_cut_and_of_very_many_only_some_are_written() -> None:
    (short, long) = trial_panels.name_lines(["sgd", "word " * 60])
    assert short == "sgd"
    assert long.count("\n") == 2
    assert long.endswith("…")
    many = trial_panels.name_lines([f"choice {place}" for place in range(40)])
    assert 3 < sum(map(bool, many)) < 14
    assert trial_panels.name_lines([]) == []
