"""Submitting a sweep to SLURM through submitit: one job array for each set of equal resources.

Before an array is submitted, `<root>/slurm/<token>.json` lists its jobs in order, and SLURM knows the array by a name
that holds the token. So the queue alone tells which of our jobs are in it (`harness.queue`), whatever became of the
process that submitted them.
"""

import json
import os
import secrets
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import submitit
from submitit.core.utils import FailedJobError, FailedSubmissionError

from harness.allocation import Allocation
from harness.errors import HarnessError
from harness.files import Order
from harness.queue import NAME, SWEEPS, withdraw
from harness.site import Site
from harness.snapshot import Snapshot
from harness.spec import Resources
from results.store import write_atomic

PROBE_S = 20
"""How long to wait for a node that is free to say whether it sees the output folder."""
NEVER = 10**6
"""Of submitit's own bound on time limits: attempts are counted in the job's folder."""
NO_LIMIT_MIN = 24 * 60
"""The time limit of jobs whose resources and site name none."""


UNCLEAR = ("timed out", "Unable to contact", "Zero Bytes", "Unexpected message")
"""What sbatch says where its question may have come through and the answer did not."""


class SlurmError(HarnessError):
    """The cluster cannot take a sweep; of the array that it is about nothing is left in the queue, or it says so."""


@dataclass(frozen=True)
class Array:
    """Jobs of equal resources, submitted by one call of sbatch."""

    parameters: dict[str, Any]
    """As submitit takes them."""
    orders: tuple[Order, ...]


def check_root(root: Path) -> None:
    """Raise SlurmError for an output folder whose name SLURM would read something into."""
    if "%" in str(root):
        raise SlurmError(f"--root {root}: SLURM reads % in a file's name as the beginning of a code; choose another")


def arrays(orders: Sequence[Order], site: Site, snapshot: Snapshot, largest: int) -> list[Array]:
    """The orders by their resources, in arrays of at most `largest`."""
    groups: dict[str, list[Order]] = {}
    for order in (_on(site, order) for order in orders):
        parameters = _parameters(order.spec.resources, site, snapshot)
        groups.setdefault(json.dumps(parameters, sort_keys=True), []).append(order)
    return [
        Array(json.loads(key), tuple(group[start : start + largest]))
        for key, group in groups.items()
        for start in range(0, len(group), largest)
    ]


def _on(site: Site, order: Order) -> Order:
    """The order with what the site says beneath its own, and with the cores of a GPU's task for its threads."""
    resources = site.beneath(order.spec.resources)
    if resources.gpus_per_node and resources.cpus_per_gpu:
        resources = resources.model_copy(update={"cpus": resources.cpus_per_gpu})
    return replace(order, spec=replace(order.spec, resources=resources))


def _parameters(resources: Resources, site: Site, snapshot: Snapshot) -> dict[str, Any]:
    gpus = resources.gpus_per_node
    tasks = max(gpus, 1)
    cpus = resources.cpus_per_gpu or resources.cpus
    limit_min = int(resources.timeout_min or NO_LIMIT_MIN) or 1
    parameters: dict[str, Any] = {
        "nodes": resources.nodes,
        "ntasks_per_node": tasks,
        "cpus_per_task": cpus,
        "gpus_per_node": gpus or None,
        "time": limit_min,
        "mem": f"{resources.mem_gb}GB" if resources.mem_gb else None,
        "partition": resources.partition,
        "account": resources.account,
        "qos": resources.qos,
        "constraint": resources.constraint,
        "signal_delay_s": min(site.save_s, 30 * limit_min),  # half of the time at least is for work
        "array_parallelism": resources.max_parallel,
        "stderr_to_stdout": True,
        "srun_args": [f"--cpus-per-task={cpus}"],  # which srun does not take from sbatch
        "additional_parameters": {"requeue": True, **resources.slurm},
        "setup": [
            *site.setup,
            *(f"export {key}={shlex.quote(value)}" for key, value in sorted(snapshot.environment.items())),
        ],
    }
    return {key: value for key, value in parameters.items() if value is not None}


def script(array: Array, root: Path) -> str:
    """The sbatch script of an array, as submitit writes it."""
    executor = submitit.SlurmExecutor(folder=root / SWEEPS)
    executor.update_parameters(**array.parameters, job_name=f"{NAME}TOKEN")
    if len(array.orders) > 1:
        executor.parameters["map_count"] = len(array.orders)
    return executor._make_submission_file_text(executor._submitit_command_str, "")


def check(array: Array, root: Path) -> None:
    """Ask SLURM whether it could ever run such jobs, and queue nothing. Raises SlurmError."""
    try:
        subprocess.run(
            ["sbatch", "--test-only"], input=script(array, root), capture_output=True, text=True, check=True, timeout=60
        )
    except subprocess.TimeoutExpired:
        raise SlurmError("sbatch --test-only: no answer within 60 s; nothing was submitted") from None
    except subprocess.CalledProcessError as error:
        labels = [order.label for order in array.orders]
        who = ", ".join(labels[:3]) + (f" and {len(labels) - 3} more" if len(labels) > 3 else "")
        raise SlurmError(
            f"SLURM does not take {who}, so nothing was submitted: {_reason(error.stderr)}; their `resources` and the "
            "site file ask for it, `sinfo` tells what there is"
        ) from None


