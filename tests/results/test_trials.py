from dataclasses import replace
from typing import Any

import pytest

from results.trials import Objective, Study, Trial

TOP1, MINUTES = Objective("top1", "maximize"), Objective("device_minutes", "minimize")


def trial(number: int, *values: float, **changes: Any) -> Trial:
    """A complete one with these values; without any a pruned one. `changes` replace fields."""
    made = Trial(
        number=number, state="complete" if values else "pruned", why="", parameters={}, values=values,
        by_seed=values[:1], by_epoch={}, epochs=10, device_hours=0.5, jobs=(), began=None, ended=None,
    )  # fmt: skip
    return replace(made, **changes)


def study(*trials: Trial, objectives: tuple[Objective, ...] = (TOP1,)) -> Study:
    return Study(
        name="s", scale="demo", objectives=objectives, seeds=(0,), parameters=(), trials=trials, asked=None,
        charged=0.0, taken_up=0, importances={}, pruner="", sampler="", settings={},
    )  # fmt: skip


def numbers(found: Study) -> list[int]:
    return [each.number for each in found.best()]


def test_better_is_more_or_less_as_sought() -> None:
    assert TOP1.better(2.0, 1.0)
    assert not TOP1.better(1.0, 1.0)
    assert MINUTES.better(1.0, 2.0)
    assert not MINUTES.better(2.0, 1.0)


def test_the_best_are_complete_and_in_order_of_their_values_then_of_their_numbers() -> None:
    trials = (trial(0, 90.0), trial(1), trial(2, 95.0), trial(3, 90.0), trial(4, 80.0))
    assert numbers(study(*trials)) == [2, 0, 3, 4]
    assert numbers(study(*trials, objectives=(MINUTES,))) == [4, 0, 3, 2]
    assert numbers(study(trial(0))) == []


def test_of_two_objectives_the_best_are_those_that_no_other_dominates() -> None:
    trials = (trial(0, 90.0, 5.0), trial(1, 95.0, 9.0), trial(2, 89.0, 6.0), trial(3, 70.0, 1.0), trial(4))
    assert numbers(study(*trials, objectives=(TOP1, MINUTES))) == [1, 0, 3]


@pytest.mark.parametrize(
    ("one", "other", "dominates"),
    [((2, 1), (1, 1), True), ((2, 1), (1, 2), True), ((1, 1), (1, 1), False), ((2, 2), (1, 1), False)],
)
def test_one_dominates_that_is_better_in_something_and_worse_in_nothing(one: Any, other: Any, dominates: bool) -> None:
    found = study(objectives=(TOP1, MINUTES))
    assert found.dominates(trial(0, *one), trial(1, *other)) is dominates


def test_equal_trials_are_all_on_the_front() -> None:
    assert numbers(study(trial(0, 1.0, 1.0), trial(1, 1.0, 1.0), objectives=(TOP1, MINUTES))) == [0, 1]


def test_saved_is_what_the_epochs_left_of_pruned_trials_would_have_taken() -> None:
    early, late = trial(0, by_epoch={1: 30.0, 2: 40.0}), trial(1, by_epoch={5: 50.0})
    assert study(early).saved_device_hours() == pytest.approx(0.5 * 4)
    assert study(early, late).saved_device_hours() == pytest.approx(0.5 * 4 + 0.5)
    ended = trial(2, 90.0, by_epoch={2: 90.0})
    failed = replace(early, state="failed")
    assert study(ended, failed, trial(3)).saved_device_hours() == 0
