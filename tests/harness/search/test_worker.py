"""A worker of a search: ask, train, report every epoch, tell."""

from pathlib import Path

import pytest
from optuna.trial import TrialState

from harness.control import Control
from harness.errors import Interrupted, OutputError, SuiteError
from harness.search import worker
from harness.search.study import Lost
from harness.search.trial import Ended
from results.record import RecordError
from tests.harness.search.stubs import assert_ended, begun, joined, states, suite, trained, training

SEEDS = ("crops: 1}", "crops: 1}\n  seeds: [0, 1]")
PLAIN = ("trials: 6", "trials: 6\n  pruner: none")


class Working:
    """A worker whose trainings are stubs, with what it said."""

    def __init__(self, folder: Path, *replaced: tuple[str, str]) -> None:
        self.here = begun(suite(folder, *replaced), folder / "runs")
        self.shared, self.control, self.said = joined(self.here), Control(), []
        self.worker = worker.Worker(
            self.here.suite, self.shared, self.here.root, self.here.datasets, self.control, self.said.append
        )

    def run(self, monkeypatch, train) -> list:
        monkeypatch.setattr(worker, "train", train)
        self.worker.run()
        return self.shared.counted()


def test_every_epoch_is_reported_and_the_record_is_told(tmp_path, monkeypatch):
    found = Working(tmp_path, PLAIN).run(monkeypatch, training(share=lambda job, epoch: epoch / 8))
    assert states(found) == {"COMPLETE": 6}
    for trial in found:
        assert trial.intermediate_values == {1: 12.5, 2: 25.0, 3: 37.5, 4: 50.0}
        assert trial.values == [50.0]
        assert trial.user_attrs["by_seed"] == [50.0]
        assert trial.user_attrs["epochs"] == 4
        assert trial.user_attrs["device_hours"] == trial.user_attrs["charged"] == 0.001
        assert len(trial.user_attrs["jobs"]) == 1


def test_the_value_is_the_mean_over_seeds_of_which_the_first_is_reported(tmp_path, monkeypatch):
    work = Working(tmp_path, PLAIN, SEEDS)
    found = work.run(monkeypatch, training(share=lambda job, epoch: 0.5 + 0.2 * job.spec.seed))
    for trial in found:
        assert trial.values == [pytest.approx(60.0)]
        assert trial.user_attrs["by_seed"] == [50.0, 70.0]
        assert set(trial.intermediate_values.values()) == {50.0}
        assert len(set(trial.user_attrs["jobs"])) == 2
        assert trial.user_attrs["device_hours"] == pytest.approx(0.002)


def test_a_bad_trial_is_pruned_after_its_first_seed_has_begun_and_the_own_recipe_never(tmp_path, monkeypatch):
    began = []

    def share(job, epoch):
        began.append((job.id, job.spec.seed))
        return 0.9 - len(set(began)) / 100

    work = Working(tmp_path, ("trials: 6", "trials: 12"), SEEDS)
    found = work.run(monkeypatch, training(share=share))
    assert states(found).keys() == {"COMPLETE", "PRUNED"}
    assert found[0].state == TrialState.COMPLETE
    for trial in found:
        seeds = {seed for id_, seed in began if id_ in trial.user_attrs["jobs"]}
        assert seeds == ({0} if trial.state == TrialState.PRUNED else {0, 1})


@pytest.mark.parametrize(
    ("status", "state"), [("diverged", "PRUNED"), ("oom", "FAIL"), ("failed", "FAIL"), ("timeout", "FAIL")]
)
def test_a_training_that_ends_badly_is_told_and_the_search_goes_on(tmp_path, monkeypatch, status, state):
    ids = []

    def of(job):
        ids.append(job.id)
        return status if len(ids) == 2 else "done"

    found = Working(tmp_path, PLAIN).run(monkeypatch, training(status=of))
    assert states(found) == {"COMPLETE": 5, state: 1}
    assert found[1].user_attrs["why"] == f"{status}: {status}"


def test_with_two_objectives_nothing_is_reported_and_what_diverged_failed(tmp_path, monkeypatch):
    ids = []
    both = ("trials: 6", "trials: 6\n  objective: [{maximize: top1}, {minimize: device_minutes}]")

    def of(job):
        ids.append(job.id)
        return "diverged" if len(ids) == 2 else "done"

    found = Working(tmp_path, both).run(monkeypatch, training(status=of))
    assert states(found) == {"COMPLETE": 5, "FAIL": 1}
    assert found[0].values == [50.0, pytest.approx(0.06)]
    assert not any(trial.intermediate_values for trial in found)


def test_an_objective_that_no_record_would_have_is_a_mistake(tmp_path):
    top5 = ("trials: 6", "trials: 6\n  objective: {maximize: top5}")
    with pytest.raises(SuiteError, match=r"search.objective: motion has \d classes: top5 is measured from 6 on"):
        Working(tmp_path, top5)


def test_a_record_without_the_objective_fails_its_trial(tmp_path, monkeypatch):
    small = ("trials: 6", "trials: 6\n  objective: {minimize: peak_memory}")
    found = Working(tmp_path, small).run(monkeypatch, training())
    assert states(found) == {"FAIL": 6}
    assert found[0].user_attrs["why"] == "its record has no peak_memory"


def test_a_record_that_was_there_costs_nothing(tmp_path, monkeypatch):
    def train(order, job, told, beat, control, gpu):
        return Ended("recorded", trained(order, job, 0.5), 0.25, taken=True)

    found = Working(tmp_path).run(monkeypatch, train)
    assert {trial.user_attrs["device_hours"] for trial in found} == {0.25}
    assert {trial.user_attrs["charged"] for trial in found} == {0.0}


def test_a_damaged_record_fails_its_trial(tmp_path, monkeypatch):
    def train(order, job, *_):
        raise RecordError(f"{job.id}: damaged; delete the file to run this job again")

    found = Working(tmp_path).run(monkeypatch, train)
    assert states(found) == {"FAIL": 6}
    assert "delete the file" in found[0].user_attrs["why"]


@pytest.mark.parametrize("error", [Interrupted("by a person"), OutputError("full")])
def test_who_is_stopped_gives_its_trial_back(tmp_path, monkeypatch, error):
    work = Working(tmp_path)

    def train(order, job, told, *_):
        told(1, 40.0)
        raise error

    with pytest.raises(type(error)):
        work.run(monkeypatch, train)
    first, again = work.shared.trials()
    assert (first.state, again.state) == (TrialState.FAIL, TrialState.WAITING)
    assert again.user_attrs["deaths"] == 0
    work.run(monkeypatch, training())
    assert_ended(work.shared, 6)


def test_who_lost_its_trial_says_so_and_goes_on(tmp_path, monkeypatch):
    work = Working(tmp_path)
    plain, lost = training(), []

    def train(order, job, told, *rest):
        if not lost:
            lost.append(True)
            raise Lost("trial 0 goes on elsewhere: nothing was heard of this worker for long")
        return plain(order, job, told, *rest)

    work.run(monkeypatch, train)
    assert work.said == ["trial 0 goes on elsewhere: nothing was heard of this worker for long"]
    assert_ended(work.shared, 6)


def test_no_trial_begins_when_the_hours_are_over(tmp_path, monkeypatch):
    work = Working(tmp_path)
    monkeypatch.setattr(worker, "train", training())
    work.worker.run(until=0.0)
    assert states(work.shared.trials()) == {"WAITING": 1}
