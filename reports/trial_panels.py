"""One panel of a search on its axes: trials as marks, as courses over epochs, or as lines across parallel axes.

As `reports.panels`, which draws all other kinds; matplotlib is imported only when something is drawn.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import isnan, log10
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from reports.content import Panel, Scale
from reports.marks import BEST, FRONT, INK, MUTED, OWN, PAPER, SHADES, SMALL, SO_FAR, Mark
from reports.panels import number, padded

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

LINES: Final = {SO_FAR, FRONT}
"""Series of "trials" that are drawn as a line."""
ROW: Final = 54.0
"""Points from one of the parallel axes to the next."""
_ACROSS: Final = 270.0
"""Points that axes are wide, about: by which names below them are cut."""
_LETTER: Final = 0.62 * SMALL
_NAME_LINES: Final = 3
_TITLE: Final = 46
"""Letters of the name of one of the parallel axes."""
_GAP: Final = -0.13
"""Where on parallel axes those without a value pass."""
_GROUND: Final = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.6, "alpha": 0.85}
NO_VALUE, NOT_USED = "no value", "not used"
WITHOUT: Final = "without a value"


def paint(axes: "Axes", panel: Panel, looks: Mapping[str, Mark]) -> None:
    """Draws the panel, which is tidy; `looks` are `reports.marks.TRIALS`."""
    if panel.kind == "parallel":
        _parallel(axes, panel, looks)
        return
    data = panel.data[panel.data["x"].notna()]
    _x_axis(axes, panel, data)
    if panel.kind == "trials":
        _trials(axes, panel, data, looks)
    else:
        _courses(axes, data, looks)
    axes.set_xlabel("\n".join(wrap(panel.x, 46)))
    axes.set_ylabel("\n".join(wrap(panel.y, 30)))
    axes.grid(axis="y", zorder=0)
    axes.set_axisbelow(True)
    if not data["y"].notna().any():
        box = {"facecolor": PAPER, "edgecolor": "none", "pad": 2}
        axes.annotate("no value yet", (0.5, 0.6), xycoords="axes fraction", ha="center", va="center", bbox=box)


def height(panel: Panel) -> float:
    """Points of parallel axes."""
    return ROW * (max(len(panel.scales), 1) - 1) + 52.0


def entries(panels: Sequence[Panel], looks: Mapping[str, Mark]) -> "list[tuple[Line2D, str]]":
    """Of the legend, in the order of the looks."""
    present = {name for panel in panels for name in panel.data["series"]}
    if panels[0].kind != "parallel":
        return [(_handle(name, looks[name], panels[0].kind), name) for name in looks if name in present]
    from matplotlib.lines import Line2D

    lines = {BEST: _line(BEST, looks), OWN: _line(OWN, looks), WITHOUT: _FAINT}
    valued = {panel.data["x"][panel.data["y"] == len(panel.scales) - 1].notna().all() for panel in panels}
    shown = [name for name in lines if name in present or (name == WITHOUT and False in valued)]
    return [(Line2D([], [], **lines[name]), name) for name in shown]


_FAINT: Final[Mapping[str, Any]] = {"color": MUTED, "linewidth": 0.7, "alpha": 0.45}


def _line(series: str, looks: Mapping[str, Mark]) -> dict[str, Any]:
    """How a trial's line looks beside those of all others."""
    mark, wide = looks[series], {BEST: 2.6, OWN: 1.7}.get(series, 0.9)
    dashes = mark.dashes if isinstance(mark.dashes, tuple) else None
    return {"color": mark.colour, "linewidth": wide, "linestyle": (0, dashes) if dashes else "-"}


def _mark(series: str, mark: Mark, size: float) -> dict[str, Any]:
    """How a mark looks; the recipe's is a frame around that of its state."""
    if series == OWN:
        return {"marker": mark.shape, "ms": size + 4.5, "mfc": "none", "mec": mark.colour, "mew": 1.3}
    larger = size + 5.5 if series == BEST else size
    return {"marker": mark.shape, "ms": larger, "mfc": mark.colour, "mec": PAPER, "mew": 0.5}


