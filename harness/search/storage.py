"""Where a study is kept: a journal file in the output folder, or any storage that Optuna knows by a URL."""

import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import optuna
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

from harness.errors import HarnessError

JOURNAL = "journal.log"
STUDIES = "studies"
PIECE = 4096
PATIENCE_S = 15 * 60.0
"""How long a storage that once answered may be gone before a worker gives up."""
ASK_AGAIN_S = 2.0

Answer = TypeVar("Answer")


class StorageError(HarnessError):
    """A study's storage cannot be opened or reached."""


class Unreachable(StorageError):
    """It may be reached later, as where a server is being restarted."""


class Patience:
    """Has the operations of a storage tried again while it does not answer; the trainings go on meanwhile.

    An operation that was done although its answer got lost is done twice: whoever uses the storage bears that.
    """

    def __init__(self, where: str, say: Callable[[str], None] = print, limit_s: float = PATIENCE_S) -> None:
        self.where, self.say, self.limit_s = where, say, limit_s
        self.check: Callable[[], None] = lambda: None
        """Is called often while nothing answers; may raise Interrupted."""
        self.back = 0.0
        """When the storage answered again, in seconds since 1970."""

    def over(self, storage: BaseStorage) -> None:
        """Have all operations of this storage tried with patience."""
        for name in sorted(BaseStorage.__abstractmethods__):
            operation = getattr(storage, name)
            if not hasattr(operation, "__wrapped__"):
                setattr(storage, name, self._patient(operation))

    def _patient(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(operation)
        def tried(*arguments: Any, **named: Any) -> Any:
            return self.tried(lambda: operation(*arguments, **named))

        return tried

    def tried(self, operation: Callable[[], Answer]) -> Answer:
        """Its answer. Raises Unreachable where there was none for long, and what `check` raises."""
        gone: float | None = None
        while True:
            try:
                answer = operation()
            except Exception as error:
                if not _may_pass(error):
                    raise
                if gone is None:
                    gone = time.monotonic()
                    how_long = f"tried again for up to {self.limit_s / 60:g} minutes, trainings go on meanwhile"
                    self.say(f"the study's storage {self.where} does not answer ({_first_line(error)}): {how_long}")
                if time.monotonic() - gone > self.limit_s:
                    why = f"the study's storage {self.where} did not answer for {self.limit_s / 60:g} minutes"
                    raise Unreachable(f"{why}: {_first_line(error)}; the same command goes on from there") from error
                self.pause(ASK_AGAIN_S)
            else:
                if gone is not None:
                    self.back = time.time()
                    self.say(f"the study's storage {self.where} answers again")
                return answer

    def pause(self, seconds: float) -> None:
        """Let time pass. Raises what `check` raises."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.check()
            time.sleep(0.2)


def _may_pass(error: Exception) -> bool:
    """Whether an error is of the storage and its way there, and not of what was asked of it."""
    if isinstance(error, Unreachable | OSError | optuna.exceptions.StorageInternalError):
        return True
    sqlalchemy = sys.modules.get("sqlalchemy.exc")  # imported by Optuna where a database is used
    return sqlalchemy is not None and isinstance(error, sqlalchemy.OperationalError | sqlalchemy.InterfaceError)


class _Lock(JournalFileSymlinkLock):
    """Optuna's lock of a journal file (safe on NFS), whose holder finds whole lines only.

    A writer that was cut short, as by a full disk, left half a line. No reader took it for anything, but the next
    writer would continue it into a line that nobody can read; so it is cut off first.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path

    def release(self) -> None:
        """Give the lock back; nothing where it was broken, as of a process that was stopped while it had it."""
        with suppress(RuntimeError):
            super().release()

    def acquire(self) -> bool:
        """Wait for the lock."""
        super().acquire()
        try:
            with self.path.open("r+b") as file:
                _cut(file)
        except BaseException:
            self.release()
            raise
        return True


def _cut(file: BinaryIO) -> None:
    """Cut off what follows the last line's end."""
    size = file.seek(0, os.SEEK_END)
    kept = size
    while kept:
        start = max(0, kept - PIECE)
        file.seek(start)
        found = file.read(kept - start).rfind(b"\n")
        if found >= 0:
            kept = start + found + 1
            break
        kept = start
    if kept < size:
        file.truncate(kept)


def folder(root: Path, name: str) -> Path:
    """Where what belongs to a study is kept in an output folder: its journal, the suite as it was, the best recipe."""
    return root / STUDIES / name


def told(url: str | None, root: Path, name: str) -> str:
    """The storage in words, a password in it left out."""
    if url is None:
        return str(folder(root, name) / JOURNAL)
    if "://" not in url:
        return url
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):  # a port that is no number
        return url.partition("://")[0] + "://..."


