from dataclasses import replace
from typing import Any

import pytest

from reports import study
from reports.content import StudyReport
from reports.metrics import best_rows
from results.trials import Study, Trial
from tests.reports.made_studies import CONFIRM, EDGES, MINUTES, PARAMETERS, SUITE, TOP1, searched, trial
from tests.reports.made_studies import study as made


def report(found: Study) -> StudyReport:
    return study.report(SUITE, found, CONFIRM)


def answers(*trials: Trial, **changes: Any) -> list[str]:
    return list(report(made(*trials, **changes)).answers)


FINER = {**trial(1).parameters, PARAMETERS[0].name: 0.0012}


@pytest.mark.parametrize("name", EDGES)
def test_every_edge_has_its_report(name: str) -> None:
    found = report(EDGES[name])
    assert found.answers
    assert len(found.trials.frame) == len(found.entries) == len(EDGES[name].trials)
    assert {column.key for column in found.best.columns} <= set(found.best.frame)
    assert bool(found.confirm) == bool(found.caution) == bool(EDGES[name].best())


def test_the_best_is_told_with_its_value_and_what_differs_from_the_own_recipe() -> None:
    told = answers(trial(0), trial(3, value=93.25, parameters=FINER))
    assert told == [
        "Best: trial 3, 93.2 % top-1 accuracy, with recipe.learning_rate 0.0012 instead of 0.01.",
        "That is 3.2 points better than trial 0, the suite's own recipe: 90.0 % top-1 accuracy.",
    ]


def test_while_trials_run_it_is_the_best_so_far() -> None:
    assert answers(trial(0), trial(1, "running"))[0].startswith("Best so far: trial 0, the suite's own recipe, 90.0 %")


def test_the_spread_over_seeds_stands_beside_the_value() -> None:
    three = replace(trial(0), by_seed=(89.0, 90.0, 91.0))
    assert "90.0 % top-1 accuracy (±1.0 over 3 seeds)" in answers(three, seeds=(0, 1, 2))[0]


@pytest.mark.parametrize(
    ("others", "sentence"),
    [
        ((), "No other trial is complete."),
        ((89.0,), "The one other complete trial is no better."),
        ((89.0, 88.0), "None of the 2 other complete trials is better."),
    ],
)
def test_where_the_own_recipe_is_the_best_that_is_said(others: tuple[float, ...], sentence: str) -> None:
    trials = [trial(0), *(trial(number, value=value) for number, value in enumerate(others, 1))]
    assert answers(*trials) == ["Best: trial 0, the suite's own recipe, 90.0 % top-1 accuracy.", sentence]


def test_an_equal_value_is_no_better() -> None:
    own = replace(trial(4), own=True)
    assert answers(trial(1), own)[1].startswith("That is as good as trial 4, the suite's own recipe: 90.0 %")


@pytest.mark.parametrize(
    ("own", "left"),
    [
        (trial(0, "pruned", 60.0), "it was pruned after epoch 4 of 15, with a validation accuracy of 48.6 %."),
        (trial(0, "failed", by_epoch={}), "it failed before the end of its first epoch (out of memory)."),
        (trial(0, "running", by_epoch={}), "it is running, in its first epoch."),
        (trial(0, "running", 60.0), "it is running, after epoch 6 of 15, with a validation accuracy of 54.2 %."),
        (trial(0, "waiting"), "it waits for its turn."),
    ],
    ids=lambda each: each.state if isinstance(each, Trial) else "",
)
def test_an_own_recipe_without_a_value_is_told_plainly(own: Trial, left: str) -> None:
    said = "Trial 0, the suite's own recipe, has no value"
    assert answers(own, trial(1))[1] == f"{said} to compare with: {left}"
    assert answers(own)[-1] == f"{said}: {left}"


def test_an_own_recipe_that_was_taken_up_has_another_number() -> None:
    own = replace(trial(7, parameters=dict(trial(0).parameters)), own=True)
    told = answers(own, trial(8, value=95.0, parameters=FINER))
    assert "better than trial 7, the suite's own recipe" in told[1]
    assert answers(trial(1))[1] == "The suite's own recipe is not among the trials: there is nothing to compare with."


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nothing begun", "No trial has begun yet."),
        ("one running", "No trial is complete yet."),
        ("all pruned", "There is no best trial: all 4 trials were pruned."),
        ("all failed", "There is no best trial: all 4 trials failed."),
    ],
)
def test_without_a_best_trial_it_is_said_why(name: str, sentence: str) -> None:
    found = report(EDGES[name])
    assert found.answers[0] == sentence
    assert (found.caution, found.confirm) == ("", "")


def test_less_is_better_where_that_is_sought() -> None:
    told = answers(trial(0, value=9.0), trial(1, value=7.5), objectives=(MINUTES,))
    assert told[0].startswith("Best: trial 1, 7.50 min time × devices")
    assert told[1].startswith("That is 1.50 min better than trial 0")


def both(number: int, top1: float, minutes: float) -> Trial:
    return replace(trial(number, value=top1), values=(top1, minutes))


