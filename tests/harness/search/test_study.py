"""A study as its workers share it: whose turn it is, who died, what is counted."""

import json
import time
from contextlib import suppress

import optuna
import pytest
from optuna.trial import TrialState

from harness.search import identity, study
from harness.search.study import ATTEMPTS, ChangedError, Lost
from tests.harness.search.stubs import assert_ended, begun, joined, suite

ELSEWHERE = {"host": "elsewhere", "machine": "another", "pid": 1, "born": 1}


@pytest.fixture
def here(tmp_path):
    return begun(suite(tmp_path), tmp_path / "runs")


@pytest.fixture
def shared(here):
    return joined(here)


def as_another(shared, trial, alive=None):
    """Let a trial be another machine's."""
    shared.note(trial, worker=ELSEWHERE, alive=time.time() if alive is None else alive)


def finish(shared, turn, value=50.0):
    shared.tell(turn.trial, TrialState.COMPLETE, [value])


def run_out(shared):
    """Complete all that is left."""
    while turn := shared.ask():
        finish(shared, turn)


def test_a_study_ends_with_the_trials_that_were_asked_for(shared):
    run_out(shared)
    found = assert_ended(shared, 6)
    assert found[0].user_attrs["slot"] == "first 0"
    assert found[0].params == {
        "recipe.optimizer": "adamw", "recipe.learning_rate (recipe.optimizer adamw)": 0.001,
        "recipe.label_smoothing": 0.0,
    }  # fmt: skip
    assert shared.ask() is None


def test_two_workers_that_begin_a_study_at_once_ask_for_its_own_recipe_once(here):
    one, other = joined(here), joined(here)
    for parameters in (one.search.own, one.search.own):  # as where neither saw the other's
        other.study.enqueue_trial(parameters, user_attrs={"slot": "first 0", "own": True})
    first, second = one.ask(), other.ask()
    assert first.trial.number == 0
    assert not first.prunable
    assert second.prunable
    finish(one, first)
    finish(other, second)
    run_out(one)
    assert_ended(one, 6)


def test_a_place_that_two_take_at_once_is_the_first_ones(here):
    one, other = joined(here), joined(here)
    for _ in range(5):
        finish(one, one.ask())
    late, early = other.study, one.ask()
    trial = late.ask()  # it asked before it saw the other's
    assert other._turn(trial) is None
    assert one.trials()[trial.number].user_attrs["surplus"]
    finish(one, early)
    assert_ended(one, 6)


def test_the_trial_of_a_dead_worker_goes_on_with_its_values_and_is_counted_once(shared):
    turn = shared.ask()
    shared.report(turn.trial, 1, 30.0)
    as_another(shared, turn.trial, alive=time.time() - 301)
    again = shared.ask()
    assert again.trial.params == turn.trial.params
    assert again.trial.user_attrs["slot"] == "again 0"
    assert again.trial.user_attrs["own"]
    assert not again.prunable
    assert again.trial.user_attrs["reached"] == [0, 1]
    finish(shared, again)
    run_out(shared)
    found = assert_ended(shared, 6)
    assert len(shared.trials()) == 7
    assert 0 not in [trial.number for trial in found]


def test_a_worker_that_is_heard_is_waited_for(shared):
    turn = shared.ask()
    as_another(shared, turn.trial, alive=time.time() - 250)
    assert shared.ask().trial.user_attrs.get("slot") != "again 0"


def test_a_process_that_is_gone_is_dead_at_once_and_one_that_runs_after_long_silence(shared):
    turn = shared.ask()
    shared.note(turn.trial, worker={**shared.myself, "pid": 1, "born": identity.born(1)}, alive=time.time())
    shared.take_up()
    assert not study.handed_over(shared.trials())
    shared.note(turn.trial, alive=time.time() - 301)
    shared.patience.back = time.time()  # nobody could say so, as the storage did not answer
    shared.take_up()
    assert not study.handed_over(shared.trials())
    shared.patience.back = 0.0
    shared.take_up()
    assert study.handed_over(shared.trials()) == {0}
    again = shared.ask()
    shared.note(again.trial, worker={**shared.myself, "born": 0}, alive=time.time())
    shared.take_up()
    assert study.handed_over(shared.trials()) == {0, again.trial.number}


def test_a_trial_whose_worker_died_before_it_said_so_is_taken_up_and_waited_for(shared, monkeypatch):
    for _ in range(5):
        finish(shared, shared.ask())
    shared.study.ask()  # and dies
    monkeypatch.setattr(study, "CLAIM_S", 0.5)
    turn = shared.ask()
    assert turn.trial.user_attrs["slot"] == "again 5"
    finish(shared, turn)
    assert_ended(shared, 6)


def test_the_suites_own_recipe_goes_on_although_its_worker_died_before_it_had_taken_it(shared, monkeypatch):
    monkeypatch.setattr(study, "CLAIM_S", 0.0)
    shared.study.ask()
    run_out(shared)
    assert_ended(shared, 6)


