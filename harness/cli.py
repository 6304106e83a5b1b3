"""The command line: `python -m harness run | plan | status | report | profile`.

Exit codes: 0 done, 1 some jobs failed, 2 wrong input, 130 stopped by the person. torch is imported only where a job
runs or a cost is counted for the first time.
"""

import contextlib
import json
import sys
import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from harness import cost, packages, preflight, standing
from harness.combination import Job
from harness.data.datasets import DatasetError, class_count
from harness.errors import HarnessError, Interrupted
from harness.files import Order
from harness.locks import hold
from harness.progress import STYLES, Display
from harness.spec import Scale
from harness.suite import Suite, load
from models.registry import ModelError
from results.record import Cost, RecordError
from results.store import Store

DONE, SOME_FAILED, WRONG_INPUT, STOPPED = 0, 1, 2, 130
WATCH_EVERY_S = 2.0
FAILURES = ("failed", "oom", "timeout", "diverged")
Launcher = Literal["inline", "local"]


class Retry(StrEnum):
    """How jobs ended that should run again."""

    failed = "failed"
    oom = "oom"
    timeout = "timeout"
    diverged = "diverged"
    all = "all"


app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="A suite file in, a paper-style comparison out: benchmarks and ablations for video classification.",
)
out = Console(width=None if sys.stdout.isatty() else 160)
"""Piped output has no width of its own; 160 columns hold Table 1 in one block."""

SuitePath = Annotated[
    Path, typer.Argument(metavar="SUITE", help="A suite file, such as suites/attention_schemes.yaml.")
]
SuitePaths = Annotated[
    list[Path] | None, typer.Argument(metavar="[SUITE]...", help="Suite files; all in suites/ unless some are named.")
]
ScaleOption = Annotated[Scale, typer.Option("--scale", help="demo: embedded clips, minutes; paper: as published.")]
SetOption = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Lay a value over every variant, as in recipe.epochs=3.")
]
OnlyOption = Annotated[
    list[str], typer.Option("--only", metavar="KEY=VALUE[,VALUE]", help="Keep some, as in model.attention=divided.")
]
RootOption = Annotated[
    Path, typer.Option("--root", envvar="HARNESS_ROOT", help="Where everything generated is kept.", file_okay=False)
]
DatasetsOption = Annotated[
    Path, typer.Option("--datasets", envvar="HARNESS_DATASETS", help="The file that says where data sets lie.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON (stable keys, docs/cli.md) instead of text.")]
ROOT, DATASETS = Path("runs"), Path("datasets.yaml")


def main() -> None:
    """Run the command line; every error that a person can put right ends here, in one line and with exit code 2."""
    try:
        packages.check()
        app(standalone_mode=True)
    except Interrupted as stopped:
        _say_error(f"{stopped}: finished work and checkpoints are kept; the same command goes on from there")
        sys.exit(STOPPED)
    except KeyboardInterrupt:
        _say_error("stopped; finished work and checkpoints are kept")
        sys.exit(STOPPED)
    except (HarnessError, ModelError, RecordError, DatasetError) as error:
        _say_error(str(error))
        sys.exit(WRONG_INPUT)
    except OSError as error:
        _say_error(f"{error.filename or 'a file'}: cannot be read or written: {error.strerror or error}")
        sys.exit(WRONG_INPUT)


def _say_error(text: str) -> None:
    Console(stderr=True).print(Text(text), soft_wrap=True)


