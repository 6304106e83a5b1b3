"""Several workers of a search on this machine, each a process of its own: `local`. One that dies is begun again."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import obituary, packages
from harness.control import Control
from harness.errors import HarnessError, Interrupted
from harness.launch import end, visible_gpus
from harness.worker import RECORDED, STOPPED, WRONG

LOOK_EVERY_S = 1.0
DEATHS_ALLOWED = 3
"""How often in a row a worker may die within `YOUNG_S` of its start."""
YOUNG_S = 30.0
STOP_S = 90.0


@dataclass
class _Seat:
    """A worker's place among them."""

    index: int
    log: Path
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    deaths: int = 0
    left: bool = False
    """Whether there was nothing more to begin for it."""


@dataclass
class Crew:
    """The workers of this command."""

    folder: Path
    """Of the study."""
    arguments: dict[str, Any]
    """What each worker is told (`harness.search.process`)."""
    workers: int
    gpus: int
    seats: list[_Seat] = field(default_factory=list)

    def run(self, look: Callable[[], None], control: Control) -> None:
        """Until no worker finds anything to begin. `look` is called often. Raises Interrupted and HarnessError."""
        self.seats = [_Seat(index, self.folder / f"worker-{index}.log") for index in range(self.workers)]
        try:
            while not all(seat.left for seat in self.seats):
                control.check()
                for seat in self.seats:
                    self._look(seat)
                look()
                time.sleep(LOOK_EVERY_S)
            look()
        finally:
            end([seat.process for seat in self.seats if seat.process], STOP_S)  # and give their trials back

    def _look(self, seat: _Seat) -> None:
        """Begin a worker where there is none, and see how one ended."""
        code = seat.process.poll() if seat.process else None
        if seat.left or (seat.process and code is None):
            return
        if seat.process and code is not None:
            if code == RECORDED:
                seat.left = True
                return
            if code in (WRONG, STOPPED):
                raise (HarnessError if code == WRONG else Interrupted)(_last(seat.log))
            seat.deaths = seat.deaths + 1 if time.monotonic() - seat.began < YOUNG_S else 1
            if seat.deaths >= DEATHS_ALLOWED:
                raise HarnessError(f"worker {seat.index} dies again and again ({obituary.how(code)}); see {seat.log}")
        seat.process, seat.began = self._started(seat), time.monotonic()

    def _started(self, seat: _Seat) -> subprocess.Popen[bytes]:
        visible = visible_gpus(self.gpus) if self.gpus else []
        told = {
            **self.arguments,
            "alone": self.workers == 1,
            "gpu": visible[seat.index % len(visible)] if visible else None,
        }
        environment = {**os.environ, "PYTHONPATH": str(packages.ROOT), "PYTHONSAFEPATH": "1"}
        seat.log.parent.mkdir(parents=True, exist_ok=True)
        with seat.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "harness.search.process", str(os.getpid()), json.dumps(told)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True,
            )  # fmt: skip


def _last(log: Path) -> str:
    """The last line that a worker left."""
    try:
        lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    except OSError:
        lines = []
    return lines[-1] if lines else f"a worker ended without a word ({log})"
