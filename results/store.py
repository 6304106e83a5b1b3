"""Records on disk: `<root>/jobs/<id>/record.json`, one small file per job, written whole or not at all."""

import gc
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from results.record import Record, RecordError, parse


def write_atomic(path: Path, content: str | bytes) -> None:
    """Writes the file whole or leaves the old one: a reader, a crash or a full disk never meets half a file.

    Makes missing folders. Raises OSError (read-only folder, full disk) with the old file untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Makes the rename itself survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Stops Python's cyclic garbage collector while many lasting objects are made.

    It would walk all that was made again and again: with ten thousand records that is three quarters of the time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Store:
    """Everything generated under one root: jobs/<id>/record.json, costs/<key>.json, reports/<suite>/."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.jobs = root / "jobs"
        self.costs = root / "costs"
        self.reports = root / "reports"

    def job_folder(self, id: str) -> Path:
        """Where a job keeps its record, log, progress and checkpoints; not made here."""
        return self.jobs / id

    def record_path(self, id: str) -> Path:
        """Where a job's record stands once the job has ended."""
        return self.job_folder(id) / "record.json"

    def write(self, record: Record) -> Path:
        """Raises OSError when the disk is full or read-only; an older record of the job then still stands."""
        path = self.record_path(record.id)
        write_atomic(path, record.model_dump_json(indent=1) + "\n")
        return path

    def read(self, id: str) -> Record | None:
        """None when the job has no record yet; raises RecordError when it is damaged."""
        return _read(self.jobs, id)

    @collector_paused()
    def load(self) -> tuple[list[Record], list[RecordError]]:
        """All records in the order of their ids; a damaged one is named among the errors and hides no other."""
        records: list[Record] = []
        errors: list[RecordError] = []
        for folder in sorted(os.scandir(self.jobs), key=_name) if self.jobs.is_dir() else []:
            try:
                record = _read(self.jobs, folder.name)
            except RecordError as error:
                errors.append(error)
            else:
                records += [record] if record else []
        return records, errors


def _name(folder: os.DirEntry[str]) -> str:
    return folder.name


def _read(jobs: Path, id: str) -> Record | None:
    # Plain strings and `open`: with ten thousand records, pathlib alone would take a quarter of the time.
    path = f"{jobs}/{id}/record.json"
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            record = parse(file.read(), path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror}") from error
    if record.id != id:
        raise RecordError(f"{path}: holds the record of job {record.id}, which is not its folder's name")
    return record
