"""Pictures of what a model does, as in the paper's Figures 2, 7 and 8: neighbourhoods, rollouts, features in a plane.

Each takes plain arrays and gives the files of one picture; sizes are in points.

    t frames   h, w rows and columns of patches   y, x pixels   v videos
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from textwrap import fill, wrap
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from reports.drawing import saved, style
from reports.marks import COLOURS, INK, MUTED, PAPER, RULE, SMALL, Mark, marks
from results.store import write_atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUERY: Final = COLOURS[0]
"""Blue, as in the paper's Figure 2."""
FRAMES_SHOWN: Final = 3
"""Of a clip's frames, from the query's on."""
WIDEST: Final = 8
"""Frames in a row of a rollout; of longer clips some are left out evenly."""


@dataclass(frozen=True)
class Neighbours:
    """One column: which patches each attention of a block shows to the query patch."""

    name: str
    query: tuple[int, int, int]
    """Frame, row, column."""
    patches: Mapping[str, npt.NDArray[np.bool_]]
    """By the attention's name, in their order: [t h w]."""
    class_token: Mapping[str, bool]
    """Whether an attention also shows it the class token."""


@dataclass(frozen=True)
class Looked:
    """One video: its frames and where a model looks."""

    video: str
    label: str
    predicted: str
    probability: float
    frames: npt.NDArray[np.uint8]
    """[t y x 3]"""
    shares: npt.NDArray[np.float32]
    """[t h w], which sum to 1."""


@dataclass(frozen=True)
class Laid:
    """One panel: videos as points."""

    name: str
    videos: tuple[str, ...]
    classes: tuple[str, ...]
    """Of each video."""
    points: npt.NDArray[np.float32]
    """[v 2]"""
    said: str
    """Figures below the panel."""


def neighbours(columns: Sequence[Neighbours], folder: Path, name: str) -> list[Path]:
    """Writes a column a scheme, a row a frame from the query's on; the query is blue. Returns the paths."""
    rows = [
        (column.name, step, *column.query, *map(int, place), column.class_token[step])
        for column in columns
        for step, seen in column.patches.items()
        for place in np.argwhere(seen)
    ]
    keys = ("query_frame", "query_row", "query_column", "frame", "row", "column")
    data = pd.DataFrame(rows, columns=["scheme", "attention", *keys, "class_token"])
    return _write(lambda: _neighbours(columns), data, folder, name)


def rollout(videos: Sequence[Looked], title: str, folder: Path, name: str) -> list[Path]:
    """Writes each video's frames in a row and, below, the same in grey under a map of shares. Returns the paths."""
    rows = [
        (video.video, video.label, video.predicted, *map(int, place), float(share))
        for video in videos
        for place, share in np.ndenumerate(video.shares)
    ]
    data = pd.DataFrame(rows, columns=["video", "class", "predicted", "frame", "row", "column", "share"])
    return _write(lambda: _rollout(videos, title), data, folder, name)


def features(panels: Sequence[Laid], folder: Path, name: str) -> list[Path]:
    """Writes a panel a model, a colour and a shape a class, the same in all panels. Returns the paths."""
    rows = [
        (panel.name, video, label, float(x), float(y))
        for panel in panels
        for video, label, (x, y) in zip(panel.videos, panel.classes, panel.points, strict=True)
    ]
    data = pd.DataFrame(rows, columns=["model", "video", "class", "x", "y"])
    return _write(lambda: _features(panels), data, folder, name)


def _write(draw: Callable[[], "Figure"], data: pd.DataFrame, folder: Path, name: str) -> list[Path]:
    """A picture's drawings, and the numbers in it."""
    with style():
        figure = draw()
        files = {f"{name}.{kind}": saved(figure, f"{name}.{kind}") for kind in ("svg", "pdf", "png")}
    files[f"{name}.csv"] = data.to_csv(index=False, lineterminator="\n").encode()
    for file, content in files.items():
        write_atomic(folder / file, content)
    return [folder / file for file in files]


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 72, height / 72), dpi=200)
    FigureCanvasAgg(figure)
    return figure


def _axes(figure: "Figure", left: float, top: float, width: float, height: float) -> "Axes":
    """Axes without ticks at a place in points, from above."""
    across, down = (72 * inches for inches in figure.get_size_inches())
    axes = figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))
    axes.set(xticks=[], yticks=[])
    return axes


