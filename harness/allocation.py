"""What runs inside a SLURM allocation: a worker process as on one machine, its signals, and being queued again.

submitit calls an `Allocation` in each task of a job; each is one of the job's ranks. It starts `harness.worker` as a
process of its own, so that whatever happens to that one (a crash, the kernel's out-of-memory killer) is seen from
outside, and so that saving takes place between two steps and not inside a signal handler.
"""

import contextlib
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import submitit
from submitit.core.utils import DelayedSubmission, JobPaths

from harness import obituary, packages
from harness.files import ALIVE, Order, attempts
from harness.launch import DEATHS_ALLOWED
from harness.meeting import TOLD_S, Seat
from harness.worker import BUSY, RANK_LOST, RECORDED, STOPPED, WRONG

WATCH_EVERY_S = 0.2
ALIVE_EVERY_S = 10.0
AGREE_S = 120.0
"""How long a rank that is to end waits to hear how the others did; a process that hangs is killed meanwhile."""
BUSY_ALLOWED = 5
"""How often a job is tried again that another process seems to run: a dead node's lock is given back late."""
NOTICE_S = 30.0
"""How long a rank may go on after another one has failed, to notice it by itself and say so in its log."""
HUNG = 124
"""What is told of a rank that was ended here because it did not end by itself in that time; as `timeout` does."""
WELL = {RECORDED, BUSY, STOPPED}
"""Exit codes after which no other rank has anything to notice."""


