"""`logs`: what a job writes, as it writes it."""

import contextlib
import time
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import HarnessError
from harness.files import read_progress
from harness.locks import is_held
from harness.verbs.shell import ROOT, RootOption
from results.store import Store

TAIL_BYTES = 8000
POLL_S = 0.5


def logs(
    job: Annotated[str, typer.Argument(metavar="JOB", help="A job's id, or how it begins, as `status` shows it.")],
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the job ends, or Ctrl-C.")] = False,
    root: RootOption = ROOT,
) -> None:
    """Show the end of a job's log."""
    folder = _folder(Store(root), job)
    path = folder / "log.txt"
    if not path.is_file():
        raise HarnessError(f"{path}: no log yet; {folder.name} is {read_progress(folder).get('state', 'not started')}")
    with path.open("rb") as file, contextlib.suppress(KeyboardInterrupt):
        file.seek(max(path.stat().st_size - TAIL_BYTES, 0))
        while True:
            held = is_held(folder / "lock")
            print(file.read().decode(errors="replace"), end="", flush=True)
            if not (follow and held):
                return
            time.sleep(POLL_S)


def _folder(store: Store, job: str) -> Path:
    """The one folder whose name begins so."""
    found = sorted(path for path in (store.root / "jobs").glob(f"{job}*") if path.is_dir())
    if len(found) != 1:
        several = ", ".join(path.name for path in found[:5])
        raise HarnessError(
            f"{job}: " + (f"more than one job begins so: {several}" if found else f"no job in {store.root}")
        )
    return found[0]
