"""The job: one training and the tests and measurements that hang on it, ending in one record whatever happens.

<root>/jobs/<id>/
    job.json          what was asked (plain data)
    progress.json     where it stands, rewritten about once a second while it runs
    checkpoints/      the last two, until the record is written
    weights.pt        the trained weights
    validation/       softmax scores of an epoch's validation, while it lasts (in a search)
    scores/           softmax scores of every view, one file a test crop, finished or not
    record.json       what it measured
    log.txt, lock
    alive, ranks/, cancelled, record-retried.json
                      on a cluster: its heartbeat, where its processes meet, marks of `cancel` and `--retry`
"""

import errno
import os
import shutil
import statistics
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from harness import cost, evaluate, measure
from harness.checkpoint import Checkpoints, weights_digest, written
from harness.control import Control, TimeLimit
from harness.data.clips import TrainClips
from harness.data.datasets import open_dataset
from harness.data.decode import version
from harness.data.pool import Pool
from harness.data.videos import Dataset
from harness.data.views import TestViews
from harness.errors import Interrupted, OutputError
from harness.files import Order, Progress
from harness.locks import hold
from harness.meeting import TOLD_S, Seat
from harness.provenance import environment
from harness.ranks import ALONE, RankLost, Ranks, is_loss, joined
from harness.spec import JobSpec, Protocol
from harness.splits import refuse_another, splits_of
from harness.train import Diverged, State, Training
from models.registry import build
from models.weights import load_pretrained
from results.record import Cost, Epoch, Measured, Problem, Record, Splits, Status, Test
from results.scores import seconds
from results.store import Store
from results.summary import test as summary

LOCK_WAIT_S = 30.0
"""How long a job waits for an earlier process of its own that is still saving its last checkpoint."""


def run(order: Order, control: Control, seat: Seat | None = None) -> Record:
    """Run a job to its record, or take up what an earlier attempt left.

    A job whose training is recorded only runs the tests that the record lacks. Where several processes do the job, the
    one in the first `seat` runs it and writes all that its folder keeps, and the others assist. Raises Interrupted
    after saving a checkpoint, BusyError when another process runs the same job, RankLost when one of this job's is
    gone, and OutputError when nothing can be written; every other failure is a record.
    """
    store = Store(order.root)
    folder = store.job_folder(order.spec.identity())
    with _writing(folder), hold(folder / "lock", f"the job {order.label} ({folder.name})", LOCK_WAIT_S):
        with joined(seat, folder) as ranks:
            record = _Attempt(order, folder, control, ranks).record(seat, store.read(folder.name))
            store.write(record)  # before ranks part, in which a GPU's library may hang
        if record.status == "done":
            Checkpoints(folder).clear()
        return record


def assist(order: Order, control: Control, seat: Seat) -> None:
    """Do a share of a job that the process in the first seat runs. Raises Interrupted, OutputError and RankLost."""
    store = Store(order.root)
    folder = store.job_folder(order.spec.identity())
    with _writing(folder), joined(seat, folder) as ranks:
        _Attempt(order, folder, control, ranks).assist(seat, store.read(folder.name))


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Raise OutputError where the output folder cannot be written."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{error.filename or folder}: cannot be written: {error.strerror or error}") from error


