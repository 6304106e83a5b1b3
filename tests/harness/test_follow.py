"""What is submitted again and what is given up, by scripted standings: the real cluster is in `test_slurm.py`."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from harness import follow, obituary, queue, standing
from harness.combination import Job
from harness.errors import BusyError, HarnessError
from harness.launch import DEATHS_ALLOWED
from harness.progress import Display
from harness.queue import FORGOTTEN, Queued
from harness.standing import CANCELLED, Standing
from results.store import Store

RUNNING = Queued("12", "RUNNING")
SILENT_S = 300.0


class Clock:
    """Time that passes where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(follow, "time", clock)
    return clock


@pytest.fixture
def followed(order, monkeypatch, clock):
    """Follow one job whose standings are these, the last again and again; (submissions' times, what was shown)."""
    order.write()
    job = Job(order.spec, ())
    store = Store(order.root)
    here = Standing(job, "stopped", store.job_folder(job.id))
    told = io.StringIO()

    def run(script, submit=None):
        submitted = []
        script = [replace(here, **each) for each in script]

        def of(jobs, store):
            record = store.read(job.id)
            if record:
                return [replace(here, state=record.status, record=record)]
            return [script.pop(0) if len(script) > 1 else script[0]]

        monkeypatch.setattr(standing, "of", of)
        with Display(Console(file=told, width=200), 1) as display:
            follow.follow([job], store, display, submit or (lambda jobs: submitted.append(clock.now)), SILENT_S)
        return submitted, told.getvalue(), store.read(job.id)

    return run


DONE = {"state": "done"}


def test_it_ends_when_nothing_runs_or_waits_any_more(followed, clock):
    submitted, _, _ = followed([{"state": "queued", "queued": RUNNING}, {"state": "running"}, DONE])
    assert (submitted, clock.now) == ([], 2 * follow.LOOK_EVERY_S)


def test_what_nobody_knows_is_waited_for_a_little(followed):
    silent = {"ended": Queued("12", FORGOTTEN)}
    (at,), _, _ = followed([silent] * 6 + [DONE])
    assert at == follow.LATE_S + follow.LOOK_EVERY_S


def test_a_record_that_comes_late_is_no_loss(followed):
    submitted, _, _ = followed([{}, {}, DONE])
    assert submitted == []


@pytest.mark.parametrize("state", ["NODE_FAIL", "PREEMPTED", "TIMEOUT", "CANCELLED", "FAILED"])
def test_what_slurm_says_is_lost_is_submitted_at_once(followed, state):
    submitted, _, _ = followed([{"ended": Queued("12", state)}, {"state": "running"}, DONE])
    assert submitted == [0.0]


def test_out_of_memory_is_a_record(followed):
    submitted, told, record = followed([{"ended": Queued("12", "OUT_OF_MEMORY")}])
    assert submitted == []
    assert record.status == "oom"
    assert "SLURM says OUT_OF_MEMORY of job 12: it needs more than `resources.mem_gb` gave it" in record.error.message
    assert "oom" in told


def test_what_never_begins_is_a_record_in_the_end(followed):
    submitted, _, record = followed([{"state": "not run", "ended": Queued("12", "FAILED")}])
    assert len(submitted) == DEATHS_ALLOWED
    assert record.status == "failed"
    assert record.error.message == "it ended 4 times before its work began; SLURM says FAILED of job 12"


def test_attempts_that_begin_are_not_counted_here(followed):
    script = [{"ended": Queued("12", "PREEMPTED"), "progress": {"attempt": attempt}} for attempt in range(1, 20)]
    submitted, _, record = followed([*script, DONE])
    assert (len(submitted), record) == (19, None)


def test_what_cancel_ended_is_left_as_it_is(followed, order):
    (order.root / "jobs" / order.spec.identity()).mkdir(parents=True, exist_ok=True)
    (order.root / "jobs" / order.spec.identity() / CANCELLED).write_text("12", encoding="utf-8")
    submitted, told, record = followed([{"ended": Queued("12", "CANCELLED")}])
    assert (submitted, record) == ([], None)
    assert "stopped: cancelled" in told


def test_what_runs_without_a_sign_of_life_is_queued_again(followed, monkeypatch):
    again = []
    monkeypatch.setattr(queue, "requeue", again.append)
    running = {"state": "running", "queued": RUNNING}
    script = [{**running, "unwatched_s": seconds} for seconds in (10.0, SILENT_S + 1)]
    submitted, _, _ = followed([*script, {"state": "queued", "queued": Queued("12", "PENDING")}, DONE])
    assert (again, submitted) == (["12"], [])


@pytest.mark.parametrize(
    "why",
    [
        HarnessError("sbatch: Unable to contact slurm controller"),
        BusyError("the output folder runs is in use by process 12 on n1"),
    ],
)
def test_a_refusal_is_borne_for_a_while(followed, clock, why):
    def refuse(jobs):
        raise why

    with pytest.raises(HarnessError, match=f"cannot be submitted again for 15 minutes: {why}. What SLURM has goes on"):
        followed([{"ended": Queued("12", "TIMEOUT"), "progress": {"attempt": 1}}], refuse)
    assert clock.now == pytest.approx(follow.PATIENCE_S, abs=2 * follow.LOOK_EVERY_S)


def full() -> OSError:
    return OSError(28, "No space left on device", "runs/x")


def test_a_full_disk_is_borne_and_told(followed, clock):
    def submit(jobs):
        if clock.now < 60:
            raise full()

    submitted = []
    script = [{"ended": Queued("12", "TIMEOUT"), "progress": {"attempt": 1}}] * 14 + [DONE]
    _, told, _ = followed(script, lambda jobs: (submit(jobs), submitted.append(clock.now)))
    assert submitted[0] == 60
    assert told.count("cannot be submitted again for now, which is tried again for 15 minutes: ") == 1
    assert "No space left on device: 'runs/x'" in told


def test_a_record_that_cannot_be_written_is_tried_again(followed, clock, monkeypatch):
    write = obituary.write

    def later(*arguments):
        if clock.now < 60:
            raise full()
        return write(*arguments)

    monkeypatch.setattr(obituary, "write", later)
    _, told, record = followed([{"ended": Queued("12", "OUT_OF_MEMORY")}])
    assert (clock.now, record.status) == (65, "oom")
    assert "records of jobs that SLURM lost cannot be written for now" in told


def test_a_record_that_can_never_be_written_ends_the_following(followed, monkeypatch):
    monkeypatch.setattr(obituary, "write", lambda *_: (_ for _ in ()).throw(full()))
    with pytest.raises(HarnessError, match=r"cannot be written for 15 minutes: .*No space .* the same command goes on"):
        followed([{"ended": Queued("12", "OUT_OF_MEMORY")}])
