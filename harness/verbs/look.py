"""`look`: what a model does, in pictures: whom patches attend to, where it looks, how its features part the classes."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from harness import contender, matrix, single
from harness.errors import HarnessError
from harness.spec import Scale
from harness.verbs.shell import (
    DATASETS,
    ROOT,
    VARIANT,
    DatasetsOption,
    ModelsOption,
    RootOption,
    ScaleOption,
    SetOption,
    out,
    table,
)
from models import registry
from models.catalog import SIZES, TimeSformerOptions
from results.store import Store

if TYPE_CHECKING:
    from harness.attention import Place
    from harness.data.videos import Dataset
    from harness.trained import Trained
    from reports.looks import Laid, Looked, Neighbours

SCHEMES: tuple[str, ...] = TimeSformerOptions.model_fields["attention"].annotation.__args__  # type: ignore[union-attr]
TITLES = {
    "space": "Space (S)",
    "joint": "Joint Space-Time (ST)",
    "divided": "Divided (T+S)",
    "sparse_local_global": "Local Global (L+G)",
    "axial": "Axial (T+W+H)",
}
"""As in the paper's Figure 2."""
UNTRAINED = ("model.size=demo", "model.init=scratch", "clip.frames=6", "clip.size=64")
"""A model that answers at once and shows every scheme: 8 x 8 patches in 6 frames."""
NEAREST = 5

JOB = f"{VARIANT}, of several seeds the first."
JobArgument = Annotated[str, typer.Argument(metavar="JOB", help=JOB)]
ToOption = Annotated[
    Path | None, typer.Option("--to", help="The folder to write to; <root>/reports/look.", file_okay=False)
]

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode="rich", help="Look at what a model does, in pictures (Figures 2, 7, 8)."
)


@app.command(epilog="Example: python -m harness look neighbours divided axial")
def neighbours(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[SCHEME|JOB]...", help="Schemes of an untrained model, or jobs; all.")
    ] = None,
    query: Annotated[
        str | None, typer.Option(metavar="T,ROW,COLUMN", help="The query patch; of the middle, in frame 0.")
    ] = None,
    scale: ScaleOption = "demo",
    sets: SetOption = [],  # noqa: B006
    to: ToOption = None,
    root: RootOption = ROOT,
    datasets: DatasetsOption = DATASETS,
    models: ModelsOption = [],  # noqa: B006
) -> None:
    """Draw which patches each attention of a block shows to a query patch, found out by gradients (Figure 2)."""
    from reports import looks

    registry.use(models)
    found = [_column(name, _place(query), Store(root), scale, sets, datasets) for name in names or SCHEMES]
    _say(looks.neighbours(found, to or root / "reports" / "look", "neighbours"))


@app.command(epilog="Example: python -m harness look rollout 095350ea05ef --videos 3")
def rollout(
    job: JobArgument,
    videos: Annotated[int, typer.Option(min=1, help="How many validation videos, of as many classes.")] = 3,
    video: Annotated[list[str], typer.Option("--video", metavar="ID", help="This one instead, by its id.")] = [],  # noqa: B006
    scale: ScaleOption = "demo",
    sets: SetOption = [],  # noqa: B006
    to: ToOption = None,
    root: RootOption = ROOT,
    datasets: DatasetsOption = DATASETS,
    models: ModelsOption = [],  # noqa: B006
) -> None:
    """Draw where the class token of a trained job looks: attention rollout over the frames of videos (Figure 7)."""
    registry.use(models)
    from harness import trained
    from reports import looks

    found = trained.find(job, Store(root), scale, sets, datasets)
    dataset = found.dataset(root, datasets)
    places = _named(dataset, video) if video else trained.spread(dataset.val, videos)
    looked = _looked(found, dataset, places)
    on = "" if dataset.name in found.order.label.split(" · ") else f" · {dataset.name}"
    title = f"{found.order.label}{on}, {100 * found.top1:.1f} % top-1"
    name = f"rollout-{found.folder.name}"
    _say(looks.rollout(looked, title, to or root / "reports" / "look", name))


