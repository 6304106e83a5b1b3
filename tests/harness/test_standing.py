import fcntl
import json
import os
import socket
import time
from dataclasses import replace

import pytest

from harness import evaluate, job, queue, standing
from harness.combination import Job
from harness.control import Control
from harness.errors import Interrupted
from harness.files import ALIVE
from harness.locks import hold
from harness.queue import FORGOTTEN, UNKNOWN, Queued
from harness.spec import Protocol
from results.store import Store


def of(order, spec=None) -> standing.Standing:
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


def test_a_record_of_a_newer_harness_is_not_to_be_deleted(order):
    folder = order.root / "jobs" / order.spec.identity()
    folder.mkdir(parents=True)
    (folder / "record.json").write_text('{"schema_version": 99}', encoding="utf-8")
    found = of(order)
    assert (found.state, found.problem.rpartition(": ")[2]) == ("damaged", "update the harness")


def test_a_held_lock_means_running(order):
    with hold(order.root / "jobs" / order.spec.identity() / "lock", "x"):
        assert of(order).state == "running"


def asked(monkeypatch, told, endings=None):
    """Let SLURM say this of the job; how often it was asked."""
    calls = []
    monkeypatch.setattr(queue, "ask", lambda root, ids: calls.append("squeue") or ({} if told is None else told))
    monkeypatch.setattr(queue, "endings", lambda root, ids: calls.append("sacct") or (endings or {}))
    return calls


def told_of(order, monkeypatch, told, endings=None) -> standing.Standing:
    id_ = order.spec.identity()
    asked(monkeypatch, {id_: told}, {id_: endings} if endings else None)
    return of(order)


def progress(order, minutes_ago=0.0, **fields):
    """As if a process on another machine had told this."""
    folder = order.write()
    told = {"attempt": 1, "epoch": 1, "epochs": 2, "host": "node7", "pid": 12, "state": "starting"}
    told |= {"updated": time.time() - 60 * minutes_ago, **fields}
    (folder / "progress.json").write_text(json.dumps(told), encoding="utf-8")
    (folder / "lock").touch()
    os.utime(folder / "lock", (0, 0))
    return folder


@pytest.mark.parametrize(
    ("state", "expected"),
    [("PENDING", "queued"), ("REQUEUE_HOLD", "queued"), ("RUNNING", "running"), ("COMPLETING", "running"),
     ("FAILED", "not run"), (FORGOTTEN, "not run"), (UNKNOWN, "queued")],
)  # fmt: skip
def test_what_slurm_says_of_a_job_without_files(order, monkeypatch, state, expected):
    assert told_of(order, monkeypatch, Queued("7_1", state)).state == expected


def test_what_is_requeued_says_which_attempt_it_waits_for(order, monkeypatch):
    progress(order, state="stopped")
    found = told_of(order, monkeypatch, Queued("7_1", "PENDING", "BeginTime"))
    assert found.detail == (
        "again, attempt 2, SLURM job 7_1: BeginTime: it may not begin yet, as for a while after it was queued again"
    )


def test_a_record_stands_where_slurm_does_not_answer_but_its_job_is_not_submitted(order, monkeypatch):
    job.run(order, Control())
    found = told_of(order, monkeypatch, Queued("7_1", UNKNOWN, "no route"))
    assert (found.state, found.queued is not None) == ("done", True)


def test_sacct_is_asked_once_and_only_for_what_is_lost(order, monkeypatch):
    id_ = order.spec.identity()
    jobs = [Job(replace(order.spec, seed=seed), ()) for seed in range(3)]
    lost = {each.id: Queued(f"7_{place}", FORGOTTEN) for place, each in enumerate(jobs)}
    calls = asked(monkeypatch, lost, {jobs[1].id: Queued("7_1", "TIMEOUT")})
    found = standing.of_all([jobs[:2], jobs[2:]], Store(order.root))
    assert calls == ["squeue", "sacct"]
    assert [each.detail for rows in found for each in rows] == ["", "SLURM says TIMEOUT of job 7_1", ""]
    assert [each.plain()["slurm"]["state"] for rows in found for each in rows] == [FORGOTTEN, "TIMEOUT", FORGOTTEN]
    calls = asked(monkeypatch, {id_: Queued("7_0", "FAILED")})
    of(order)
    assert calls == ["squeue"]


