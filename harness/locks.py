"""One process at a time: locks that the kernel gives back when their holder dies, however it dies."""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import BusyError


@contextmanager
def hold(path: Path, what: str, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the lock file at `path` while the block runs; raises BusyError, naming the holder, after `wait_s`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        deadline = time.monotonic() + wait_s
        while not _locked(file.fileno()):
            if time.monotonic() >= deadline:
                raise BusyError(f"{what} is in use by {_holder(path)}; wait for it, or end it first ({path})")
            time.sleep(0.2)
        file.truncate(0)
        file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
        file.flush()
        yield


def is_held(path: Path) -> bool:
    """Whether some living process holds the lock at `path`."""
    try:
        with path.open("rb") as file:
            return not _locked(file.fileno(), fcntl.LOCK_SH)
    except FileNotFoundError:
        return False


def _locked(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        return f"process {holder['pid']} on {holder['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
