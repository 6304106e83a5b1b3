"""Panels side by side on one figure: their sizes, titles, what is not shown, and the legend below.

Sizes are in points. Axes of one kind are equally large whatever stands beside them, so a panel alone looks the same.
"""

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from textwrap import fill, wrap
from typing import TYPE_CHECKING, Any, Final

from reports import trial_panels
from reports.content import OF_TRIALS, Panel
from reports.marks import INK, PAPER, SMALL, Mark, theme
from reports.panels import BAR_NAME, absent, paint, value_width
from reports.words import LANE, lane, name_points, rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.text import Annotation

WIDTH: Final = 324.0
"""Of a panel: 4.5 inches, so that its text has 10 to 11 pixels on a page where it is 400 wide."""
_BODY, _TITLE, _NOTE, _EDGE = 158.0, 14.0, 11.0, 4.0
_SLICES: Final = 3
"""Panels of trials side by side; more stand below, one for each of many parameters."""


@contextmanager
def style() -> Iterator[None]:
    """matplotlib's defaults and the theme while drawing; all as before afterwards."""
    from matplotlib import style as styles

    with styles.context(theme(), after_reset=True), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)  # a name's box; SVG has the text
        yield


def picture(panels: Sequence[Panel], marks: Mapping[str, Mark], told: Sequence[Panel] | None = None) -> "Figure":
    """The panels, which are tidy (`reports.panels`), within `style`.

    `marks` has a look for every series, the same in every panel. A legend tells what no name beside a mark does; where
    a picture stands among others it is of `told` panels, or there is none.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(dpi=200)
    FigureCanvasAgg(figure)
    above = max(_above(panel) for panel in panels)
    across = _across(panels)
    high = above + max(_body(panel) + _below(panel) for panel in panels)
    size = (WIDTH * across, high * -(-len(panels) // across))
    every = [figure.add_axes((0.1, 0.1, 0.8, 0.8)) for _ in panels]
    _stand(figure, size, _boxes(panels, above, 60.0), every)
    for axes, panel in zip(every, panels, strict=True):
        (trial_panels.paint if panel.kind in OF_TRIALS else paint)(axes, panel, marks)
    left = max(_left(axes) for axes in every)
    boxes = _boxes(panels, above, left)
    _stand(figure, size, boxes, every)
    lanes = max(len(rows(panel)) for panel in panels)
    for axes, panel in zip(every, panels, strict=True):
        lane(axes, panel, marks)
        _texts(axes, panel, left, lanes)
    named = _name_all(every, panels)
    told = panels if told is None else told
    height = _legend(figure, _entries(told, marks, named) if told else [], left)
    _stand(figure, (size[0], size[1] + height), boxes, every)
    return figure


def saved(figure: "Figure", name: str) -> bytes:
    """The figure as the file of this name; the same drawing gives the same bytes (no date, ids salted by the name)."""
    from matplotlib import rc_context

    buffer, kind = io.BytesIO(), name.rpartition(".")[2]
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
    with rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format=kind, dpi=200, metadata=metadata)
    return buffer.getvalue()


def _above(panel: Panel) -> float:
    return _TITLE * max(len(_title(panel)), 1) + 10 + LANE * len(rows(panel))


def _across(panels: Sequence[Panel]) -> int:
    """How many stand side by side."""
    of_trials = all(panel.kind in OF_TRIALS for panel in panels)
    return min(len(panels), _SLICES) if of_trials else len(panels)


def _body(panel: Panel) -> float:
    if panel.kind == "parallel":
        return trial_panels.height(panel)
    if panel.kind != "bars":
        return _BODY
    lines = [max(len(wrap(name, BAR_NAME)), 1) for name in panel.data["series"]]
    return max(len(lines) * (8 + 10.5 * max(lines, default=1)), 90.0)


def _below(panel: Panel) -> float:
    return _axis(panel) + _NOTE * len(_note(panel)) + _EDGE


def _axis(panel: Panel) -> float:
    """Of the x axis' labels."""
    if panel.kind == "parallel":
        return 0.0
    names = max((text.count("\n") for text in trial_panels.name_lines(panel.names)), default=0)
    label = wrap(panel.y, 34) if panel.kind == "bars" else wrap(panel.x, 46)
    return 20 + 13.0 * len(label) + 10.5 * names


def _left(axes: "Axes") -> float:
    """What the y axis' labels need left of the axes."""
    box = axes.yaxis.get_tightbbox()
    reach = axes.get_window_extent().x0 - box.x0 if box is not None else 0.0
    return max(reach * 72 / axes.figure.dpi + 2 * _EDGE, 30.0)


def _right(panel: Panel) -> float:
    return value_width(panel) if panel.kind == "bars" else 16.0


Box = tuple[float, float, float, float]
"""Left, top (from above), width and height."""


