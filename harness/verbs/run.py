"""`run`: train, test and profile what is missing of a suite, then render its report."""

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness import preflight, standing
from harness.combination import Job
from harness.errors import HarnessError, Interrupted
from harness.files import Order, note_retry
from harness.locks import hold
from harness.progress import Display
from harness.queue import UNKNOWN
from harness.spec import Scale
from harness.suite import Suite, load
from harness.verbs.report import render
from harness.verbs.shell import (
    DATASETS,
    DONE,
    FAILURES,
    ROOT,
    SOME_FAILED,
    WRONG_INPUT,
    DatasetsOption,
    Launcher,
    ModelsOption,
    OnlyOption,
    RootOption,
    ScaleOption,
    SetOption,
    SuitePath,
    orders,
    out,
    say_error,
)
from models import registry
from results.record import RecordError
from results.store import Store

if TYPE_CHECKING:
    from harness.snapshot import Snapshot

SUBMITTING_S = 120.0
"""How long to wait for another command that submits jobs from the same folder."""
BESIDE_S = 10.0
"""The same of a command that follows jobs, which must not stand still for long."""
FOLLOWED = "`status` tells where they stand; the same command with --wait follows them and renders the report"


class Retry(StrEnum):
    """How jobs ended that should run again."""

    failed = "failed"
    oom = "oom"
    timeout = "timeout"
    diverged = "diverged"
    all = "all"


def run(
    suite_path: SuitePath,
    scale: ScaleOption = "demo",
    sets: SetOption = [],  # noqa: B006  typer copies it
    only: OnlyOption = [],  # noqa: B006
    launcher: Annotated[
        Launcher, typer.Option(help="local: a pool of processes. inline: in this process. slurm: submitted.")
    ] = "local",
    workers: Annotated[int, typer.Option(min=0, help="Jobs at once; 0: one a GPU, or as many as cores allow.")] = 0,
    wait: Annotated[bool, typer.Option("--wait", help="With slurm: follow the jobs to their end.")] = False,
    retry: Annotated[list[Retry], typer.Option(help="Also run jobs again that ended so.")] = [],  # noqa: B006
    root: RootOption = ROOT,
    datasets: DatasetsOption = DATASETS,
    models: ModelsOption = [],  # noqa: B006
) -> None:
    """Train, test and profile what is missing of a suite, then render its report."""
    registry.use(models)
    suite = load(suite_path, scale, sets, only, datasets)
    store = Store(root)
    preflight.check_writable(root)
    if launcher == "slurm":
        _on_cluster(suite, store, retry, wait, partial(_submit, scale=scale, root=root, datasets=datasets), datasets)
        problems = render(suite, store, datasets)
    else:
        with _alone(root):
            wanted = _announced(suite, store, retry, datasets)
            devices = max((job.spec.resources.devices for job in wanted), default=1)
            if devices > 1:
                out.print(f"The suite asks for {devices} devices a job; this launcher gives each job one")
            if wanted:
                _launch(orders(wanted, scale, root, datasets), store, launcher, workers)
            problems = render(suite, store, datasets)
    raise typer.Exit(_outcome(standing.of(suite.jobs, store), problems))


def _alone(root: Path, wait_s: float = 0.0) -> AbstractContextManager[None]:
    """While it lasts, no other command starts jobs in this folder."""
    return hold(root / "run.lock", f"the output folder {root}", wait_s)


def _announced(suite: Suite, store: Store, retry: Sequence[Retry], datasets: Path) -> list[Job]:
    """The jobs that are to run, told, and their data and weights looked for. Raises HarnessError."""
    standings = standing.of(suite.jobs, store)
    open_ = {"queued", "running", *retry, *(FAILURES if Retry.all in retry else ())}
    unsure = [each.queued for each in standings if each.queued and each.queued.state == UNKNOWN and each.state in open_]
    if unsure:
        raise HarnessError(f"nobody knows which jobs SLURM has, so nothing was submitted: {unsure[0].reason}")
    wanted = _wanted(standings, retry)
    out.print(f"{suite.title}: {len(suite.jobs)} jobs at {suite.scale} scale, {len(wanted)} to run")
    preflight.check_inputs(wanted, store.root, datasets)
    return wanted


def _record_killed(suite: Suite, store: Store) -> None:
    """Give what SLURM killed for its memory a record that says so, as who follows it does. Raises OSError."""
    from harness import follow, obituary

    for each in standing.of(suite.jobs, store):
        if verdict := follow.out_of_memory(each):
            obituary.write(Order.read(each.folder), *verdict)
            say_error(f"{each.job.label}: {verdict[1]}; `--retry oom` runs it again")


