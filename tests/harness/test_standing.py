from dataclasses import replace

import pytest

from harness import evaluate, job, standing
from harness.combination import Job
from harness.control import Control
from harness.errors import Interrupted
from harness.locks import hold
from harness.spec import Protocol


def of(order, spec=None) -> standing.Standing:
    from results.store import Store

    (found,) = standing.of([Job(spec or order.spec, (("model.attention", "divided"),))], Store(order.root))
    return found


def test_a_job_goes_from_not_run_through_running_and_stopped_to_done(order):
    assert of(order).state == "not run"

    class Look(Control):
        seen: standing.Standing

        def check(self) -> None:
            Look.seen = of(order)
            self.stop("enough")
            super().check()

    with pytest.raises(job.Interrupted):
        job.run(order, Look())
    assert Look.seen.state == "running"
    stopped = of(order)
    assert (stopped.state, stopped.detail) == ("stopped", "after 0 of 2 epochs")
    job.run(order, Control())
    done = of(order)
    assert done.state == "done"
    assert done.detail.startswith("top-1 ")
    assert done.plain()["tests"][0]["videos"] == 200
    more = replace(order.spec, tests=(*order.spec.tests, Protocol(clips=2, crops=1, size=16)))
    assert of(order, more).state == "untested"


def test_a_stop_in_testing_and_a_deleted_record_are_told_for_what_they_are(order, monkeypatch):
    folder = order.root / "jobs" / order.spec.identity()
    batches = evaluate._batches

    def stopped(*arguments):
        raise Interrupted("enough")

    monkeypatch.setattr(evaluate, "_batches", stopped)
    with pytest.raises(Interrupted):
        job.run(order, Control())
    found = of(order)
    assert (found.state, found.detail) == ("stopped", "training is finished, testing is missing")
    monkeypatch.setattr(evaluate, "_batches", batches)
    job.run(order, Control())
    (folder / "record.json").unlink()
    found = of(order)
    assert (found.state, found.detail) == ("stopped", "its record and its checkpoints are gone; it is trained again")
    assert found.problem == ""


def test_a_damaged_record_is_a_state_with_its_reason(order):
    folder = order.root / "jobs" / order.spec.identity()
    folder.mkdir(parents=True)
    (folder / "record.json").write_text("{", encoding="utf-8")
    found = of(order)
    assert found.state == "damaged"
    assert str(folder / "record.json") in found.problem
    assert "delete the file to run this job again" in found.problem


def test_a_held_lock_means_running(order):
    with hold(order.root / "jobs" / order.spec.identity() / "lock", "x"):
        assert of(order).state == "running"
