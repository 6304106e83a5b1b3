"""What SLURM knows of our jobs: one question to squeue for all of them, and one to sacct for those it has forgotten."""

import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SWEEPS = "slurm"
"""The folder under the output folder with a list of each array's jobs, and submitit's files."""
NAME = "harness-"
"""What our arrays' names begin with; their token follows."""
ANSWER_S = 60.0
ASK_EVERY_S = 10.0
"""Who asks again and again waits this long between two questions: SLURM has others to answer too."""

RUNNING = {
    "RUNNING", "COMPLETING", "CONFIGURING", "RESIZING", "SIGNALING", "STAGE_OUT", "STOPPED", "SUSPENDED",
}  # fmt: skip
"""States in which a job has its nodes. These and the next two are all of squeue's manual, "JOB STATE CODES"."""
HELD = {"REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"}
"""States of a job that waits for somebody to release it; most such jobs are PENDING, with a reason that says so."""
ENDED = {
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "REVOKED",
    "TIMEOUT",
}  # fmt: skip
"""States after which SLURM does no more with a job. What is in none of these sets (PENDING, REQUEUED, ...) waits."""
FORGOTTEN, UNKNOWN = "FORGOTTEN", "UNKNOWN"
"""Ours: SLURM answers and does not have the job any more; nobody can say, for the reason that is given."""

REASONS = {
    "Resources": "it is the next to begin, as soon as what it asks for is free",
    "Priority": "others come before it",
    "Dependency": "it waits for another job to end",
    "BeginTime": "it may not begin yet, as for a while after it was queued again",
    "ReqNodeNotAvail": "nodes that it asks for are down, reserved or in maintenance",
    "Reservation": "its reservation has not begun",
    "Licenses": "a licence that it asks for is in use",
    "PartitionConfig": "the partition cannot have such jobs: more nodes, GPUs or memory than its nodes have",
    "PartitionNodeLimit": "the partition allows fewer nodes to a job",
    "PartitionTimeLimit": "the partition's time limit is shorter than `resources.timeout_min`",
    "PartitionDown": "the partition is closed",
    "PartitionInactive": "the partition is closed",
    "BadConstraints": "no node has its `resources.constraint`",
    "NodeDown": "a node that it asks for is down",
    "InvalidAccount": "`resources.account` does not exist or is not yours",
    "InvalidQOS": "`resources.qos` does not exist or is not yours",
    "JobArrayTaskLimit": "`resources.max_parallel` jobs of its array run already",
    "QOSMax": "a limit of its quality of service; `sacctmgr show qos` tells it",
    "QOSGrp": "a limit that all jobs of its quality of service share; `sacctmgr show qos` tells it",
    "QOS": "a limit of its quality of service; `sacctmgr show qos` tells it",
    "AssocMax": "a limit of your account; `sacctmgr show assoc` tells it",
    "AssocGrp": "a limit that all jobs of your account share; `sacctmgr show assoc` tells it",
    "Max": "a limit of your account",
    "JobLaunchFailure": "its node could not begin it",
    "NonZeroExitCode": "it ended with an error",
}
"""What squeue's reasons mean (its manual, "JOB REASON CODES"), by how they begin; the first that fits."""


@dataclass(frozen=True)
class Queued:
    """A job that was submitted, and what SLURM says of it."""

    number: str
    """SLURM's: `12_3`; empty where the submission was cut short before it was known."""
    state: str
    """SLURM's word, such as PENDING or OUT_OF_MEMORY, or one of ours."""
    reason: str = ""
    """Why it waits, or why nobody can say what became of it."""
    nodes: str = ""
    began: float = 0.0
    """When it began to run, in seconds since 1970; 0 where it has not."""

    @property
    def alive(self) -> bool:
        """Whether it runs or will run: it must not be submitted again. A job of which nothing can be learnt may."""
        return self.state not in ENDED and self.state != FORGOTTEN

    @property
    def waits(self) -> str:
        """What it waits for, and what to do where that is a person."""
        if self.state == UNKNOWN:
            return self.reason
        if self.state in HELD or "held" in self.reason.lower():
            return f"held ({self.reason}); `scontrol release {self.number}` lets it go"
        meaning = next((meaning for word, meaning in REASONS.items() if self.reason.startswith(word)), "")
        return f"{self.reason}: {meaning}" if meaning else self.reason


@dataclass(frozen=True)
class Sweep:
    """An array that was submitted, or is being submitted."""

    jobs: list[str]
    """Ids, each at its index in the array."""
    submitted: float
    number: str
    """SLURM's; empty until sbatch has answered."""

    def of(self, index: str) -> list[tuple[int, str]]:
        """The id at an array's index, with its place; all where squeue names none, as of an array that never began."""
        return [(place, id_) for place, id_ in enumerate(self.jobs) if not index.isdigit() or place == int(index)]


def sweeps(root: Path) -> tuple[dict[str, Sweep], dict[str, str]]:
    """Token -> array, of all that were submitted from this output folder, the oldest first.

    And token -> why, of those whose list of jobs is there and cannot be read.
    """
    found, unread = {}, {}
    for path in (root / SWEEPS).glob("*.json"):
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
            found[path.stem] = Sweep(plain["jobs"], plain["submitted"], plain.get("number", ""))
        except FileNotFoundError:
            continue  # sbatch refused that array meanwhile
        except (OSError, ValueError, KeyError, TypeError) as error:
            unread[path.stem] = f"{path} cannot be read ({error})"
    return dict(sorted(found.items(), key=lambda item: item[1].submitted)), unread


