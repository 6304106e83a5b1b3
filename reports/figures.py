"""Accuracy bars and accuracy against cost, one panel per dataset, drawn by matplotlib on nothing global.

Not by seaborn, which draws estimates from samples: the intervals here are computed (`results.statistics`), and its
import alone takes longer than all the drawing. matplotlib itself is imported only when something must be drawn.
"""

import hashlib
import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from reports.metrics import bounds, is_number
from reports.table1 import DATASETS, TITLES
from results.store import write_atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FIGURES: Final = ("accuracy", "cost")
INK, MUTED, RULE, PAPER, ACCENT, BAR = "#1c1d1f", "#5d6066", "#d5d6d8", "#fefefd", "#2b62a0", "#9dbde0"
_VARIABLES: Final = {INK: "--ink", MUTED: "--muted", RULE: "--rule", PAPER: "--page", ACCENT: "--accent", BAR: "--bar"}
"""In the page's SVG each colour is the page's own variable, so that one drawing serves light, dark and print."""
_SHAPES: Final = ("o", "s", "^", "D", "v")
"""One per scheme: told apart without colour."""
_STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.facecolor": "none",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "savefig.facecolor": PAPER,
    "pdf.fonttype": 42,
}


def draw(table: pd.DataFrame, scale: str, folder: Path) -> list[Path]:
    """Writes `<figure>-<dataset>.svg` for the page, `<figure>.png` and `.pdf` for papers; returns all, drawn or kept.

    `table` is `reports.table1.table`'s. What is drawn is a pure function of it: files drawn from the same are kept.
    Each file is written whole; of two processes that draw different tables at once no mixture is taken for one of them.
    """
    datasets = DATASETS[scale]
    panels = [folder / f"{figure}-{dataset}.svg" for figure in FIGURES for dataset in datasets]
    whole = [folder / f"{figure}.{suffix}" for figure in FIGURES for suffix in ("png", "pdf")]
    stamp, content = folder / "drawn-from.sha256", _content(table, scale)
    paths = [*panels, *whole]
    kept = {path.name: path.read_bytes() for path in paths if path.is_file()}
    if len(kept) < len(paths) or _text(stamp) != _stamp(content, kept):
        drawn = _draw(table, datasets)
        for name, data in drawn.items():
            write_atomic(folder / name, data)
        write_atomic(stamp, _stamp(content, drawn))
    return paths


def inline(svg: str, label: str) -> str:
    """The drawing as an element of a page: no prolog, the page's colours and type, `label` for those who cannot see it.

    `label` must be safe in an attribute.
    """
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<style[^>]*>.*?</style>", "", body, flags=re.DOTALL)  # its rule for * would reach the whole page
    body = re.sub(r' (width|height)="[\d.]+pt"', "", body, count=2)
    body = body.replace("'DejaVu Sans'", "var(--sans)")
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, f"var({variable})")
    return body.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def _content(table: pd.DataFrame, scale: str) -> str:
    """Names what is drawn: the numbers, and this file, for its drawing."""
    data = table.to_json(double_precision=6)
    return hashlib.sha256(data.encode() + scale.encode() + Path(__file__).read_bytes()).hexdigest()


