"""What runs inside a SLURM allocation: a worker process as on one machine, its signals, and being queued again.

submitit calls an `Allocation` in each task of a job. It starts `harness.worker` as a process of its own, so that whatever
happens to that one (a crash, the kernel's out-of-memory killer) is seen from outside, and so that saving takes place
between two steps and not inside a signal handler.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import submitit
from submitit.core.utils import DelayedSubmission

from harness import packages
from harness.worker import RECORDED

POLL_S = 0.2
SAVE_S = 75.0
"""How long a worker has to save, of the seconds that SLURM leaves after its signal."""


class Allocation(submitit.helpers.Checkpointable):
    """One attempt at the job in `folder`, in one task of an allocation."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __call__(self) -> int:
        """Run the worker to its end; its exit code, negative where a signal killed it."""
        environment = submitit.JobEnvironment()
        ranks = {
            "RANK": str(environment.global_rank),
            "LOCAL_RANK": str(environment.local_rank),
            "WORLD_SIZE": str(environment.num_tasks),
            "HARNESS_RANK0": environment.hostnames[0],
        }
        with (Path(self.folder) / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "harness.worker", self.folder],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **ranks}, cwd=packages.ROOT,
            )  # fmt: skip
        self.pid = process.pid
        while process.poll() is None:
            time.sleep(POLL_S)
        if process.returncode != RECORDED:
            print(f"the worker ended with {process.returncode}", file=sys.stderr)
        return process.returncode

    def checkpoint(self) -> DelayedSubmission:
        """Called by submitit before the time limit: have the worker save and end, then be queued again."""
        subprocess.run(["kill", "-TERM", str(self.pid)], check=False)
        deadline = time.monotonic() + SAVE_S
        while _lives(self.pid) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        return DelayedSubmission(Allocation(self.folder))


def _lives(pid: int) -> bool:
    """Whether a child has not ended; without taking its exit code from whoever waits for it."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
