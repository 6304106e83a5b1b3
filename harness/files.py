"""What is kept in a job's folder besides its record: the order that was given, and how far its work is. No torch."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.spec import JobSpec, Scale
from results.store import Store, write_atomic

PROGRESS_EVERY_S = 1.0
ALIVE = "alive"
"""The file in a job's folder that who watches its process touches, as long as there is one (`harness.allocation`)."""


@dataclass(frozen=True)
class Order:
    """All that a process needs to know to run one job, as plain data in `job.json`."""

    spec: JobSpec
    scale: Scale
    label: str
    root: Path
    datasets_file: Path | None
    validated: bool = False
    """Whether each epoch ends with the accuracy on the validation videos, which changes no other number."""

    def write(self) -> Path:
        """Write it into the job's folder, and return that folder."""
        plain = {
            "spec": self.spec.plain(),
            "scale": self.scale,
            "label": self.label,
            "root": str(self.root),
            "datasets_file": str(self.datasets_file) if self.datasets_file else None,
            "validated": self.validated,
        }
        folder = Store(self.root).job_folder(self.spec.identity())
        write_atomic(folder / "job.json", json.dumps(plain, indent=1) + "\n")
        return folder

    @classmethod
    def read(cls, folder: Path) -> "Order":
        """The order in a job's folder."""
        plain = json.loads((folder / "job.json").read_text(encoding="utf-8"))
        datasets_file = Path(plain["datasets_file"]) if plain["datasets_file"] else None
        spec = JobSpec.from_plain(plain["spec"])
        validated = plain.get("validated", False)  # absent where an older harness wrote it
        return cls(spec, plain["scale"], plain["label"], Path(plain["root"]), datasets_file, validated)


class Progress:
    """The job's `progress.json`: what `status` and the live display read, and the account of earlier attempts."""

    def __init__(self, folder: Path, epochs: int, *, devices: int = 1, silent: bool = False) -> None:
        """`silent`: nothing is written; another process tells of the same job."""
        self.path, self.silent = folder / "progress.json", silent
        before = read_progress(folder)
        self.attempt = int(before.get("attempt", 0)) + 1
        self.before_s = float(before.get("elapsed_s", 0.0))
        self.before_device_s, self.devices = device_seconds(before), devices
        self.began, self.aside_s = time.monotonic(), 0.0
        self.told = 0.0
        self.fields: dict[str, Any] = {"epochs": epochs, "epoch": 0, "pid": os.getpid(), "host": socket.gethostname()}
        self.fields |= {"devices": devices, "retried": int(before.get("retried", 0))}
        if has_checkpoint(folder):  # the training goes on from there: until it tells more, that is how far it is
            self.fields |= {name: before[name] for name in ("epoch", "share", "validation") if name in before}

    def spent(self) -> tuple[float, float]:
        """Seconds that this and all earlier attempts took, and the same with each attempt's times its devices."""
        now_s = time.monotonic() - self.began - self.aside_s
        return self.before_s + now_s, self.before_device_s + self.devices * now_s

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What the block takes is none of the job's time: a search asks for it, and another run would not."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.aside_s += time.monotonic() - began

    def tell(self, state: str, *, at_once: bool = False, **fields: Any) -> None:
        """Note where the job stands; written at most once a second."""
        elapsed_s, device_s = self.spent()
        now = {"elapsed_s": elapsed_s, "device_s": device_s, "updated": time.time()}
        self.fields.update(fields, state=state, attempt=self.attempt, **now)
        if not self.silent and (at_once or time.monotonic() - self.told >= PROGRESS_EVERY_S):
            write_atomic(self.path, json.dumps(self.fields))
            self.told = time.monotonic()


def device_seconds(progress: dict[str, Any]) -> float:
    """Seconds of a job's attempts, each times its devices; as if all had had the last one's where nobody counted."""
    counted = progress.get("device_s")
    every = progress.get("elapsed_s", 0.0) * progress.get("devices", 1)
    return float(every if counted is None else counted)


def note_retry(folder: Path) -> None:
    """Note that a person wants a job again: the attempts before are no more counted against it."""
    before = read_progress(folder)
    if before:
        write_atomic(folder / "progress.json", json.dumps({**before, "retried": before.get("attempt", 0)}))


def attempts(folder: Path) -> int:
    """How often a job was begun since a person last asked for it."""
    before = read_progress(folder)
    return int(before.get("attempt", 0)) - int(before.get("retried", 0))


class Follower:
    """Reads the progress of the attempt that is about to start: what an earlier one told is none of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.before = read_progress(folder).get("attempt", 0)

    def read(self) -> dict[str, Any]:
        """What `progress.json` says; empty until the new attempt has written it."""
        now = read_progress(self.folder)
        return now if now.get("attempt", 0) > self.before else {}


def has_checkpoint(folder: Path) -> bool:
    """Whether the job in this folder has a checkpoint to go on from."""
    return any((folder / "checkpoints").glob("*-*.pt"))


def read_progress(folder: Path) -> dict[str, Any]:
    """What `progress.json` says; empty where there is none."""
    try:
        fields: dict[str, Any] = json.loads((folder / "progress.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return fields