def _on_cluster(
    suite: Suite,
    store: Store,
    retry: Sequence[Retry],
    wait: bool,
    submit: Callable[[Sequence[Job]], None],
    datasets: Path,
) -> None:
    """Submit what is missing, and follow it where that is asked; others may submit and follow meanwhile."""
    with _alone(store.root, SUBMITTING_S):
        if not {Retry.oom, Retry.all} & set(retry):
            _record_killed(suite, store)
        wanted = _announced(suite, store, retry, datasets)
        if wanted:
            with _begun_anew(store, wanted):
                submit(wanted)
    if not wait:
        active = wanted or any(each.state in ("queued", "running") for each in standing.of(suite.jobs, store))
        out.print(FOLLOWED if active else "Nothing is queued or running; `report` renders what there is")
        raise typer.Exit(DONE)

    def again(jobs: Sequence[Job]) -> None:
        with _alone(store.root, BESIDE_S):  # who follows bears it for long where another command has the folder
            missing = [each.job for each in standing.of(jobs, store) if each.state in standing.MISSING]
            if missing:  # else another command has submitted them meanwhile
                submit(missing)

    try:
        _follow(suite, store, again)
    except KeyboardInterrupt:
        raise Interrupted("no more followed, but SLURM goes on with the jobs (`cancel` ends them)") from None


@contextmanager
def _begun_anew(store: Store, jobs: Sequence[Job]) -> Iterator[None]:
    """Put retried jobs' records aside, so that they are missed where SLURM loses them; back where the block fails."""
    aside = {}
    for path in (store.record_path(job.id) for job in jobs if _is_failure(store, job)):
        aside[path] = path.rename(path.with_name("record-retried.json"))
        note_retry(path.parent)
    try:
        yield
    except HarnessError:
        for path, kept in aside.items():
            kept.rename(path)
        raise


def _is_failure(store: Store, job: Job) -> bool:
    try:
        record = store.read(job.id)
    except RecordError:
        return False
    return record is not None and record.status != "done"


def _wanted(standings: Sequence[standing.Standing], retry: Sequence[Retry]) -> list[Job]:
    """Jobs that are missing or to be retried.

    So are those that seem to run: as this process holds the folder's lock, they are what a killed launcher left behind,
    about to save and end; their jobs wait for that and go on. A job that SLURM has is never taken up a second time.
    """
    states = {*standing.MISSING, "running", *retry, *(FAILURES if Retry.all in retry else ())}
    return [each.job for each in standings if each.state in states and not each.queued]


def _submit(jobs: Sequence[Job], scale: Scale, root: Path, datasets: Path) -> None:
    """Queue the jobs with the code as it is now, an array for each set of equal resources."""
    from harness import site, slurm

    slurm.check_root(root.resolve())
    largest, defaults, code = slurm.largest_array(), site.read(), _code(root)
    arrays = slurm.arrays(orders(jobs, scale, root, datasets), defaults, code, largest)
    for array in arrays:
        slurm.check(array, root.resolve())
    if note := slurm.probe(arrays[0], root.resolve(), code):
        out.print(note)
    for array in arrays:
        number = slurm.submit(array, root.resolve(), defaults)
        out.print(f"{len(array.orders)} jobs submitted as SLURM job {number}")


@functools.cache
def _code(root: Path) -> "Snapshot":
    """The code as it was when this command first submitted: what it submits again goes on with the same."""
    from harness import snapshot

    return snapshot.take(root.resolve())


def _follow(suite: Suite, store: Store, submit: Callable[[Sequence[Job]], None]) -> None:
    from harness import site
    from harness.follow import follow

    with Display(out, len(suite.jobs)) as display:
        follow(suite.jobs, store, display, submit, site.read().silent_s)


def _launch(wanted: Sequence[Order], store: Store, launcher: Launcher, workers: int) -> None:
    from harness import launch

    gpus = launch.count_gpus()
    slots = 1 if launcher == "inline" else workers or launch.count_slots(wanted, gpus)
    with Display(out, slots) as display:
        if launcher == "inline":
            launch.inline(wanted, display)
        else:
            launch.local(wanted, store, display, slots, gpus)


def _outcome(standings: Sequence[standing.Standing], problems: Sequence[str]) -> int:
    """Tell what is not well, and the exit code that says it."""
    failed = [each for each in standings if each.state in FAILURES]
    for each in failed:
        say_error(f"{each.job.label}: {each.state}: {each.detail}")
    if failed:
        states = " ".join(f"--retry {state}" for state in sorted({each.state for each in failed}))
        say_error(f"{len(failed)} of {len(standings)} jobs did not end well; to run them again: {states}")
    unfinished = [each for each in standings if each.state in (*standing.MISSING, "running", "queued")]
    if unfinished:
        say_error(f"{len(unfinished)} of {len(standings)} jobs are unfinished; the same command goes on with them")
    for problem in problems:
        say_error(problem)
    return WRONG_INPUT if problems else SOME_FAILED if failed or unfinished else DONE
