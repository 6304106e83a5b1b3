"""Where every job stands, from the files alone: its record, else its progress and whether a process holds its lock."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from harness import progress, queue
from harness.combination import Job
from harness.files import has_checkpoint, read_progress
from harness.locks import is_held
from harness.queue import Queued
from results.record import Record, RecordError
from results.store import Store

State = Literal[
    "done", "failed", "oom", "timeout", "diverged", "queued", "running", "stopped", "not run", "untested", "damaged"
]
"""A record's status, or: waiting in SLURM's queue, running now, stopped with a checkpoint, never started, done but for
a test, unreadable."""
MISSING = ("stopped", "not run", "untested")
"""States that `run` takes up by itself."""


@dataclass(frozen=True)
class Standing:
    """One job of a suite and where it stands."""

    job: Job
    state: State
    record: Record | None = None
    progress: dict[str, Any] = field(default_factory=dict)
    problem: str = ""
    """What is wrong with a damaged record."""
    reached: str = ""
    """How far a stopped job came."""
    queued: Queued | None = None
    """What SLURM says of it, where it has it."""

    @property
    def detail(self) -> str:
        """One line on it: accuracies, the error, or how far it is."""
        if self.record and self.record.error:
            return self.record.error.line
        if self.record:
            return ", ".join(f"top-1 {test.top1:.1%} ({test.clips} x {test.crops} views)" for test in self.record.tests)
        if self.state == "queued" and self.queued:
            again = f"again, attempt {self.progress['attempt'] + 1}, " if self.progress else ""
            return f"{again}SLURM job {self.queued.number}: {self.queued.reason}"
        if self.state == "running":
            where = f" on {self.queued.nodes} (SLURM job {self.queued.number})" if self.queued else ""
            return progress.line(progress.Row(self.job.label, "running", self.progress)) + where
        return self.problem or self.reached

    def plain(self) -> dict[str, Any]:
        """For `--json`."""
        tests = [test.model_dump() for test in self.record.tests] if self.record else []
        return {
            "id": self.job.id,
            "label": self.job.label,
            "variant": dict(self.job.variant),
            "state": self.state,
            "detail": self.detail,
            "tests": tests,
            "device_hours": self.record.measured.device_hours if self.record else None,
            "progress": self.progress,
        }


def of(jobs: Sequence[Job], store: Store) -> list[Standing]:
    """Where these jobs stand now; SLURM is asked once, and only where something was submitted to it."""
    (found,) = of_all([jobs], store)
    return found


def of_all(suites: Sequence[Sequence[Job]], store: Store) -> list[list[Standing]]:
    """Where the jobs of several suites stand; SLURM is asked once for all."""
    queued = queue.ask(store.root)
    return [[_of(job, store, queued.get(job.id)) for job in jobs] for jobs in suites]


def _of(job: Job, store: Store, queued: Queued | None) -> Standing:
    folder = store.job_folder(job.id)
    now = read_progress(folder)
    if is_held(folder / "lock") or (queued and queued.state in queue.RUNNING):
        return Standing(job, "running", progress=now, queued=queued)
    if queued:
        return Standing(job, "queued", progress=now, queued=queued)
    try:
        record = store.read(job.id)
    except RecordError as error:
        return Standing(job, "damaged", problem=f"{error}; delete the file to run this job again")
    if record is None:
        return (
            Standing(job, "stopped", progress=now, reached=_reached(now, folder)) if now else Standing(job, "not run")
        )
    tested = {(test.clips, test.crops, test.size) for test in record.tests}
    asked = {(test.clips, test.crops, test.size) for test in job.spec.tests}
    if record.status == "done" and not asked <= tested:
        return Standing(job, "untested", record, now)
    return Standing(job, record.status, record, now)


def _reached(now: dict[str, Any], folder: Path) -> str:
    """How far a job without a record came, by its last progress and what is left of it."""
    epoch, epochs = now.get("epoch", 0), now.get("epochs", 0)
    if epoch and not has_checkpoint(folder):
        return "its record and its checkpoints are gone; it is trained again"
    if epoch and epoch == epochs:
        return "training is finished, testing is missing"
    return f"after {epoch} of {epochs} epochs"