class _Attempt:
    """One attempt at a job: collects what is known so far, so that a failure's record still has it."""

    def __init__(self, order: Order, folder: Path, control: Control, ranks: Ranks = ALONE) -> None:
        self.order, self.spec, self.folder, self.control, self.ranks = order, order.spec, folder, control, ranks
        self.progress = Progress(folder, self.spec.recipe.epochs, devices=ranks.world, silent=ranks.rank > 0)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.forget()

    def forget(self) -> None:
        """Know nothing of this job yet."""
        self.started = datetime.now(UTC).isoformat(timespec="seconds")
        self.scale = self.order.scale
        self.measured: dict[str, Any] = {"train_s": 0.0, "test_s": 0.0}
        self.state = State()
        self.tests: list[Test] = []
        self.notes: list[str] = []
        self.cost: Cost | None = None
        self.splits: Splits | None = None
        self.decoder: str | None = None
        self.environment: dict[str, str | int | bool | None] = {}
        self.classes = 0
        self.weights_sha256: str | None = None

    def record(self, seat: Seat | None, previous: Record | None) -> Record:
        """Do the work; whatever goes wrong with it, here or in another rank, becomes the record's status."""
        self.progress.tell("starting", at_once=True)
        if previous and previous.weights_sha256:
            self.adopt(previous)
        try:
            self.work()
            return self.finish("done")
        except (Interrupted, OutputError):
            self.progress.tell("stopped", at_once=True)
            raise
        except Exception as error:
            if isinstance(error, OSError) and _is_of_output(error, self.order.root):
                raise  # the output folder is full or read-only: not the job's fault, and no record could be kept
            if seat is None or not is_loss(error):
                return self.finish(_status(error), problem(error))
            told = seat.at(self.folder).problem(TOLD_S)
            if told is None:
                raise RankLost("another process of this job died") from error
            return self.finish(*told)

    def assist(self, seat: Seat, previous: Record | None) -> None:
        """Do this rank's share of the work; what goes wrong with it is told to the first one, who writes the record."""
        if previous and previous.weights_sha256:
            self.adopt(previous)
        try:
            self.work()
        except (Interrupted, OutputError):
            raise
        except Exception as error:
            if isinstance(error, OSError) and _is_of_output(error, self.order.root):
                raise
            if not is_loss(error):
                seat.at(self.folder).tell_problem(seat.rank, _status(error), problem(error))
            raise RankLost(f"rank {seat.rank}: {error}") from error

    def work(self) -> None:
        make_deterministic(self.spec)
        dataset = open_dataset(
            self.spec.data.name, cache=self.order.root / "data", datasets_file=self.order.datasets_file
        )
        self.decoder = version(dataset.decoder)
        splits = splits_of(dataset, self.spec.data.fraction)
        clip, classes = self.spec.clip, len(dataset.classes)
        counted = self.counted(classes)
        memory = measure.PeakMemory(self.device)
        model = build(self.spec.model, clip.frames, clip.size, classes).to(self.device)
        refuse_another(self.splits, splits, dataset, self.folder)
        trained = self.reload(model)
        self.ranks.agree("records", (trained, [key(test) for test in self.tests]))
        self.classes, self.cost, self.splits = classes, counted, splits
        with Pool(self.spec.loader_workers) as pool:
            if not trained:
                self.train(model, dataset, memory, pool)
            missing = [test for test in self.spec.tests if key(test) not in {key(test) for test in self.tests}]
            for size in dict.fromkeys(test.size for test in missing):
                self.test(model, dataset, [test for test in missing if test.size == size], pool)
        if self.measured.get("latency_s") is None and self.ranks.rank == 0:
            self.profile(model)

    def counted(self, classes: int) -> Cost | None:
        """The cost of a view; None, and a note, for a model that can be trained and not counted."""
        clip = self.spec.clip
        try:
            return cost.stored_cost(self.order.root, self.spec.model, clip.frames, clip.size, classes)
        except cost.Uncountable as error:
            self.notes.append(str(error))
            return None

    def adopt(self, previous: Record) -> None:
        """Begin with what a finished training's record says, so that nothing after it can lose it."""
        self.started, self.weights_sha256 = previous.started, previous.weights_sha256
        self.scale = previous.scale
        self.classes, self.cost, self.splits = previous.classes, previous.cost, previous.splits
        self.tests, self.notes = list(previous.tests), list(previous.notes)
        self.measured = previous.measured.model_dump()
        self.environment = previous.environment
        self.state = State(history=[epoch.model_dump() for epoch in previous.epochs], skipped=dict(previous.skipped))

    def reload(self, model: nn.Module) -> bool:
        """Load the weights of the adopted training; False, and nothing adopted, where there are none or others."""
        if self.weights_sha256 is None:
            return False
        weights = _read_weights(self.folder / "weights.pt")
        if weights_digest(weights) != self.weights_sha256:
            self.forget()
            self.notes.append("weights.pt was missing or damaged, so the model was trained again")
            return False
        model.load_state_dict(weights)
        return True

    def train(self, model: nn.Module, dataset: Dataset, memory: measure.PeakMemory, pool: Pool) -> None:
        spec = self.spec
        load_pretrained(model, spec.model, self.order.root / "weights")
        # Wherever the weights came from, the training draws the same numbers, and each rank others.
        torch.manual_seed(spec.seed + 2**32 * self.ranks.rank)
        rank, world = self.ranks.rank, self.ranks.world
        clips = TrainClips(dataset, spec.clip, spec.recipe, spec.data.fraction, spec.seed, rank, world)
        training = Training(model, clips, spec, Checkpoints(self.folder), self.ranks)
        self.notes += training.restore()
        self.state = training.state
        if self.state.splits and self.splits:
            refuse_another(Splits(**self.state.splits), self.splits, dataset, self.folder)
        self.state.splits = self.splits.model_dump() if self.splits else None
        validate = partial(self.validate, model, dataset, pool) if self.order.validated else None
        training.run(self.control, self.watcher(clips.batches_per_epoch, memory), pool, validate)
        epoch_s = self.state.history_s
        rates = [row["clips"] / s for row, s in zip(self.state.history, epoch_s, strict=True) if s > 0]
        self.measured |= {
            "train_s": sum(epoch_s),
            "epoch_s": epoch_s,
            "clips_per_s": statistics.median(rates),
            "peak_memory_bytes": self.ranks.largest(self.state.peak_memory_bytes) or None,
            "load": statistics.fmean(self.state.history_load) if self.state.history_load else None,
            "data_wait_share": min(sum(self.state.history_wait_s) / max(sum(epoch_s), 1e-9), 1.0),
        }
        self.ranks.share_buffers(model)
        weights = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
        self.weights_sha256 = weights_digest(weights)
        if self.ranks.rank:
            return
        with written(weights, self.folder) as temporary:
            temporary.replace(self.folder / "weights.pt")

    def validate(self, model: nn.Module, dataset: Dataset, pool: Pool, epoch: int) -> None:
        """Tell the accuracy after an epoch, of one view a validation video, to whom it may concern (a search)."""
        known: dict[str, float] = self.progress.fields.get("validation", {})
        if str(epoch) in known:
            return
        protocol, folder = Protocol(clips=1, crops=1), self.folder / "validation"
        views = TestViews(dataset, self.spec.clip, [protocol])
        with self.progress.aside():
            scored = evaluate.started(weights_digest(model.state_dict()), views, folder)
            evaluate.scores(model, scored, views, self.spec, folder, self.control, lambda *_: None, pool, self.ranks)
        if self.ranks.rank == 0:
            known = {**known, str(epoch): summary(scored, protocol.clips, protocol.crops).top1}
            self.progress.tell("training", at_once=True, validation=known)
            shutil.rmtree(folder)

    def watcher(self, batches: int, memory: measure.PeakMemory) -> Callable[[State], None]:
        """What is told of a training after each step."""
        began, steps = time.monotonic(), 0

        def watch(state: State) -> None:
            nonlocal steps
            steps += 1
            state.peak_memory_bytes = max(state.peak_memory_bytes, memory.bytes() or 0)
            row = state.history[-1] if state.history else {}
            running = {"loss": state.loss_sum / max(state.clips, 1), "accuracy": state.correct / max(state.clips, 1)}
            now = running if state.clips else row
            done = state.epoch * batches + state.batch
            left = self.spec.recipe.epochs * batches - done
            per_step = (time.monotonic() - began) / steps
            self.progress.tell(
                "training",
                at_once=state.batch == 0,
                epoch=state.epoch,
                share=done / (done + left),
                loss=now.get("loss"),
                accuracy=now.get("accuracy"),
                clips_per_s=self.spec.recipe.batch_size / per_step,
                eta_s=left * per_step,
            )

        return watch

    def test(self, model: nn.Module, dataset: Dataset, protocols: list[Protocol], pool: Pool) -> None:
        """All tests of one crop size."""

        def watch(done: int, videos: int, seconds: float) -> None:
            eta_s = seconds * (videos - done) / max(done, 1)
            self.progress.tell("testing", epoch=self.spec.recipe.epochs, share=1.0, eta_s=eta_s, at_once=done == videos)

        views, folder = TestViews(dataset, self.spec.clip, protocols), self.folder / "scores"
        scored = evaluate.started(str(self.weights_sha256), views, folder)
        evaluate.scores(model, scored, views, self.spec, folder, self.control, watch, pool, self.ranks)
        if self.ranks.rank == 0:
            self.tests += [summary(scored, protocol.clips, protocol.crops) for protocol in protocols]
            self.measured["test_s"] = sum(seconds(path) for path in folder.glob("*.npz"))

    def profile(self, model: nn.Module) -> None:
        self.progress.tell("profiling", at_once=True)
        self.measured |= measure.speed(model, self.spec, self.spec.device_batch)

    def finish(self, status: Status, error: Problem | None = None) -> Record:
        """The record of what is known now."""
        elapsed_s, device_s = self.progress.spent()
        unknown = dict.fromkeys(name for name in Measured.model_fields)
        trained_on = {"device": self.device.type, "devices": self.ranks.world, "epoch_s": self.state.history_s}
        facts: dict[str, Any] = unknown | trained_on | self.measured
        facts |= {
            "wall_s": elapsed_s,
            "device_hours": device_s / 3600,
            "attempts": self.progress.attempt,
        }
        record = Record(
            id=self.folder.name,
            status=status,
            scale=self.scale,
            spec=self.spec.content(),
            classes=self.classes,
            cost=self.cost,
            epochs=[Epoch(**row) for row in self.state.history],
            tests=self.tests,
            splits=self.splits,
            skipped=dict(sorted(self.state.skipped.items())),
            weights_sha256=self.weights_sha256,
            notes=list(dict.fromkeys(self.notes)),
            measured=Measured(**facts),
            environment=self.environment or {**environment(self.device, self.spec.model), "decoder": self.decoder},
            started=self.started,
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            error=error,
        )
        self.progress.tell(status, at_once=True)
        return record


