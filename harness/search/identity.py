"""Who a worker is, so that others can tell whether it still runs."""

import os
import secrets
import socket
from pathlib import Path
from typing import Any


def myself() -> dict[str, Any]:
    """What tells this worker from all others."""
    here = {"host": socket.gethostname(), "machine": _machine(), "pid": os.getpid(), "born": born(os.getpid())}
    return {**here, "token": secrets.token_hex(4)}


def born(pid: int) -> int | None:
    """When a process began, in the kernel's ticks; None where there is none of this number that still runs."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return None if state in "ZX" else int(rest[18])  # a zombie only waits for its parent
    except (OSError, ValueError, IndexError):
        return None


def _machine() -> str:
    """What tells where numbers of processes mean the same: a boot of a kernel, and a container on it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()