def _handle(series: str, mark: Mark, kind: str) -> "Line2D":
    from matplotlib.lines import Line2D

    if series in LINES:
        return Line2D([], [], color=mark.colour, linewidth=1.2)
    line = _line(series, {series: mark}) if kind == "courses" else {"linestyle": ""}
    return Line2D([], [], **line, **_mark(series, mark, 5.5))


def _size(marks: int) -> float:
    """Of marks that are so many."""
    return 6.0 if marks <= 60 else 4.5 if marks <= 200 else 3.2


# Axes


def _x_axis(axes: "Axes", panel: Panel, data: pd.DataFrame) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

    axes.xaxis.set_minor_locator(NullLocator())
    if panel.names:
        axes.set_xlim(-0.5, len(panel.names) - 0.5)
        axes.set_xticks(range(len(panel.names)), name_lines(panel.names))
        return
    ranges = [end for scale in panel.scales for end in (scale.low, scale.high)]
    xs = [float(x) for x in [*data["x"], *ranges]]
    low, high = (log10(min(xs)), log10(max(xs))) if panel.log_x and xs else padded(xs, 0.05)
    if panel.log_x:
        axes.set_xscale("log")
        room = (high - low) * 0.05 or 0.3
        low, high = 10 ** (low - room), 10 ** (high + room)
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(low, high)
    if not xs:
        axes.xaxis.set_major_locator(FixedLocator([]))
        axes.xaxis.labelpad = 17.0
    elif panel.log_x and high / low > 8:
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 100 else (1,)))
    else:
        whole = all(x.is_integer() for x in xs) and max(xs) > 2
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10] if whole else None, integer=whole))
    axes.xaxis.set_major_formatter(FuncFormatter(number))


