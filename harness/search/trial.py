"""Training what a trial proposes: its jobs, one a seed, each an ordinary job in a process of its own."""

import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness import obituary, standing
from harness.combination import Job
from harness.control import Control
from harness.errors import OutputError
from harness.files import Order, device_seconds, read_progress
from harness.launch import DEATHS_ALLOWED, end, started
from harness.worker import BUSY, RECORDED, WRONG
from results.record import Record, RecordError
from results.store import Store

WATCH_EVERY_S = 0.2
STOP_S = 60.0
"""How long a job may take to save when it is asked to stop."""

Told = Callable[[int, float], bool]
"""Is told an epoch's accuracy in percent, and answers whether the training shall end."""


@dataclass(frozen=True)
class Ended:
    """How a training ended."""

    how: Literal["recorded", "pruned"]
    record: Record | None
    device_hours: float
    taken: bool = False
    """Whether its record was there before."""


def train(order: Order, job: Job, told: Told, beat: Callable[[], None], control: Control, gpu: str | None) -> Ended:
    """Bring a job to its record, or to where `told` ends it. `beat` is called about every tenth of a second or later.

    Raises Interrupted after the job has saved, OutputError where it cannot write, RecordError for a damaged record, and
    what `told` and `beat` raise; the job's process is ended in any case.
    """
    store = Store(order.root)
    here = _standing(job, store, beat, control)
    if here.record and here.state != "untested":
        _news(here.folder, set(), told)  # of its epochs, where a search trained it
        return Ended("recorded", here.record, here.record.measured.device_hours, taken=True)
    folder = order.write()
    known: set[int] = set()
    deaths = obituary.Deaths()
    while True:
        process = started(folder, order.spec.resources.cpus, gpu)
        try:
            pruned = _watched(process, folder, known, told, beat, control)
        finally:
            end([process], STOP_S)
        if record := store.read(job.id):  # also where it ended before it could be pruned
            _news(folder, known, told)  # of epochs that ended while nobody looked
            return Ended("recorded", record, record.measured.device_hours)
        if pruned:
            hours = device_seconds(read_progress(folder)) / 3600
            shutil.rmtree(folder / "checkpoints", ignore_errors=True)  # of hundreds of trials these fill a disk
            (folder / "progress.json").unlink(missing_ok=True)  # a trial that repeats it begins anew, its hours too
            return Ended("pruned", None, hours)
        code = process.returncode
        if code == WRONG:
            raise OutputError(obituary.tail(folder).splitlines()[-1])
        if code in (BUSY, RECORDED):
            _pause(beat, control)
        elif (count := deaths.add(folder)) >= DEATHS_ALLOWED:
            how = obituary.how(code)
            record = obituary.write(order, "failed", f"the job's process died {count} times, last {how}")
            return Ended("recorded", record, record.measured.device_hours)


def _standing(job: Job, store: Store, beat: Callable[[], None], control: Control) -> standing.Standing:
    """Where the job stands, as soon as no other process runs it."""
    while True:
        (here,) = standing.of([job], store)
        if here.state == "damaged":
            raise RecordError(here.problem)
        if here.state not in ("running", "queued"):
            return here
        _pause(beat, control)


def _pause(beat: Callable[[], None], control: Control) -> None:
    beat()
    control.check()
    time.sleep(1.0)


def _watched(
    process: subprocess.Popen[bytes],
    folder: Path,
    known: set[int],
    told: Told,
    beat: Callable[[], None],
    control: Control,
) -> bool:
    """Follow a job's process to its end, or to where it shall end: then True."""
    while process.poll() is None:
        beat()
        control.check()
        if _news(folder, known, told):
            return True
        time.sleep(WATCH_EVERY_S)
    return False


def _news(folder: Path, known: set[int], told: Told) -> bool:
    """Tell the accuracies of epochs that were not told yet; whether the training shall end."""
    found = {int(epoch): 100 * share for epoch, share in read_progress(folder).get("validation", {}).items()}
    for epoch in sorted(found.keys() - known):
        known.add(epoch)
        if told(epoch, found[epoch]):
            return True
    return False
