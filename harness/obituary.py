"""The record of a job that cannot write its own: its process keeps dying, or its time limit passes again and again."""

import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.files import Order, device_seconds, read_progress
from results.record import Measured, Problem, Record, Status
from results.store import Store

LOG_TAIL_BYTES = 4000


class Deaths:
    """How often the process of a job died, since the job last came further."""

    def __init__(self) -> None:
        self.known: dict[Path, tuple[tuple[str, int], int]] = {}

    def add(self, folder: Path) -> int:
        """One more, of the job in this folder; how many there were without a new checkpoint or score between them."""
        checkpoint = max((path.name for path in (folder / "checkpoints").glob("*-*.pt")), default="")
        reached = checkpoint, _scored(folder / "scores")
        before, count = self.known.get(folder, (reached, 0))
        self.known[folder] = reached, count + 1 if reached == before else 1
        return self.known[folder][1]


def _scored(folder: Path) -> int:
    """How many views the score files in a folder hold."""
    import numpy as np  # only where something died

    views = 0
    for path in folder.glob("*.npz"):
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                views += len(file["video"])
        except Exception:  # NumPy and zipfile raise a dozen types for a damaged file
            continue
    return views


def how(code: int) -> str:
    """In which way a process ended, by its exit code as Python gives it."""
    hint = " (the kernel kills with SIGKILL when memory runs out)" if code == -signal.SIGKILL else ""
    return f"killed by {signal.Signals(-code).name}{hint}" if code < 0 else f"exit code {code}"


def write(order: Order, status: Status, message: str) -> Record:
    """Write the record, with the end of the job's log; what an earlier record says of it is kept."""
    store = Store(order.root)
    folder = store.job_folder(order.spec.identity())
    error = Problem(type="Died", message=message, traceback=tail(folder))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    previous = store.read(folder.name)
    if previous:
        record = previous.model_copy(update={"status": status, "error": error, "finished": now})
    else:
        record = _bare(order, folder, status, error, now)
    store.write(record)
    return record


def _bare(order: Order, folder: Path, status: Status, error: Problem, now: str) -> Record:
    progress = read_progress(folder)
    elapsed_s, devices = float(progress.get("elapsed_s", 0.0)), int(progress.get("devices", 1))
    measured: dict[str, Any] = dict.fromkeys(Measured.model_fields) | {
        "wall_s": elapsed_s, "train_s": 0.0, "test_s": 0.0, "device": "unknown", "devices": devices,
        "device_hours": device_seconds(progress) / 3600, "epoch_s": [], "attempts": int(progress.get("attempt", 0)),
    }  # fmt: skip
    return Record(
        id=folder.name,
        status=status,
        scale=order.scale,
        spec=order.spec.content(),
        classes=0,
        cost=None,
        epochs=[],
        tests=[],
        splits=None,
        skipped={},
        weights_sha256=None,
        notes=[],
        measured=Measured(**measured),
        environment={},
        started=now,
        finished=now,
        error=error,
    )


def tail(folder: Path) -> str:
    """The end of a job's log."""
    try:
        text = (folder / "log.txt").read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").strip()
    except OSError as error:
        text = str(error)
    return text or "the log is empty"