@app.command(epilog="Example: python -m harness run suites/attention_schemes.yaml --only model.attention=divided,space")
def run(
    suite_path: SuitePath,
    scale: ScaleOption = "demo",
    sets: SetOption = [],  # noqa: B006  typer copies it
    only: OnlyOption = [],  # noqa: B006
    launcher: Annotated[Launcher, typer.Option(help="local: a pool of processes. inline: in this process.")] = "local",
    workers: Annotated[int, typer.Option(min=0, help="Jobs at once; 0: one a GPU, or as many as cores allow.")] = 0,
    retry: Annotated[list[Retry], typer.Option(help="Also run jobs again that ended so.")] = [],  # noqa: B006
    root: RootOption = ROOT,
    datasets: DatasetsOption = DATASETS,
) -> None:
    """Train, test and profile what is missing of a suite, then render its report."""
    suite = load(suite_path, scale, sets, only, datasets)
    store = Store(root)
    preflight.check_writable(root)
    preflight.check_reports(suite)
    with hold(root / "run.lock", f"the output folder {root}"):
        wanted = _wanted(standing.of(suite.jobs, store), retry)
        out.print(f"{suite.title}: {len(suite.jobs)} jobs at {scale} scale, {len(wanted)} to run")
        preflight.check_inputs(wanted, root, datasets)
        devices = max((job.spec.resources.nodes * job.spec.resources.gpus_per_node for job in wanted), default=1)
        if devices > 1:
            out.print(f"The suite asks for {devices} devices a job; this launcher gives each job one")
        if wanted:
            _launch([Order(job.spec, scale, job.label, root.resolve(), datasets.resolve()) for job in wanted],
                    store, launcher, workers)  # fmt: skip
        problems = _render(suite, store, datasets)
    raise typer.Exit(_outcome(store, standing.of(suite.jobs, store), problems))


def _wanted(standings: Sequence[standing.Standing], retry: Sequence[Retry]) -> list[Job]:
    """Jobs that are missing or to be retried.

    So are those that seem to run: as this process holds the folder's lock, they are what a killed launcher left behind,
    about to save and end; their jobs wait for that and go on.
    """
    states = {*standing.MISSING, "running", *retry, *(FAILURES if Retry.all in retry else ())}
    return [each.job for each in standings if each.state in states]


def _launch(orders: Sequence[Order], store: Store, launcher: Launcher, workers: int) -> None:
    from harness import launch

    gpus = launch.count_gpus()
    slots = 1 if launcher == "inline" else workers or launch.count_slots(orders, gpus)
    with Display(out, slots) as display:
        if launcher == "inline":
            launch.inline(orders, display)
        else:
            launch.local(orders, store, display, slots, gpus)


def _outcome(store: Store, standings: Sequence[standing.Standing], problems: Sequence[str]) -> int:
    """Tell what is not well, and the exit code that says it."""
    failed = [each for each in standings if each.state in FAILURES]
    for each in failed:
        _say_error(f"{each.job.label}: {each.state}: {each.detail} ({store.record_path(each.job.id)})")
    if failed:
        states = " ".join(f"--retry {state}" for state in sorted({each.state for each in failed}))
        _say_error(f"{len(failed)} of {len(standings)} jobs did not end well; to run them again: {states}")
    unfinished = [each for each in standings if each.state in (*standing.MISSING, "running")]
    if unfinished:
        _say_error(f"{len(unfinished)} of {len(standings)} jobs are unfinished; the same command goes on with them")
    for problem in problems:
        _say_error(problem)
    return WRONG_INPUT if problems else SOME_FAILED if failed or unfinished else DONE


