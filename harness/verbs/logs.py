"""`logs`: what a job writes, as it writes it."""

import codecs
import contextlib
import time
from pathlib import Path
from typing import Annotated

import typer

from harness import queue, standing
from harness.combination import Job
from harness.contender import job_id
from harness.errors import HarnessError
from harness.files import Order
from harness.locks import is_held
from harness.standing import Standing
from harness.verbs.shell import ROOT, RootOption, say_error
from results.store import Store

TAIL_BYTES = 8000
READ_EVERY_S = 0.5


def logs(
    job: Annotated[str, typer.Argument(metavar="JOB", help="A job's id, or how it begins, as `status` shows it.")],
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the job ends, or Ctrl-C.")] = False,
    root: RootOption = ROOT,
) -> None:
    """Show the end of a job's log."""
    store = Store(root)
    folder = store.job_folder(job_id(job, store))
    path = folder / "log.txt"
    with contextlib.suppress(KeyboardInterrupt):
        if not path.is_file():
            _wait(path, store, follow)
        elif not path.stat().st_size:
            _tell_empty(path, store)
        _show(path, store, follow)


def _tell_empty(path: Path, store: Store) -> None:
    """Say what goes on in a job that has written nothing, as one that is well; SLURM keeps what came before it."""
    now = _standing(path.parent, store)
    say_error(f"{path} is empty: a job that is well writes nothing there. It is {_words(now)}")
    if now.slurm_log:
        say_error(f"{now.slurm_log}:")
        with now.slurm_log.open("rb") as file:
            file.seek(max(now.slurm_log.stat().st_size - TAIL_BYTES, 0))
            print(file.read().decode(errors="replace"), end="", flush=True)


def _words(now: Standing) -> str:
    """Where a job stands, in a line."""
    return " ".join(filter(None, (now.state, now.detail)))


def _wait(path: Path, store: Store, follow: bool) -> None:
    """Wait for the log of a job that is queued or starting. Raises HarnessError where there will be none."""
    said = ""
    while not path.is_file():
        now = _standing(path.parent, store)
        text = _words(now)
        if not follow or now.state not in ("queued", "running"):
            raise HarnessError(f"{path}: no log yet; the job is {text}")
        if text != said:
            say_error(f"no log yet; the job is {text}")
            said = text
        _pause(path, queue.ASK_EVERY_S)


def _pause(path: Path, seconds: float) -> None:
    """Wait for so long, or until there is a log."""
    deadline = time.monotonic() + seconds
    while not path.is_file() and time.monotonic() < deadline:
        time.sleep(READ_EVERY_S)


def _show(path: Path, store: Store, follow: bool) -> None:
    """Print the end of a log, and where it is followed what comes after, until nothing is to come."""
    decoder, ends = codecs.getincrementaldecoder("utf-8")("replace"), False
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - TAIL_BYTES, 0))
        asked = -queue.ASK_EVERY_S
        while True:
            print(decoder.decode(file.read()), end="", flush=True)
            if ends or not follow:
                return
            if not is_held(path.parent / "lock") and time.monotonic() - asked >= queue.ASK_EVERY_S:
                ends = _standing(path.parent, store).state not in ("queued", "running")
                asked = time.monotonic()
            if not ends:
                time.sleep(READ_EVERY_S)


def _standing(folder: Path, store: Store) -> Standing:
    """Where the job stands: a lock that is held on another machine need not be visible here."""
    order = Order.read(folder)
    (found,) = standing.of([Job(order.spec, ())], store)
    return found