def _legend(figure: "Figure", handles: Sequence[Any], names: Sequence[str], columns: int, bottom: float) -> None:
    height = 72 * figure.get_size_inches()[1]
    figure.legend(
        handles, names, loc="lower center", ncols=columns, bbox_to_anchor=(0.5, bottom / height), borderaxespad=0.0,
        handletextpad=0.5, columnspacing=1.6,
    )  # fmt: skip


# Neighbourhoods

_SIDE, _GAP, _ROW_NAME, _LETTERS = 92.0, 10.0, 62.0, 17
"""The last: letters on a line of a column's name."""


def _neighbours(columns: Sequence[Neighbours]) -> "Figure":
    from matplotlib.patches import Patch

    shown = max(len(_shown(column)) for column in columns)
    lines = max(len(column.patches) for column in columns)
    wide = _ROW_NAME + len(columns) * (_SIDE + _GAP)
    above = 12 + 12.0 * max(len(wrap(column.name, _LETTERS)) for column in columns)
    under = above + shown * (_SIDE + _GAP)
    figure = _figure(wide, under + 13 * lines + 30)
    steps = list(dict.fromkeys(step for column in columns for step in column.patches))
    colours = dict(zip(steps, (COLOURS[1:] * len(steps))[: len(steps)], strict=True))
    for place, column in enumerate(columns):
        left = _ROW_NAME + place * (_SIDE + _GAP)
        for row, frame in enumerate(_shown(column)):
            axes = _axes(figure, left, above + row * (_SIDE + _GAP), _SIDE, _SIDE)
            _grid(axes, column, frame, colours)
            if row == 0:
                axes.set_title(fill(column.name, _LETTERS), fontsize=9, color=INK, pad=6)
            if place == 0:
                words = "frame t" if row == 0 else f"frame t + {row}"
                axes.set_ylabel(words, rotation=0, ha="right", va="center", color=INK, fontsize=9)
            if row == len(_shown(column)) - 1:
                axes.annotate(
                    "\n".join(_counted(column)), (0.5, 0), (0, -6), xycoords="axes fraction", fontsize=SMALL,
                    textcoords="offset points", ha="center", va="top", color=MUTED, linespacing=1.3,
                )  # fmt: skip
    named = {"query": QUERY, **colours}
    handles = [Patch(facecolor=colour, edgecolor=PAPER) for colour in named.values()]
    _legend(figure, handles, list(named), len(named), 6)
    return figure


def _shown(column: Neighbours) -> list[int]:
    frames = len(next(iter(column.patches.values())))
    return list(range(column.query[0], min(column.query[0] + FRAMES_SHOWN, frames)))


def _counted(column: Neighbours) -> Iterator[str]:
    """With how many patches of the whole clip each attention compares the query, and whether with the class token."""
    for step, seen in column.patches.items():
        yield f"{step}: {seen.sum():,}{' + class' if column.class_token[step] else ''}"


