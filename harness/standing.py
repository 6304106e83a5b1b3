"""Where every job stands, from the files: its record, else its progress and whether a process holds its lock.

SLURM is the second witness of what it was given: which of it waits, runs, or ended, and how.
"""

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from harness import progress, queue
from harness.combination import Job
from harness.files import ALIVE, has_checkpoint, read_progress
from harness.locks import is_held
from harness.queue import Queued
from results.record import NewerError, Record, RecordError
from results.store import Store, write_atomic

State = Literal[
    "done", "failed", "oom", "timeout", "diverged", "queued", "running", "stopped", "not run", "untested", "damaged"
]
"""A record's status, or: waiting in SLURM's queue, running now, stopped with a checkpoint, never started, done but for
a test, unreadable."""
MISSING = ("stopped", "not run", "untested")
"""States that `run` takes up by itself."""
CANCELLED = "cancelled"
"""The file in a job's folder with SLURM's number of the submission that `cancel` ended."""
SILENCE_S = 15 * 60.0
"""From when on a running job's silence is told. A healthy one speaks after every step and every batch of a test, but
not while it opens a data set, loads weights, counts a model's cost or measures its speed, which take minutes."""


@dataclass(frozen=True)
class Standing:
    """One job of a suite and where it stands."""

    job: Job
    state: State
    folder: Path
    record: Record | None = None
    progress: dict[str, Any] = field(default_factory=dict)
    problem: str = ""
    """What is wrong with a damaged record."""
    reached: str = ""
    """How far a stopped job came."""
    queued: Queued | None = None
    """What SLURM says of it, where it has it: such a job is not submitted again."""
    ended: Queued | None = None
    """What SLURM says of how its newest submission ended, where it is not in its queue any more."""
    unwatched_s: float = 0.0
    """Seconds since who watches the process of a job that SLURM calls running gave a sign of life."""
    silent: str = ""
    """Of a running job from which nothing was heard for long: for how long, and what to do."""

    @property
    def detail(self) -> str:
        """One line on it: accuracies, the error, or how far it is."""
        if self.record and self.record.error:
            return f"{self.record.error.line} ({self.folder / 'log.txt'})"
        if self.record:
            return ", ".join(f"top-1 {test.top1:.1%} ({test.clips} x {test.crops} views)" for test in self.record.tests)
        if self.state == "queued" and self.queued:
            again = f"again, attempt {self.progress['attempt'] + 1}, " if "attempt" in self.progress else ""
            number = f"SLURM job {self.queued.number}: " if self.queued.number else ""
            return f"{again}{number}{self.queued.waits}"
        if self.state == "running":
            where = f" on {self.queued.nodes} (SLURM job {self.queued.number})" if self.queued else ""
            return progress.line(progress.Row(self.job.label, "running", self.progress)) + where + self.silent
        return self.problem or "; ".join(filter(None, (self.reached, self.verdict)))

    @property
    def verdict(self) -> str:
        """What SLURM says of how a job without a record ended, and where it may say more."""
        if self.ended and self.cancelled:
            return f"cancelled as SLURM job {self.ended.number}"
        if not self.ended or self.ended.state == queue.FORGOTTEN:
            return ""
        more = f" ({self.slurm_log})" if not self.progress and self.slurm_log else ""
        return f"SLURM says {self.ended.state} of job {self.ended.number}{more}"

    @property
    def slurm_log(self) -> Path | None:
        """What SLURM keeps of its newest submission's output, where there is any: what came before the job's own."""
        told = self.queued or self.ended
        path = self.folder.parent.parent / queue.SWEEPS / f"{told.number}_0_log.out" if told and told.number else None
        return path if path and path.is_file() else None

    @property
    def cancelled(self) -> bool:
        """Whether its newest submission was ended by `cancel`: nobody wants it back at once."""
        try:
            return self.ended is not None and (self.folder / CANCELLED).read_text(encoding="utf-8") == self.ended.number
        except OSError:
            return False

    def cancel(self) -> None:
        """Note that `cancel` ends what SLURM has of it. Raises OSError."""
        if self.queued:
            write_atomic(self.folder / CANCELLED, self.queued.number)

    def keep(self) -> None:
        """Take back that `cancel` ends it."""
        (self.folder / CANCELLED).unlink(missing_ok=True)

    def plain(self) -> dict[str, Any]:
        """For `--json`."""
        tests = [test.model_dump() for test in self.record.tests] if self.record else []
        told = self.queued or self.ended
        return {
            "id": self.job.id,
            "label": self.job.label,
            "variant": dict(self.job.variant),
            "state": self.state,
            "detail": self.detail,
            "tests": tests,
            "device_hours": self.record.measured.device_hours if self.record else None,
            "progress": self.progress,
            "slurm": {"job": told.number, "state": told.state, "reason": told.reason, "nodes": told.nodes}
            if told
            else None,
        }


