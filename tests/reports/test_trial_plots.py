from dataclasses import replace
from math import isnan
from typing import Any

import pytest

from reports import trial_plots
from reports.content import TRIAL_COLUMNS, Figure, Scale
from reports.marks import BEST, FRONT, OWN, SO_FAR
from results.trials import Study
from tests.reports.made_studies import EDGES, MINUTES, PARAMETERS, TOP1, trial
from tests.reports.made_studies import study as made


def drawn(study: Study) -> dict[str, Figure]:
    return {figure.name: figure for figure in trial_plots.figures(study)}


def marks(figure: Figure, panel: int = 0) -> list[tuple[Any, ...]]:
    """Series, x and y, None where there is none."""
    data = figure.panels[panel].data
    assert list(data) == list(TRIAL_COLUMNS)
    rows = data[["series", "x", "y"]].itertuples(index=False, name=None)
    return [tuple(None if isinstance(cell, float) and isnan(cell) else cell for cell in row) for row in rows]


ALL = ["history", "parallel", "courses", "importances", "slices"]


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("nothing begun", []),
        ("only waiting", []),
        ("one running", ["history", "parallel"]),
        ("one complete", ["history", "parallel", "courses", "slices"]),
        ("all pruned", ["history", "parallel", "courses"]),
        ("all failed", ["history", "parallel"]),
        ("no parameters", ["history", "courses"]),
        ("three seeds", ALL),
        ("two objectives", ["history", "front", *ALL[1:]]),
        ("two objectives, none complete", ["history", "parallel", "courses"]),
    ],
)
def test_what_can_be_drawn_is(name: str, figures: list[str]) -> None:
    assert list(drawn(EDGES[name])) == figures


def test_what_is_left_out_is_told() -> None:
    assert [told.partition(" ")[0] for told in trial_plots.absent(EDGES["only waiting"])] == ["Learning", "Importances"]
    assert trial_plots.absent(EDGES["two objectives, none complete"])[0].startswith("The Pareto front is left out")
    assert trial_plots.absent(EDGES["three seeds"]) == trial_plots.absent(EDGES["nothing begun"])[1:] == ()


def test_the_history_has_each_trial_s_value_and_the_best_so_far() -> None:
    trials = (trial(0), trial(1, "pruned"), trial(2, value=95.0), trial(3, value=91.0), trial(4, "waiting"))
    assert marks(drawn(made(*trials))["history"]) == [
        ("complete", 0, 90), (OWN, 0, 90), ("pruned", 1, None), ("complete", 2, 95), (BEST, 2, 95),
        ("complete", 3, 91), (SO_FAR, 0, 90), (SO_FAR, 2, 95), (SO_FAR, 3, 95),
    ]  # fmt: skip


def test_of_two_objectives_each_has_its_history_and_their_front_is_a_line() -> None:
    values = ((90.0, 5.0), (95.0, 9.0), (70.0, 7.0))
    trials = [replace(trial(number), values=each) for number, each in enumerate(values)]
    figures = drawn(made(*trials, objectives=(TOP1, MINUTES)))
    assert [row for row in marks(figures["history"], 1) if row[0] == SO_FAR] == [(SO_FAR, 0, 5), (SO_FAR, 2, 5)]
    front = marks(figures["front"])
    assert [row for row in front if row[0] == FRONT] == [(FRONT, 9, 95), (FRONT, 5, 90)]
    assert (OWN, 5, 90) in front
    panel = figures["front"].panels[0]
    assert (panel.x, panel.y) == ("time × devices, min", "top-1 accuracy, %")


def test_learning_curves_are_by_trial_and_end_where_it_ended() -> None:
    figures = drawn(made(trial(0, "pruned"), trial(1), trial(2, value=95.0)))
    data = figures["courses"].panels[0].data
    assert data.groupby("series", sort=False)["x"].max().to_dict() == {OWN: 4, "complete": 15, BEST: 15}


