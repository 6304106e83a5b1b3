"""How drawings look: the theme's colours and settings, and each series' colour, shape and dashes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

INK, MUTED, RULE, PAPER, BAR = "#1c1d1f", "#5d6066", "#d5d6d8", "#fefefd", "#9dbde0"
"""Of text, of axes, of the grid, of the ground and of bars; a page takes its own instead (`reports.figures`)."""

Dashes = str | tuple[float, ...]


@dataclass(frozen=True)
class Mark:
    """A series' look: each of the three tells it from its neighbours alone, so it reads without colour."""

    colour: str
    shape: str
    """matplotlib's name of a filled marker; never "D", which hollow stands for a published number."""
    dashes: Dashes
    """In line widths, on and off; "" is solid."""


COLOURS: Final = ("#0173b2", "#c87f00", "#029e73", "#d55e00", "#c46ab3", "#3b96cf", "#a3683a", "#7f7f7f")
"""seaborn's "colorblind", its light ones darkened: at least 3:1 (WCAG 1.4.11) on a white page and on a dark one."""
_SHAPES: Final = ("o", "s", "^", "v", "P", "<", "d", ">", "p", "h", "8")
_DASHES: Final[tuple[Dashes, ...]] = (
    "", (4, 1.5), (1, 1), (3, 1.2, 1.4, 1.2), (7, 1.5), (5, 1, 1, 1, 1, 1), (2, 1), (7, 1, 3, 1),
)  # fmt: skip


def marks(names: Iterable[str]) -> dict[str, Mark]:
    """A look for each name, in the order of first appearance; the first 88 differ, the first 8 in each of the three."""
    distinct = dict.fromkeys(names)
    return {
        name: Mark(COLOURS[place % len(COLOURS)], _SHAPES[place % len(_SHAPES)], _DASHES[place % len(_DASHES)])
        for place, name in enumerate(distinct)
    }


OWN, BEST, SO_FAR, FRONT = "the suite's own recipe", "best trial", "best so far", "Pareto front"
"""Series of a search that are no states of its trials."""
TRIALS: Final[Mapping[str, Mark]] = {
    "complete": Mark(COLOURS[0], "o", ""),
    "pruned": Mark(COLOURS[1], "v", (4, 1.5)),
    "failed": Mark(COLOURS[3], "X", (1, 1)),
    "running": Mark(COLOURS[2], "^", (7, 1.5)),
    "waiting": Mark(COLOURS[7], "h", ""),
    SO_FAR: Mark(INK, "", ""),
    FRONT: Mark(INK, "", ""),
    OWN: Mark(INK, "s", (5, 1.5)),
    BEST: Mark(COLOURS[4], "*", ""),
}
"""By series, those drawn above others last; the same in every figure of a search, whatever states it has."""
SHADES: Final = ("#999277", "#807f78", "#696b71", "#52596d", "#36466c", "#0c3470", "#00224e")
"""From the worst value to the best: cividis from 0.62 to 0, at least 3:1 on a white page; a page takes its own instead,
on dark ground of the other end. J. Nuñez, C. Anderton and R. Renslow, "Optimizing colormaps with consideration for
color vision deficiency", PLOS ONE 13 (2018)."""


SMALL: Final = 8.0
"""Points: labels, words and legends. All else is 9, titles 10."""


def theme() -> dict[str, Any]:
    """matplotlib's settings for every drawing; to apply after its defaults, so that no person's own file changes it."""
    import seaborn

    return {
        **seaborn.axes_style("ticks"),
        **seaborn.plotting_context("paper"),
        "svg.fonttype": "none",
        "pdf.fonttype": 42,
        "font.family": ["DejaVu Sans"],
        "font.size": 9,
        "text.color": INK,
        "text.parse_math": False,  # a name with two dollar signs is a name
        "axes.facecolor": "none",
        "axes.edgecolor": MUTED,
        "axes.labelcolor": MUTED,
        "axes.labelsize": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.8,
        "axes.grid": False,
        "grid.color": RULE,
        "grid.linewidth": 0.6,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelsize": SMALL,
        "ytick.labelsize": SMALL,
        "xtick.major.size": 3,
        "ytick.major.size": 3,
        "xtick.major.width": 0.8,
        "ytick.major.width": 0.8,
        "legend.frameon": False,
        "legend.fontsize": SMALL,
        "savefig.facecolor": PAPER,
    }