def test_a_trial_keeps_its_place_while_another_asks(here):
    one, other = joined(here), joined(here)
    turn = one.ask()
    for _ in range(5):
        finish(other, other.ask())
    late = other.study.ask()  # asked for when all places were taken, and slow to notice
    one.give_back(turn.trial)
    assert other._turn(late) is None
    again = one.ask()
    assert again.trial.user_attrs["own"]
    finish(one, again)
    assert_ended(one, 6)


def test_who_is_taken_for_dead_notices_whatever_it_tells(here):
    one, other = joined(here), joined(here)
    turn = one.ask()
    as_another(one, turn.trial, alive=0.0)
    again = other.ask()
    for tell in (
        lambda: one.live(turn.trial),
        lambda: one.report(turn.trial, 1, 50.0),
        lambda: finish(one, turn),
        lambda: one.tell(turn.trial, TrialState.PRUNED),
    ):
        with pytest.raises(Lost, match="trial 0 goes on elsewhere"):
            tell()
    one.give_back(turn.trial)
    assert len(study.handed_over(one.trials())) == 1
    finish(other, again)


def test_a_result_that_comes_while_another_takes_over_is_not_told(here):
    one, other = joined(here), joined(here)
    turn = one.ask()
    other.study.enqueue_trial(turn.trial.params, user_attrs={"slot": "again 0", "own": True})  # and died before more
    with pytest.raises(Lost):
        finish(one, turn)
    run_out(one)
    found = assert_ended(one, 6)
    assert found[0].number == 1


def test_an_answer_that_got_lost_is_no_loss_of_the_trial(shared, monkeypatch):
    turn = shared.ask()
    set_state, failures = shared.storage.set_trial_state_values, [1]

    def written_and_unheard(*arguments, **named):
        set_state(*arguments, **named)
        if failures:
            failures.pop()
            raise OSError("connection reset")

    shared.storage.set_trial_state_values = shared.patience._patient(written_and_unheard)
    shared.patience.pause = lambda seconds: None
    finish(shared, turn)
    assert shared.trials()[0].state == TrialState.COMPLETE


def test_a_trial_that_kills_its_workers_fails_in_the_end(shared):
    for attempt in range(ATTEMPTS):
        turn = shared.ask()
        assert turn.trial.user_attrs["own"], attempt
        as_another(shared, turn.trial, alive=0.0)
    run_out(shared)
    (failed,) = [trial for trial in assert_ended(shared, 6) if trial.state == TrialState.FAIL]
    assert failed.user_attrs["why"] == "its worker died 3 times without coming further"


def test_a_trial_that_comes_further_may_lose_more_workers(shared):
    for attempt in range(ATTEMPTS + 2):
        turn = shared.ask()
        shared.report(turn.trial, attempt + 1, 50.0)
        as_another(shared, turn.trial, alive=0.0)
    finish(shared, shared.ask())
    run_out(shared)
    assert all(trial.state == TrialState.COMPLETE for trial in assert_ended(shared, 6))


def test_giving_back_is_no_death(shared):
    for _ in range(ATTEMPTS + 1):
        turn = shared.ask()
        shared.give_back(turn.trial)
    run_out(shared)
    assert all(trial.state == TrialState.COMPLETE for trial in assert_ended(shared, 6))


def test_a_study_of_device_hours_ends_when_they_are_used_up(tmp_path):
    shared = joined(begun(suite(tmp_path, ("trials: 6", "device_hours: 0.5")), tmp_path / "runs"))
    for charged in (0.3, 0.0, 0.3):  # the second took a record that was there
        turn = shared.ask()
        shared.note(turn.trial, charged=charged)
        finish(shared, turn)
    assert shared.ask() is None
    assert_ended(shared, 3)


def test_a_study_of_hours_has_ended_when_they_are_over_and_nothing_runs(tmp_path):
    shared = joined(begun(suite(tmp_path, ("trials: 6", "hours: 1")), tmp_path / "runs"))
    turn = shared.ask()
    assert not shared.ended(late=True)
    (told,) = shared.runners()
    assert told.startswith("trial 0: process ")
    finish(shared, turn)
    assert not shared.ended()
    assert shared.ended(late=True)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("[0.0, 0.3]", "[0.0, 0.4]"), "space.recipe.label_smoothing.float was [0.0, 0.3] and is [0.0, 0.4]"),
        (("fraction: 0.015", "fraction: 0.02"), "own.data.fraction was 0.015 and is 0.02"),
        (("  trials: 6", "  trials: 6\n  objective: {minimize: training_minutes}"), "has other objectives"),
        (("  trials: 6", "  trials: 6\n  objective: {maximize: class_mean}"), "objective was ['maximize top1'] and is"),
        (("crops: 1}", "crops: 1}\n  seeds: [0, 1]"), "seeds was [0] and is [0, 1]"),
    ],
)  # fmt: skip
def test_a_suite_that_asks_something_else_gets_no_study_of_another(shared, tmp_path, change, told):
    other = begun(suite(tmp_path, change), tmp_path / "runs")
    with pytest.raises(ChangedError) as refused:
        other.joined()
    assert told in str(refused.value)
    assert "--study NAME" in str(refused.value)
    named = begun(tmp_path / "tiny.yaml", tmp_path / "runs", name="another")
    assert named.joined().name == "another"