def _grid(axes: "Axes", column: Neighbours, frame: int, colours: Mapping[str, str]) -> None:
    """One frame's patches; those of several attentions have a stripe of each colour."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    height, width = next(iter(column.patches.values())).shape[1:]
    axes.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
    axes.spines[:].set(visible=True, color=MUTED, linewidth=0.8)
    fills, edges = [], []
    for row, across in np.ndindex(height, width):
        place = (frame, row, across)
        inside = [colours[step] for step, seen in column.patches.items() if seen[place]]
        stripes = [QUERY] if place == column.query else inside
        part = 1 / max(len(stripes), 1)
        fills += [
            Rectangle((across + stripe * part, row), part, 1, facecolor=colour, linewidth=0)
            for stripe, colour in enumerate(stripes)
        ]
        edges.append(Rectangle((across, row), 1, 1, fill=False, edgecolor=PAPER if inside else RULE, linewidth=0.6))
    for patches in filter(None, (fills, edges)):
        axes.add_collection(PatchCollection(patches, match_original=True))


# Rollouts

_FRAME, _BETWEEN, _TITLE, _BAR = 62.0, 3.0, 19.0, 54.0
_MAP: Final = "inferno"
GREYS: Final = (0.299, 0.587, 0.114)
"""Luma of red, green and blue (ITU-R BT.601)."""


def _rollout(videos: Sequence[Looked], title: str) -> "Figure":
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    columns = max(min(len(video.frames), WIDEST) for video in videos)
    block = _TITLE + 2 * (_FRAME + _BETWEEN) + 6
    wide, above = 8 + columns * (_FRAME + _BETWEEN) + _BAR, 26.0
    figure = _figure(wide, above + len(videos) * block)
    most = max(float(video.shares.max()) * video.shares.size for video in videos)
    figure.text(8 / wide, 1 - 8 / (above + len(videos) * block), title, ha="left", va="top", fontsize=10, color=INK)
    for place, video in enumerate(videos):
        top = above + place * block
        frames = np.linspace(0, len(video.frames) - 1, min(len(video.frames), WIDEST)).round().astype(int)
        for column, frame in enumerate(frames):
            left = 8 + column * (_FRAME + _BETWEEN)
            axes = _axes(figure, left, top + _TITLE, _FRAME, _FRAME)
            axes.imshow(video.frames[frame], interpolation="nearest")
            below = _axes(figure, left, top + _TITLE + _FRAME + _BETWEEN, _FRAME, _FRAME)
            _heat(below, video, int(frame), most)
            for each in (axes, below):
                each.spines[:].set_visible(False)
            if column == 0:
                axes.set_title(_told(video), loc="left", fontsize=SMALL, color=INK, pad=5)
    bar = _axes(figure, wide - _BAR + 6, above + _TITLE, 8, 2 * _FRAME + _BETWEEN)
    figure.colorbar(ScalarMappable(Normalize(0, most), _MAP), cax=bar).set_label(
        "Attention, times an even share", fontsize=SMALL
    )
    bar.tick_params(labelsize=SMALL - 1)
    return figure


def _told(video: Looked) -> str:
    said = f"predicted, {100 * video.probability:.0f} %"
    return f"{video.label} · {said}" if video.predicted == video.label else (
        f"{video.label} · taken for: {video.predicted}, {100 * video.probability:.0f} %"
    )  # fmt: skip


def _heat(axes: "Axes", video: Looked, frame: int, most: float) -> None:
    """A frame in grey under the map of its shares, each times the number of patches."""
    height, width = video.frames.shape[1:3]
    grey = video.frames[frame] @ np.array(GREYS)
    axes.imshow(grey, cmap="gray", vmin=0, vmax=255, interpolation="nearest", extent=(0, width, height, 0))
    shares = video.shares[frame] * video.shares.size
    axes.imshow(shares, cmap=_MAP, vmin=0, vmax=most, alpha=0.65, interpolation="nearest", extent=(0, width, height, 0))


# Features

_PANEL, _NAME = 168.0, 34


def _features(panels: Sequence[Laid]) -> "Figure":
    from matplotlib.lines import Line2D

    looks = marks(label for panel in panels for label in sorted(set(panel.classes)))
    across = min(len(panels), 4)
    down, cell = ceil(len(panels) / across), _PANEL + 46
    entry = 30 + 5.2 * max(map(len, looks))
    wide = max(8 + across * (_PANEL + 12), 16 + entry)
    columns = max(1, min(4, len(looks), int((wide - 16) / entry)))
    figure = _figure(wide, down * cell + 13.5 * ceil(len(looks) / columns) + 4)
    start = (wide - across * (_PANEL + 12) + 12) / 2
    for place, panel in enumerate(panels):
        left, top = start + place % across * (_PANEL + 12), place // across * cell + 22
        _points(_axes(figure, left, top, _PANEL, _PANEL), panel, looks)
    handles = [
        Line2D([], [], linestyle="", marker=look.shape, color=look.colour, markersize=5.5) for look in looks.values()
    ]
    _legend(figure, handles, list(looks), columns, 6)
    return figure


def _points(axes: "Axes", panel: Laid, looks: Mapping[str, Mark]) -> None:
    labels, order = np.array(panel.classes), list(looks)
    for turn in range(len(order)):  # by turns, so that where videos coincide no class hides all others
        for label in order[turn:] + order[:turn]:
            x, y = panel.points[labels == label][turn :: len(order)].T
            look = looks[label]
            axes.scatter(x, y, s=16, marker=look.shape, color=look.colour, linewidth=0.4, edgecolor=PAPER)
    low, high = panel.points.min(axis=0), panel.points.max(axis=0)
    reach = float((high - low).max()) * 0.55
    middle = (low + high) / 2
    axes.set(xlim=(middle[0] - reach, middle[0] + reach), ylim=(middle[1] - reach, middle[1] + reach))
    axes.spines[:].set(visible=True, color=MUTED, linewidth=0.8)
    axes.set_title(fill(panel.name, _NAME), fontsize=9, color=INK, pad=6)
    axes.set_xlabel(panel.said, fontsize=SMALL)