def name_lines(names: Sequence[str], across: float = _ACROSS) -> list[str]:
    """Names side by side, each cut to its part of so many points; of very many every few."""
    letters = int(across / max(len(names), 1) / _LETTER)
    every = -(-6 // letters) if 0 < letters < 6 else 1 if letters else len(names)
    return ["" if place % every else _cut(name, max(letters * every - 1, 5)) for place, name in enumerate(names)]


def _cut(name: str, letters: int) -> str:
    lines = wrap(name, letters)
    if len(lines) > _NAME_LINES:
        lines = [*lines[: _NAME_LINES - 1], lines[_NAME_LINES - 1][: letters - 1] + "…"]
    return "\n".join(lines)


def _y_axis(axes: "Axes", known: Sequence[float], strip: bool) -> float:
    """The values' axis, with room for a strip below where it is asked for; returns where that is."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    low, high = padded(known)
    at, floor = low - 0.09 * (high - low), low - 0.18 * (high - low)
    axes.set_ylim(floor if strip else low, high)
    ticks = [tick for tick in MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low, high) if low <= tick <= high]
    axes.set_yticks([*(ticks if known else []), *([at] if strip else [])])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: NO_VALUE if strip and y == at else number(round(y, 9))))
    if strip:
        axes.axhspan(floor, low, color=MUTED, alpha=0.1, linewidth=0, zorder=0.5)
    return at


# Marks and courses


def _trials(axes: "Axes", panel: Panel, data: pd.DataFrame, looks: Mapping[str, Mark]) -> None:
    """Marks, those without a value in a strip below; the series of `LINES` as lines."""
    known = data["y"].notna()
    values = panel.limits or [float(y) for y in data.loc[known, "y"]]
    at = _y_axis(axes, values, panel.strip or not known.all())
    size = _size(len(data))
    for place, series in enumerate(name for name in looks if name in set(data["series"])):
        part = data[data["series"] == series].sort_values("x", kind="stable")
        mark, on_top = looks[series], 3 + place * 0.05
        if series in LINES:
            steps = "steps-post" if series == SO_FAR else "default"
            axes.plot(part["x"], part["y"], drawstyle=steps, color=mark.colour, linewidth=1.2, zorder=2)
        else:
            style = _mark(series, mark, size)
            axes.plot(part["x"], part["y"].fillna(at), ls="", clip_on=False, zorder=on_top, **style)


def _courses(axes: "Axes", data: pd.DataFrame, looks: Mapping[str, Mark]) -> None:
    """A line a trial, a mark at its last epoch."""
    from matplotlib.collections import LineCollection

    known = data[data["y"].notna()].sort_values(["trial", "x"], kind="stable")
    _y_axis(axes, [float(y) for y in known["y"]], strip=False)
    size = _size(known["trial"].nunique()) - 1.0
    for place, series in enumerate(name for name in looks if name in set(known["series"])):
        part, style, on_top = known[known["series"] == series], _line(series, looks), 3 + place * 0.05
        lines = [trial[["x", "y"]].to_numpy() for _, trial in part.groupby("trial")]
        alone = series in (BEST, OWN)
        faint, thin = (0.75, 1.0) if alone or len(lines) <= 60 else (0.5, 0.5)
        shown = LineCollection(
            lines,
            colors=style["color"],
            linewidths=thin * style["linewidth"],
            alpha=1.0 if alone else faint,
            zorder=on_top,
        )
        shown.set_linestyle(style["linestyle"])
        axes.add_collection(shown, autolim=False)
        ends = part.groupby("trial").tail(1)
        axes.plot(ends["x"], ends["y"], ls="", clip_on=False, zorder=on_top, **_mark(series, looks[series], size))


# Parallel axes


def _parallel(axes: "Axes", panel: Panel, looks: Mapping[str, Mark]) -> None:
    """Axes below each other, a line a trial from the first to the last in its value's shade, without a value faint."""
    from matplotlib.collections import LineCollection

    data, last = panel.data, len(panel.scales) - 1
    edges = _edges(data.loc[data["y"] == last, "x"].dropna())
    gaps = set(data.loc[data["x"].isna(), "y"])
    axes.set(xlim=(-0.21 if gaps else -0.03, 1.03), ylim=(last + 24 / ROW, -28 / ROW), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    for place, scale in enumerate(panel.scales):
        _scale(axes, place, scale, place in gaps, edges if place == last else ())
    drawn = sorted(_lines(data, panel.scales[-1], edges, looks), key=lambda line: line[0])
    for place, (_, points, style) in enumerate(drawn):
        axes.add_collection(LineCollection([points], zorder=2 + place / (len(drawn) + 1), **style), autolim=False)
    best = data[(data["series"] == BEST) & (data["y"] == last)]
    for x, y, trial in best[["x", "y", "trial"]].itertuples(index=False):
        axes.plot(x, y, **_mark(BEST, looks[BEST], 6.0), zorder=5, clip_on=False)
        side, offset = ("right", -7) if x > 0.5 else ("left", 7)
        axes.annotate(
            f"best: trial {trial:.0f}", (x, y), (offset, 9), textcoords="offset points", ha=side, va="center",
            fontsize=SMALL, fontweight="bold", bbox=_GROUND, zorder=6,
        )  # fmt: skip


def _edges(values: "pd.Series[float]") -> list[float]:
    """Between shades, where the values' quantiles are: one that is far off leaves the others told apart."""
    shares = [place / len(SHADES) for place in range(len(SHADES) + 1)]
    return [float(edge) for edge in values.quantile(shares)] if values.nunique() > 1 else []


def _shades(value: Scale) -> tuple[str, ...]:
    """From the lowest value to the highest."""
    return SHADES[::-1] if value.better == "lower" else SHADES


def _lines(
    data: pd.DataFrame, value: Scale, edges: Sequence[float], looks: Mapping[str, Mark]
) -> Iterator[tuple[float, Any, dict[str, Any]]]:
    """Each trial's order of drawing, points and look."""
    thin = 1.1 if data["trial"].nunique() <= 60 else 0.7
    for _, trial in data.groupby("trial"):
        trial = trial.sort_values("y")
        series, end = str(trial["series"].iloc[0]), float(trial["x"].iloc[-1])
        points = trial.assign(x=trial["x"].fillna(_GAP))[["x", "y"]].to_numpy()
        if series in (BEST, OWN):
            order, style = (3.0 if series == BEST else 2.0), _line(series, looks)
        elif isnan(end):
            order, style = -1.0, dict(_FAINT)
        else:
            shade = _shades(value)[sum(end > edge for edge in edges[1:-1])] if edges else SHADES[-1]
            order = 1 - end if value.better == "lower" else end
            style = {"color": shade, "linewidth": thin, "alpha": 0.9}
        renamed = {"color": "colors", "linewidth": "linewidths", "linestyle": "linestyles"}
        yield order, points, {renamed.get(key, key): each for key, each in style.items()}


def _scale(axes: "Axes", place: int, scale: Scale, gap: bool, edges: Sequence[float]) -> None:
    """One of the axes: its name above, its ticks below, and where those without a value pass; `edges` of shades."""
    is_value = scale.better is not None
    axes.plot([0, 1], [place, place], color=MUTED, linewidth=0.8, zorder=1.5)
    below: dict[str, Any] = {"textcoords": "offset points", "va": "top", "fontsize": SMALL, "color": MUTED,
                             "linespacing": 1.0, "bbox": _GROUND, "zorder": 4}  # fmt: skip
    for x, text in ticks(scale):
        axes.plot([x, x], [place, place + 3 / ROW], color=MUTED, linewidth=0.8, zorder=1.5)
        side = "left" if x < 0.04 else "right" if x > 0.96 else "center"
        axes.annotate(text, (x, place), (0, -5), ha=side, **below)
    if gap:
        axes.plot(_GAP, place, "|", color=MUTED, ms=6, zorder=1.5)
        axes.annotate(NO_VALUE if is_value else NOT_USED, (_GAP, place), (0, -5), ha="center", **below)
    for ends, shade in zip(pairwise(edges), _shades(scale), strict=False):
        axes.plot(ends, [place, place], color=shade, linewidth=3.5, solid_capstyle="butt", zorder=1.6)
    above = {**below, "va": "bottom", "color": INK}
    title = scale.name if len(scale.name) <= _TITLE else scale.name[: _TITLE - 1] + "…"
    axes.annotate(title, (0, place), (0, 6), ha="left", fontweight="bold" if is_value else "normal", **above)


def ticks(scale: Scale) -> list[tuple[float, str]]:
    """Where ticks stand, from 0 to 1, and their texts: the ends, and between them round numbers where there is room."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    if scale.names:
        return [(scale.share(name), text) for name, text in zip(scale.names, name_lines(scale.names), strict=True)]
    decades = scale.log and scale.low > 0 and scale.high / scale.low > 8
    locator = LogLocator(subs=(1, 2, 5)) if decades else MaxNLocator(4, steps=[1, 2, 5, 10])
    ends = [scale.low] if scale.low == scale.high else [scale.low, scale.high]
    inner = [float(tick) for tick in locator.tick_values(scale.low, scale.high) if scale.low < tick < scale.high]
    inner.sort(key=lambda tick: f"{tick:e}"[0] != "1")  # whole powers of ten first
    taken: list[tuple[float, float]] = []
    kept = []
    for tick in [*ends, *inner]:
        text, at = number(float(f"{tick:.3g}")), scale.share(tick)
        wide = (len(text) + 1.5) * _LETTER / _ACROSS
        start = min(max(at - wide / 2, 0.0), 1 - wide)
        if all(start + wide <= left or right <= start for left, right in taken):
            taken.append((start, start + wide))
            kept.append((at, text))
    return sorted(kept)
