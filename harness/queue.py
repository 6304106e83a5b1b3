"""Which of our jobs SLURM has in its queue: one question for all of them, however many arrays there are."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SWEEPS = "slurm"
"""The folder under the output folder with a list of each array's jobs, and submitit's files."""
NAME = "harness-"
"""What our arrays' names begin with; their token follows."""
ANSWER_S = 60.0
RUNNING = {"RUNNING", "COMPLETING", "CONFIGURING", "STOPPED", "SUSPENDED"}
ENDED = {"COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE"}


@dataclass(frozen=True)
class Queued:
    """A job of ours that SLURM has queued or runs."""

    number: str
    """SLURM's: `12_3`."""
    state: str
    """SLURM's word, such as PENDING or RUNNING."""
    reason: str
    """Why it waits; `None` where it does not."""
    nodes: str


def sweeps(root: Path) -> dict[str, list[str]]:
    """Token -> ids of the jobs in an array, of all that were submitted from this output folder."""
    found = {}
    for path in (root / SWEEPS).glob("*.json"):
        try:
            found[path.stem] = json.loads(path.read_text(encoding="utf-8"))["jobs"]
        except (OSError, ValueError, KeyError):
            continue  # being written, or damaged: its jobs count as not queued
    return found


def ask(root: Path) -> dict[str, Queued]:
    """Job id -> what SLURM says of it now; empty where nothing was submitted, or SLURM is not there or does not answer.

    A job that was submitted twice is told by its newest submission.
    """
    known = sweeps(root)
    if not known or shutil.which("squeue") is None:
        return {}
    command = [
        "squeue",
        "--noheader",
        "--array",
        "--states=all",
        f"--user={os.getuid()}",
        "--format=%j|%A|%F|%K|%T|%r|%N",
    ]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_S, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    found: dict[str, Queued] = {}
    for line in sorted(told.splitlines(), key=lambda line: int(line.split("|")[2])):
        name, _, array, index, state, reason, nodes = line.split("|")
        jobs = known.get(name.removeprefix(NAME), [])
        place = int(index) if index.isdigit() else 0
        if name.startswith(NAME) and place < len(jobs) and state not in ENDED:
            number = f"{array}_{index}" if index.isdigit() else array
            found[jobs[place]] = Queued(number, state, reason, nodes)
    return found
