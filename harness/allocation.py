"""What runs inside a SLURM allocation: a worker process as on one machine, its signals, and being queued again.

submitit calls an `Allocation` in each task of a job. It starts `harness.worker` as a process of its own, so that
whatever happens to that one (a crash, the kernel's out-of-memory killer) is seen from outside, and so that saving takes
place between two steps and not inside a signal handler.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import submitit
from submitit.core.utils import DelayedSubmission

from harness import obituary, packages
from harness.files import Order, read_progress
from harness.launch import DEATHS_ALLOWED
from harness.worker import BUSY, RECORDED, STOPPED, WRONG

POLL_S = 0.2
EXPECTED = {RECORDED, WRONG, BUSY, STOPPED}


class Allocation(submitit.helpers.Checkpointable):
    """The job in `folder`, in one task of an allocation, up to `attempts` times in all."""

    def __init__(self, folder: str, attempts: int, save_s: float) -> None:
        self.folder, self.attempts, self.save_s = Path(folder), attempts, save_s
        self.process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        """Run the worker to its end, again where it dies; its exit code, negative where a signal killed it."""
        for _ in range(DEATHS_ALLOWED):
            code = self._run()
            if code in EXPECTED:
                return code
            print(f"the worker died: {obituary.how(code)}", file=sys.stderr)
        obituary.write(
            Order.read(self.folder),
            "failed",
            f"the worker process died {DEATHS_ALLOWED} times, last {obituary.how(code)}",
        )
        return code

    def _run(self) -> int:
        task = submitit.JobEnvironment()
        ranks = {
            "RANK": str(task.global_rank),
            "LOCAL_RANK": str(task.local_rank),
            "WORLD_SIZE": str(task.num_tasks),
            "HARNESS_FIRST_NODE": task.hostnames[0],
        }
        with (self.folder / "log.txt").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "harness.worker", str(self.folder), str(os.getpid())],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **ranks}, cwd=packages.ROOT,
            )  # fmt: skip
        while self.process.poll() is None:
            time.sleep(POLL_S)
        return self.process.returncode

    def checkpoint(self, *_: Any, **__: Any) -> DelayedSubmission:
        """Called by submitit before the time limit: have the worker save and end, then be queued again, or give up.

        Queuing again is left to submitit where this returns; where the attempts are used up the job gets its record and
        the process ends here.
        """
        if self.process:
            self._save(self.process.pid)
        made = int(read_progress(self.folder).get("attempt", 0))
        if made >= self.attempts:
            order = Order.read(self.folder)
            obituary.write(
                order, "timeout", f"its time limit passed in each of {made} attempts, as many as it may have"
            )
            sys.exit(0)
        return DelayedSubmission(Allocation(str(self.folder), self.attempts, self.save_s))

    def _save(self, pid: int) -> None:
        """Ask the worker to save, and wait for it; without taking its exit code from `_run`, which this interrupted."""
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + self.save_s
        while time.monotonic() < deadline:
            try:
                if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                    return
            except ChildProcessError:
                return
            time.sleep(POLL_S)
