"""A study in its storage as plain values."""

import pytest
from optuna.trial import TrialState

from harness.search import storage
from harness.search.study import ChangedError, Shared
from results.trials import Objective
from tests.harness.search.studies import SPACE, session


def shared(here):
    return Shared(here.search, here.about(), storage.opened(here.url, here.root, here.name), here.name)


def test_there_is_none_before_it_begins(tmp_path):
    here = session(tmp_path)
    assert here.study() is None
    assert not here.folder.exists()  # who only looks makes nothing


def test_it_tells_the_space_the_objective_and_what_was_asked_for(tmp_path):
    here = session(tmp_path)
    shared(here)
    study = here.study()
    assert (study.asked, study.seeds, study.objectives) == (6, (0,), (Objective("top1", "maximize"),))
    named = {each.name: each for each in study.parameters}
    rate = named["recipe.learning_rate (recipe.optimizer adamw)"]
    assert (rate.key, rate.choices, rate.low, rate.high, rate.log) == ("recipe.learning_rate", None, 1e-4, 1e-2, True)
    assert named["recipe"].choices == ("schedule steps, milestones [2, 3]", "schedule cosine, milestones []")
    assert study.settings["recipe.milestones"] == [2, 3]


def test_trials_are_told_as_they_are(tmp_path):
    here = session(tmp_path)
    mine = shared(here)
    (waiting,) = here.study().trials
    assert (waiting.state, waiting.own, waiting.parameters) == ("waiting", True, mine.search.own)

    first = mine.ask()
    mine.note(first.trial, jobs=["a"], epochs=4, device_hours=0.5, by_seed=[40.0])
    mine.report(first.trial, 1, 25.0)
    assert here.study().trials[0].state == "running"
    mine.tell(first.trial, TrialState.COMPLETE, [40.0])
    second = mine.ask()
    mine.note(second.trial, epochs=5)
    mine.report(second.trial, 1, 30.0)
    mine.tell(second.trial, TrialState.PRUNED)
    third = mine.ask()
    mine.tell(third.trial, TrialState.FAIL, why="oom: 3 GB were asked for")

    one, two, three = here.study().trials
    assert (one.state, one.values, one.by_seed, one.by_epoch) == ("complete", (40.0,), (40.0,), {1: 25.0})
    assert (one.jobs, one.epochs, one.device_hours, one.own) == (("a",), 4, 0.5, True)
    assert (two.state, two.values, two.by_epoch, two.own) == ("pruned", (), {1: 30.0}, False)
    assert (three.state, three.why) == ("failed", "oom: 3 GB were asked for")
    assert here.study().best() == (one,)


def test_what_was_given_back_is_told_once_as_taken_up(tmp_path):
    here = session(tmp_path)
    mine = shared(here)
    mine.give_back(mine.ask().trial)
    study = here.study()
    assert study.taken_up == 1
    assert [(trial.number, trial.state, trial.own) for trial in study.trials] == [(1, "waiting", True)]


def test_importances_are_of_what_every_complete_trial_has(tmp_path):
    here = session(tmp_path, SPACE.replace("trials: 6", "trials: 12"))
    mine = shared(here)
    while turn := mine.ask():
        value = 80.0 if turn.point["recipe.optimizer"].value == "adamw" else 20.0 + turn.trial.number
        mine.tell(turn.trial, TrialState.COMPLETE, [value])
    importances = here.study().importances
    assert max(importances, key=importances.get) == "recipe.optimizer"
    assert sum(importances.values()) == pytest.approx(1)
    assert not [name for name in importances if "recipe.momentum" in name or "adamw" in name]


def test_a_study_of_another_space_is_not_read(tmp_path):
    shared(session(tmp_path))
    changed = session(tmp_path, SPACE.replace("[0.8, 0.99]", "[0.5, 0.99]"))
    with pytest.raises(ChangedError, match=r"recipe.momentum.*was \[0.8, 0.99\] and is \[0.5, 0.99\].*--study NAME"):
        changed.study()


def test_what_was_spent_is_of_all_attempts(tmp_path):
    here = session(tmp_path)
    mine = shared(here)
    killed = mine.ask()
    mine.note(killed.trial, charged=0.5)  # its first seed ended, and who goes on takes that record for nothing
    mine.give_back(killed.trial)
    mine.note(mine.ask().trial, charged=0.25)
    assert here.study().charged == 0.75