def ask(root: Path, ids: Collection[str]) -> dict[str, Queued]:
    """Job id -> what squeue says of it now, of each job that was submitted from this output folder.

    Empty where nothing was, or where there is no SLURM. A job that was submitted twice is told by the submission that
    is alive, else by its newest. squeue tells of an ended job for some minutes (`MinJobAge`). Where a list of jobs
    cannot be read whose array SLURM has, or may have, any of `ids` may be in it: what is not known to be alive is
    UNKNOWN then, so that nobody submits it a second time.
    """
    known, unread = sweeps(root)
    if not (known or unread) or shutil.which("squeue") is None:
        return {}
    newest = _newest(known)
    try:
        told = _told("squeue", "--noheader", "--array", "--states=all", f"--user={os.getuid()}",
                     "--format=%A|%F|%K|%T|%S|%N|%r|%j")  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        why = f"SLURM does not answer ({' '.join(str(getattr(error, 'stderr', None) or error).split())})"
        return {id_: Queued(newest.get(id_, ""), UNKNOWN, why) for id_ in [*newest, *(ids if unread else ())]}
    found = {id_: Queued(number, FORGOTTEN) for id_, number in newest.items()}
    for id_, job in _rows(told, known):
        before = found[id_]
        if (job.alive, _order(job)) >= (before.alive, _order(before)):
            found[id_] = job
    if doubt := _doubt(told, unread):
        unsure = {id_: Queued(newest.get(id_, ""), UNKNOWN, doubt) for id_ in ids}
        found |= {id_: job for id_, job in unsure.items() if id_ not in found or not found[id_].alive}
    return found


def _doubt(told: str, unread: Mapping[str, str]) -> str:
    """Which array squeue has of which nobody can say what its jobs are; empty where there is none."""
    for line in told.splitlines():
        _, array, _, state, *_, name = line.split("|", 7)
        token = name.removeprefix(NAME)
        if name.startswith(NAME) and token in unread and Queued(array, state).alive:
            return f"{unread[token]}, the list of what SLURM's job {array} is; `scancel {array}` ends that"
    return ""


def withdraw(token: str) -> str | None:
    """Have SLURM give up an array that it may have taken although sbatch failed; its number, empty where it has none.

    None where SLURM does not answer.
    """
    name = f"--name={NAME}{token}"
    try:
        told = _told("squeue", "--noheader", f"--user={os.getuid()}", name, "--format=%F")
        if told.split():
            _told("scancel", f"--user={os.getuid()}", name)
    except (OSError, subprocess.SubprocessError):
        return None
    return told.split()[0] if told.split() else ""


def endings(root: Path, ids: Collection[str]) -> dict[str, Queued]:
    """How the newest submissions of these jobs ended, as sacct says; empty where there is no accounting."""
    newest = {number: id_ for id_, number in _newest(sweeps(root)[0]).items() if id_ in ids and number}
    if not newest or shutil.which("sacct") is None:
        return {}
    arrays = sorted({number.partition("_")[0] for number in newest})
    try:
        told = _told("sacct", "--noheader", "--parsable2", "--allocations", f"--jobs={','.join(arrays)}",
                     "--format=JobID,State,NodeList")  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return {}
    found = {}
    for line in told.splitlines():
        number, state, nodes = line.split("|", 2)
        state = state.partition(" ")[0]  # "CANCELLED by 1000"
        for each in _numbers(number) if state in ENDED else ():
            for ours in (each, *(name for name in newest if name.startswith(f"{each}_"))):  # an array that never began
                if ours in newest:
                    found[newest[ours]] = Queued(ours, state, nodes=nodes)
    return found


def requeue(number: str) -> None:
    """Have SLURM end a job that it calls running, and queue it again; nothing where it does not answer."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        _told("scontrol", "requeue", number)


def _newest(known: dict[str, Sweep]) -> dict[str, str]:
    """Job id -> SLURM's number of its newest submission that has one."""
    found: dict[str, str] = {}
    for sweep in known.values():
        for place, id_ in enumerate(sweep.jobs):
            number = f"{sweep.number}_{place}" if len(sweep.jobs) > 1 else sweep.number
            found[id_] = number if sweep.number else found.get(id_, "")
    return found


def _rows(told: str, known: dict[str, Sweep]) -> Iterator[tuple[str, Queued]]:
    """Our jobs among squeue's; other programs' jobs have any names."""
    for line in told.splitlines():
        _, array, index, state, began, nodes, reason, name = line.split("|", 7)
        sweep = known.get(name.removeprefix(NAME)) if name.startswith(NAME) else None
        for place, id_ in sweep.of(index) if sweep else ():
            number = f"{array}_{place}" if sweep and len(sweep.jobs) > 1 else array
            yield id_, Queued(number, state, reason, nodes, float(began) if began.isdigit() else 0.0)


def _order(job: Queued) -> int:
    """Later submissions have greater numbers."""
    array = job.number.partition("_")[0]
    return int(array) if array.isdigit() else -1


def _numbers(number: str) -> Iterator[str]:
    """`12_3` for itself; the jobs of `12_[0-2,7%4]`, as sacct tells those of an array that never began."""
    array, bracket, places = number.partition("_[")
    if not bracket:
        yield number
        return
    for first, last in re.findall(r"(\d+)(?:-(\d+))?", places.partition("]")[0].partition("%")[0]):
        yield from (f"{array}_{place}" for place in range(int(first), int(last or first) + 1))


def _told(*command: str) -> str:
    """What a command of SLURM prints, times as seconds since 1970. Raises OSError and SubprocessError."""
    environment = {**os.environ, "SLURM_TIME_FORMAT": "%s"}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=ANSWER_S, check=True, env=environment
    ).stdout  # fmt: skip
