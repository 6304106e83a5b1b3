"""What a suite's figures show: its curves, and for every suite accuracies as bars and accuracy over cost."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import ceil, floor
from typing import Any, Final

import pandas as pd

from reports.comparison import Variants
from reports.content import PANEL_COLUMNS, Figure, Panel, Table
from reports.metrics import METRICS, NOT_MEASURED, WORDS, Column, bounds, is_number, title
from results.collect import NOT_RUN
from results.outline import Axis, Curves, rows_of
from results.quantities import OF_TESTS, SHARES, chance, measured, value, views
from results.statistics import mean_std

_AXES: Final = {
    "clip.size": ("crop, pixels", 1), "clip.frames": ("frames of a clip", 1), "clip.stride": ("stride, frames", 1),
    "test.clips": ("clips of a video in testing", 1), "data.fraction": ("share of the training videos, %", 100),
}  # fmt: skip
"""Key -> what stands at its axis, and what its values are multiplied by."""
QUANTITIES: Final = {
    "top1": "top-1 accuracy", "top5": "top-5 accuracy", "class_mean": "class-mean accuracy", "parameters": "parameters",
    "gmacs": "multiply-adds of a view", "test_gmacs": "multiply-adds of all test views", "peak_memory": "peak memory",
    "clips_per_s": "training speed", "latency": "latency of a clip", "device_minutes": "time × devices",
    "training_minutes": "training time × devices", "training_hours": "training time × devices",
}  # fmt: skip
_MODELS: Final = {
    "timesformer": "TimeSformer", "slowfast": "SlowFast", "i3d": "I3D", "x3d": "X3D", "xvit": "X-ViT", "vit": "ViT",
    "space": "Space", "joint": "Joint Space-Time", "divided": "Divided Space-Time",
    "sparse_local_global": "Sparse Local Global", "axial": "Axial",
}  # fmt: skip
BARS_MOST: Final = 24
"""Rows that a panel of bars may have and still be read."""
_NAN: Final = float("nan")


def curves(spec: Curves, frame: pd.DataFrame, variants: Variants, named: Mapping[str, str]) -> Figure:
    """A figure of a suite's `report`: a curve for each series, means over seeds with their spread.

    `frame` has the suite's jobs (`results.collect.frame`), `named` the row of the paper in which some stand, by id.
    """
    panels = [_panel(spec, axis, frame, variants, named) for axis in spec.panels]
    spread = _SPREAD if spec.y == "top1" else "Bands: one standard deviation where there are several seeds."
    return _zoomed(Figure(spec.name, tuple(panels), f"{spec.title}. {spread}"))


_SPREAD: Final = (
    "Bands: 95 % interval over the test videos where there is one seed, one standard deviation where there are several."
)


def _panel(spec: Curves, axis: Axis, frame: pd.DataFrame, variants: Variants, named: Mapping[str, str]) -> Panel:
    label, factor = _AXES.get(axis.x, (axis.x, 1))
    rows = rows_of(frame, axis.where)
    rows = rows[pd.to_numeric(rows[axis.x], errors="coerce").notna()] if axis.x in rows else rows.iloc[:0]
    if spec.y not in OF_TESTS:
        rows = rows.drop_duplicates(["id", axis.x])
    several = set(rows["id"][rows.duplicated(["id", axis.x])])
    called = _called(spec, axis, rows, variants, named)
    groups: dict[tuple[str, float], list[int]] = {}
    for place, ((_, row), name) in enumerate(zip(rows.iterrows(), called, strict=True)):
        test = f", {views(row)}" if row["id"] in several else ""
        groups.setdefault((name + test, float(row[axis.x]) * factor), []).append(place)
    marks = [{"series": name, "x": x, **_mark(rows.iloc[places], spec.y)} for (name, x), places in groups.items()]
    return Panel(
        title=axis.title or ", ".join(title(axis.where[key]) for key in axis.where if key == "data.name"),
        kind="curves",
        data=pd.DataFrame(marks, columns=PANEL_COLUMNS),
        x=label,
        y=f"{QUANTITIES[spec.y]}, {METRICS[spec.y].unit}",
        chance=chance(rows["classes"]) if spec.y == "top1" else None,
        limits=(0, 100) if spec.y in SHARES else None,
    )


def _called(spec: Curves, axis: Axis, rows: pd.DataFrame, variants: Variants, named: Mapping[str, str]) -> list[str]:
    """The curve of each row; where a series has several variants at one x, which are no seeds, each is a curve."""
    if spec.series is None:
        return [_curve(id_, axis, variants, named) for id_ in rows["id"]]
    series = [_name(value) for value in rows[spec.series]]
    rest = [_curve(id_, axis, variants, {}, spec.series) for id_ in rows["id"]]
    at: dict[tuple[str, Any], set[str]] = {}
    for name, x, other in zip(series, rows[axis.x], rest, strict=True):
        at.setdefault((name, x), set()).add(other)
    mixed = {name for (name, _), others in at.items() if len(others) > 1}
    return [f"{name} · {other}" if name in mixed else name for name, other in zip(series, rest, strict=True)]


def _name(found: Any) -> str:
    """A value as people call it: a model, a scheme, a data set."""
    return _MODELS.get(found, title(found))


def _curve(id_: str, axis: Axis, variants: Variants, named: Mapping[str, str], series: str = "") -> str:
    """What a job's curve is called: its row, else what tells it from others beside its place on x and its seed."""
    if id_ in named:
        return named[id_]
    told = [(key, text) for key, text in variants[id_] if key not in (axis.x, "seed", series, *axis.where)]
    words = [_name(text) if _name(text) != text else f"{key.rpartition('.')[2]} {text}" for key, text in told]
    return " · ".join(words) or "all"