def test_importances_are_in_percent_the_largest_first_and_what_has_none_is_told() -> None:
    names = [each.name for each in PARAMETERS]
    figure = drawn(made(trial(0), importances={names[0]: 0.2, names[1]: 0.8}))["importances"]
    assert figure.panels[0].data[["series", "y"]].to_numpy().tolist() == [[names[1], 80], [names[0], 20]]
    assert figure.caption.endswith(f"did not vary: {', '.join(names[2:])}.")
    assert "of 1 complete trials." in figure.caption


def test_a_scale_is_what_is_searched_and_beyond_it_what_the_own_recipe_has() -> None:
    trials = EDGES["own beyond the ranges"].trials
    rate, optimizer, _, dropout, _ = PARAMETERS
    assert trial_plots.scale(rate, trials) == Scale(rate.name, 1e-5, 0.1, log=True)  # 0 has no logarithm
    assert trial_plots.scale(dropout, trials).high == 0.9
    assert trial_plots.scale(optimizer, trials).names == (*(optimizer.choices or ()), "a foreign one")


def test_parallel_axes_have_shares_words_and_gaps() -> None:
    parameters = {PARAMETERS[0].name: 1e-3, PARAMETERS[1].name: "adamw"}
    panel = drawn(made(trial(0, parameters=parameters), trial(1, "pruned")))["parallel"].panels[0]
    first = panel.data[panel.data["trial"] == 0]
    assert first["word"].tolist() == ["0.001", "adamw", "not used", "not used", "not used", "90"]
    assert first["x"].notna().tolist() == [True, True, False, False, False, True]
    assert first["x"].iloc[0] == pytest.approx(0.5)
    assert first["x"].iloc[1] == pytest.approx(0.5, abs=0.5 / 3)
    assert panel.data["word"].iloc[-1] == "pruned"
    assert panel.data["y"].tolist() == [0, 1, 2, 3, 4, 5] * 2
    assert [scale.name for scale in panel.scales] == [*(each.name for each in PARAMETERS), "top-1 accuracy, %"]


def test_of_two_objectives_the_first_is_the_last_axis() -> None:
    panel = drawn(EDGES["two objectives"])["parallel"].panels[0]
    assert [(scale.name, scale.better) for scale in panel.scales[-2:]] == [
        ("time × devices, min", "lower"), ("top-1 accuracy, %", "higher")
    ]  # fmt: skip
    done = EDGES["two objectives"].trials[0]
    words = panel.data.loc[panel.data["trial"] == 0, "word"].tolist()
    assert words[-2:] == [trial_plots.plain(done.values[1]), trial_plots.plain(done.values[0])]


def test_slices_have_a_panel_a_setting_with_logarithms_and_names() -> None:
    panels = drawn(EDGES["three seeds"])["slices"].panels
    assert [(panel.title, panel.log_x, len(panel.names)) for panel in panels] == [
        (each.name, each.log, len(each.choices or ())) for each in PARAMETERS
    ]
    momentum = panels[2].data
    assert set(momentum["trial"]) < set(panels[0].data["trial"])


def test_slices_share_their_values_axis_and_its_strip() -> None:
    def shared(study: Study) -> set[tuple[Any, bool]]:
        return {(panel.limits, panel.strip) for panel in drawn(study)["slices"].panels}

    assert shared(made(trial(0), trial(1, value=70.0), trial(2, "pruned"))) == {((70, 90), True)}
    assert shared(made(trial(0), trial(1, value=70.0))) == {((70, 90), False)}


def test_trials_of_a_choice_are_spread_around_it_and_alike_each_time() -> None:
    xs = drawn(EDGES["three seeds"])["slices"].panels[1].data["x"]
    assert xs.nunique() > 20
    assert ((xs - xs.round()).abs() <= 0.25).all()
    assert xs.tolist() == drawn(EDGES["three seeds"])["slices"].panels[1].data["x"].tolist()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.000316228, "0.0003162"), (16.0, "16"), (0, "0"), ("sgd", "sgd"), (True, "True"), (1e-12, "1e-12"),
     ([6, 8], "[6, 8]"), (float("nan"), "nan")],
)  # fmt: skip
def test_a_setting_is_written_plainly(value: Any, text: str) -> None:
    assert trial_plots.plain(value) == text