def probe(array: Array, root: Path, snapshot: Snapshot) -> str:
    """Ask a node that is free now whether it sees what a job needs; a note where no node is.

    Raises SlurmError where a node does not see it.
    """
    needed = [root, snapshot.folder, Path(sys.executable)]
    test = "; ".join(f"test -e {shlex.quote(str(path))} || echo missing {shlex.quote(str(path))}" for path in needed)
    asked = [f"--{key}={array.parameters[key]}" for key in ("partition", "account", "qos", "constraint", "mem") if
             key in array.parameters]  # fmt: skip
    command = ["srun", "--nodes=1", "--ntasks=1", "--time=1", f"--immediate={PROBE_S}", "--quiet", *asked]
    try:
        ended = subprocess.run(
            [*command, "sh", "-c", f"{test}; echo seen by $(hostname)"],
            capture_output=True, text=True, timeout=PROBE_S + 60, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"no node answered within {PROBE_S + 60} s, so none was asked whether it sees {root}"
    *missing, seen = ended.stdout.splitlines() or [""]
    if not seen.startswith("seen by "):
        return f"no node was free within {PROBE_S} s to be asked whether it sees {root}"
    if missing:
        gone = ", ".join(line.removeprefix("missing ") for line in missing)
        raise SlurmError(
            f"node {seen.removeprefix('seen by ')} does not see {gone}: --root, the project and its Python must lie on "
            "a disk that all nodes share; nothing was submitted"
        )
    return ""


def submit(array: Array, root: Path, site: Site) -> str:
    """Submit one array; returns SLURM's number of it. Raises SlurmError."""
    token, save_s = secrets.token_hex(6), 0.8 * array.parameters["signal_delay_s"]
    folders = [_unlimited(order).write() for order in array.orders]
    sweep = root / SWEEPS / f"{token}.json"
    about = {"jobs": [folder.name for folder in folders], "submitted": time.time()}
    write_atomic(sweep, json.dumps(about) + "\n")
    executor = submitit.SlurmExecutor(folder=root / SWEEPS, max_num_timeout=NEVER)
    executor.update_parameters(**array.parameters, job_name=f"{NAME}{token}")
    try:
        with executor.batch():
            jobs = [
                executor.submit(Allocation(str(folder), site.max_attempts, save_s, site.again_s)) for folder in folders
            ]
    except (FailedJobError, FailedSubmissionError) as error:
        raise SlurmError(_refusal(_reason(str(error)), sweep)) from error
    number = str(jobs[0].job_id).partition("_")[0]
    write_atomic(sweep, json.dumps({**about, "number": number}) + "\n")
    return number


def submit_tasks(tasks: Sequence[Callable[[], int]], parameters: dict[str, Any], name: str, root: Path) -> str:
    """Submit what is no job of a suite, one array; SLURM's number of it. Raises SlurmError."""
    executor = submitit.SlurmExecutor(folder=root / SWEEPS, max_num_timeout=NEVER)
    executor.update_parameters(**parameters, job_name=name)
    try:
        with executor.batch():
            jobs: list[submitit.Job[int]] = [executor.submit(task) for task in tasks]
    except (FailedJobError, FailedSubmissionError) as error:
        raise SlurmError(f"sbatch refused: {_reason(str(error))}") from error
    return str(jobs[0].job_id).partition("_")[0]


def _refusal(said: str, sweep: Path) -> str:
    """What is told of an array that sbatch failed to submit, and its list of jobs taken away where SLURM has none.

    An answer that got lost may be one to an array that is queued: SLURM is asked by its name, and has it given up. The
    list is kept where SLURM does not answer, or may still take the array: then whoever asks next sees it.
    """
    number = withdraw(sweep.stem)
    if number is None:
        return f"sbatch: {said}; SLURM does not answer whether it took the jobs, so ask `status` before the next `run`"
    if number:
        return f"sbatch: {said}; SLURM had queued the jobs nevertheless, and gave up job {number} when asked to"
    if not any(word in said for word in UNCLEAR):
        sweep.unlink()
    return f"sbatch refused: {said}"


def _unlimited(order: Order) -> Order:
    """The order without a time limit of its own: SLURM keeps the time, and queues the job again."""
    resources = order.spec.resources.model_copy(update={"timeout_min": None})
    return replace(order, spec=replace(order.spec, resources=resources))


def _reason(told: str) -> str:
    """What sbatch printed, without submitit's own lines."""
    lines = [line.strip() for line in told.splitlines()]
    said = [line.removeprefix("sbatch: ").removeprefix("error: ") for line in lines if line.startswith("sbatch:")]
    first = next((line for line in lines if line), "without a word")
    return "; ".join(said or [first]).replace("allocation failure: ", "")


def largest_array() -> int:
    """Jobs that an array may have on this cluster. Raises SlurmError where there is no SLURM, or no answer."""
    if not all(shutil.which(program) for program in ("sbatch", "srun", "squeue", "scontrol")):
        raise SlurmError("--launcher slurm: this machine has no SLURM (no sbatch, srun, squeue, scontrol); use local")
    for line in _told("scontrol", "show", "config"):
        if line.startswith("MaxArraySize"):
            return int(line.partition("=")[2]) - 1 or 1
    return 1000


def _told(*command: str) -> Iterator[str]:
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        asked = os.environ.get("SLURM_CONF")
        where = f"SLURM_CONF is {asked}" if asked else "SLURM_CONF is not set"
        raise SlurmError(
            f"SLURM's commands are here and do not answer; {where}, see whether `sinfo` works. {' '.join(command)}: "
            + " ".join(str(said).split())
        ) from error
    yield from ended.stdout.splitlines()
