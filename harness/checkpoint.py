"""Checkpoints: whole or absent, each carrying its own digest in its name, the last two kept.

    <folder>/checkpoints/00000120-5f1d9c0a7e3b.pt     step 120, and the first digits of the file's SHA-256

A plain `torch.save` file of tensors and plain values, so that it loads with `weights_only=True`.
"""

import errno
import hashlib
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch

KEPT = 2
DIGITS = 12


class CheckpointError(Exception):
    """A checkpoint that is whole where the first rank reads it cannot be read here."""


class Checkpoints:
    """The checkpoints of one job."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "checkpoints"

    def save(self, state: dict[str, Any], step: int) -> Path:
        """Write `state` as the checkpoint of `step`, then drop all but the last two. Raises OSError on a full disk."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with written(state, self.folder) as temporary:
            path = self.folder / f"{step:08d}-{file_digest(temporary)[:DIGITS]}.pt"
            temporary.replace(path)
        for old in self._paths()[KEPT:]:
            old.unlink(missing_ok=True)
        return path

    def latest(self) -> tuple[str | None, list[str]]:
        """The name of the newest that is whole, or None; and a note for each damaged one that was passed over."""
        notes: list[str] = []
        for path in self._paths():
            if _is_whole(path):
                return path.name, notes
            notes.append(f"checkpoint {path.name} is damaged (its digest differs) and was passed over")
        return None, notes

    def read(self, name: str, wait_s: float = 0.0) -> dict[str, Any]:
        """The state in a checkpoint that is whole.

        `wait_s`: how long a network file system may take to show it here. Raises CheckpointError where it does not.
        """
        path, deadline = self.folder / name, time.monotonic() + wait_s
        while True:
            try:
                if _is_whole(path):
                    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
                    return state
                why = "its digest differs"
            except OSError as error:
                why = error.strerror or str(error)
            if time.monotonic() >= deadline:
                raise CheckpointError(f"checkpoint {name} cannot be read on {socket.gethostname()} ({why})")
            time.sleep(min(1.0, wait_s))

    def clear(self) -> None:
        """Remove all checkpoints, once the job has its record."""
        for path in self._paths():
            path.unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _paths(self) -> list[Path]:
        """Newest first."""
        return sorted(self.folder.glob("*-*.pt"), reverse=True) if self.folder.is_dir() else []


def _is_whole(path: Path) -> bool:
    """Whether a checkpoint's bytes have the digest in its name. Raises OSError."""
    return file_digest(path)[:DIGITS] == path.stem.partition("-")[2]


@contextmanager
def written(state: dict[str, Any], folder: Path) -> Iterator[Path]:
    """A temporary file in `folder` that holds the state and is on the disk, to be renamed; gone afterwards."""
    for left in folder.glob(
        ".writing-*"
    ):  # by a process that was killed while it wrote; the caller holds the job's lock
        left.unlink(missing_ok=True)
    temporary = folder / f".writing-{os.getpid()}"
    try:
        with temporary.open("wb") as file:
            _save(state, file)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _save(state: dict[str, Any], file: BinaryIO) -> None:
    try:
        torch.save(state, file)
    except RuntimeError as error:  # so torch's zip writer reports a write that failed, without saying why
        raise OSError(errno.ENOSPC, "tensors could not be written (is the disk full?)", file.name) from error


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def weights_digest(weights: dict[str, torch.Tensor]) -> str:
    """SHA-256 over names, shapes and bytes of all tensors: equal exactly where the weights are bit-identical."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