def _mark(group: pd.DataFrame, quantity: str) -> dict[str, Any]:
    """A point's value, its spread, or the word in its place."""
    known = measured(quantity, group.to_dict("records"))
    nothing = {"low": _NAN, "high": _NAN, "word": "", "paper": _NAN}
    if known is None:
        return {**nothing, "y": _NAN, "word": _word(group["status"])}
    mean, std = mean_std(known)
    if std is not None:
        return {**nothing, "y": mean, "low": mean - std, "high": mean + std}
    if quantity == "top1":
        return {**nothing, "y": mean, **{end: group[f"top1_{end}"].iloc[0] * 100 for end in ("low", "high")}}
    return {**nothing, "y": mean}


def _word(statuses: "pd.Series[str]") -> str:
    """The worst of them; nothing for what was not run, which is no result."""
    worst = next((word for status, word in WORDS.items() if status in statuses.values), None)
    return worst or ("" if NOT_RUN in statuses.values else NOT_MEASURED)


def accuracy(table: Table, rows: Mapping[str, Sequence[str]], frame: pd.DataFrame) -> Figure | None:
    """Bars: a panel for each data set and test of the table; None where there are none, or too many rows."""
    own = table.frame[table.frame["scheme"].isin(rows)]
    columns = [column for column in table.columns if column.metric == "top1" and column.origin == "measured"]
    if not columns or not 0 < len(own) <= BARS_MOST:
        return None
    panels = tuple(_bars(own, column, table, frame) for column in columns)
    dashed = " Dashed: chance." if any(panel.chance is not None for panel in panels) else ""
    return Figure("accuracy", panels, f"Top-1 accuracy. {_SPREAD.replace('Bands', 'Lines')}{dashed}")


def _bars(own: pd.DataFrame, column: Column, table: Table, frame: pd.DataFrame) -> Panel:
    marks = []
    for _, row in own.iterrows():
        found = row[column.key]
        if not is_number(found) and pd.isna(found):
            continue
        measured = (found, *_around(found, row, column.key), "") if is_number(found) else (_NAN, _NAN, _NAN, str(found))
        marks.append((row["scheme"], _NAN, *measured, _published(row, column, table)))
    data = pd.DataFrame(marks, columns=PANEL_COLUMNS)
    guessed = chance(frame["classes"][frame["data.name"].map(title) == column.group])
    name = f"{column.group}, {column.label}"
    return Panel(name, "bars", data, "", "top-1 accuracy, %", guessed, limits=(0, 100))