class Allocation(submitit.helpers.Checkpointable):
    """The job in `folder`, in one task of an allocation, up to `attempts` times in all.

    `save_s`: what it may take to save before the time limit. `again_s`: how long to wait before a job is begun again
    that could not write.
    """

    def __init__(self, folder: str, attempts: int, save_s: float, again_s: float) -> None:
        self.folder, self.attempts, self.save_s, self.again_s = Path(folder), attempts, save_s, again_s
        self.process: subprocess.Popen[bytes] | None = None
        self.beat = -math.inf

    def __call__(self) -> int:
        """Run the worker to its end, again where it dies or cannot write; how the first rank's ended last."""
        task, deaths, codes = submitit.JobEnvironment(), obituary.Deaths(), {0: RANK_LOST}
        tidy(task.paths)
        for attempt in range(self.attempts):
            meeting = f"{task.raw_job_id}.{_restarts()}.{attempt}"
            seat = Seat(task.global_rank, task.num_tasks, task.local_rank, meeting)
            if self._used_up(seat):
                break
            codes = self._agreed(seat, self._run(seat))
            if codes[0] == RECORDED or STOPPED in codes.values():
                break
            if WRONG in codes.values() or (codes[0] == BUSY and attempt < BUSY_ALLOWED):
                print(f"the job could not begin or write (see {self.folder / 'log.txt'}); again in {self.again_s:g} s")
                self._watch_for(self.again_s)
                continue
            if codes[0] == BUSY or self._given_up(seat, codes, deaths.add(self.folder)):
                break
        return codes[0]

    def _used_up(self, seat: Seat) -> bool:
        """Whether the job was begun as often as it may be; it gets its record then, by the first rank."""
        made = max(attempts(self.folder), _restarts())
        if made < self.attempts:
            return False
        if seat.rank == 0:
            message = f"it was begun {made} times, as often as it may be, and not finished"
            obituary.write(Order.read(self.folder), "timeout", message)
        return True

    def _run(self, seat: Seat) -> int:
        """One attempt of this rank: how its process ended."""
        with (self.folder / "log.txt").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "harness.worker", str(self.folder), str(os.getpid()), *seat.words()],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=packages.ROOT,
            )  # fmt: skip
        meeting, left_s, hung = seat.at(self.folder), NOTICE_S, False
        while self.process.poll() is None:
            self._watch_for(WATCH_EVERY_S)
            if seat.world > 1 and set(meeting.ended().values()) - WELL:
                left_s -= WATCH_EVERY_S
            if left_s < 0:
                hung = True
                self.process.kill()
        return HUNG if hung else self.process.returncode

    def _watch_for(self, seconds: float) -> None:
        """Let time pass, with a sign of life now and then."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if time.monotonic() - self.beat > ALIVE_EVERY_S:
                self.beat = time.monotonic()
                with contextlib.suppress(OSError):  # a full disk
                    (self.folder / ALIVE).touch()
            time.sleep(min(left, ALIVE_EVERY_S))

    def _agreed(self, seat: Seat, code: int) -> dict[int, int]:
        """How every rank's process ended, which all wait to hear, so that all do the same then.

        Of whom nothing is heard could not write, as on a full disk.
        """
        if seat.world == 1:
            return {0: code}
        meeting, deadline = seat.at(self.folder), time.monotonic() + NOTICE_S + AGREE_S
        try:
            meeting.tell_end(seat.rank, code)
        except OSError:
            code = WRONG
        while len(codes := meeting.ended()) < seat.world and codes.get(0) != RECORDED and time.monotonic() < deadline:
            self._watch_for(WATCH_EVERY_S)
        return {**dict.fromkeys(range(seat.world), WRONG), **codes, seat.rank: code}

    def _given_up(self, seat: Seat, codes: dict[int, int], deaths: int) -> bool:
        """Whether the job is not begun again here; it gets its record then, by the first rank."""
        own = seat.at(self.folder).problem(TOLD_S) if {RANK_LOST, HUNG} & set(codes.values()) else None
        how = _how(codes)
        print(f"the worker died: {how}", file=sys.stderr)
        if own is None and deaths < DEATHS_ALLOWED:
            return False
        if seat.rank == 0:
            status, message = (
                (own[0], own[1].message) if own else ("failed", f"the worker process died {deaths} times, last {how}")
            )
            obituary.write(Order.read(self.folder), status, message)
        return True

    def checkpoint(self, *_: Any, **__: Any) -> DelayedSubmission:
        """Called by submitit before the time limit: have the worker save and end, then be queued again, or give up.

        Queuing again is left to submitit where this returns; where the attempts are used up the job gets its record and
        the process ends here.
        """
        if self.process:
            save(self.process, self.save_s)
        made = max(attempts(self.folder), _restarts() + 1)
        if made >= self.attempts:
            message = f"its time limit passed, or it was preempted, in each of {made} attempts, as many as it may have"
            obituary.write(Order.read(self.folder), "timeout", message)
            sys.exit(0)
        return DelayedSubmission(Allocation(str(self.folder), self.attempts, self.save_s, self.again_s))


def save(process: subprocess.Popen[bytes], wait_s: float) -> None:
    """Ask a child to save, and wait for its end; without taking its exit code from who waits for it, too."""
    if process.returncode is not None:
        return
    try:
        os.kill(process.pid, signal.SIGTERM)  # not by `send_signal`, which takes the exit code
    except ProcessLookupError:
        return
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        try:
            if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                return
        except ChildProcessError:
            return
        time.sleep(WATCH_EVERY_S)


def _how(codes: dict[int, int]) -> str:
    """In which way an attempt ended, by how every rank's process did: who died, and not who was lost by that."""
    if len(codes) == 1:
        return obituary.how(codes[0])
    died = [
        f"rank {rank} {obituary.how(code)}"
        for rank, code in sorted(codes.items())
        if code not in (*WELL, RANK_LOST, HUNG)
    ]
    hung = ", ".join(str(rank) for rank, code in sorted(codes.items()) if code == HUNG)
    ended = [f"rank {hung} did not notice that within {NOTICE_S:.0f} s and was ended by the harness"] if hung else []
    return "; ".join([", ".join(died) or "ranks lost each other, and none said why", *ended])


def tidy(paths: JobPaths) -> None:
    """Remove what submitit was writing when an earlier process of this job was killed: it refuses to write over it."""
    for path in (paths.submitted_pickle, paths.result_pickle):
        path.with_suffix(f"{path.suffix}.save_tmp").unlink(missing_ok=True)


def _restarts() -> int:
    """How often SLURM has queued this submission of the job again."""
    return int(os.environ.get("SLURM_RESTART_COUNT", "0"))
