"""Following a sweep that SLURM runs, and submitting again what it lost: a job that ended without a record."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from harness import obituary, queue, standing
from harness.combination import Job
from harness.errors import HarnessError
from harness.files import Order
from harness.launch import DEATHS_ALLOWED, outcome
from harness.progress import Display, Row
from harness.standing import MISSING, Standing
from results.record import Status
from results.store import Store

LOOK_EVERY_S = 5.0
LATE_S = 20.0
"""How long a job may be neither queued nor recorded: SLURM and network file systems tell a little late."""
PATIENCE_S = 15 * 60.0
"""How long SLURM may refuse, as while its controller is restarted, the disk be full, or another command hold the output
folder, before that ends the following."""
ENDED_WITHOUT_RECORD = {
    "BOOT_FAIL", "CANCELLED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "TIMEOUT",
}  # fmt: skip
"""SLURM's states after which no record is to be waited for."""


def follow(
    jobs: Sequence[Job], store: Store, display: Display, submit: Callable[[Sequence[Job]], None], silent_s: float
) -> None:
    """Show the jobs until each has its record; `submit` takes those that were lost.

    What cannot succeed gets a record instead: what SLURM killed for its memory, and what ended again and again before
    its work had begun. Attempts that did begin are counted and bounded where they run. A job that was cancelled is
    left as it is. What SLURM calls running and gave no sign of life for `silent_s` is on a node that died and came
    back unnoticed: SLURM is told to queue it again. Raises HarnessError where jobs cannot be submitted, or records
    not be written, for PATIENCE_S.
    """
    rows = {job.id: Row(job.label) for job in jobs}
    losses = _Losses(store, display.tell)
    while True:
        standings = standing.of(jobs, store)
        for each in standings:
            _tell(rows[each.job.id], each)
        display.show(list(rows.values()))
        for each in standings:
            if each.queued and each.unwatched_s > silent_s:
                queue.requeue(each.queued.number)
        lost = [each for each in standings if each.state in MISSING and not each.cancelled]
        again = losses.to_submit(lost)
        if again:
            losses.submit(again, submit)
        elif not lost and not any(each.state in ("queued", "running") for each in standings):
            return
        time.sleep(LOOK_EVERY_S)


@dataclass
class _Patience:
    """Bears for a while that something does not succeed."""

    what: str
    tell: Callable[[str], None]
    since: float | None = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Pass over a failure of the block; raises HarnessError where that has gone on for PATIENCE_S."""
        try:
            yield
        except (HarnessError, OSError) as error:
            why = str(error)
            if self.since is None:
                self.since = time.monotonic()
                self.tell(f"{self.what} for now, which is tried again for {PATIENCE_S / 60:.0f} minutes: {why}")
            if time.monotonic() - self.since > PATIENCE_S:
                raise HarnessError(
                    f"{self.what} for {PATIENCE_S / 60:.0f} minutes: {why}. What SLURM has goes on; the same command "
                    "goes on with the rest"
                ) from error
        else:
            self.since = None


def out_of_memory(each: Standing) -> tuple[Status, str] | None:
    """The verdict on a job that SLURM killed for its memory: nobody submits it again but a person who asks for that."""
    if each.state not in MISSING or each.ended is None or each.ended.state != "OUT_OF_MEMORY":
        return None
    return "oom", f"{each.verdict}: it needs more than `resources.mem_gb` gave it"


@dataclass
class _Losses:
    """The jobs that are neither queued nor recorded: since when, and how often they were submitted again."""

    store: Store
    tell: Callable[[str], None]
    """Says a line to who follows."""
    since: dict[str, float] = field(default_factory=dict)
    begun: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Id -> attempts that had begun when the job was last submitted again, and how often it was with no more."""

    def __post_init__(self) -> None:
        self.submitting = _Patience("jobs that SLURM lost cannot be submitted again", self.tell)
        self.recording = _Patience("records of jobs that SLURM lost cannot be written", self.tell)

    def to_submit(self, lost: Sequence[Standing]) -> list[Standing]:
        """Those that were lost for long enough, or by SLURM's own words; what cannot succeed is recorded.

        Raises HarnessError where that cannot be written for long.
        """
        now = time.monotonic()
        self.since = {each.job.id: self.since.get(each.job.id, now) for each in lost}
        late = [each for each in lost if _is_certain(each) or now - self.since[each.job.id] > LATE_S]
        found = []
        for each in late:
            verdict = self._verdict(each)
            if verdict:
                with self.recording():
                    obituary.write(Order.read(each.folder), *verdict)
            else:
                found.append(each)
        return found

    def submit(self, lost: Sequence[Standing], submit: Callable[[Sequence[Job]], None]) -> None:
        """Submit them; a refusal, a full disk or a folder in use is borne for a while. Raises HarnessError."""
        with self.submitting():
            submit([each.job for each in lost])
            self.since = {}
            for each in lost:
                self.begun[each.job.id] = _attempt(each), self._times(each) + 1

    def _times(self, each: Standing) -> int:
        """How often it was submitted again since an attempt of it began."""
        attempt, times = self.begun.get(each.job.id, (0, 0))
        return times if attempt == _attempt(each) else 0

    def _verdict(self, each: Standing) -> tuple[Status, str] | None:
        """Why this job is not submitted again."""
        if found := out_of_memory(each):
            return found
        times = self._times(each)
        if times < DEATHS_ALLOWED:
            return None
        why = each.verdict or "SLURM does not say why"
        return "failed", f"it ended {times + 1} times before its work began; {why}"


def _attempt(each: Standing) -> int:
    return int(each.progress.get("attempt", 0))


def _is_certain(each: Standing) -> bool:
    return each.ended is not None and each.ended.state in ENDED_WITHOUT_RECORD


def _tell(row: Row, each: Standing) -> None:
    cancelled = each.state in MISSING and each.cancelled
    waiting = each.state in (*MISSING, "queued") and not cancelled
    row.state, row.progress = "queued" if waiting else each.state, each.progress
    row.outcome = outcome(each.record) if each.record else ": cancelled" if cancelled else ""