def _stamp(content: str, files: Mapping[str, bytes]) -> str:
    """Names what was drawn and every byte of the drawings."""
    digests = [f"{name} {hashlib.sha256(files[name]).hexdigest()}" for name in sorted(files)]
    return hashlib.sha256("\n".join([content, *digests]).encode()).hexdigest()


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _draw(table: pd.DataFrame, datasets: tuple[str, str]) -> dict[str, bytes]:
    """Every file's name and bytes."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    painters: dict[str, Callable[[Axes, pd.DataFrame, str], None]] = {"accuracy": _bars, "cost": _scatter}
    drawn: dict[str, bytes] = {}
    with rc_context(_STYLE):
        for name, painter in painters.items():
            left, right, bottom = _EDGES[name]
            for dataset in datasets:
                figure = Figure(figsize=(_WIDTH, _HEIGHT))
                painter(figure.add_axes((left, bottom, right - left, 0.91 - bottom)), table, dataset)
                drawn |= _saved(figure, f"{name}-{dataset}.svg")
            figure = Figure(figsize=(2 * _WIDTH, _HEIGHT))
            for half, dataset in enumerate(datasets):
                painter(figure.add_axes(((half + left) / 2, bottom, (right - left) / 2, 0.91 - bottom)), table, dataset)
            drawn |= _saved(figure, f"{name}.png") | _saved(figure, f"{name}.pdf")
    return drawn


# Inches of one panel, and the shares of it where its axes begin, end, and stand. Fixed: a layout engine would draw
# everything twice. The rest is for the schemes' names (left of the bars, right of the points) and the numbers.
_WIDTH, _HEIGHT = 4.5, 3.0
_EDGES: Final = {"accuracy": (0.295, 0.82, 0.25), "cost": (0.115, 0.63, 0.16)}


def _saved(figure: "Figure", name: str) -> dict[str, bytes]:
    """A file's name and bytes; the same drawing gives the same bytes (no date, ids salted by the file's name)."""
    from matplotlib import rc_context

    buffer, kind = io.BytesIO(), name.rpartition(".")[2]
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
    with rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format=kind, dpi=200, metadata=metadata)
    return {name: buffer.getvalue()}


_ACROSS: Final = ("axes fraction", "data")
_POINTS: Final = "offset points"


def _bars(axes: "Axes", table: pd.DataFrame, dataset: str) -> None:
    """Horizontal bars, top row first, with intervals; a hollow diamond is the paper's number, on its own dataset."""
    key, reference = f"{dataset}_percent", _reference(dataset)
    for place, (_, row) in enumerate(table.iterrows()):
        value = row[key]
        if is_number(value):
            axes.barh(place, value, height=0.62, color=BAR, zorder=2)
            axes.plot(bounds(row, key), [place, place], color=INK, linewidth=1.3, zorder=3, clip_on=False)
            axes.annotate(f"{value:.1f}", (1, place), (8, 0), xycoords=_ACROSS, textcoords=_POINTS, va="center")
        else:
            box = {"facecolor": PAPER, "edgecolor": "none", "pad": 1}
            axes.annotate(
                str(value), (0, place), (5, 0), xycoords=_ACROSS, textcoords=_POINTS, va="center", bbox=box, zorder=6
            )
        paper = row[f"{reference}_paper_percent"]
        hollow = axes.plot(paper, place, "D", mfc=PAPER, mec=INK, mew=1, ms=5, zorder=4, clip_on=False)
    if dataset in DATASETS["demo"]:
        hollow[0].set_label(f"{TITLES[reference]}, paper (other data and model)")
    else:
        hollow[0].set_label("paper")
    _chance(table, key, axes.axvline)
    axes.set(xlim=(0, 100), ylim=(len(table) - 0.45, -0.55), xlabel="top-1 accuracy, %", title=_title(dataset))
    axes.set_yticks(range(len(table)), table["scheme"], color=INK)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=RULE, linewidth=0.6, zorder=0)
    axes.legend(loc="upper right", bbox_to_anchor=(1.26, -0.2), ncols=2, fontsize=8, handlelength=1.4, columnspacing=1)


def _scatter(axes: "Axes", table: pd.DataFrame, dataset: str) -> None:
    """Accuracy over the multiply-adds of the model that was tested, at the scale at which it was tested."""
    key = f"{dataset}_percent"
    shown = table[table[key].map(is_number) & table[f"{key}.gmacs"].map(is_number)]
    largest = max(shown[f"{key}.gmacs"], default=1.0)
    unit, factor = next((unit for unit in _UNITS if largest * unit[1] >= 1), _UNITS[-1])
    for place, (index, row) in enumerate(table.iterrows()):
        if index not in shown.index:
            continue
        x, value = row[f"{key}.gmacs"] * factor, row[key]
        axes.plot([x, x], bounds(row, key), color=MUTED, linewidth=1, zorder=2, clip_on=False)
        face = PAPER if place % 2 else ACCENT
        axes.plot(x, value, _SHAPES[place], mfc=face, mec=ACCENT, mew=1.3, ms=7, zorder=3, ls="", label=row["scheme"])
    _chance(table, key, axes.axhline)
    axes.set(xlim=(0, largest * factor * 1.12), ylim=(0, 104), ylabel="top-1 accuracy, %", title=_title(dataset))
    axes.set_xlabel(f"multiply-adds of all test views, {unit}")
    axes.grid(color=RULE, linewidth=0.6, zorder=0)
    if shown.empty:
        axes.annotate("nothing measured yet", (0.5, 0.5), xycoords="axes fraction", ha="center")
    else:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=1.4, fontsize=8)


_UNITS: Final = (("10¹²", 1e-3), ("10⁹", 1.0), ("10⁶", 1e3))


def _chance(table: pd.DataFrame, key: str, line: Callable[..., Any]) -> None:
    chance = table[f"{key}.chance"].max()
    if is_number(chance):
        line(chance, color=INK, linewidth=1, linestyle=(0, (4, 3)), zorder=5, label="chance")


def _reference(dataset: str) -> str:
    """The published dataset that stands beside a measured one."""
    return next(paper for names in DATASETS.values() for paper, name in zip(DATASETS["paper"], names, strict=True)
                if name == dataset)  # fmt: skip


def _title(dataset: str) -> str:
    return f"{TITLES[dataset]} (demo)" if dataset in DATASETS["demo"] else TITLES[dataset]
