"""Following a sweep that SLURM runs, and submitting again what it lost: a job that ended without a record."""

import time
from collections.abc import Callable, Sequence

from harness import standing
from harness.combination import Job
from harness.launch import outcome
from harness.progress import Display, Row
from harness.standing import MISSING, Standing
from results.store import Store

POLL_S = 5.0
GRACE_S = 20.0
"""How long a job may be neither queued nor recorded: SLURM and network file systems tell a little late."""


def follow(jobs: Sequence[Job], store: Store, display: Display, submit: Callable[[Sequence[Job]], None]) -> None:
    """Show the jobs until each has its record; `submit` takes those that were lost.

    How often that may be is bounded where they run: an attempt too many becomes a record.
    """
    rows = {job.id: Row(job.label) for job in jobs}
    since: dict[str, float] = {}
    while True:
        standings = standing.of(jobs, store)
        for each in standings:
            _tell(rows[each.job.id], each)
        display.show(list(rows.values()))
        now = time.monotonic()
        lost = {each.job.id: each.job for each in standings if each.state in MISSING}
        since = {id_: since.get(id_, now) for id_ in lost}
        late = [job for id_, job in lost.items() if now - since[id_] > GRACE_S]
        if late:
            submit(late)
            since = {}
        elif not lost and not any(each.state in ("queued", "running") for each in standings):
            return
        time.sleep(POLL_S)


def _tell(row: Row, each: Standing) -> None:
    waiting = each.state in (*MISSING, "queued")
    row.state, row.progress = "queued" if waiting else each.state, each.progress
    row.outcome = outcome(each.record) if each.record else ""
