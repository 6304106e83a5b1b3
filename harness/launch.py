"""Running jobs on this machine: `inline` in this process, `local` in a bounded pool of worker processes.

The pool holds one job a GPU, or as many as the CPU's cores allow at `resources.cpus` threads each. A worker that dies
without a record (a crash, the kernel's out-of-memory killer) is started again from its checkpoint, a few times; then it
gets a record that says so, and the sweep goes on.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from harness import obituary, packages
from harness.control import Control
from harness.errors import BusyError, OutputError
from harness.files import Follower, Order, read_progress
from harness.progress import Display, Row
from harness.worker import BUSY, RECORDED, STOPPED, WRONG
from results.record import Record
from results.store import Store

REAP_EVERY_S = 0.25
DEATHS_ALLOWED = 3


def outcome(record: Record) -> str:
    """How a job ended, for its last line."""
    if record.error:
        return f": {record.error.line}"
    scores = ", ".join(f"{test.top1:.1%} ({test.clips} x {test.crops} views)" for test in record.tests)
    notes = [*record.notes, *record.undecodable]
    more = f" and {len(notes) - 1} more notes" if len(notes) > 1 else ""
    note = f"; {notes[0]}{more}" if notes else ""
    return f" in {record.measured.wall_s:.0f} s: top-1 {scores}{note}"


def inline(orders: Sequence[Order], display: Display) -> None:
    """Run the jobs one after the other in this process; one that another process runs is passed over.

    Raises Interrupted (resumable) and OutputError.
    """
    from harness.job import run  # imports torch, which only an inline sweep needs in this process

    rows = [Row(order.label) for order in orders]
    for order, row in zip(orders, rows, strict=True):
        folder = order.write()
        control = Control(order.spec.resources.timeout_min)
        row.state = "running"
        try:
            with stopped_by_signals(control.stop), _watched(rows, row, Follower(folder), display):
                record = run(order, control)
        except BusyError as busy:
            row.state, row.outcome = "busy", f": {busy}"
        else:
            row.state, row.outcome, row.progress = record.status, outcome(record), read_progress(folder)
        display.show(rows)


@contextmanager
def _watched(rows: Sequence[Row], row: Row, follower: Follower, display: Display) -> Iterator[None]:
    """Keep the display up to date from a thread while the job runs in this one."""
    finished = threading.Event()

    def watch() -> None:
        while not finished.wait(REAP_EVERY_S):
            row.progress = follower.read()
            display.show(rows)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()


@contextmanager
def stopped_by_signals(stop: Callable[[str], None]) -> Iterator[None]:
    """While the block runs, the first Ctrl-C or SIGTERM asks to stop and the second ends at once."""

    def handler(number: int, _frame: FrameType | None) -> None:
        stop("stopped by " + ("Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name))
        signal.signal(signal.SIGINT, signal.default_int_handler)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def started(folder: Path, cpus: int, gpu: str | None) -> subprocess.Popen[bytes]:
    """A process of its own for the job in a folder, on one GPU or on what there is; it ends with this process."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(packages.ROOT),
        "PYTHONSAFEPATH": "1",
        "OMP_NUM_THREADS": str(cpus),
    }
    if gpu is not None:
        environment["CUDA_VISIBLE_DEVICES"] = gpu
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "harness.worker", str(folder), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,  # Ctrl-C reaches this process alone, which then asks its workers to stop
        )


def end(processes: Sequence[subprocess.Popen[bytes]], wait_s: float) -> None:
    """Ask processes to save and end; kill those that do not within the time, or when a person insists."""
    for process in processes:
        process.terminate()  # nothing, of one that has ended
    deadline = time.monotonic() + wait_s
    for process in processes:
        try:
            process.wait(max(deadline - time.monotonic(), 0.1))
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill()
            process.wait()


@dataclass
class _Worker:
    """A running worker process."""

    order: Order
    row: Row
    folder: Path
    slot: int
    process: subprocess.Popen[bytes]
    follower: Follower


@dataclass
class _Pool:
    """The queue, the running workers and the free slots of a local sweep."""

    store: Store
    queue: list[tuple[Order, Row]]
    free: list[int]
    gpus: int
    running: list[_Worker] = field(default_factory=list)
    deaths: obituary.Deaths = field(default_factory=obituary.Deaths)

    def fill(self) -> None:
        """Start jobs while there are free slots."""
        while self.queue and self.free:
            order, row = self.queue.pop(0)
            self.running.append(self.start(order, row, self.free.pop(0)))

    def start(self, order: Order, row: Row, slot: int) -> _Worker:
        folder = order.write()
        follower = Follower(folder)
        row.state, row.progress = "running", {}
        visible = visible_gpus(self.gpus) if self.gpus else []
        process = started(folder, order.spec.resources.cpus, visible[slot % len(visible)] if visible else None)
        return _Worker(order, row, folder, slot, process, follower)

    def reap(self) -> None:
        """Take up what ended: a record, a stop, or a death. Raises OutputError when a worker could not write."""
        for worker in list(self.running):
            code = worker.process.poll()
            worker.row.progress = worker.follower.read() or worker.row.progress
            if code is None:
                continue
            self.running.remove(worker)
            self.free.append(worker.slot)
            if code == WRONG:
                worker.row.state = "stopped"
                raise OutputError(obituary.tail(worker.folder).splitlines()[-1])
            if code == STOPPED:
                worker.row.state = "stopped"
            elif code == BUSY:
                worker.row.state, worker.row.outcome = "busy", f": {obituary.tail(worker.folder).splitlines()[-1]}"
            elif code == RECORDED and (record := self.store.read(worker.folder.name)):
                worker.row.state, worker.row.outcome = record.status, outcome(record)
            else:
                self.died(worker, code)

    def died(self, worker: _Worker, code: int) -> None:
        """Queue a dead worker's job again, or give it a record when it died too often."""
        deaths = self.deaths.add(worker.folder)
        if deaths < DEATHS_ALLOWED:
            worker.row.state = "queued"
            self.queue.insert(0, (worker.order, worker.row))
            return
        record = obituary.write(
            worker.order, "failed", f"the worker process died {deaths} times, last {obituary.how(code)}"
        )
        worker.row.state, worker.row.outcome = record.status, outcome(record)

    def stop(self, wait_s: float = 60.0) -> None:
        """Ask all workers to save and end; kill those that do not."""
        self.queue.clear()
        end([worker.process for worker in self.running], wait_s)


def local(orders: Sequence[Order], store: Store, display: Display, slots: int, gpus: int) -> None:
    """Run the jobs in up to `slots` worker processes. Raises Interrupted (all is resumable) and OutputError."""
    rows = [Row(order.label) for order in orders]
    pool = _Pool(store, list(zip(orders, rows, strict=True)), list(range(slots)), gpus)
    asked = Control()
    with stopped_by_signals(asked.stop):
        try:
            while pool.queue or pool.running:
                asked.check()
                pool.fill()
                time.sleep(REAP_EVERY_S)
                pool.reap()
                display.show(rows)
        finally:
            pool.stop()


def count_gpus() -> int:
    """GPUs that torch sees."""
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def count_slots(orders: Sequence[Order], gpus: int) -> int:
    """How many jobs run at once: one a GPU, else as many as fit the CPU's cores."""
    threads = max((order.spec.resources.cpus for order in orders), default=1)
    return gpus or max(1, len(os.sched_getaffinity(0)) // threads)


def visible_gpus(gpus: int) -> list[str]:
    """What CUDA calls the GPUs that this process may use."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return visible.split(",") if visible else [str(index) for index in range(gpus)]