@app.command(epilog="Example: python -m harness plan suites/attention_schemes.yaml --scale paper")
def plan(
    suite_path: SuitePath,
    scale: ScaleOption = "demo",
    sets: SetOption = [],  # noqa: B006
    only: OnlyOption = [],  # noqa: B006
    root: RootOption = ROOT,
    datasets: DatasetsOption = DATASETS,
    as_json: JsonOption = False,
) -> None:
    """Show what would run, and what each variant costs; submits nothing."""
    suite = load(suite_path, scale, sets, only, datasets)
    store = Store(root)
    shared = _shared(suite, datasets)
    rows = []
    for each in standing.of(suite.jobs, store):
        spec, counted = each.job.spec, _job_cost(each.job, store, datasets)
        views = max(test.clips * test.crops for test in spec.tests)
        rows.append(
            {
                **{key: value for key, value in each.plain().items() if key not in ("tests", "progress")},
                "shared_with": shared.get(each.job.id, []),
                "parameters": counted.parameters,
                "multiply_adds": counted.multiply_adds,
                "views": views,
                "tflops": counted.multiply_adds * views / 1e12,
                "peak_memory_bytes": each.record.measured.peak_memory_bytes if each.record else None,
                "devices": spec.resources.nodes * spec.resources.gpus_per_node,
            }
        )
    if as_json:
        print(json.dumps(_plain(suite, rows)))
        return
    table = _table(
        "Job", "State", "Params, M", "GMACs/view", "TFLOPs", "Views", "Peak, MiB", "Device-h", "Shared with", "Id"
    )
    for row in rows:
        hours = "" if row["device_hours"] is None else f"{row['device_hours']:.2f}"
        peak = "" if row["peak_memory_bytes"] is None else f"{row['peak_memory_bytes'] / 2**20:.0f}"
        table.add_row(
            row["label"], _state(row["state"]), f"{row['parameters'] / 1e6:.4g}", f"{row['multiply_adds'] / 1e9:.4g}",
            f"{row['tflops']:.3g}", str(row["views"]), peak, hours, ", ".join(row["shared_with"]), row["id"],
        )  # fmt: skip
    out.print(table)
    to_run = sum(row["state"] in standing.MISSING for row in rows)
    out.print(f"{len(rows)} jobs at {scale} scale: {to_run} to run, {len(rows) - to_run} with a record or running")


def _job_cost(job: Job, store: Store, datasets: Path) -> Cost:
    """The job's cost, counted when it is not known yet; that needs torch."""
    clip = job.spec.clip
    classes = class_count(job.spec.data.name, datasets)
    return cost.stored_cost(store.root, job.spec.model, clip.frames, clip.size, classes)


def _shared(suite: Suite, datasets: Path) -> dict[str, list[str]]:
    """Job id -> names of the neighbouring suites that need the same training."""
    shared: dict[str, list[str]] = {}
    for path in sorted(suite.path.parent.glob("*.yaml")):
        if path.resolve() == suite.path.resolve():
            continue
        try:
            other = load(path, suite.scale, datasets_file=datasets)
        except HarnessError:
            continue  # its own mistakes are told when it is itself asked for
        for job in other.jobs:
            shared.setdefault(job.id, []).append(other.name)
    return shared