def _around(value: float, row: "pd.Series[Any]", key: str) -> tuple[float, float]:
    """One standard deviation over seeds to each side, as on curves, else the interval over videos."""
    std = row.get(f"{key}.std")
    return (value - std, value + std) if is_number(std) else bounds(row, key)


def _published(row: "pd.Series[Any]", column: Column, table: Table) -> float:
    """The published accuracy on the column's data set; NaN where there is none."""
    values = [row[each.key] for each in table.columns
              if (each.origin, each.metric, each.group) == ("paper", column.metric, column.group)]  # fmt: skip
    return next((value for value in values if is_number(value)), _NAN)


def cost(rows: Mapping[str, Sequence[str]], frame: pd.DataFrame) -> Figure | None:
    """Points: accuracy over the multiply-adds of all test views, a panel a data set; None where nothing was tested."""
    named = {id_: name for name, ids in rows.items() for id_ in ids}
    tested = frame[(frame["status"] == "done") & frame["top1"].notna() & frame["multiply_adds"].notna()]
    panels = tuple(
        Panel(
            title(data),
            "points",
            pd.DataFrame(list(_points(group, named)), columns=PANEL_COLUMNS),
            "multiply-adds of all test views, GMACs",
            "top-1 accuracy, %",
            chance(group["classes"]),
            log_x=True,
            limits=(0, 100),
        )
        for data, group in tested.groupby("data.name", sort=False)
    )
    if not panels or len(rows) > BARS_MOST:
        return None
    told = "Accuracy over the cost of a test: multiply-adds of the model that was tested."
    return _zoomed(Figure("cost", panels, told))


def _points(tested: pd.DataFrame, named: Mapping[str, str]) -> Iterator[tuple[Any, ...]]:
    several = tested.duplicated("id").any()
    keys = [tested["id"].map(named).rename("row"), "test.clips", "test.crops", "test.size"]
    for (name, *_), group in tested.groupby(keys, sort=False):
        first, mark = group.iloc[0], _mark(group, "top1")
        test = f", {views(first)}" if several else ""
        yield f"{name}{test}", value("test_gmacs", first), *(mark[key] for key in PANEL_COLUMNS[2:])


NARROW: Final = 25
"""Points of accuracy: values closer together, and further above chance, than this are not shown from 0 to 100 %, where
their marks would lie on each other."""
_LEAST: Final = 4
"""Points that an axis shows, so that differences of a few videos do not fill it."""
_CUT: Final = "Accuracy axes begin above 0 where all values lie close together."


def _zoomed(figure: Figure) -> Figure:
    """The figure of curves or points with accuracy axes that show what there is, where that is little.

    Its panels have the same axis, so that they can be compared, unless that would leave much of each empty. Chance,
    which is outside, has no line then.
    """
    if any(panel.limits is None for panel in figure.panels):
        return figure
    ends = [_ends([panel]) for panel in figure.panels]
    widest = max((high - low for low, high in filter(None, ends)), default=0.0)
    if not widest:
        return figure
    together = _ends(figure.panels)
    if together and together[1] - together[0] <= 1.5 * widest:
        ends = [together] * len(ends)
    panels = tuple(
        replace(panel, limits=each, chance=None) if each else panel
        for panel, each in zip(figure.panels, ends, strict=True)
    )
    return replace(figure, panels=panels, caption=f"{figure.caption} {_CUT}")


def _ends(panels: Sequence[Panel]) -> tuple[float, float] | None:
    """Of an axis that holds all values and intervals of the panels, in whole points; None where it is to be whole."""
    drawn = [panel.data.loc[panel.data["x"].notna(), ["y", "low", "high", "paper"]] for panel in panels]
    values = [float(value) for data in drawn for value in data.to_numpy().ravel() if pd.notna(value)]
    low, high = min(values, default=0.0), max(values, default=0.0)
    guessed = max(NARROW if panel.chance is None else panel.chance for panel in panels)
    if low <= guessed + NARROW or high - low >= NARROW:
        return None
    room = max((high - low) * 0.1, (_LEAST - (high - low)) / 2)
    top = min(ceil(high + room), 100)
    return min(floor(low - room), top - _LEAST), top
