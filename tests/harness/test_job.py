"""A job from its order to its record: interrupted anywhere, damaged, out of memory, diverged, tested again."""

import errno
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from harness import evaluate, job, train
from harness.checkpoint import Checkpoints
from harness.control import Control, TimeLimit
from harness.data.datasets import open_dataset
from harness.data.videos import digest, subset
from harness.errors import BusyError, Interrupted, OutputError
from harness.files import Order, read_progress
from harness.launch import outcome
from harness.locks import hold
from harness.spec import Protocol
from results.record import Record
from results.store import Store
from tests import warm
from tests.conftest import PROJECT
from tests.harness.conftest import with_broken_videos, with_recipe


def facts(record: Record) -> dict:
    """All of a record but its times."""
    return record.model_dump(exclude={"measured", "started", "finished", "notes"})


def elsewhere(order: Order, tmp_path: Path, name: str) -> Order:
    """The same job in another output folder."""
    root = tmp_path / name
    root.mkdir()
    for shared in ("data", "costs"):
        (root / shared).symlink_to((order.root / shared).resolve())
    return replace(order, root=root)


@pytest.fixture(scope="module")
def whole_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Order], Record]:
    """The record of a job that nothing came between: what every other way to its end is compared with, run once."""
    made: dict[str, Record] = {}

    def of(order: Order) -> Record:
        spec = repr(order.spec)
        if spec not in made:
            made[spec] = job.run(elsewhere(order, tmp_path_factory.mktemp("whole"), "runs"), Control())
        return made[spec]

    return of


def test_a_job_ends_in_a_full_record(order):
    record = job.run(order, Control())
    assert record == Store(order.root).read(record.id)
    assert record.status == "done"
    assert record.error is None
    assert [epoch.clips for epoch in record.epochs] == [12, 12]
    (test,) = record.tests
    assert (test.videos, test.answered, test.undecodable, test.top5) == (200, 200, {}, None)
    assert 0 < test.top1_low <= test.top1 <= test.top1_high < 1
    assert test.class_mean == pytest.approx(sum(test.per_class) / 4)
    assert (record.splits.train.videos, record.splits.val.videos) == (12, 200)
    empty = [name for name, value in record.measured.model_dump().items() if value is None]
    assert empty == []
    assert record.cost.attention_multiply_adds > 0
    assert record.environment["decoder"].startswith("decord2 ")
    assert not Checkpoints(order.root / "jobs" / record.id).folder.exists()


def test_the_lists_of_videos_are_named(order, embedded_cache):
    dataset = open_dataset("motion", cache=embedded_cache)
    record = job.run(order, Control())
    assert record.splits.train.digest == digest(subset(dataset.train, order.spec.data.fraction))
    assert record.splits.val.digest == digest(dataset.val)


def test_two_runs_give_the_same_record_but_for_times(order, whole_of, tmp_path):
    first = whole_of(order)
    second = job.run(elsewhere(order, tmp_path, "second"), Control())
    assert facts(first) == facts(second)


class StopAt(Control):
    """Asks to stop at the given check."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.left = step

    def check(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.stop("the test")
        super().check()


def test_stopped_at_every_step_it_ends_bit_identical(order, whole_of, tmp_path):
    whole = whole_of(order)
    stopped = elsewhere(order, tmp_path, "stopped")
    for _ in range(6):  # 2 epochs of 3 steps: each attempt gets one step further
        with pytest.raises(Interrupted, match="the test"):
            job.run(stopped, StopAt(1))
    record = job.run(stopped, Control())
    assert facts(record) == facts(whole)
    assert record.measured.attempts == 7


@pytest.mark.parametrize("micro_batch", [None, 3])
def test_what_is_drawn_for_clips_and_batches_survives_stops_as_well(order, whole_of, tmp_path, micro_batch):
    recipe = {"mixup": 0.4, "augment": "rand", "random_erasing": 0.5, "label_smoothing": 0.1}
    resources = order.spec.resources.model_copy(update={"micro_batch": micro_batch})
    order = replace(order, spec=replace(with_recipe(order.spec, **recipe), resources=resources))
    whole = whole_of(order)
    stopped = elsewhere(order, tmp_path, "stopped")
    for _ in range(4):
        with pytest.raises(Interrupted):
            job.run(stopped, StopAt(1))
    assert facts(job.run(stopped, Control())) == facts(whole)


def test_processes_that_decode_change_no_number(order, whole_of, tmp_path):
    whole = whole_of(order)
    resources = order.spec.resources.model_copy(update={"loader_workers": 2})
    many = replace(elsewhere(order, tmp_path, "many"), spec=replace(order.spec, resources=resources))
    assert facts(job.run(many, Control())) == facts(whole)


KILLED = """
import os, signal, sys
from harness import checkpoint, train
from harness.worker import main
from pathlib import Path

