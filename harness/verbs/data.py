"""`data`: what data sets are there, what is wrong with their files, and what a model sees of them."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from harness import matrix, preflight, single
from harness.data.datasets import KNOWN, PUBLISHED_SIZES, Listing, configured, open_dataset
from harness.errors import HarnessError
from harness.locks import hold
from harness.verbs.shell import (
    DATASETS,
    DONE,
    ROOT,
    SOME_FAILED,
    STOPPED,
    DatasetsOption,
    JsonOption,
    RootOption,
    SetOption,
    out,
    say_error,
    table,
)
from models import registry

SHOWN = 10
"""Of each kind of problem, and of the copies of one file; all of them are in `--json`."""

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
    """Open every file of a data set once; tell what is missing, damaged, copied, in both splits, under two labels."""
    with _kept(name, root):
        from harness.data import index

        preflight.check_writable(root)
        dataset = open_dataset(name, cache=root / "data", datasets_file=datasets)
        path = root / "index" / f"{dataset.name}.jsonl"
        with hold(path.with_name(f".{dataset.name}.lock"), f"the index of {name}"), _progress(name, as_json) as told:
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
    if any("data.name" in matrix.override(text) for text in sets):
        raise HarnessError(f"data show {name}: --set names another data set; say `data show` of that one instead")
    # quoted: on its own, `on` is a truth value of YAML
    spec = single.job("timesformer", ["model.size=demo", f"data={json.dumps(name)}", *sets], datasets)
    if len(spec.tests) > 1:
        raise HarnessError(f"data show: test: name one protocol to show, not {len(spec.tests)}")
    dataset = open_dataset(name, cache=root / "data", datasets_file=datasets)
    path = to or root / "sheets" / f"{dataset.name}-{split}.png"
    rows = sheet.rows(dataset, spec, split, videos)
    sheet.write(path, rows)
    out.print(Text(f"{len(rows)} views of {len({row.video for row in rows})} videos: {path}"), soft_wrap=True)


@app.command(name="list", epilog="Example: python -m harness data list")
def list_(datasets: DatasetsOption = DATASETS) -> None:
    """The data sets that suites can name: known ones, and those of datasets.yaml."""
    shown = table("Name", "Format", "Classes", "Where")
    mine = configured(datasets)
    for name in dict.fromkeys([*KNOWN, *mine]):
        shown.add_row(*map(Text, (name, *_listed(name, mine))))  # Text: brackets in a path are no markup
    out.print(shown)


def _listed(name: str, mine: Mapping[str, Listing]) -> tuple[str, str, str]:
    """The format, the number of classes and the place of a set, known or of the datasets file."""
    known = KNOWN.get(name)
    if known and (known.embedded or name not in mine):
        where = "embedded, made when first needed" if known.embedded else "not configured"
        return known.format, str(known.classes), where
    said = mine[name]
    return said.format, str(said.classes or (known.classes if known else "as in its lists")), said.root


@contextmanager
def _kept(name: str, root: Path) -> Iterator[None]:
    """Tells who stops the check that what it learnt is kept."""
    try:
        yield
    except KeyboardInterrupt:
        say_error(
            f"stopped; what was learnt of {name} is kept in {root / 'index'}, and the same command goes on from there"
        )
        raise typer.Exit(STOPPED) from None


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
    faults = [(heading, lines) for heading, lines in _faults(found) if lines]
    for heading, lines in faults:
        more = [f"... and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
        out.print(Text("\n  ".join([f"{heading} ({len(lines)}):", *lines[:SHOWN], *more])), soft_wrap=True)
    if found.usable:
        out.print("Every video can be read, none is in both splits or has two labels.")
    if faults:
        out.print("All of it: the same command with --json.")
    out.print(Text(f"What each file is: {path}"), soft_wrap=True)


def _faults(found: Any) -> Iterator[tuple[str, Sequence[str]]]:
    """Each kind of fault and those that have it, one a line."""
    for split in found.splits:
        yield f"{split.name}: cannot be read", [f"{name}: {reason}" for name, reason in split.unreadable]
    for split in found.splits:
        yield (
            f"{split.name}: shorter than its part, read to its end",
            [f"{name}: {reason}" for name, reason in split.shortened],
        )
    labelled = [[f"{name} ({label})" for name, label in group] for group in found.contradictory]
    yield "the same file under several labels", [_equal(names) for names in labelled]
    yield "the same file in both splits", [_equal(names) for names in found.overlap]
    yield "the same file under several names", [_equal(names) for names in found.copies]
    yield "in the folders, and in no list", found.unlabelled


def _equal(names: Sequence[str]) -> str:
    more = [f"{len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return " = ".join([*names[:SHOWN], *more])
