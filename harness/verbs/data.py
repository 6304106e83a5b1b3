"""`data`: what data sets are there, what is wrong with their files, and what a model sees of them."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from harness import preflight, single
from harness.data.datasets import KNOWN, PUBLISHED_SIZES, open_dataset
from harness.errors import HarnessError
from harness.locks import hold
from harness.verbs.shell import (
    DATASETS,
    DONE,
    ROOT,
    SOME_FAILED,
    DatasetsOption,
    JsonOption,
    RootOption,
    SetOption,
    out,
    table,
)
from models import registry

SHOWN = 10
"""Of each kind of problem; all of them are in `--json`."""

Name = Annotated[str, typer.Argument(metavar="NAME", help="A data set of datasets.yaml, or an embedded one (motion).")]

app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", help="Check data sets, and show them.")


@app.command(epilog="Example: python -m harness data check k400 --workers 16")
def check(
    name: Name,
    workers: Annotated[int, typer.Option(min=1, help="Processes that open files.")] = max(1, (os.cpu_count() or 2) - 1),
    whole: Annotated[bool, typer.Option("--whole", help="Decode every frame, and not the first and the last.")] = False,
    root: RootOption = ROOT,
    datasets: DatasetsOption = DATASETS,
    as_json: JsonOption = False,
) -> None:
    """Open every file of a data set once, and tell what is missing, damaged, copied, or in both splits."""
    from harness.data import index

    preflight.check_writable(root)
    dataset = open_dataset(name, cache=root / "data", datasets_file=datasets)
    path = root / "index" / f"{name}.jsonl"
    with hold(root / "index" / f".{name}.lock", f"the index of {name}"), _progress(name, as_json) as told:
        facts = index.update(path, dataset, workers, whole=whole, told=told)
    found = index.report(dataset, facts, PUBLISHED_SIZES.get(name, {}))
    if as_json:
        print(json.dumps({**asdict(found), "usable": found.usable, "index": str(path)}, indent=1))
    else:
        _show(found, path)
    raise typer.Exit(DONE if found.usable else SOME_FAILED)


@app.command(epilog="Example: python -m harness data show motion --set clip.frames=8 --set clip.size=32")
def show(
    name: Name,
    split: Annotated[Literal["train", "val"], typer.Option(help="train: random clips. val: the test's views.")] = "val",
    videos: Annotated[int, typer.Option(min=1, help="How many videos, spread over the split.")] = 6,
    sets: SetOption = [],  # noqa: B006
    to: Annotated[Path | None, typer.Option(help="The picture to write; <root>/sheets/NAME-SPLIT.png.")] = None,
    root: RootOption = ROOT,
    datasets: DatasetsOption = DATASETS,
) -> None:
    """Write a contact sheet of what a model sees: the sampled frames of each view, its crop, the label."""
    from harness.data import sheet

    registry.use([])
    spec = single.job("timesformer", ["model.size=demo", f"data={name}", *sets], datasets)
    if len(spec.tests) > 1:
        raise HarnessError(f"data show: test: name one protocol to show, not {len(spec.tests)}")
    dataset = open_dataset(name, cache=root / "data", datasets_file=datasets)
    path = to or root / "sheets" / f"{name}-{split}.png"
    rows = sheet.rows(dataset, spec, split, videos)
    sheet.write(path, rows)
    out.print(f"{len(rows)} views of {len({row.video for row in rows})} videos: {path}", soft_wrap=True)


@app.command(name="list", epilog="Example: python -m harness data list")
def list_(datasets: DatasetsOption = DATASETS) -> None:
    """The data sets that suites can name: known ones, and those of datasets.yaml."""
    from harness.data.datasets import configured_names

    shown = table("Name", "Format", "Classes", "Where")
    configured = configured_names(datasets)
    for name, known in KNOWN.items():
        where = "embedded, made when first needed" if known.embedded else configured.get(name, "not configured")
        shown.add_row(name, known.format, str(known.classes), str(where))
    for name, where in configured.items():
        if name not in KNOWN:
            shown.add_row(name, "", "", str(where))
    out.print(shown)


@contextmanager
def _progress(name: str, quiet: bool) -> Iterator[Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, disable=quiet, transient=True) as progress:
        task = progress.add_task(f"Opening the videos of {name}", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _show(found: Any, path: Path) -> None:
    shown = table("Split", "Videos", "Published", "Classes", "Readable", "Hours", "Digest")
    for split in found.splits:
        published = "" if split.published is None else f"{split.published:,} ({split.videos / split.published:.1%})"
        readable = split.videos - len(split.unreadable)
        shown.add_row(
            split.name, f"{split.videos:,}", published, str(split.classes), f"{readable:,}",
            f"{split.seconds / 3600:.2f}", split.digest,
        )  # fmt: skip
    out.print(shown)
    for split in found.splits:
        _list(f"{split.name}: cannot be read", [f"{name}: {reason}" for name, reason in split.unreadable])
    _list("the same file in both splits", [" = ".join(names) for names in found.overlap])
    _list("the same file under several names", [" = ".join(names) for names in found.copies])
    _list("in the folders, and in no list", found.unlabelled)
    out.print(Text("Every video can be read, none is in both splits." if found.usable else f"All of it: {path}"))


def _list(heading: str, lines: Sequence[str]) -> None:
    if not lines:
        return
    more = [f"... and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    out.print(Text("\n  ".join([f"{heading} ({len(lines)}):", *lines[:SHOWN], *more])), soft_wrap=True)
