"""Made-up panels for the tests of drawings; nothing here was measured."""

from typing import Any

import pandas as pd

from reports.content import PANEL_COLUMNS, Figure, Panel
from reports.panels import tidy

NAN = float("nan")
SCHEMES = ("Space", "Joint Space-Time", "Divided Space-Time", "Sparse Local Global", "Axial")
FOREIGN = "$x_1$ & <b>90% of forty letters\\alpha$ ^{"


def row(series: Any, x: Any = NAN, y: Any = NAN, low: Any = NAN, high: Any = NAN, word: Any = "", paper: Any = NAN):
    return (series, x, y, low, high, word, paper)


def panel(kind: str, *rows: Any, **changes: Any) -> Panel:
    data = pd.DataFrame(list(rows), columns=list(PANEL_COLUMNS))
    labels = {"title": "Motion (demo)", "x": "frames of a clip", "y": "top-1 accuracy, %"}
    return Panel(kind=kind, data=data, **(labels | changes))


def frames(**changes: Any) -> Panel:
    """Five curves with intervals; one loses its last two lengths to memory, another one in the middle."""
    lost = {("Joint Space-Time", 64), ("Joint Space-Time", 96), ("Axial", 32)}
    rows = [
        row(name, x, word="out of memory", paper=80.0)
        if (name, x) in lost
        else row(name, x, 40 + 9 * place + x / 8, 38 + 9 * place + x / 8, 42 + 9 * place + x / 8)
        for place, name in enumerate(SCHEMES)
        for x in (8, 16, 32, 64, 96)
    ]
    return panel("curves", *rows, **({"chance": 25.0, "log_x": True, "limits": (0, 100)} | changes))


def bars(**changes: Any) -> Panel:
    rows = [row(name, y=98.5 - 9 * place, low=90 - 9 * place, high=99 - 9 * place, paper=60.0)
            for place, name in enumerate(SCHEMES)]  # fmt: skip
    return panel("bars", *rows, row("Lost", word="out of memory"), **({"chance": 25.0, "limits": (0, 100)} | changes))


COSTS = {"TimeSformer": (196, 78.0), "TimeSformer-HR": (1703, 79.7), "TimeSformer-L": (2380, 80.7), "I3D": (108, 73.3),
         "SlowFast 8×8 R101": (106, 77.9), "X3D-M": (6.2, 76.0), "MViT-B": (70.5, 78.4), "ViViT-L": (3992, 81.3),
         "VTN": (4218, 79.8)}  # fmt: skip


def points(**changes: Any) -> Panel:
    """Nine models' accuracies over costs of three decades."""
    rows = [row(name, x, y, y - 1.5, y + 1.5) for name, (x, y) in COSTS.items()]
    return panel("points", *rows, **({"x": "multiply-adds, 10⁹", "log_x": True} | changes))


def many(kind: str) -> Panel:
    """Twelve series of long names with signs that mathtext, XML and formats would read."""
    return panel(kind, *(row(f"{FOREIGN}{k}", x, 30 + 5 * k + x) for k in range(12) for x in (1, 2, 4)), x="$a_x$ & b",
                 title="100 % of $a_1$ <and> more & a title that does not fit on one line")  # fmt: skip


EDGES = {
    "curves": frames(),
    "curves on a linear axis": frames(log_x=False, limits=None, chance=None),
    "points": points(),
    "bars": bars(),
    "no curves": panel("curves", chance=25.0),
    "no points": panel("points", log_x=True),
    "no bars": panel("bars"),
    "one curve point": panel("curves", row("only", 8, 50.0)),
    "one point": panel("points", row("only", 8, 50.0), log_x=True),
    "one bar": panel("bars", row("only", y=0.0)),
    "all lost": panel("curves", *(row(name, x, word="not run") for name in SCHEMES for x in (8, 16)), limits=(0, 100)),
    "no costs": panel("points", row("Lost", word="out of memory"), row("No cost", y=50.0)),
    "only published": panel("curves", row("Lost", 8, paper=75.0)),
    "no x above zero": panel("points", row("Zero", 0, 50.0), row("One", 1, 50.0), log_x=True),
    "bars of words": panel("bars", row("Lost", word="out of memory"), row("Nothing")),
    "negative bars": panel("bars", row("Less", y=-12.3, low=-15, high=-9), row("More", y=4.25)),
    "two words": panel("curves", row("A", 8, word="diverged"), row("A", 16, 3.0), row("A", 32, word="timeout")),
    "infinite": panel("points", row("A", 8, float("inf")), row("B", 9, 2.0)),
    "missing texts": panel("curves", row(None, 8, 1.0, word=None), row(7, 9, 2.0, word=NAN), row("_hidden", 8, 2.0)),
    "twelve curves": many("curves"),
    "twelve points": many("points"),
    "twelve bars": many("bars"),
    "tiny and huge": panel("curves", row("A", 1e-7, 1e9), row("A", 1e7, 2e9), log_x=True),
}
"""A panel a kind and edge, by what is particular of it."""


def figure(*panels: Panel, name: str = "frames") -> Figure:
    return Figure(name, panels, "Accuracy over frames.")


def tidied(*panels: Panel) -> list[Panel]:
    return [tidy(each) for each in panels]
