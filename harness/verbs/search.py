"""`search`: look for a better recipe, by an Optuna study that any number of workers share."""

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from harness import preflight
from harness.control import Control
from harness.errors import HarnessError
from harness.verbs.shell import (
    DATASETS,
    DONE,
    ROOT,
    SOME_FAILED,
    WRONG_INPUT,
    DatasetsOption,
    Launcher,
    ModelsOption,
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
    from harness.search.session import Session
    from harness.search.study import Shared
    from reports.jobs import Job as OfReport
    from results.trials import Study

LOOK_EVERY_S = 1.0


def search(
    suite_path: SuitePath,
    scale: ScaleOption = "demo",
    sets: SetOption = [],  # noqa: B006
    launcher: Annotated[
        Launcher, typer.Option(help="local: workers as processes here. inline: one, in this process. slurm: submitted.")
    ] = "local",
    workers: Annotated[int, typer.Option(min=0, help="Trials at once; 0: one a GPU, or as many as cores allow.")] = 0,
    wait: Annotated[bool, typer.Option("--wait", help="With slurm: follow the workers until the study ends.")] = False,
    study: Annotated[str | None, typer.Option(metavar="NAME", help="The study's name; else the suite's.")] = None,
    storage: Annotated[
        str | None, typer.Option(metavar="URL", help="Where it is kept: a URL that Optuna knows, or a journal file.")
    ] = None,
    root: RootOption = ROOT,
    datasets: DatasetsOption = DATASETS,
    models: ModelsOption = [],  # noqa: B006
) -> None:
    """Search a suite's space for a better recipe; any number of such commands may work at one study."""
    from harness.search import session

    if launcher == "inline" and workers > 1:
        raise HarnessError("--launcher inline is one worker, in this process; --launcher local has several")
    registry.use(models)
    preflight.check_writable(root)
    here = session.begun(suite_path, scale, sets, root.resolve(), datasets.resolve(), storage, study)
    preflight.check_inputs(here.suite.jobs, root, datasets)
    shared = here.joined()
    hours = here.search.block.hours
    until = time.time() + 3600 * hours if hours else None
    out.print(Text(f"{here.suite.title}: study '{here.name}', {_asked(here)}"), soft_wrap=True)
    look = _Looking(here, shared)
    if not shared.ended():
        if launcher == "slurm" and not wait:
            _submit(here, workers, until)
            raise typer.Exit(DONE)
        if launcher == "slurm":
            _on_cluster(here, shared, look, workers, until)
        else:
            _here(here, shared, look, launcher, workers, until)
        look.at_once()
    study_now = here.study()
    problems = show(here, study_now) if study_now else []
    for problem in problems:
        say_error(problem)
    if not shared.ended(until is not None and time.time() > until):
        elsewhere = "; ".join(shared.runners())
        say_error(f"The study has not ended{f' ({elsewhere})' * bool(elsewhere)}; the same command goes on with it")
        raise typer.Exit(SOME_FAILED)
    raise typer.Exit(WRONG_INPUT if problems else DONE)


def _asked(here: "Session") -> str:
    block = here.search.block
    limits = [
        f"{block.trials} trials" if block.trials else "",
        f"{block.device_hours:g} device-hours" if block.device_hours else "",
        f"{block.hours:g} hours" if block.hours else "",
    ]
    return f"{' or '.join(filter(None, limits))}, {block.sampler.name}, pruner {block.pruning.name}"


def _here(
    here: "Session", shared: "Shared", look: "_Looking", launcher: Launcher, workers: int, until: float | None
) -> None:
    """Work at the study on this machine until nothing is left to begin. Raises Interrupted and HarnessError."""
    from harness.launch import count_gpus, count_slots, stopped_by_signals
    from harness.search.launch import Crew
    from harness.search.worker import Worker

    control = Control()
    shared.patience.check = control.check
    with stopped_by_signals(control.stop):
        if launcher == "inline":
            deadline = None if until is None else time.monotonic() + until - time.time()
            Worker(here.suite, shared, here.root, here.datasets, control, _say, look).run(deadline)
            return
        gpus = count_gpus()
        count = workers or count_slots(orders(here.suite.jobs, here.suite.scale, here.root, here.datasets), gpus)
        Crew(here.folder, here.arguments(until, here.keep()), count, gpus).run(look, control)


def _submit(here: "Session", workers: int, until: float | None) -> None:
    """Submit workers, and leave. Raises HarnessError."""
    from harness.search import cluster

    out.print(f"{workers or 1} workers submitted as SLURM job {cluster.submit(here, workers or 1, until)}")
    out.print("The same command with --wait follows them; with --launcher inline it is a worker beside them")


def _on_cluster(here: "Session", shared: "Shared", look: "_Looking", workers: int, until: float | None) -> None:
    """Follow workers to the study's end, submitted where there are none. Raises Interrupted and HarnessError."""
    from harness.launch import stopped_by_signals
    from harness.search import cluster

    control = Control()
    shared.patience.check = control.check
    with stopped_by_signals(control.stop):
        cluster.follow(here, shared, workers or 1, until, look, control, _say)


class _Looking:
    """Tells what is new in the study, at most once in a second."""

    def __init__(self, here: "Session", shared: "Shared") -> None:
        from harness.search.progress import Teller

        self.here, self.shared, self.about = here, shared, here.about()
        self.teller, self.looked_at = Teller(_say), float("-inf")

    def __call__(self) -> None:
        if time.monotonic() - self.looked_at > LOOK_EVERY_S:
            self.at_once()

    def at_once(self) -> None:
        from harness.search import read

        study = read.study(self.shared.storage, self.here.name, self.here.search, self.about, importances=False)
        if study:
            self.teller.show(study)
        self.looked_at = time.monotonic()


def show(here: "Session", found: "Study") -> list[str]:
    """Write the best recipe and the report of a study, and show it; what is wrong with its trials' records."""
    from harness.search import best
    from reports import study, study_site
    from reports.content import SuiteInfo
    from reports.render import terminal
    from reports.site import summaries, write_index

    store = Store(here.root)
    recipe = best.write(here.suite, found, here.folder)
    info = SuiteInfo(here.suite.name, here.suite.title, here.suite.question, here.suite.scale)
    jobs, problems = _jobs(found, store)
    report = study.report(info, found, _again(here, recipe) if recipe else "", problems)
    (page, *_) = study_site.write(report, store.reports / here.page, jobs)
    write_index(summaries(store.reports), store.reports)
    short = [column for column in report.best.columns if not column.key.startswith("set.")]  # a page has room for all
    out.print(terminal(replace(report.best, columns=tuple(short)), (), out.width))
    for text in (*report.answers, *report.progress, report.caution):
        out.print(Text(text), soft_wrap=True)
    if recipe:
        out.print(Text(f"The recipe as a suite: {recipe}\nOn fresh seeds: {report.confirm}"), soft_wrap=True)
    out.print(f"Report: {page}", soft_wrap=True)
    return problems


def _again(here: "Session", recipe: Path) -> str:
    """What trains the recipe again, from where this command was begun."""
    from harness.search import best

    own = [] if here.root == ROOT.resolve() else ["--root", str(here.root)]
    path = recipe.relative_to(Path.cwd()) if recipe.is_relative_to(Path.cwd()) else recipe
    return best.command(path, here.suite.scale, *own)


def _jobs(study: "Study", store: Store) -> "tuple[list[OfReport], list[str]]":
    """The jobs of all trials, as far as they are, and what is wrong with their records."""
    from reports.jobs import Job as OfReport
    from reports.jobs import tail

    found: dict[str, OfReport] = {}
    problems: list[str] = []
    for trial in study.trials:
        for id_ in trial.jobs:
            record, problem = None, ""
            try:
                record = store.read(id_)
            except RecordError as error:
                problem = str(error)
                problems.append(problem)
            state = record.status if record else "damaged" if problem else trial.state
            found[id_] = OfReport(id_, state, record, tail(store.job_folder(id_) / "log.txt"), problem)
    return list(found.values()), problems


def _say(text: str) -> None:
    out.print(Text(text), soft_wrap=True)