@app.command(epilog="Example: python -m harness status suites/attention_schemes.yaml --watch")
def status(
    suite_paths: SuitePaths = None,
    scale: ScaleOption = "demo",
    sets: SetOption = [],  # noqa: B006
    only: OnlyOption = [],  # noqa: B006
    root: RootOption = ROOT,
    datasets: DatasetsOption = DATASETS,
    watch: Annotated[bool, typer.Option("--watch", help="Show again every two seconds until Ctrl-C.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show where every job stands: done, running (epoch, loss, time left), stopped, failed and why."""
    suites = [load(path, scale, sets, only, datasets) for path in suite_paths or _all_suites()]
    store = Store(root)
    if as_json:
        print(
            json.dumps([_plain(suite, [each.plain() for each in standing.of(suite.jobs, store)]) for suite in suites])
        )
    elif watch:
        _watch(suites, store)
    else:
        out.print(_standings(suites, store))
    states = {each.state for suite in suites for each in standing.of(suite.jobs, store)}
    raise typer.Exit(WRONG_INPUT if "damaged" in states else SOME_FAILED if states & set(FAILURES) else DONE)


def _watch(suites: Sequence[Suite], store: Store) -> None:
    """Show the standings until Ctrl-C."""
    with Live(console=out, auto_refresh=False) as live, contextlib.suppress(KeyboardInterrupt):
        while True:
            live.update(_standings(suites, store), refresh=True)
            time.sleep(WATCH_EVERY_S)


def _standings(suites: Sequence[Suite], store: Store) -> Group:
    tables: list[RenderableType] = []
    for suite in suites:
        table = _table("Job", "State", "Detail", "Id")
        for each in standing.of(suite.jobs, store):
            table.add_row(each.job.label, _state(each.state), Text(each.detail), each.job.id)
        tables += [Text(f"{suite.title}, {suite.scale} scale", style="bold"), table]
    return Group(*tables)


@app.command(epilog="Example: python -m harness report suites/attention_schemes.yaml")
def report(
    suite_paths: SuitePaths = None,
    scale: ScaleOption = "demo",
    sets: SetOption = [],  # noqa: B006
    only: OnlyOption = [],  # noqa: B006
    root: RootOption = ROOT,
    datasets: DatasetsOption = DATASETS,
) -> None:
    """Render the reports of suites again from their records."""
    suites = [load(path, scale, sets, only, datasets) for path in suite_paths or _all_suites()]
    preflight.check_writable(root)
    problems = [problem for suite in suites for problem in _render(suite, Store(root), datasets)]
    for problem in problems:
        _say_error(problem)
    raise typer.Exit(WRONG_INPUT if problems else DONE)


def _all_suites() -> list[Path]:
    """The suites of this folder; raises HarnessError where there are none."""
    paths = sorted(Path("suites").glob("*.yaml"))
    if not paths:
        raise HarnessError("no suite was named and there are none in ./suites")
    return paths


def _render(suite: Suite, store: Store, datasets: Path) -> list[str]:
    """Write and show the suite's report; returns what is wrong with its records."""
    from reports import page, render, table1
    from results import collect, literature

    standings = standing.of(suite.jobs, store)
    problems = [each.problem for each in standings if each.problem]
    if "table1" not in suite.reports:
        out.print(_standings([suite], store))
        return problems
    for job in load(suite.path, "paper", datasets_file=datasets).jobs:
        _job_cost(job, store, datasets)  # parameters and TFLOPs are the paper's models', at any scale
    records = collect.frame([each.record for each in standings if each.record])
    costs, published = collect.costs(store.root), literature.published("table1")
    try:
        table = table1.table(records, costs, published, suite.scale)
    except ValueError as error:
        raise HarnessError(f"{suite.path}: reports: table1 cannot show these jobs: {error}") from None
    folder = store.reports / (suite.name if suite.scale == "demo" else f"{suite.name}-{suite.scale}")
    info = page.SuiteInfo(name=suite.name, title=suite.title, question=suite.question)
    page.write_report(folder, info, records, costs, published, suite.scale, problems)
    columns, findings = table1.columns(suite.scale), table1.findings(table, suite.scale)
    out.print(render.terminal(table, columns, table1.caption(suite.scale), findings, out.width))
    out.print(f"Report: {folder / 'index.html'}", soft_wrap=True)
    return problems


@app.command(epilog="Example: python -m harness profile timesformer --set model.attention=joint --set clip.size=448")
def profile(
    model: Annotated[str, typer.Argument(help="A model's name, such as timesformer.")],
    sets: SetOption = [],  # noqa: B006
    classes: Annotated[int, typer.Option(min=1, help="Classes of the head.")] = 400,
    measure: Annotated[bool, typer.Option("--measure", help="Also time it on this machine's device.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Count one model's parameters and multiply-adds, and time it if asked."""
    from harness import measure as measuring
    from harness import single

    job = single.job(model, sets)
    clip = job.clip
    counted = cost.count(job.model, clip.frames, clip.size, classes)
    views = max(test.clips * test.crops for test in job.tests)
    facts: dict[str, Any] = {
        "model": job.model.model_dump(mode="json"),
        "frames": clip.frames,
        "size": clip.size,
        "classes": classes,
        **counted.model_dump(),
        "views": views,
        "tflops": counted.multiply_adds * views / 1e12,
    }
    if measure:
        facts |= measuring.profile(job, classes)
    if as_json:
        print(json.dumps(facts, indent=1))
        return
    table = _table("", "")
    for key, value in facts.items():
        number = f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if isinstance(value, float) else None
        table.add_row(key, number or str(value))
    out.print(table)


def _plain(suite: Suite, jobs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A suite for `--json`."""
    return {"suite": suite.name, "scale": suite.scale, "jobs": list(jobs)}


def _table(*headings: str) -> Table:
    """A plain table; the first column is never broken."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, heading in enumerate(headings):
        table.add_column(heading, header_style="bold", overflow="fold", no_wrap=index == 0)
    return table


def _state(state: str) -> Text:
    return Text(state, style=STYLES.get(state, ""))