def _boxes(panels: Sequence[Panel], above: float, left: float) -> list[Box]:
    """Where the axes stand, the upper ends of those side by side in one line."""
    across, high = _across(panels), above + max(_body(panel) + _below(panel) for panel in panels)
    return [
        (
            place % across * WIDTH + left,
            above + place // across * high,
            WIDTH - left - _right(panel),
            _body(panel),
        )
        for place, panel in enumerate(panels)
    ]


def _stand(figure: "Figure", size: tuple[float, float], boxes: Sequence[Box], every: "Sequence[Axes]") -> None:
    """Sizes the figure and sets each axes at its box."""
    width, height = size
    figure.set_size_inches(width / 72, height / 72)
    for axes, (left, top, wide, high) in zip(every, boxes, strict=True):
        axes.set_position((left / width, 1 - (top + high) / height, wide / width, high / height))


def _title(panel: Panel) -> list[str]:
    return wrap(panel.title, 44)


def _note(panel: Panel) -> list[str]:
    names = [f"{name} ({word})" if word else name for name, word in absent(panel).items()]
    return wrap(f"Not shown: {', '.join(names)}", 64) if names else []


def _texts(axes: "Axes", panel: Panel, left: float, lanes: int) -> None:
    """The title, above all words, and what is not shown, below all labels; both from the panel's left edge."""
    points: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "annotation_clip": False}
    title = "\n".join(_title(panel))
    axes.annotate(title, (0, 1), (_EDGE - left, lanes * LANE + 8), fontsize=10, fontweight="bold", **points)
    note, down = "\n".join(_note(panel)), -_axis(panel)
    axes.annotate(note, (0, 0), (_EDGE - left, down), fontsize=SMALL, va="top", linespacing=1.15, **points)


def _name_all(every: "Sequence[Axes]", panels: Sequence[Panel]) -> bool:
    """Names the points of every panel beside them, or of none; returns whether it did."""
    named: list[Annotation] = []
    for axes, panel in zip(every, panels, strict=True):
        if panel.kind == "points":
            texts = name_points(axes, panel)
            if texts is None:
                for text in named:
                    text.remove()
                return False
            named += texts
    return True


def _entries(panels: Sequence[Panel], marks: Mapping[str, Mark], named: bool) -> "list[tuple[Line2D, str]]":
    """The legend: series that no name stands beside, published numbers, chance."""
    from matplotlib.lines import Line2D

    if all(panel.kind in OF_TRIALS for panel in panels):
        return trial_panels.entries(panels, marks)
    listed: dict[str, Line2D] = {}
    for panel in panels:
        if panel.kind == "curves" or (panel.kind == "points" and not named):
            for name in panel.data["series"].unique():
                if name not in absent(panel):
                    mark, lined = marks[name], panel.kind == "curves"
                    listed.setdefault(name, _handle(mark, lined))
    entries = [(handle, name) for name, handle in listed.items()]
    if any(panel.data["paper"].notna().any() for panel in panels):
        entries.append((Line2D([], [], marker="D", mfc=PAPER, mec=INK, mew=1, ms=5, ls=""), "paper"))
    if any(panel.chance is not None for panel in panels):
        entries.append((Line2D([], [], color=INK, linewidth=1, linestyle=(0, (4, 3))), "chance"))
    return entries


def _handle(mark: Mark, lined: bool) -> "Line2D":
    from matplotlib.lines import Line2D

    dashes = mark.dashes if isinstance(mark.dashes, tuple) else None
    line = {"linestyle": (0, dashes) if dashes else "-", "linewidth": 1.5} if lined else {"linestyle": ""}
    return Line2D([], [], color=mark.colour, marker=mark.shape, ms=6.5, mew=0.6, mec=PAPER, **line)


def _legend(figure: "Figure", entries: "Sequence[tuple[Line2D, str]]", left: float) -> float:
    """Puts the legend at the figure's lower edge, in as many columns as fit; returns its height."""
    if not entries:
        return 0.0
    labels = [fill(name, 56) for _, name in entries]
    length = 3.6 if any(handle.get_linestyle() != "None" for handle, _ in entries) else 1.4
    room, columns = figure.get_figwidth() * 72 - 2 * _EDGE, len(labels)
    while True:
        lines = -(-len(labels) // columns)
        columns = -(-len(labels) // lines)
        legend = figure.legend(
            [handle for handle, _ in entries], labels, loc="lower left", ncols=columns, handlelength=length,
            columnspacing=1.6, borderpad=0.2, labelspacing=0.35, borderaxespad=0,
        )  # fmt: skip
        box = legend.get_window_extent()
        wide, high = (length * 72 / figure.dpi for length in (box.width, box.height))
        if wide * 1.04 <= room or columns == 1:  # other fonts and resolutions are a little wider
            break
        legend.remove()
        columns -= 1
    start = min(left, max(room + _EDGE - wide * 1.04, _EDGE))
    legend.set_bbox_to_anchor((start / (room + 2 * _EDGE), 0))
    return high + _EDGE
