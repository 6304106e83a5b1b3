"""One panel on its axes: bars, points or curves by seaborn and matplotlib, with its ticks, intervals and words.

matplotlib and seaborn are imported only when something is drawn: they take longer than most answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from math import ceil, inf, log10
from textwrap import fill
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from reports.content import OF_TRIALS, Panel
from reports.marks import BAR, INK, MUTED, PAPER, SMALL, Mark

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ACROSS: Final = ("axes fraction", "data")


def tidy(panel: Panel) -> Panel:
    """The panel with numbers as floats, names and words as texts on one line, and no x that cannot be drawn.

    All else here takes panels that are tidy.
    """
    data = panel.data.reindex(columns=list(panel.columns)).reset_index(drop=True)
    texts = [name for name in panel.columns if name in ("series", "word", "parameter")]
    numbers = {name: pd.to_numeric(data[name]).astype(float) for name in panel.columns if name not in texts}
    words = {name: [_one_line(text) for text in data[name]] for name in texts}
    data = data.assign(**numbers, **words).replace([inf, -inf], float("nan"))
    return replace(panel, data=data.assign(x=data["x"].where(data["x"] > 0)) if panel.log_x else data)


def marks_of(data: pd.DataFrame) -> list[Any]:
    """A named tuple a row."""
    return list(data.itertuples(index=False))


def _one_line(text: Any) -> str:
    return "" if pd.isna(text) else " ".join(str(text).split())


def absent(panel: Panel) -> dict[str, str]:
    """The series without any mark on the axes, and the first word for it, if any."""
    if panel.kind == "bars" or panel.kind in OF_TRIALS:
        return {}
    data = panel.data
    placed = data["x"].notna() & (data["y"].notna() | data["paper"].notna() | data["word"].ne(""))
    left = data[~data["series"].isin(data.loc[placed, "series"])].drop_duplicates("series")
    return dict(zip(left["series"], left["word"], strict=True))


def measured(panel: Panel) -> bool:
    """Whether any number is drawn of what was measured."""
    data = panel.data
    return bool((data["y"].notna() & (data["x"].notna() | (panel.kind == "bars"))).any())


def paint(axes: "Axes", panel: Panel, marks: Mapping[str, Mark]) -> None:
    """Draws the panel's numbers; `marks` has a look for each series. `reports.words` adds words."""
    data = panel.data
    if panel.kind == "bars":
        _bars(axes, data)
        _bar_axes(axes, panel, data)
    else:
        _limits(axes, panel, data)
        (_curves if panel.kind == "curves" else _points)(axes, data[data["x"].notna()], marks)
        _ticks(axes, panel, data)
        axes.set_xlabel(fill(panel.x, 46))
        axes.set_ylabel(fill(panel.y, 30))
        axes.grid(axis="y" if panel.kind == "curves" else "both", zorder=0)
    axes.set_axisbelow(True)
    if panel.chance is not None:
        line = axes.axvline if panel.kind == "bars" else axes.axhline
        line(panel.chance, color=INK, linewidth=1, linestyle=(0, (4, 3)), zorder=2.5)
    if data.empty or (panel.kind != "bars" and not measured(panel)):
        box = {"facecolor": PAPER, "edgecolor": "none", "pad": 2}
        axes.annotate("nothing measured yet", (0.5, 0.5), xycoords="axes fraction", ha="center", va="center", bbox=box)


# Curves and points


def _curves(axes: "Axes", data: pd.DataFrame, marks: Mapping[str, Mark]) -> None:
    """A line a series, broken where a number is missing; bands where a line has intervals throughout, else bars."""
    import seaborn

    data = data.sort_values("x", kind="stable")
    data = data.assign(run=data["y"].isna().groupby(data["series"]).cumsum())
    known = data[data["y"].notna()]
    for _, run in known.groupby(["series", "run"], sort=False):
        colour, band = marks[run["series"].iloc[0]].colour, len(run) > 1 and run[["low", "high"]].notna().all(axis=None)
        if band:
            axes.fill_between(run["x"], run["low"], run["high"], color=colour, alpha=0.15, linewidth=0, zorder=2)
        else:
            axes.vlines(run["x"], run["low"], run["high"], color=colour, linewidth=1.1, zorder=2)
    if len(known):
        seaborn.lineplot(
            data=known, x="x", y="y", hue="series", style="series", units="run", estimator=None, legend=False, ax=axes,
            markersize=6.5, markeredgewidth=0.6, markeredgecolor=PAPER, linewidth=1.5, clip_on=False, zorder=3,
            **_mapping(known, marks),
        )  # fmt: skip
    _published(axes, data, marks)


def _points(axes: "Axes", data: pd.DataFrame, marks: Mapping[str, Mark]) -> None:
    import seaborn

    known = data[data["y"].notna()]
    axes.vlines(known["x"], known["low"], known["high"], color=MUTED, linewidth=1, zorder=2)
    if len(known):
        mapping = _mapping(known, marks)
        del mapping["dashes"]
        seaborn.scatterplot(
            data=known, x="x", y="y", hue="series", style="series", legend=False, ax=axes, s=52, linewidth=0.6,
            edgecolor=PAPER, clip_on=False, zorder=3, **mapping,
        )  # fmt: skip
    _published(axes, data, marks)


def _mapping(data: pd.DataFrame, marks: Mapping[str, Mark]) -> dict[str, Any]:
    shown = {name: marks[name] for name in data["series"].unique()}
    return {
        "palette": {name: mark.colour for name, mark in shown.items()},
        "markers": {name: mark.shape for name, mark in shown.items()},
        "dashes": {name: mark.dashes for name, mark in shown.items()},
    }