def test_a_job_on_a_node_is_running_though_nobody_here_sees_its_lock(order, monkeypatch):
    progress(order)
    found = told_of(order, monkeypatch, Queued("7", "RUNNING", nodes="node7", began=1.0))
    assert (found.state, found.detail) == ("running", "starting on node7 (SLURM job 7)")


def test_silence_is_told_and_no_reason_to_take_a_running_job_for_dead(order, monkeypatch):
    folder = progress(order, minutes_ago=50)
    found = told_of(order, monkeypatch, Queued("7", "RUNNING", nodes="node7", began=1.0))
    assert found.state == "running"
    assert found.detail.endswith(", no sign of life for 50 minutes")
    began = told_of(order, monkeypatch, Queued("7", "RUNNING", nodes="node7", began=time.time() - 60))
    assert (began.state, began.silent) == ("running", "")  # begun again: what an earlier attempt told is no sign
    with hold(folder / "lock", "x"):
        assert of(order).silent == ""


def test_the_heartbeat_of_a_running_job_is_that_of_who_watches_it(order, monkeypatch):
    folder = progress(order)
    running = Queued("7", "RUNNING", nodes="node7", began=time.time() - 900)
    assert told_of(order, monkeypatch, running).unwatched_s == 0  # no beat yet: its shell may do much before
    beat = folder / ALIVE
    beat.touch()
    os.utime(beat, (time.time() - 400, time.time() - 400))
    assert told_of(order, monkeypatch, running).unwatched_s == pytest.approx(400, abs=60)
    again = replace(running, began=time.time() - 20)  # the beat is an earlier attempt's
    assert told_of(order, monkeypatch, again).unwatched_s == 0
    assert told_of(order, monkeypatch, replace(running, state="PENDING")).unwatched_s == 0


def test_a_lock_that_a_dead_node_left_is_no_sign_of_life(order, monkeypatch):
    folder = progress(order, minutes_ago=50)
    with (folder / "lock").open("rb") as file:
        standing_lock(file)
        dead = told_of(order, monkeypatch, Queued("7", "NODE_FAIL"))
        assert (dead.state, dead.queued) == ("stopped", None)
        forgotten = told_of(order, monkeypatch, Queued("7", FORGOTTEN))
        assert forgotten.state == "stopped"
        asked(monkeypatch, None)
        alone = of(order)  # without SLURM nobody knows
        assert alone.state == "running"
        remedy = f"if process 12 on node7 is gone, delete {folder / 'lock'}"
        assert alone.detail == f"starting, no sign of life for 50 minutes: {remedy}"
        progress(order, minutes_ago=1)
        assert told_of(order, monkeypatch, Queued("7", "NODE_FAIL")).state == "running"


def test_a_lock_that_is_held_here_is_true_however_silent(order, monkeypatch):
    folder = progress(order, minutes_ago=50, host=socket.gethostname())
    with (folder / "lock").open("rb") as file:
        standing_lock(file)
        found = told_of(order, monkeypatch, Queued("7", FORGOTTEN))
    assert (found.state, found.detail) == ("running", "starting, no sign of life for 50 minutes")


def standing_lock(file):
    """Hold a lock without touching its file, as one that was taken long ago."""
    fcntl.flock(file, fcntl.LOCK_EX)


def test_what_cancel_ended_says_so_until_it_is_submitted_again(order, monkeypatch):
    folder = progress(order)
    running = told_of(order, monkeypatch, Queued("7_1", "RUNNING"))
    running.cancel()
    ended = told_of(order, monkeypatch, Queued("7_1", "CANCELLED"))
    assert ended.cancelled
    assert ended.detail.endswith("; cancelled as SLURM job 7_1")
    assert not told_of(order, monkeypatch, Queued("9_1", "CANCELLED")).cancelled
    (folder / standing.CANCELLED).unlink()
    assert not told_of(order, monkeypatch, Queued("7_1", "CANCELLED")).cancelled