def of(jobs: Sequence[Job], store: Store) -> list[Standing]:
    """Where these jobs stand now; SLURM is asked only where something was submitted to it."""
    (found,) = of_all([jobs], store)
    return found


def of_all(suites: Sequence[Sequence[Job]], store: Store) -> list[list[Standing]]:
    """Where the jobs of several suites stand: for all of them squeue is asked once, and sacct at most once."""
    told = queue.ask(store.root, {job.id for jobs in suites for job in jobs})
    found = [[_of(job, store, told.get(job.id)) for job in jobs] for jobs in suites]
    lost = {each.job.id for rows in found for each in rows if each.state in MISSING and _is_forgotten(each.ended)}
    endings = queue.endings(store.root, lost) if lost else {}
    return [[replace(each, ended=endings.get(each.job.id, each.ended)) for each in rows] for rows in found]


def _is_forgotten(ended: Queued | None) -> bool:
    return ended is not None and ended.state == queue.FORGOTTEN


def _of(job: Job, store: Store, told: Queued | None) -> Standing:
    folder = store.job_folder(job.id)
    now = read_progress(folder)
    queued, ended = (told, None) if told and told.alive else (None, told)
    silent_s = _silent_s(folder, now, queued)
    held = is_held(folder / "lock")
    if held and ended and silent_s > SILENCE_S and _is_elsewhere(now):
        held = False  # its node died, and the file system has not noticed
    unwatched_s = _unwatched_s(folder, queued) if queued and queued.state == "RUNNING" else 0.0
    here = Standing(job, "running", folder, progress=now, queued=queued, ended=ended, unwatched_s=unwatched_s)
    if held or (queued and queued.state in queue.RUNNING):
        return replace(here, silent=_silent(here, silent_s) if silent_s > SILENCE_S else "")
    if queued and queued.state != queue.UNKNOWN:
        return replace(here, state="queued")
    try:
        record = store.read(job.id)
    except RecordError as error:
        remedy = "" if isinstance(error, NewerError) else "; delete the file to run this job again"
        return replace(here, state="damaged", problem=f"{error}{remedy}")
    if record is None and queued:
        return replace(here, state="queued")
    if record is None:
        return replace(here, state="stopped", reached=_reached(now, folder)) if now else replace(here, state="not run")
    tested = {(test.clips, test.crops, test.size) for test in record.tests}
    asked = {(test.clips, test.crops, test.size) for test in job.spec.tests}
    untested = record.status == "done" and not asked <= tested
    return replace(here, state="untested" if untested else record.status, record=record)


def _silent_s(folder: Path, now: dict[str, Any], queued: Queued | None) -> float:
    """Seconds since the job gave a sign of life, its start included."""
    try:
        locked = (folder / "lock").stat().st_mtime  # written when the lock is taken
    except OSError:
        locked = 0.0
    return time.time() - max(float(now.get("updated", 0.0)), locked, queued.began if queued else 0.0)


def _unwatched_s(folder: Path, queued: Queued) -> float:
    try:
        beat = (folder / ALIVE).stat().st_mtime
    except OSError:
        beat = 0.0
    return time.time() - beat if queued.began and beat > queued.began else 0.0


def _is_elsewhere(now: dict[str, Any]) -> bool:
    return bool(now.get("host", socket.gethostname()) != socket.gethostname())


def _silent(here: Standing, silent_s: float) -> str:
    text = f", no sign of life for {silent_s / 60:.0f} minutes"
    if here.queued or not _is_elsewhere(here.progress):
        return text
    holder = f"process {here.progress.get('pid', '?')} on {here.progress['host']}"
    return f"{text}: if {holder} is gone, delete {here.folder / 'lock'}"


def _reached(now: dict[str, Any], folder: Path) -> str:
    """How far a job without a record came, by its last progress and what is left of it."""
    epoch, epochs = now.get("epoch", 0), now.get("epochs", 0)
    if epoch and not has_checkpoint(folder):
        return "its record and its checkpoints are gone; it is trained again"
    if epoch and epoch == epochs:
        return "training is finished, testing is missing"
    return f"after {epoch} of {epochs} epochs"
