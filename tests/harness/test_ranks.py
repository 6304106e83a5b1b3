"""Jobs of several processes, real ones, that meet as in a SLURM allocation."""

import re
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from harness import job
from harness.control import Control
from harness.data.datasets import open_dataset
from harness.errors import Interrupted
from harness.files import Order, read_progress
from harness.meeting import Seat
from harness.ranks import ALONE, RankLost, Ranks, is_loss
from harness.spec import Protocol
from harness.worker import RANK_LOST, RECORDED, STOPPED
from models.catalog import SlowFastOptions
from results.scores import read as scores_in
from results.store import Store
from tests import warm
from tests.conftest import PROJECT
from tests.harness.conftest import with_broken_videos, with_recipe


@pytest.fixture
def order(order: Order) -> Order:
    """Five clips a batch, so that ranks have different numbers, and no drop path, which each draws by itself."""
    spec = with_recipe(order.spec, batch_size=5, epochs=2)
    model = spec.model.model_copy(update={"drop_path": 0.0})
    return replace(order, spec=replace(spec, model=model))


def elsewhere(order: Order, tmp_path: Path, name: str) -> Order:
    root = tmp_path / name
    root.mkdir()
    for name in ("data", "costs"):
        (root / name).symlink_to((order.root / name).resolve())
    return replace(order, root=root)