point, at = sys.argv[2], int(sys.argv[3])
training = train.Training
points = {"save": (checkpoint, "_save"), "step": (training, "_update"), "close": (training, "_close_epoch")}
owner, name = points[point]
original, calls = getattr(owner, name), 0

def dying(*arguments):
    global calls
    calls += 1
    if calls == at:
        if point == "save":
            arguments[1].write(b"half a checkpoint")
            arguments[1].flush()
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments)

setattr(owner, name, dying)
sys.exit(main(Path(sys.argv[1])))
"""


@pytest.mark.parametrize(("point", "at"), [("step", 1), ("step", 5), ("save", 2), ("save", 4), ("close", 2)])
def test_killed_at_any_moment_it_ends_bit_identical(order, whole_of, tmp_path, point, at):
    resources = order.spec.resources.model_copy(update={"checkpoint_s": 1e-6})  # a checkpoint after every step
    order = replace(order, spec=replace(order.spec, resources=resources))
    whole = whole_of(order)
    killed = elsewhere(order, tmp_path, "killed")
    folder = killed.write()
    died = subprocess.run(warm.command("-c", KILLED, folder, point, at), cwd=PROJECT, check=False)
    assert died.returncode == -signal.SIGKILL
    assert facts(job.run(killed, Control())) == facts(whole)


def test_a_damaged_checkpoint_costs_one_checkpoint_and_is_said(order, whole_of, tmp_path):
    whole = whole_of(order)
    damaged = elsewhere(order, tmp_path, "damaged")
    with pytest.raises(Interrupted):
        job.run(damaged, StopAt(5))
    newest, _ = Checkpoints(damaged.root / "jobs" / whole.id)._paths()
    newest.write_bytes(newest.read_bytes()[:-100])
    record = job.run(damaged, Control())
    assert facts(record) == facts(whole)
    assert [note for note in record.notes if "damaged" in note]
    assert f"checkpoint {newest.name} is damaged" in outcome(record)


def test_a_new_protocol_costs_a_test_and_no_training(order, monkeypatch):
    monkeypatch.setattr(job, "environment", lambda *_: {"device": "where it was trained"})
    first = job.run(order, Control())
    monkeypatch.setattr(train.Training, "run", lambda *_: pytest.fail("trained again"))
    monkeypatch.setattr(job, "environment", lambda *_: {"device": "where it is tested"})
    more = replace(order, spec=replace(order.spec, tests=(*order.spec.tests, Protocol(clips=2, crops=3, size=16))))
    second = job.run(more, Control())
    assert second.tests[0] == first.tests[0]
    assert (second.tests[1].clips, second.tests[1].crops) == (2, 3)
    assert second.weights_sha256 == first.weights_sha256
    assert second.epochs == first.epochs
    assert second.environment == first.environment  # of which its times are
    assert second.measured.load == first.measured.load > 0


def test_a_stop_among_the_tests_repeats_neither_the_training_nor_what_is_scored(order, monkeypatch):
    whole = job.run(order, Control())
    (order.root / "jobs" / whole.id / "record.json").unlink()
    for path in (order.root / "jobs" / whole.id / "scores").iterdir():
        path.unlink()
    protocols = (*order.spec.tests, Protocol(clips=2, crops=1, size=16))
    order = replace(order, spec=replace(order.spec, tests=protocols))
    softmax, scored = evaluate._softmax, []

    def count(model, clips, spec):
        scored.append(len(clips))
        if sum(scored) > 300:  # 200 videos of three views: the middle of the first test, two others of the second
            control.stop("the test")
        return softmax(model, clips, spec)

    control = Control()
    monkeypatch.setattr(evaluate, "_softmax", count)
    with pytest.raises(Interrupted):
        job.run(order, control)
    done = sum(scored)
    assert 300 < done <= 316
    monkeypatch.setattr(train.Training, "_update", lambda *_: pytest.fail("trained again"))
    record = job.run(order, Control())
    assert sum(scored) == 600
    assert (record.status, len(record.tests)) == ("done", 2)
    assert record.tests[0].top1 == whole.tests[0].top1
    assert record.tests[0].loss == pytest.approx(whole.tests[0].loss, abs=1e-3)
    assert record.weights_sha256 == whole.weights_sha256
    assert record.measured.test_s > 0


def test_a_test_that_fails_loses_neither_the_training_nor_the_tests_before_it(order, monkeypatch):
    first = job.run(order, Control())
    more = replace(order, spec=replace(order.spec, tests=(*order.spec.tests, Protocol(clips=2, crops=3, size=16))))
    for culprit in ("scores", "open"):  # in the new test itself, and before the model is even built
        with monkeypatch.context() as patch:
            if culprit == "scores":
                patch.setattr(evaluate, "scores", lambda *_: 1 / 0)
            else:
                patch.setattr(job, "open_dataset", lambda *_, **__: 1 / 0)
            failed = job.run(more, Control())
        assert (failed.status, failed.error.type) == ("failed", "ZeroDivisionError")
        assert (failed.tests, failed.epochs, failed.cost) == (first.tests, first.epochs, first.cost)
        assert failed.weights_sha256 == first.weights_sha256
    monkeypatch.setattr(train.Training, "run", lambda *_: pytest.fail("trained again"))
    again = job.run(more, Control())
    assert (again.status, len(again.tests), again.tests[0]) == ("done", 2, first.tests[0])


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:100])])
def test_weights_that_are_gone_are_trained_again(order, damage):
    first = job.run(order, Control())
    damage(order.root / "jobs" / first.id / "weights.pt")
    again = job.run(order, Control())
    assert again.weights_sha256 == first.weights_sha256
    assert "trained again" in again.notes[0]


def test_gradient_accumulation_gives_the_same_training_to_rounding(order, tmp_path):
    order = replace(order, spec=replace(order.spec, model=order.spec.model.model_copy(update={"drop_path": 0.0})))
    whole = job.run(order, Control())
    resources = order.spec.resources.model_copy(update={"micro_batch": 3})
    parts = job.run(
        elsewhere(replace(order, spec=replace(order.spec, resources=resources)), tmp_path, "parts"), Control()
    )
    assert parts.id == whole.id
    for one, other in zip(whole.epochs, parts.epochs, strict=True):
        assert other.loss == pytest.approx(one.loss, abs=1e-4)


def test_mixed_precision_trains(order):
    for precision in ("bf16", "fp16"):
        record = job.run(replace(order, spec=replace(order.spec, precision=precision)), Control())
        assert record.status == "done", record.error
        assert all(epoch.loss < 5 for epoch in record.epochs)


def test_a_loss_that_is_no_number_is_a_divergence(order):
    order = replace(order, spec=with_recipe(order.spec, learning_rate=1e30, clip_grad_norm=None, optimizer="sgd"))
    record = job.run(order, Control())
    assert record.status == "diverged"
    assert "the loss is" in record.error.message
    assert "in epoch " in record.error.message


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory: you tried"),
            "oom",
        ),
        (torch.OutOfMemoryError("CUDA out of memory"), "oom"),
        (MemoryError(), "oom"),
        (TimeLimit("the limit of 1 minutes has passed"), "timeout"),
        (ValueError("a bug"), "failed"),
    ],
)
def test_every_failure_is_a_record(order, monkeypatch, error, status):
    def fail(*_):
        raise error

    monkeypatch.setattr(train.Training, "_update", fail)
    record = job.run(order, Control())
    assert (record.status, record.error.type) == (status, type(error).__name__)
    assert Store(order.root).read(record.id) == record
    assert read_progress(order.root / "jobs" / record.id)["state"] == status


def test_a_time_limit_saves_and_a_retry_goes_on(order):
    control = Control(timeout_min=0)
    record = job.run(order, control)
    assert record.status == "timeout"
    assert "0 minutes" in record.error.message
    assert Checkpoints(order.root / "jobs" / record.id).latest()[0] is not None
    assert job.run(order, Control()).status == "done"


def test_a_full_disk_is_the_output_folders_fault_and_loses_nothing(order, monkeypatch):
    first = job.run(order, Control())

    def full(path, text):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("results.store.write_atomic", full)
    with pytest.raises(OutputError, match="cannot be written: No space left on device"):
        job.run(order, Control())
    assert Store(order.root).read(first.id) == first


def test_a_record_keeps_the_scale_at_which_it_was_trained(order):
    job.run(order, Control())
    more = replace(order.spec, tests=(*order.spec.tests, Protocol(clips=2, crops=1, size=16)))
    record = job.run(replace(order, spec=more, scale="paper"), Control())
    assert (len(record.tests), record.scale) == (2, "demo")


def test_a_job_in_use_is_not_run_twice(order, monkeypatch):
    monkeypatch.setattr(job, "LOCK_WAIT_S", 0.1)
    folder = order.root / "jobs" / order.spec.identity()
    with hold(folder / "lock", "x"), pytest.raises(BusyError, match=r"the job divided \(.*\) is in use by process"):
        job.run(order, Control())


@pytest.fixture
def broken(order, tmp_path, embedded_cache) -> Order:
    """The same job with one training and one validation video that do not decode."""
    return with_broken_videos(order, tmp_path, open_dataset("motion", cache=embedded_cache), [0])


def test_a_video_that_does_not_decode_is_counted_and_named(broken):
    data = broken.spec.data.model_copy(update={"max_undecodable": 0.1})
    record = job.run(replace(broken, spec=replace(broken.spec, data=data)), Control())
    assert record.status == "done"
    assert len(record.skipped) == 1
    assert [epoch.clips for epoch in record.epochs] == [11, 11]
    (test,) = record.tests
    assert (test.videos, test.answered, len(test.undecodable)) == (200, 199, 1)
    assert [line.split(" videos did not decode; the first is ")[0] for line in record.undecodable] == [
        "1 of 12 training",
        "1 of 200 validation",
    ]
    assert all(reason for reason in (*record.skipped.values(), *test.undecodable.values()))
    assert record.undecodable[0] in outcome(record)


def test_too_many_undecodable_videos_fail_the_job_and_name_one(broken):
    record = job.run(broken, Control())
    assert record.status == "failed"
    assert "1 of 12 training videos did not decode, more than the share of 0.01" in record.error.message


def test_progress_tells_where_the_job_stands(order):
    seen: list[dict] = []

    class Look(Control):
        def check(self) -> None:
            seen.append(read_progress(order.root / "jobs" / order.spec.identity()))

    job.run(order, Look())
    states = [fields["state"] for fields in seen]
    assert states[0] in ("starting", "training")  # told about once a second
    assert "training" in states
    last = [fields for fields in seen if fields["state"] == "training"][-1]
    assert (last["epoch"], last["epochs"], last["pid"]) == (2, 2, os.getpid())
    assert json.dumps(last)
    assert last["updated"] <= time.time()
