"""Workers of a search as jobs of SLURM: an array of them, each queued again where it is preempted or its time is up."""

import hashlib
import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import submitit
from submitit.core.utils import DelayedSubmission

from harness import obituary, site, slurm, snapshot
from harness.allocation import save, tidy
from harness.control import Control
from harness.errors import HarnessError
from harness.files import Order
from harness.queue import SWEEPS
from harness.search.launch import DEATHS_ALLOWED, YOUNG_S
from harness.search.session import Session
from harness.search.study import Shared
from harness.worker import RECORDED, STOPPED, WRONG

ASK_EVERY_S = 15.0
WATCH_EVERY_S = 0.5
EMPTY_HANDED = 3
"""How often in a row workers may be submitted without a trial's ending between."""


class Task(submitit.helpers.Checkpointable):
    """One worker in an allocation of its own; begun again where its process dies."""

    def __init__(self, told: dict[str, Any], save_s: float) -> None:
        self.told, self.save_s = told, save_s
        self.process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        """Work until nothing is left to begin; how the worker's process ended last."""
        tidy(submitit.JobEnvironment().paths)
        deaths, code = 0, STOPPED
        while deaths < DEATHS_ALLOWED:
            began = time.monotonic()
            words = [sys.executable, "-m", "harness.search.process", str(os.getpid()), json.dumps(self.told)]
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
            while self.process.poll() is None:
                time.sleep(WATCH_EVERY_S)
            code = self.process.returncode
            if code in (RECORDED, STOPPED, WRONG):
                break
            print(f"the worker {obituary.how(code)}", file=sys.stderr)
            deaths = deaths + 1 if time.monotonic() - began < YOUNG_S else 1
        return code

    def checkpoint(self, *_: Any, **__: Any) -> DelayedSubmission:
        """Called by submitit before the time limit: have the trial given back, and be queued again."""
        if self.process:
            save(self.process, self.save_s)
        return DelayedSubmission(Task(self.told, self.save_s))


def submit(here: Session, workers: int, until: float | None) -> str:
    """Queue workers with the code and the suite as they are now; SLURM's number of them. Raises HarnessError."""
    slurm.check_root(here.root)
    slurm.largest_array()
    defaults, code = site.read(), snapshot.take(here.root)
    job = here.suite.jobs[0]
    order = Order(job.spec, here.suite.scale, job.label, here.root, here.datasets)
    (array,) = slurm.arrays([order], defaults, code, 1)
    slurm.check(array, here.root)
    told = here.arguments(until, here.keep())
    save_s = 0.8 * array.parameters["signal_delay_s"]
    tasks = [Task({**told, "alone": workers == 1, "gpu": None}, save_s) for _ in range(workers)]
    return slurm.submit_tasks(tasks, array.parameters, name(here), here.root)


def name(here: Session) -> str:
    """What SLURM calls the workers of a study; another output folder's study may have the same name."""
    kept = hashlib.sha256((here.url or str(here.folder)).encode()).hexdigest()[:6]
    return f"search-{re.sub(r'[^A-Za-z0-9_.-]', '-', here.name)}-{kept}"


def follow(
    here: Session,
    shared: Shared,
    workers: int,
    until: float | None,
    look: Callable[[], None],
    control: Control,
    say: Callable[[str], None],
) -> None:
    """Until the study has ended; workers are submitted where SLURM has none and something is left to begin.

    Raises Interrupted, and HarnessError where workers end again and again and no trial does.
    """
    asked_at, known, in_vain = -math.inf, -1, 0
    while True:
        control.check()
        look()
        late = until is not None and time.time() > until
        if shared.ended(late):
            return
        if time.monotonic() - asked_at > ASK_EVERY_S:
            asked_at = time.monotonic()
            if not _queued(name(here)):
                if late:
                    return
                ended = sum(trial.state.is_finished() for trial in shared.trials())
                in_vain, known = (0 if ended > known else in_vain + 1), ended
                if in_vain >= EMPTY_HANDED:
                    raise HarnessError(f"workers end and no trial does; see what they left in {here.root / SWEEPS}")
                say(f"{workers} workers submitted as SLURM job {submit(here, workers, until)}")
        time.sleep(1.0)


def _queued(job: str) -> bool:
    """Whether SLURM has workers of this name; so too where it does not answer."""
    try:
        ended = subprocess.run(
            ["squeue", "--noheader", f"--user={os.getuid()}", f"--name={job}", "--format=%i"],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return True
    return bool(ended.stdout.strip())
