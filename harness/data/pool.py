"""Functions run in processes of their own, so that a file that crashes or hangs FFmpeg costs that file and no more.

Each process does one task at a time, so whoever kills it is known. The processes are new interpreters, not copies of
this one: they hold no torch, no CUDA context and no main module, and end within a second of who started them.
"""

import json
import os
import pickle
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

START_LIMIT_S = 300.0
"""A process that does not answer within this time is given up: imports from a network's disk can take a minute."""

_LENGTH = struct.Struct("<Q")

_BOOT = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN);"  # also while it imports
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]);"
    "from harness.data.pool import serve; serve(int(sys.argv[2]), int(sys.argv[3]))"
)


@dataclass(frozen=True)
class Lost:
    """A task without a result: it killed the process that did it, or was not done in time."""

    task: Any
    reason: str


class Pool:
    """Processes that do tasks and are replaced where a task kills one; a context manager, whose end kills them all.

    With no workers the tasks are done in this process, and nothing protects it from them.
    """

    def __init__(self, workers: int, timeout_s: float = 120.0) -> None:
        self.workers = workers
        self.timeout_s = timeout_s
        self._closed = False
        self._processes: set[_Process] = set()
        self._idle: SimpleQueue[_Process | None] = SimpleQueue()
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="pool") if workers else None
        for _ in range(workers):
            self._idle.put(None)

    def __enter__(self) -> "Pool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes, whatever they are doing; what is not done stays undone."""
        self._closed = True
        for process in list(self._processes):
            process.kill()
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
        for process in list(self._processes):
            self._end(process)

    def map(self, function: Callable[[T], R], tasks: Iterable[T], ahead: int | None = None) -> Iterator[R | Lost]:
        """The result of each task, in the order of the tasks, which are taken as they are needed.

        `function` is one that another process can import, and returns its errors as values. At most `ahead` tasks
        (default: twice the workers) are begun before their turn, so no more results than that wait in memory. Raises
        RuntimeError where the function raises, or where a process does not even start.
        """
        if self._threads is None:
            yield from map(function, tasks)
            return
        limit = max(1, 2 * self.workers if ahead is None else ahead)
        begun: deque[Future[R | Lost]] = deque()
        try:
            for task in tasks:
                begun.append(self._threads.submit(self._do, function, task))
                if len(begun) >= limit:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()

    def _do(self, function: Callable[[T], R], task: T) -> R | Lost:
        """One task in a process that is free.

        A process that dies may have been broken by an earlier task, a damaged file that overwrote memory, say; so the
        guilt of this one is settled in a process that has done nothing else.
        """
        process = self._idle.get()
        try:
            while True:
                process = process or self._start()
                fresh = process.fresh
                try:
                    return process.call(function, task, self.timeout_s)
                except _Ended as error:
                    self._end(process)
                    process = None
                    if fresh or error.final or self._closed:
                        return Lost(task, str(error))
        finally:
            self._idle.put(process)

    def _start(self) -> "_Process":
        process = _Process()
        self._processes.add(process)
        if self._closed:  # since before it was known: `close` may have missed it
            process.kill()
        process.wait_until_ready()
        return process

    def _end(self, process: "_Process") -> None:
        process.close()
        self._processes.discard(process)


class _Ended(Exception):
    """A process died or was stopped; final: there is no use in trying again."""

    def __init__(self, reason: str, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


class _Process:
    """One process and the socket to it: a request is a length and a pickle, an answer a pickle."""

    def __init__(self) -> None:
        self.fresh = True
        """Whether it has done nothing yet."""
        self._socket, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _BOOT, json.dumps(sys.path), str(number), str(os.getpid())],
                pass_fds=[number],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        self._answers = self._socket.makefile("rb")

    def wait_until_ready(self) -> None:
        """Raises RuntimeError where it does not start."""
        if not self._has_answer(START_LIMIT_S) or not self._answers.read(1):
            self.kill()
            code = self._process.wait()
            raise RuntimeError(f"a process of the pool did not start (exit code {code}); its errors are on stderr")

    def call(self, function: Callable[[T], R], task: T, timeout_s: float) -> R:
        """The function's result; raises _Ended where the process does not live to give it, RuntimeError if it fails."""
        request = pickle.dumps((function, task))
        self.fresh = False
        try:
            self._socket.sendall(_LENGTH.pack(len(request)) + request)
            if not self._has_answer(timeout_s):
                raise _Ended(f"no answer from the decoder within {timeout_s:g} s", final=True)
            done, result = pickle.load(self._answers)
        except (OSError, EOFError, pickle.UnpicklingError):
            raise _Ended(self._death()) from None
        if not done:
            raise RuntimeError(f"a task of the pool failed: {task!r}\n{result}")
        value: R = result
        return value

    def _has_answer(self, limit_s: float) -> bool:
        """Whether there is something to read, or the end, before the limit.

        Counted in pieces: a machine that was suspended meanwhile, or a job, has lost one piece and not all its time.
        """
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        piece_s = min(limit_s, 1.0)
        return any(poll.poll(piece_s * 1000) for _ in range(round(limit_s / piece_s)))

    def _death(self) -> str:
        """What ended the process, whose socket is shut; it is given the time to die of it."""
        try:
            code = self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self._process.wait()
        if code >= 0:
            return f"ended the decoder, exit code {code}"
        return f"killed the decoder, signal {-code} ({signal.Signals(-code).name})"

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        self.kill()
        self._process.wait()
        self._answers.close()
        self._socket.close()


def serve(number: int, parent: int) -> None:
    """Do what is asked through the socket of this file number, until it is shut or `parent` is no more.

    Signals that a terminal or SLURM sends to everyone in a job are left to the parent to judge.
    """
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(each, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    with socket.socket(fileno=number) as mine, mine.makefile("rb") as requests:
        mine.sendall(b".")
        while header := requests.read(_LENGTH.size):
            mine.sendall(_answer(requests.read(_LENGTH.unpack(header)[0])))


def _answer(request: bytes) -> bytes:
    try:
        function, task = pickle.loads(request)
        return pickle.dumps((True, function(task)), protocol=5)
    except Exception:
        return pickle.dumps((False, traceback.format_exc()))


def _end_with(parent: int) -> None:
    """Asked once a second, as the thread that reads the socket may be deep in a decoder that hangs."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