@app.command(epilog="Example: python -m harness look features 095350ea05ef 7f2c")
def features(
    jobs: Annotated[list[str], typer.Argument(metavar="JOB...", help=JOB)],
    classes: Annotated[int, typer.Option(min=2, help="Of how many classes to show videos.")] = 10,
    scale: ScaleOption = "demo",
    sets: SetOption = [],  # noqa: B006
    to: ToOption = None,
    root: RootOption = ROOT,
    datasets: DatasetsOption = DATASETS,
    models: ModelsOption = [],  # noqa: B006
) -> None:
    """Draw validation videos by what trained jobs make of them, t-SNE of their features, a panel a job (Figure 8)."""
    registry.use(models)
    from harness import trained
    from reports import looks

    found = [trained.find(job, Store(root), scale, sets, datasets) for job in jobs]
    for place, each in enumerate(found):
        for other in found[:place]:
            contender.refuse(other.contender, each.contender)
    shown = table("Model", "Job", "Videos", "Silhouette", "Nearest neighbours, %", "Chance, %", "top-1, %")
    panels = []
    for name, each in zip(trained.labels(found), found, strict=True):
        panel, cells = _laid(name, each, each.dataset(root, datasets), classes)
        panels.append(panel)
        shown.add_row(name, each.folder.name, *cells, f"{100 * each.top1:.1f}")
    out.print(shown)
    name = "-".join(["features", *(each.folder.name for each in found)])
    _say(looks.features(panels, to or root / "reports" / "look", name))


def _say(paths: Sequence[Path]) -> None:
    for path in paths:
        out.print(Text(str(path)), soft_wrap=True)


def _place(query: str | None) -> "Place | None":
    if query is None:
        return None
    parts = query.split(",")
    if len(parts) != 3 or not all(part.strip().isdigit() for part in parts):
        raise HarnessError(f"--query {query}: expected T,ROW,COLUMN, such as 0,3,2, counted from 0")
    t, row, column = map(int, parts)
    return t, row, column


def _column(
    name: str, query: "Place | None", store: Store, scale: Scale, sets: Sequence[str], datasets: Path
) -> "Neighbours":
    """The neighbourhoods of an untrained model of this scheme, or of a trained job."""
    from harness import attention, trained
    from reports.looks import Neighbours

    if name in SCHEMES:
        if any("model.attention" in matrix.override(text) for text in sets):
            raise HarnessError(f"look neighbours {name}: --set names another scheme; name that one instead")
        spec = single.job("timesformer", [*UNTRAINED, *sets, f"model.attention={name}"])
        model, title = registry.build(spec.model, spec.clip.frames, spec.clip.size, 2), TITLES[name]
    else:
        found = trained.find(name, store, scale, sets, datasets)
        spec, model, title = found.spec, found.model().cpu(), found.order.label
    if not isinstance(spec.model, TimeSformerOptions):
        raise HarnessError(f"{name} is a {spec.model.name}: schemes of attention are timesformer's; name one of those")
    side = spec.clip.size // SIZES[spec.model.size].patch
    grid = (spec.clip.frames, side, side)
    place = query or (0, side // 2 - 1, side // 2 - 1)
    seen = attention.neighbourhoods(model, grid, place)
    return Neighbours(
        title, place, {each.step: each.patches for each in seen}, {each.step: each.class_token for each in seen}
    )


def _named(dataset: "Dataset", ids: Sequence[str]) -> list[int]:
    """Places of validation videos; raises HarnessError for an id that none has."""
    known = {video.id: place for place, video in enumerate(dataset.val)}
    for each in ids:
        if each not in known:
            near = ", ".join(difflib.get_close_matches(each, known, n=NEAREST, cutoff=0.0))
            raise HarnessError(f"--video {each}: no validation video of {dataset.name} has this id; nearest: {near}")
    return [known[each] for each in ids]


def _looked(found: "Trained", dataset: "Dataset", places: Sequence[int]) -> "list[Looked]":
    from harness import attention, trained
    from reports.looks import Looked

    seen = list(attention.seen(found.model(), found.spec, trained.clips(dataset, found.spec, places)))
    if not seen:
        raise HarnessError("none of these videos decodes: `data check` says why")
    videos = dataset.val
    return [
        Looked(
            videos[each.clip.index].id, dataset.classes[videos[each.clip.index].label],
            dataset.classes[each.predicted], each.probability, each.clip.frames, each.shares,
        )
        for each in seen
    ]  # fmt: skip


def _laid(name: str, found: "Trained", dataset: "Dataset", classes: int) -> "tuple[Laid, list[str]]":
    """A job's panel, and its row of the table."""
    import numpy as np

    from harness import features, trained
    from reports.looks import Laid

    asked = features.chosen(dataset.val, classes)
    made, places = features.of(found.model(), found.spec, trained.clips(dataset, found.spec, asked))
    labels = np.array([dataset.val[place].label for place in places], np.int64)
    points = features.plane(made)
    parted = features.separation(made, labels)
    said = f"silhouette {parted.silhouette:.2f} · {parted.neighbours}-NN {100 * parted.accuracy:.1f} %"
    ids = tuple(dataset.val[place].id for place in places)
    cells = [
        f"{len(places):,}",
        f"{parted.silhouette:.3f}",
        f"{100 * parted.accuracy:.1f}",
        f"{100 * parted.chance:.1f}",
    ]
    return Laid(name, ids, tuple(dataset.classes[label] for label in labels), points, said.replace("-0.", "−0.")), cells
