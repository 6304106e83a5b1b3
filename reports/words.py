"""Words on axes that stand at their place: why a number is missing, above; the names of points, beside them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from reports.content import OF_TRIALS, Panel
from reports.marks import INK, PAPER, SMALL, Mark
from reports.panels import marks_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation
    from matplotlib.transforms import Bbox

LANE: Final = 12.0
"""Points: height of one line of words above the axes."""
_GROUND: Final = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.5, "alpha": 0.8}
"""Behind words, so that no line of the grid strikes them through."""


@dataclass(frozen=True)
class Row:
    """A line above the axes: a word at each x, of one series or, where there are many, of several."""

    word: str
    series: tuple[str, ...]
    xs: tuple[float, ...]


def rows(panel: Panel) -> list[Row]:
    """The lines of words above the axes: one a series and word; one a word where those would be more than four."""
    if panel.kind == "bars" or panel.kind in OF_TRIALS:
        return []
    data = panel.data
    data = data[data["x"].notna() & data["y"].isna() & data["word"].ne("")]
    keys = ["series", "word"] if len(data[["series", "word"]].drop_duplicates()) <= 4 else ["word"]
    return [
        Row(part["word"].iloc[0], tuple(part["series"].unique()), tuple(sorted(part["x"].unique())))
        for _, part in data.groupby(keys, sort=False)
    ]


def lane(axes: "Axes", panel: Panel, marks: Mapping[str, Mark]) -> None:
    """Above the axes, which stand at their place: crossed-out marks where a number is missing, and the word why."""
    from matplotlib.transforms import ScaledTranslation, blended_transform_factory

    figure, listed = axes.figure, rows(panel)
    for place, row in enumerate(listed):
        up = (len(listed) - place - 0.5) * LANE
        moved = ScaledTranslation(0, up / 72, figure.dpi_scale_trans)
        at = blended_transform_factory(axes.transData, axes.transAxes) + moved
        alone = marks[row.series[0]] if len(row.series) == 1 else None
        colour = alone.colour if alone else INK
        ones = [1.0] * len(row.xs)
        if alone:
            axes.plot(row.xs, ones, alone.shape, mfc=PAPER, mec=colour, mew=0.9, ms=7.5, transform=at, clip_on=False)
        axes.plot(row.xs, ones, "x", mec=colour, mew=1.4, ms=4.5, transform=at, clip_on=False, zorder=5)
        _word(axes, row, up)


def _word(axes: "Axes", row: Row, up: float) -> None:
    """Left of the first mark where there is room, else right of that with the most."""
    text = row.word if len(row.series) == 1 else f"{row.word} ({len(row.series)} series)"
    left, right = (axes.transAxes.transform((share, 0))[0] for share in (0, 1))
    places = [axes.transData.transform((x, axes.get_ylim()[0]))[0] for x in row.xs]
    needed = (len(text) * 0.62 * SMALL + 14) * axes.figure.dpi / 72
    if places[0] - left >= needed:
        x, offset, side = row.xs[0], -8, "right"
    else:
        gaps = [after - before for before, after in zip(places, [*places[1:], right], strict=True)]
        x, offset, side = row.xs[gaps.index(max(gaps))], 8, "left"
    axes.annotate(
        text, (x, 1), (offset, up), xycoords=("data", "axes fraction"), textcoords="offset points", ha=side,
        va="center", fontsize=SMALL, color=INK, bbox=_GROUND, zorder=4,
    )  # fmt: skip


# Names beside points


def name_points(axes: "Axes", panel: Panel) -> "list[Annotation] | None":
    """Writes each series' name beside its point; none at all (None) where a name would cover something.

    For axes that stand at their place. Names may reach a little beyond the axes' upper and right ends.
    """
    data = panel.data
    known = data[data["x"].notna() & data["y"].notna()]
    if known["series"].duplicated().any():
        return None
    points = marks_of(known)
    boxes = [box for row in points for box in _mark_boxes(axes, row)] + _chance_box(axes, panel)
    for order in _ORDERS:
        named = _named(axes, sorted(points, key=order), boxes)
        if named is not None:
            return named
    return None


_ORDERS: Final[tuple[Callable[[Any], float], ...]] = (
    lambda row: row.x, lambda row: -row.x, lambda row: row.y, lambda row: -len(row.series),
)  # fmt: skip
"""Of naming: names find room in one that find none in another."""


def _named(axes: "Axes", points: Sequence[Any], taken: "list[Bbox]") -> "list[Annotation] | None":
    """Every name, each on the first side on which it covers nothing `taken` or named before; else None."""
    named: list[Annotation] = []
    taken = [*taken]
    for row in points:
        text = _name(axes, row, taken)
        if text is None:
            for each in named:
                each.remove()
            return None
        named.append(text)
        taken.append(text.get_window_extent())
    return named


def _name(axes: "Axes", row: Any, taken: "list[Bbox]") -> "Annotation | None":
    """The name beside the mark, else at an end of its interval; None where it would cover something everywhere."""
    (left, low, right, high), point = axes.get_window_extent().extents, axes.figure.dpi / 72
    text = axes.annotate(
        row.series, (row.x, row.y), (0, 0), textcoords="offset points", fontsize=SMALL, bbox=_GROUND, zorder=1.5
    )
    for at, place, ha, va in _sides(row):
        text.xy = (row.x, at)
        text.set(position=place, ha=ha, va=va)
        box = text.get_window_extent()
        inside = left <= box.x0 and box.x1 <= right + 14 * point and low <= box.y0 and box.y1 <= high + 5 * point
        if inside and not any(box.overlaps(other) for other in taken):
            return text
    text.remove()
    return None


def _sides(row: Any) -> list[tuple[float, tuple[float, float], str, str]]:
    """Where a name may stand: at which y, how many points from there, and by which of its own edges."""
    beside = [(7, 0, "left", "center"), (-7, 0, "right", "center"), (5, 4, "left", "bottom"), (5, -4, "left", "top"),
              (-5, 4, "right", "bottom"), (-5, -4, "right", "top")]  # fmt: skip
    sides: list[tuple[float, tuple[float, float], str, str]] = [(row.y, (x, y), ha, va) for x, y, ha, va in beside]
    for end, sign, va in ((row.high, 1, "bottom"), (row.low, -1, "top")):
        at, gap = (row.y, 6) if pd.isna(end) else (end, 2 if end != row.y else 6)
        sides += [(at, (x, sign * gap), ha, va) for x, ha in ((0, "center"), (-5, "left"), (5, "right"))]
    return sides


def _mark_boxes(axes: "Axes", row: Any) -> "list[Bbox]":
    """In pixels: a point's mark, its interval and its published number."""
    from matplotlib.transforms import Bbox

    pixels = axes.figure.dpi / 72
    spans = [(row.y, row.y, 4.5), (row.low, row.high, 2.0), (row.paper, row.paper, 4.0)]
    boxes = []
    for low, high, radius in spans:
        if pd.notna(low) and pd.notna(high):
            (x, lower), (_, upper) = (axes.transData.transform((row.x, end)) for end in (low, high))
            wide, tall = radius * pixels, radius * pixels if low == high else 0.0
            boxes.append(Bbox.from_extents(x - wide, lower - tall, x + wide, upper + tall))
    return boxes


def _chance_box(axes: "Axes", panel: Panel) -> "list[Bbox]":
    from matplotlib.transforms import Bbox

    if panel.chance is None:
        return []
    room, (_, y) = axes.get_window_extent(), axes.transData.transform((axes.get_xlim()[0], panel.chance))
    return [Bbox.from_extents(room.x0, y - 2, room.x1, y + 2)]