def key(test: Protocol | Test) -> tuple[int | str, int, int | None]:
    """What tells one test protocol from another."""
    return test.clips, test.crops, test.size


def make_deterministic(spec: JobSpec) -> None:
    """Fix everything a number depends on: seed, threads, and the choice of kernels."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with this
    torch.manual_seed(spec.seed)
    torch.set_num_threads(spec.resources.cpus)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False


def problem(error: Exception) -> Problem:
    """An exception as a record keeps it."""
    return Problem(type=type(error).__name__, message=str(error), traceback="".join(traceback.format_exception(error)))


def _is_of_output(error: OSError, root: Path) -> bool:
    """Whether this is about writing our own files, and not about reading somebody's videos."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
    return full or (isinstance(error.filename, str | Path) and Path(error.filename).is_relative_to(root))


def _read_weights(path: Path) -> dict[str, torch.Tensor]:
    """The weights in a file; none where it is missing or damaged, for which torch raises a dozen types."""
    try:
        weights: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:
        return {}
    return weights


def _status(error: Exception) -> Status:
    if isinstance(error, Diverged):
        return "diverged"
    if isinstance(error, TimeLimit):
        return "timeout"
    cpu = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    return "oom" if cpu or isinstance(error, torch.OutOfMemoryError | MemoryError) else "failed"