def start(order: Order, world: int, meeting: str = "first", only=None) -> list[subprocess.Popen[str]]:
    folder = order.write()
    seats = [Seat(rank, world, rank, meeting) for rank in only or range(world)]
    return [
        subprocess.Popen(
            warm.command("harness.worker", folder, warm.LAUNCHER, *seat.words()),
            cwd=PROJECT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seat in seats
    ]


def codes(workers: list[subprocess.Popen[str]]) -> list[int]:
    for worker in workers:
        print(worker.communicate(timeout=240)[1])
    return [worker.returncode for worker in workers]


def folder_of(order: Order) -> Path:
    return Store(order.root).job_folder(order.spec.identity())


def record_of(order: Order):
    return Store(order.root).read(order.spec.identity())


@pytest.mark.parametrize(("world", "mixup"), [(3, 0.0), (2, 0.8)])
def test_losses_scores_and_answers_are_those_of_one_process(order, tmp_path, world, mixup):
    order = replace(order, spec=with_recipe(order.spec, mixup=mixup))
    single = elsewhere(order, tmp_path, "alone")
    alone = job.run(single, Control())
    assert codes(start(order, world)) == [RECORDED] * world
    record = record_of(order)
    assert [epoch.clips for epoch in record.epochs] == [epoch.clips for epoch in alone.epochs]
    assert [epoch.loss for epoch in record.epochs] == pytest.approx([epoch.loss for epoch in alone.epochs], rel=1e-4)
    assert [epoch.accuracy for epoch in record.epochs] == [epoch.accuracy for epoch in alone.epochs]
    assert (record.tests[0].videos, record.tests[0].answered) == (200, 200)
    mine, its = (scores_in(folder_of(each) / "scores" / "16.npz") for each in (order, single))
    assert len(mine.rows()[0]) == len(its.rows()[0]) == 200  # each video once
    torch.testing.assert_close(
        torch.from_numpy(mine.averaged(1, 1)), torch.from_numpy(its.averaged(1, 1)), atol=5e-3, rtol=0
    )
    assert record.measured.devices == world
    assert record.measured.device_hours == pytest.approx(world * record.measured.wall_s / 3600, rel=1e-3)


def test_stopped_in_training_and_begun_again_all_ends_the_same(order, tmp_path):
    whole = elsewhere(order, tmp_path, "whole")
    assert codes(start(whole, 2)) == [RECORDED] * 2
    long = replace(order, spec=with_recipe(order.spec, epochs=2))
    workers = start(long, 2)
    wait(lambda: read_progress(folder_of(long)).get("epoch", 0) > 0, workers)
    workers[1].send_signal(signal.SIGTERM)  # one is asked, and all save at the same step
    assert set(codes(workers)) <= {STOPPED, RECORDED}
    assert codes(start(long, 2, "second")) == [RECORDED] * 2
    assert record_of(long).weights_sha256 == record_of(whole).weights_sha256
    assert record_of(long).epochs == record_of(whole).epochs


FAILING = """
import sys
from pathlib import Path
from harness import step, worker
from harness.meeting import Seat

def fail(*_):
    raise ValueError("a bug that one rank meets")

step.Step.update = fail
sys.exit(worker.main(Path(sys.argv[1]), Seat.of(sys.argv[2:])))
"""


@pytest.fixture
def broken(order, tmp_path, embedded_cache) -> Order:
    """One training and two validation videos do not decode, in two protocols at one crop size and one at another."""
    job_of = with_broken_videos(order, tmp_path, open_dataset("motion", cache=embedded_cache), [3, 7])
    data = order.spec.data.model_copy(update={"max_undecodable": 0.1})
    return replace(job_of, spec=replace(order.spec, data=data, tests=TESTS))


TESTS = (
    Protocol(clips=1, crops=3, size=16), Protocol(clips=2, crops=1, size=16), Protocol(clips=1, crops=1, size=32),
)  # fmt: skip


def assert_scores_agree(mine: Order, other: Order, sizes: Sequence[int]) -> None:
    """The same views of the same videos, each once, and the same averages to rounding."""
    for size in sizes:
        found, expected = (scores_in(folder_of(each) / "scores" / f"{size}.npz") for each in (mine, other))
        assert found.keys() == expected.keys()
        assert len(found.rows()[0]) == len(expected.rows()[0])
        assert found.undecodable == expected.undecodable
        for protocol in (each for each in mine.spec.tests if each.size == size):
            averages = (
                torch.from_numpy(each.averaged(protocol.clips, protocol.crops)) for each in (found, expected)
            )  # fmt: skip
            torch.testing.assert_close(*averages, atol=5e-3, rtol=0, equal_nan=True)


def test_what_does_not_decode_and_two_protocols_at_two_crops_are_in_the_record_as_of_one_process(broken, tmp_path):
    single = elsewhere(broken, tmp_path, "alone")
    alone = job.run(single, Control())
    assert codes(start(broken, 2)) == [RECORDED] * 2
    record = record_of(broken)
    assert len(alone.skipped) == 1
    assert [(test.answered, len(test.undecodable)) for test in alone.tests] == [(198, 2)] * 3
    assert (record.status, record.skipped, record.notes) == (alone.status, alone.skipped, alone.notes)
    assert record.undecodable == alone.undecodable
    assert [epoch.clips for epoch in record.epochs] == [epoch.clips for epoch in alone.epochs] == [11, 11]
    assert [epoch.loss for epoch in record.epochs] == pytest.approx([epoch.loss for epoch in alone.epochs], rel=1e-4)
    for mine, its in zip(record.tests, alone.tests, strict=True):
        assert (mine.clips, mine.crops, mine.size, mine.videos) == (its.clips, its.crops, its.size, its.videos)
        assert (mine.answered, mine.undecodable) == (its.answered, its.undecodable)
    assert_scores_agree(broken, single, [16, 32])


def test_batch_norms_are_tested_by_two_as_by_one_and_trained_by_each_on_its_own_clips(order, tmp_path):
    """The same weights have the same scores; in training what is normalised together are a micro-batch's clips."""
    resources = order.spec.resources.model_copy(update={"micro_batch": 3})
    model = SlowFastOptions(size="demo", dropout=0.0)
    spec = with_recipe(order.spec, epochs=1, batch_size=6)
    both = replace(order, spec=replace(spec, model=model, resources=resources))
    one, alone = (elsewhere(both, tmp_path, name) for name in ("one", "alone"))
    assert codes(start(both, 2)) == [RECORDED] * 2
    shutil.copytree(folder_of(both), folder_of(one))
    trained = record_of(both)
    (epoch,) = job.run(alone, Control()).epochs
    assert (epoch.clips, epoch.loss) == (12, pytest.approx(trained.epochs[0].loss, rel=1e-3))
    assert record_of(alone).weights_sha256 != trained.weights_sha256  # running statistics are one rank's
    again = replace(both.spec, tests=(*both.spec.tests, Protocol(clips=2, crops=1, size=16)))
    both, one = (replace(each, spec=again) for each in (both, one))
    tested = job.run(one, Control())
    assert codes(start(both, 2, "second")) == [RECORDED] * 2
    assert trained.weights_sha256 == record_of(both).weights_sha256 == tested.weights_sha256
    assert [test.answered for test in record_of(both).tests] == [200, 200]
    assert_scores_agree(both, one, [16])


UNREADABLE = """
import sys
from pathlib import Path
from harness import checkpoint, train, worker
from harness.meeting import Seat

checkpoint.file_digest = lambda path: "another"
train.SHOWN_S = 0.5
sys.exit(worker.main(Path(sys.argv[1]), Seat.of(sys.argv[2:])))
"""


def test_a_rank_that_cannot_read_the_first_ones_checkpoint_says_which(order):
    class Stop(Control):
        def check(self) -> None:
            raise Interrupted("enough")

    with pytest.raises(Interrupted):
        job.run(order, Stop())
    (checkpoint,) = (folder_of(order) / "checkpoints").glob("*.pt")
    told = rf"checkpoint {checkpoint.name} cannot be read on .* \(its digest differs\)"
    assert_fails_in_rank_1(order, UNREADABLE, told)


def assert_fails_in_rank_1(order: Order, code: str, message: str) -> None:
    """Two ranks, the second one as `code` says."""
    first, *_ = start(order, 2, only=[0])
    failing = warm.command("-c", code, folder_of(order), *Seat(1, 2, 1, "first").words())
    second = subprocess.Popen(failing, cwd=PROJECT, stderr=subprocess.PIPE, text=True)
    assert codes([first, second]) == [RECORDED, RANK_LOST]
    record = record_of(order)
    assert record.status == "failed"
    assert re.fullmatch(rf"{message} \(in rank 1\)", record.error.line)


def test_a_failure_of_another_rank_is_the_records(order):
    assert_fails_in_rank_1(order, FAILING, "a bug that one rank meets")


def wait(done, workers, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not done() and any(worker.poll() is None for worker in workers):
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Reading(Ranks):
    """Of ranks of which each reads something."""

    def __init__(self, *values):
        self.values = list(values)

    def gather(self, value):
        return self.values


def test_ranks_that_read_different_things_begin_again():
    Reading((1, 2), (1, 2)).agree("checkpoints", (1, 2))
    with pytest.raises(RankLost, match="ranks read different checkpoints"):
        Reading((1, 2), (0, 0)).agree("checkpoints", (1, 2))


def test_a_process_alone_agrees_with_itself():
    ALONE.agree("anything", object())
    assert ALONE.sum(1, 2.5) == (1, 2.5)
    assert ALONE.gather("x") == ["x"]
    assert ALONE.largest(3) == 3


@pytest.mark.parametrize(
    ("error", "loss"),
    [
        (RankLost("gone"), True),
        (RuntimeError("[../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer"), True),
        (torch.distributed.DistNetworkError("x"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("gloo"), False),
    ],
)
def test_what_only_says_that_another_rank_is_gone(error, loss):
    assert is_loss(error) is loss
