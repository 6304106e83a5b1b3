"""A worker whose trainings take no time: `python stub_worker.py <suite> <root> <log> [silent_s [epoch_s [workers]]]`.

It tells the log what was told to the study and acknowledged. With `workers` it is so many, of which one is killed at
random a few times in a second and another begun, until nothing is left to begin.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

from optuna.trial import TrialState

from harness.control import Control
from harness.search import storage, worker
from harness.search.session import Session
from harness.search.study import Shared
from tests.harness.search.stubs import begun, joined, training

KILLS = 60
"""Then all may live: whether a trial is anybody's, one worker must watch for longer than another lives here."""
GRACE_S = 3
"""A killed holder of the journal's lock is waited for so long; Optuna waits for half a minute."""


class Telling(Shared):
    """Keeps a log of what it told."""

    log: Path

    def tell(self, trial, state, values=None, why=""):
        super().tell(trial, state, values, why)
        if state != TrialState.FAIL:
            write(self.log, f"told {trial.number} {state.name}")


def write(log: Path, line: str) -> None:
    with log.open("ab") as file:
        file.write(f"{line}\n".encode())


def crew(count: int, here: Session) -> None:
    """Workers, each a fork of this process, as another interpreter would take seconds to begin."""
    draw, running, left, kills = random.Random(0), set(), 0, 0
    while left < count:
        while len(running) < count - left:
            if (pid := os.fork()) == 0:
                work(here)
                os._exit(0)
            running.add(pid)
        time.sleep(draw.uniform(0.2, 0.5))
        if (kills := kills + 1) <= KILLS:
            os.kill(draw.choice(sorted(running)), signal.SIGKILL)  # one that has ended waits for its parent
        while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
            running.discard(ended[0])
            left += ended[1] == 0
            assert ended[1] in (0, signal.SIGKILL)
            if not running:
                break


def work(here: Session) -> None:
    log = Path(sys.argv[3])
    silent_s, epoch_s = (float(word) for word in [*sys.argv[4:], *("300", "0.05")[len(sys.argv[4:]) :]][:2])
    lock = storage._Lock.__init__

    def impatient(self, path):
        lock(self, path)
        self.grace_period = GRACE_S

    storage._Lock.__init__ = impatient
    worker.ALIVE_EVERY_S = min(worker.ALIVE_EVERY_S, silent_s / 8)
    worker.train = training(share=lambda job, epoch: (int(job.id[:2], 16) + epoch) / 300, epoch_s=epoch_s)
    shared = joined(here, silent_s)
    shared.__class__, shared.log = Telling, log

    def say(text: str) -> None:
        write(log, f"said {os.getpid()} {text}")

    write(log, f"began {os.getpid()} {time.time():.3f}")
    worker.Worker(here.suite, shared, here.root, here.datasets, Control(), say).run()
    write(log, f"left {os.getpid()} {time.time():.3f}")


if __name__ == "__main__":
    begun_here = begun(Path(sys.argv[1]), Path(sys.argv[2]), os.environ.get("STORAGE"))
    if sys.argv[6:]:
        crew(int(sys.argv[6]), begun_here)
    else:
        work(begun_here)