def test_of_two_objectives_the_front_is_told_and_where_the_own_recipe_stands() -> None:
    two: dict[str, Any] = {"objectives": (TOP1, MINUTES)}
    told = answers(both(0, 90, 5), both(1, 95, 9), both(2, 92, 4), **two)
    assert told == [
        "2 trials are on the Pareto front of top-1 accuracy and time × devices, from trial 1 with 95.0 % top-1 "
        "accuracy and 9.00 min time × devices to trial 2 with 92.0 % top-1 accuracy and 4.00 min time × devices.",
        "Trial 0, the suite's own recipe, is behind trial 2: 90.0 % top-1 accuracy and 5.00 min time × devices.",
    ]
    assert "is on the front" in answers(both(0, 99, 5), both(1, 95, 4), **two)[1]
    assert answers(both(0, 99, 1), **two)[0].startswith("Trial 0 alone is on the Pareto front")


def test_progress_counts_states_and_tells_what_pruning_saved_as_an_estimate() -> None:
    trials = [trial(0), trial(1), *(trial(number, "pruned") for number in (2, 3, 4)), trial(5, "waiting")]
    counts, hours = report(made(*trials, taken_up=1)).progress
    assert (
        counts == "6 trials of 40 asked for: 2 complete, 3 pruned, 0 failed, 1 waiting. 1 killed attempt was taken up."
    )
    assert hours.startswith(
        "10.1 device-minutes were spent. Pruning saved about 7.9 device-minutes: an estimate, as if"
    )
    counts, hours = report(made(*trials[:2], asked=None)).progress
    assert counts == "2 trials: 2 complete, 0 pruned, 0 failed."
    assert "Pruning" not in hours


def test_hours_are_told_where_there_are_some() -> None:
    assert report(made(trial(0), charged=12.34)).progress[1] == "12.3 device-hours were spent."


def test_a_sentence_tells_only_so_many_settings() -> None:
    many = tuple(replace(PARAMETERS[3], name=f"p{place}", key=f"p{place}") for place in range(9))
    best = trial(1, value=95.0, parameters={each.name: 0.25 for each in many})
    told = answers(trial(0, parameters={each.name: 0.0 for each in many}), best, parameters=many)[0]
    assert told.endswith("p5 0.25 instead of 0, and 3 more settings.")


def names(found: StudyReport) -> list[str]:
    return found.best.frame["scheme"].tolist()


def test_the_table_has_the_best_ten_and_always_the_own_recipe() -> None:
    trials = [trial(0, value=50.0), *(trial(number, value=60.0 + number) for number in range(1, 15))]
    found = report(made(*trials))
    assert names(found) == [*(f"Trial {number}" for number in range(14, 4, -1)), "Trial 0 (suite's recipe)"]
    assert found.best.frame["rank"].tolist() == [*range(1, 11), 15]
    pruned = report(made(trial(0, "pruned"), trial(1)))
    assert names(pruned) == ["Trial 1", "Trial 0 (suite's recipe)"]
    assert pruned.best.frame["top1"].notna().tolist() == [True, False]
    assert [entry.is_own for entry in pruned.entries] == [True, False]


def test_a_row_has_values_spreads_settings_cost_and_state() -> None:
    found = report(EDGES["three seeds"]).best
    first = found.frame.iloc[0]
    assert first["scheme"] == "Trial 21"
    assert (first["top1.seeds"], first["top1.owed"]) == (3, 3)
    assert first["top1.std"] == pytest.approx(1.27, abs=0.1)
    assert first[f"set.{PARAMETERS[2].name}.told"] == "not used"
    assert first[f"set.{PARAMETERS[0].name}.told"] == study.plain(first[f"set.{PARAMETERS[0].name}"])
    assert first["state"] == "complete"
    titles = ["Rank", "Top-1 accuracy, %", *(each.name for each in PARAMETERS), "Device-minutes", "State"]
    assert [column.title for column in found.columns] == titles
    assert [bool(best_rows(found.frame, column)) for column in found.columns] == [False, True, *([False] * 7)]


def test_jobs_are_called_by_their_trials_and_seeds() -> None:
    labels = report(searched(count=6)).labels
    assert len(labels) == 18
    assert labels["000000000001"] == "Trial 0 (suite's recipe) · seed 1"
    shared = [trial(0), replace(trial(1), jobs=trial(0).jobs)]
    assert report(made(*shared)).labels == {trial(0).jobs[0]: "Trial 0 (suite's recipe)"}


def test_how_was_searched_tells_the_space_and_the_own_values() -> None:
    facts = dict(report(EDGES["three seeds"]).facts)
    assert facts["recipe.learning_rate"] == "0.00001 to 0.1, by logarithm; the suite's own: 0.01"
    assert facts["clip.frames"] == "4, 8, 16; the suite's own: 8"
    assert facts["seeds of each trial"] == "0, 1, 2"
    assert facts["sought"] == "top-1 accuracy, %: as high as can be"
