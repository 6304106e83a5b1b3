"""What the verbs share: their options, exit codes, and how they speak to the terminal."""

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness import cost, standing
from harness.combination import Job
from harness.data.datasets import class_count
from harness.errors import HarnessError
from harness.files import Order
from harness.progress import STYLES
from harness.spec import Scale, from_data
from harness.suite import Suite
from models import registry
from models.catalog import Options
from models.registry import ModelError
from results.record import Cost, Record
from results.store import Store

DONE, SOME_FAILED, WRONG_INPUT, STOPPED = 0, 1, 2, 130
FAILURES = ("failed", "oom", "timeout", "diverged")
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
ModelsOption = Annotated[
    list[Path], typer.Option("--models", metavar="FILE", help="A Python file that registers models of yours.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON (stable keys, docs/cli.md) instead of text.")]
VARIANT = "A job's id, or how it begins; or SUITE:KEY=VALUE,..."
"""How a trained variant is named on the command line."""
Launcher = Literal["inline", "local", "slurm"]
ROOT, DATASETS = Path("runs"), Path("datasets.yaml")


def say_error(text: str) -> None:
    """One paragraph on standard error, without markup, broken nowhere."""
    Console(stderr=True).print(Text(text), soft_wrap=True)


def job_cost(job: Job, store: Store, datasets: Path, crop: int | None = None) -> Cost:
    """The cost of one view of the training crop, or of another; counted when it is not known yet, which needs torch.

    Raises ModelError for a model that cannot be counted.
    """
    return cost.stored_cost(store.root, *_view(job, datasets), crop=crop)


def known_cost(job: Job, store: Store, datasets: Path, crop: int | None = None) -> Cost | None:
    """The same where it was counted before; None where it was not. Without torch, at once."""
    return cost.known_cost(store.root, *_view(job, datasets), crop=crop)


def _view(job: Job, datasets: Path) -> tuple[Options, int, int, int]:
    """What a count is of: a model, frames, size and classes."""
    spec = job.spec
    return spec.model, spec.clip.frames, spec.clip.size, class_count(spec.data.name, datasets)


def view_cost(record: Record, crop: int, store: Store) -> Cost | None:
    """Of one view of a test of this crop; counted, which needs torch, where only the training crop's is known.

    None where the model cannot be counted, is not known here, or has other options now.
    """
    clip, model = record.spec["clip"], record.spec["model"]
    if crop == clip["size"] or record.cost is None:
        return record.cost
    try:
        options = from_data(registry.options_type(model["name"]), model)
    except (ModelError, ValueError):
        return None
    return _counted(store.root, options, clip["frames"], clip["size"], record.classes, crop)


@cache  # seeds and data fractions share a count, and its file
def _counted(root: Path, options: Options, frames: int, size: int, classes: int, crop: int) -> Cost | None:
    try:
        return cost.stored_cost(root, options, frames, size, classes, crop=crop)
    except ModelError:
        return None


def orders(jobs: Sequence[Job], scale: Scale, root: Path, datasets: Path) -> list[Order]:
    """What a launcher is given for these jobs."""
    return [Order(job.spec, scale, job.label, root.resolve(), datasets.resolve()) for job in jobs]


def all_suites() -> list[Path]:
    """The suites of this folder; raises HarnessError where there are none."""
    paths = sorted(Path("suites").glob("*.yaml"))
    if not paths:
        raise HarnessError("no suite was named and there are none in ./suites")
    return paths


Standings = list[tuple[Suite, list[standing.Standing]]]


def standings(suites: Sequence[Suite], store: Store) -> Standings:
    """Where every job of these suites stands; whoever else must be asked is asked once for all."""
    return list(zip(suites, standing.of_all([suite.jobs for suite in suites], store), strict=True))


def standings_table(found: Standings) -> Group:
    """Where every job stands, a table a suite."""
    tables: list[RenderableType] = []
    for suite, each_of in found:
        rows = table("Job", "State", "Detail", "Id")
        for each in each_of:
            rows.add_row(each.job.label, state_text(each.state), Text(each.detail), each.job.id)
        tables += [Text(f"{suite.title}, {suite.scale} scale", style="bold"), rows]
    return Group(*tables)


def plain(suite: Suite, jobs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A suite for `--json`."""
    return {"suite": suite.name, "scale": suite.scale, "jobs": list(jobs)}


def table(*headings: str) -> Table:
    """A plain table; the first column is never broken."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, heading in enumerate(headings):
        table.add_column(heading, header_style="bold", overflow="fold", no_wrap=index == 0)
    return table


def state_text(state: str) -> Text:
    """A state in its colour."""
    return Text(state, style=STYLES.get(state, ""))