def _published(axes: "Axes", data: pd.DataFrame, marks: Mapping[str, Mark]) -> None:
    for series, x, paper in data.loc[data["paper"].notna(), ["series", "x", "paper"]].itertuples(index=False):
        axes.plot(x, paper, "D", mfc=PAPER, mec=marks[series].colour, mew=1.2, ms=5, zorder=4, clip_on=False)


def _limits(axes: "Axes", panel: Panel, data: pd.DataFrame) -> None:
    """Both axes' ends, from all that is drawn, with room for the marks."""
    share = 0.1 if panel.kind == "points" else 0.07  # names stand beside points
    xs = [float(x) for x in data["x"].dropna()]
    if panel.log_x:
        low, high = (log10(min(xs)), log10(max(xs))) if xs else (0.0, 1.0)
        room = (high - low) * share or 0.3
        axes.set_xscale("log")
        axes.set_xlim(10 ** (low - room), 10 ** (high + room))
    else:
        axes.set_xlim(padded(xs, share))
    chance = [] if panel.chance is None else [panel.chance]
    axes.set_ylim(panel.limits or padded([*_numbers(data[data["x"].notna()]), *chance]))


def _numbers(data: pd.DataFrame) -> list[float]:
    """All that is drawn along y."""
    return [float(value) for value in data[["y", "low", "high", "paper"]].to_numpy().ravel() if pd.notna(value)]


def padded(values: Sequence[float], share: float = 0.07) -> tuple[float, float]:
    """Ends of an axis that holds the values, with room for their marks."""
    if not values:
        return 0.0, 1.0
    low, high = min(values), max(values)
    room = (high - low) * share or abs(high) * 0.1 or 1.0
    return low - room, high + room


def _ticks(axes: "Axes", panel: Panel, data: pd.DataFrame) -> None:
    """At the very x of curves where there is room; else round numbers, also on log axes of less than a decade."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

    axes.xaxis.set_minor_locator(NullLocator())
    low, high = axes.get_xlim()
    own = sorted(data["x"].dropna().unique())
    places = [log10(x) for x in (low, *own, high)] if panel.log_x else [low, *own, high]
    gaps = [(right - left) / (places[-1] - places[0]) for left, right in pairwise(places[1:-1])]
    if panel.kind == "curves" and 0 < len(own) <= 10 and all(gap > 0.075 for gap in gaps):
        axes.xaxis.set_major_locator(FixedLocator(own))
    elif panel.log_x and high / low > 8:
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 300 else (1,)))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(number))
    if not measured(panel):
        axes.set_xticks(axes.get_xticks() if len(own) else [])
        axes.set_yticks(axes.get_yticks() if panel.limits else [])
        axes.xaxis.labelpad = 4.0 if len(own) else 17.0


_SUPERSCRIPTS: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float, _place: Any = None) -> str:
    """A tick's label: as short as it is exact, with powers of ten outside 0.001 to a million; for `FuncFormatter`."""
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return f"{value:,.6g}".replace("-", "−") if abs(value) < 1e6 else f"{value:,.0f}"
    mantissa, exponent = f"{value:.2e}".split("e")
    factor = "" if float(mantissa) == 1 else f"{float(mantissa):g}·".replace("-", "−")
    return f"{factor}10{str(int(exponent)).translate(_SUPERSCRIPTS)}"


# Bars


def _bars(axes: "Axes", data: pd.DataFrame) -> None:
    """Lying bars, the first on top, with intervals; a hollow diamond is the paper's number."""
    decimals = _decimals(data["y"])
    for place, row in enumerate(marks_of(data)):
        beside: dict[str, Any] = {"textcoords": "offset points", "va": "center", "fontsize": SMALL}
        if pd.notna(row.y):
            axes.barh(place, row.y, height=0.62, color=BAR, linewidth=0, zorder=2)
            axes.plot([row.low, row.high], [place, place], color=INK, linewidth=1.3, zorder=3, clip_on=False)
            text = f"{row.y:,.{decimals}f}".replace("-", "−")
            axes.annotate(text, (1, place), (8, 0), xycoords=_ACROSS, **beside)
        elif row.word:
            box = {"facecolor": PAPER, "edgecolor": "none", "pad": 1}
            axes.annotate(row.word, (0, place), (5, 0), xycoords=_ACROSS, bbox=box, zorder=6, **beside)
        axes.plot(row.paper, place, "D", mfc=PAPER, mec=INK, mew=1, ms=5, zorder=4, clip_on=False)


def _bar_axes(axes: "Axes", panel: Panel, data: pd.DataFrame) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ends = [0.0, *_numbers(data)]
    low, high = min(ends), max(ends)
    room = (high - low or 1.0) * 0.04
    axes.set_xlim(panel.limits or (low - room if low else 0.0, high + room))
    axes.set_ylim(max(len(data), 1) - 0.45, -0.55)
    axes.set_yticks(range(len(data)), [fill(name, BAR_NAME) for name in data["series"]], color=INK)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(number))
    axes.set_xlabel(fill(panel.y, 34))
    axes.grid(axis="x", zorder=0)


BAR_NAME: Final = 24
"""Letters on a line of a bar's name."""


def _decimals(values: "pd.Series[float]") -> int:
    """So many that the largest has about three digits, the same for all: 98.5 and 100.0, but 196."""
    largest = values.abs().max()
    return 1 if pd.isna(largest) or not largest else min(max(3 - ceil(log10(largest)), 0), 6)


def value_width(panel: Panel) -> float:
    """Points that the numbers right of the bars need."""
    data = panel.data
    texts = [f"{value:,.{_decimals(data['y'])}f}" for value in data["y"].dropna()]
    return 12 + 0.64 * SMALL * max(map(len, texts), default=0)