@pytest.mark.parametrize("change", [("trials: 6", "trials: 8"), ("trials: 6", "trials: 6\n  sampler: random")])
def test_budget_and_sampler_may_change(shared, tmp_path, change):
    run_out(shared)
    more = joined(begun(suite(tmp_path, change), tmp_path / "runs"))
    run_out(more)
    assert_ended(more, 8 if "8" in change[1] else 6)


def test_a_study_of_another_program_is_left_alone(here):
    shared = joined(begun(here.suite.path, here.root, name="first"))
    other = optuna.create_study(storage=shared.storage, study_name=here.name, direction="maximize")
    other.tell(other.ask(), 1.0)
    url = str(here.root / "studies" / "first" / "journal.log")
    with pytest.raises(ChangedError, match="was begun by another program; begin one of your own with --study NAME"):
        begun(here.suite.path, here.root, url=url).joined()


@pytest.mark.parametrize(
    ("sampler", "pruner"),
    [(sampler, "asha") for sampler in ("random", "gp", "cma_es", "nsga_ii")]
    + [("tpe", pruner) for pruner in ("asha", "hyperband", "median", "none")],
)
def test_every_sampler_and_every_pruner_works(tmp_path, sampler, pruner):
    words = f"trials: 8\n  sampler: {{name: {sampler}, startup: 3}}\n  pruner: {pruner}"
    shared = joined(begun(suite(tmp_path, ("trials: 6", words)), tmp_path / "runs"))
    while turn := shared.ask():
        for epoch in range(1, 5):
            worse = shared.report(turn.trial, epoch, 50.0 - turn.trial.number)
            if worse and turn.prunable:
                shared.tell(turn.trial, TrialState.PRUNED)
                break
        else:
            finish(shared, turn, 50.0 - turn.trial.number)
    found = assert_ended(shared, 8)
    assert found[0].state == TrialState.COMPLETE
    assert any(trial.state == TrialState.PRUNED for trial in found) == (pruner != "none")


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp", "nsga_ii"])
def test_two_objectives_are_sought_at_once(tmp_path, sampler):
    words = f"trials: 8\n  sampler: {{name: {sampler}, startup: 3}}"
    words += "\n  objective: [{maximize: top1}, {minimize: device_minutes}]"
    shared = joined(begun(suite(tmp_path, ("trials: 6", words)), tmp_path / "runs"))
    while turn := shared.ask():
        shared.tell(turn.trial, TrialState.COMPLETE, [50.0 + turn.trial.number, 1.0 + turn.trial.number])
    assert len(shared.study.best_trials) == len(assert_ended(shared, 8))


def test_a_trial_without_its_worker_is_none_of_the_finished(shared):
    with suppress(Lost):
        shared.give_back(shared.ask().trial)
    kept = json.loads(json.dumps([trial.user_attrs for trial in shared.trials()]))
    assert [attributes.get("slot") for attributes in kept] == ["first 0", "again 0"]
    assert kept[0]["attempt"] is True


def test_an_attempt_that_was_given_back_is_no_rival_of_who_goes_on_for_it(tmp_path):
    pruned = []
    for interrupted in (False, True):
        folder = tmp_path / str(interrupted)
        folder.mkdir()
        path = suite(folder, ("trials: 6", "trials: 9\n  pruner: {name: asha, reduction: 3}"))
        shared = joined(begun(path, path.parent / "runs"))
        if interrupted:
            first = shared.ask()
            shared.report(first.trial, 1, 90.0)
            shared.give_back(first.trial)
        for percent in (90.0, 30.0, 31.0, 32.0, 33.0):
            turn = shared.ask()
            shared.report(turn.trial, 1, percent)
            shared.tell(turn.trial, TrialState.PRUNED)
        pruned.append(shared.report(shared.ask().trial, 1, 80.0))  # second best of six goes on
    assert pruned == [False, False]


def test_the_median_is_of_complete_trials(tmp_path):
    path = suite(tmp_path, ("trials: 6", "trials: 9\n  pruner: {name: median, reduction: 2}"))
    shared = joined(begun(path, tmp_path / "runs"))
    ends = [(90.0, TrialState.COMPLETE), (80.0, TrialState.COMPLETE), *[(20.0, TrialState.PRUNED)] * 4]
    for percent, state in ends:
        turn = shared.ask()
        for epoch in (1, 2):
            shared.report(turn.trial, epoch, percent)
        shared.tell(turn.trial, state, [percent] if state == TrialState.COMPLETE else None)
    assert shared.report(shared.ask().trial, 1, 50.0)  # worse than 85, though not than 20