def opened(url: str | None, root: Path, name: str, *, make: bool = True) -> BaseStorage | None:
    """The storage of a study; None where it is a journal that is not there and not to be made.

    `url`: of any of Optuna's storages, or a path of a journal file. Raises StorageError.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    where = told(url, root, name)
    try:
        if url is not None and "://" in url:
            return _database(url)
        path = Path(url).absolute() if url else folder(root, name) / JOURNAL
        if not make and not path.exists():
            return None
        if make:
            _check_writable(path)
        _check(path)
        return JournalStorage(JournalFileBackend(str(path), _Lock(path)))
    except ImportError as error:
        raise StorageError(
            f"the study's storage {where} needs a driver that is not installed: {_first_line(error)}; for PostgreSQL, "
            "pip install 'psycopg[binary]' and a URL that begins with postgresql+psycopg://"
        ) from error
    except StorageError:
        raise
    except Exception as error:  # SQLAlchemy and its drivers raise dozens of types
        raise Unreachable(f"the study's storage {where} cannot be reached: {_first_line(error)}") from error


def _database(url: str) -> BaseStorage:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    try:
        make_url(url)
    except (ArgumentError, ValueError):
        expected = "postgresql+psycopg://user:password@host:port/database"
        raise StorageError(f"the study's storage {told(url, Path(), '')} is no URL such as {expected}") from None
    for left in (3, 2, 1, 0):
        try:
            return optuna.storages.get_storage(url)
        except SQLAlchemyError as error:  # where two make the tables of a new database at once
            if not left or not any(word in str(error) for word in ("already exists", "duplicate key")):
                raise
            time.sleep(1.0)
    raise AssertionError


def _check_writable(path: Path) -> None:
    """Raise StorageError where a journal cannot be written."""
    if path.is_dir():
        raise StorageError(f"the study's storage {path} is a folder; name a file in it, or a URL")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab"):
            pass
        (probe := path.with_name(f"{path.name}.probe-{os.getpid()}")).touch()  # the lock is a file beside it
        probe.unlink()
    except OSError as error:
        why = f"cannot be written: {error.strerror or error}; choose another with --storage"
        raise StorageError(f"the study's storage {path} {why}") from error


def _check(path: Path) -> None:
    """Raise StorageError where a journal has a whole line that tells nothing of a study."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.endswith(b"\n") and not _is_entry(line):
                if number == 1:
                    raise StorageError(f"{path} is no study's journal; name another file with --storage")
                raise StorageError(
                    f"{path}:{number}: no entry of a study's journal: {line[:40].decode(errors='replace').strip()!r}; "
                    "delete this line and what follows to go on from there, or begin another study with --study NAME"
                )


def _is_entry(line: bytes) -> bool:
    try:
        return "op_code" in json.loads(line)
    except (ValueError, TypeError):
        return False


def _first_line(error: Exception) -> str:
    """What went wrong, of the innermost cause: its wrappers repeat the statement and the URL."""
    while error.__cause__ is not None and isinstance(error.__cause__, Exception):
        error = error.__cause__
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
