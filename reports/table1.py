"""Table 1: the five attention schemes, what was published beside what was counted and measured here.

Pure functions of DataFrames. A cell holds a number or the word that stands in its place ("failed", "not run", ...).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import pandas as pd

from reports.metrics import (
    NOT_COUNTED,
    NOT_MEASURED,
    NOT_RUN,
    NOT_TESTED,
    SPREADS,
    WORDS,
    Column,
    bounds,
    is_number,
    percent_of,
)
from results.statistics import mean_std

SCHEMES: Final = {
    "space": "Space",
    "joint": "Joint Space-Time",
    "divided": "Divided Space-Time",
    "sparse_local_global": "Sparse Local Global",
    "axial": "Axial",
}
"""In the paper's order, under the paper's names."""

DATASETS: Final = {"demo": ("appearance", "motion"), "paper": ("k400", "ssv2")}
"""What the two accuracy columns measure at each scale: a set decided by appearance, then one decided by motion."""

TITLES: Final = {"appearance": "Appearance set", "motion": "Motion set", "k400": "K400", "ssv2": "SSv2"}

VIEWS: Final = 3
"""Of the paper's test: one clip, three crops."""
COUNTED_AT: Final = {"model.name": "timesformer", "model.size": "base", "frames": 8, "size": 224, "classes": 174}
"""Where parameters and TFLOPs are counted, at any scale: only a 174-class head (SSv2's) fits Table 1's parameters."""
MEASURED_OF: Final[dict[str, dict[str, str | int]]] = {
    "demo": {},
    "paper": {"model.size": "base", "clip.frames": 8, "clip.size": 224},
}
"""What a training must be to stand as a number, whichever command began it: beside the paper's numbers only the paper's
model and clip. A demo table is on the embedded data sets, where every number is a demo."""
_OTHER: Final = "other setup"
"""Stands for a training that is none of `MEASURED_OF`."""
_WORDS: Final = {**WORDS, _OTHER: _OTHER}


def columns(scale: str) -> tuple[Column, ...]:
    """The table's columns of numbers, in reading order, with what their headings must say at this scale."""
    measured = "demo, measured" if scale == "demo" else "measured"
    accuracies: list[Column] = []
    for reference, dataset in zip(DATASETS["paper"], DATASETS[scale], strict=True):
        group = TITLES[reference]
        accuracies += [Column(f"{reference}_paper_percent", "top1", group, "paper", "paper")]
        accuracies += [Column(_key(dataset), "top1", TITLES[dataset], measured, "measured")]
        if dataset == reference:
            accuracies += [Column(f"{dataset}_difference_points", "difference", group, "difference", "measured")]
    return (
        Column("parameters_paper_millions", "parameters", "Parameters, M", "paper", "paper"),
        Column("parameters_millions", "parameters", "Parameters, M", "counted", "counted"),
        Column("tflops_3_views", "tflops", "TFLOPs, 3 views", "counted", "counted"),
        *accuracies,
        Column("peak_memory_mib", "peak_memory", "Peak memory, MiB", measured, "measured"),
        Column("clips_per_s", "clips_per_s", "clips/s", measured, "measured"),
        Column("device_minutes", "device_minutes", "device-minutes", measured, "measured"),
    )


def caption(scale: str) -> str:
    """What a reader must know to read the numbers rightly; stands under the table in every format."""
    first, second = (TITLES[dataset] for dataset in DATASETS[scale])
    if scale == "demo":
        measured = (
            f"{first} and {second.lower()}: top-1 accuracy in percent at demo scale (a small model, embedded clips,"
            " this machine); not comparable with the paper's K400 and SSv2 beside them"
        )
    else:
        measured = f"{first} and {second}: top-1 accuracy in percent, published and measured"
    return (
        f"Space-time attention schemes. {measured}. {SPREADS} Parameters and TFLOPs (multiply-adds, three views)"
        " are counted at the paper's scale: ViT-B/16, 8×224×224, 174 classes. Memory is the larger of a row's two"
        " trainings, clips/s their median, device-minutes their sum. Bold: best measured value."
    )


def table(records: pd.DataFrame, costs: pd.DataFrame, published: pd.DataFrame, scale: str) -> pd.DataFrame:
    """One row per scheme: "attention", "scheme", "scale", the keys of `columns(scale)` and what goes with accuracies.

    `records` (of `results.collect.frame`) are those of one suite's jobs at this scale: at most one training per
    scheme, dataset and seed, else ValueError. Beside an accuracy stand `.low .high` (95 % interval, one seed) or `.std`
    (several), `.seeds`, `.videos`, `.chance` (all in percent) and `.gmacs` (10^9 multiply-adds of all views of the
    model that was tested).
    """
    trainings = _trainings(records, scale)
    rows = []
    for attention, label in SCHEMES.items():
        row: dict[str, Any] = {"attention": attention, "scheme": label, "scale": scale}
        row |= _published(published, attention) | _counted(costs, attention)
        sets = {name: _of(trainings, attention, name) for name in DATASETS[scale]}
        for name, runs in sets.items():
            row |= _accuracy(runs, name)
            row |= _difference(row, name)
        rows.append(row | _expense(list(sets.values())))
    keys = [column.key for column in columns(scale)]
    order = ["attention", "scheme", "scale", *(part for key in keys for part in rows[0] if part.split(".")[0] == key)]
    return pd.DataFrame(rows, columns=order).astype(dict.fromkeys(keys, object))


@dataclass(frozen=True)
class Finding:
    """One of the paper's statements, judged by what was measured."""

    claim: str
    verdict: Literal["shown", "not shown", "not measured"]
    evidence: str


def findings(table: pd.DataFrame, scale: str) -> list[Finding]:
    """The paper's statements that this scale can show, each with the numbers that decide it."""
    rows = table.set_index(table["attention"].astype(str))
    first, second = (_key(name) for name in DATASETS[scale])
    if scale == "paper":
        claim = "Divided attention is the most accurate scheme on K400 and on SSv2"
        cells = [(scheme, key) for key in (first, second) for scheme in SCHEMES]
        best = [rows[key].map(lambda value: value if is_number(value) else -1.0).idxmax() for key in (first, second)]
        return [_finding(claim, rows, cells, best == ["divided", "divided"])]
    motion = rows[second].to_dict()
    chance = rows[f"{second}.chance"].max()
    near = is_number(motion["space"]) and abs(motion["space"] - chance) <= 10
    learned = all(is_number(motion[scheme]) and motion[scheme] > 80 for scheme in ("joint", "divided"))
    everywhere = all(is_number(value) and value > 80 for value in rows[first])
    return [
        _finding(
            "Motion needs attention over time: on the motion set, space-only attention stays within 10 points of chance"
            " while joint and divided attention are above 80 %",
            rows,
            [(scheme, second) for scheme in ("space", "joint", "divided")],
            near and learned,
        ),
        _finding(
            "Appearance does not: on the appearance set all five schemes are above 80 %",
            rows,
            [(scheme, first) for scheme in SCHEMES],
            everywhere,
        ),
    ]


def answer(table: pd.DataFrame, scale: str) -> list[str]:
    """The suite's question, answered in a sentence per dataset: the most accurate scheme and those level with it."""
    return [_leader(table, name) for name in DATASETS[scale]]


def _key(dataset: str) -> str:
    return f"{dataset}_percent"


def _trainings(records: pd.DataFrame, scale: str) -> pd.DataFrame:
    """One row per training: where several protocols were tested, the paper's, one clip and three crops."""
    mine = records[records["model.name"] == "timesformer"].copy()
    for column, value in MEASURED_OF[scale].items():
        mine.loc[(mine[column] != value) & (mine["status"] == "done"), "status"] = _OTHER
    papers = (mine["test.clips"] == 1) & (mine["test.crops"] == VIEWS)
    mine = mine.assign(_other=~papers).sort_values("_other", kind="stable").drop_duplicates("id")
    same = mine.duplicated(["model.attention", "data.name", "seed"], keep=False)
    same &= mine["data.name"].isin(DATASETS[scale])
    if same.any():
        raise ValueError(
            f"records of more than one suite: {', '.join(mine[same]['id'])} train the same scheme and seed"
        )
    return mine


def _of(trainings: pd.DataFrame, attention: str, dataset: str) -> pd.DataFrame:
    return trainings[(trainings["model.attention"] == attention) & (trainings["data.name"] == dataset)]


def _published(published: pd.DataFrame, attention: str) -> dict[str, Any]:
    rows = published[(published["row"] == attention) & (published["table"] == "Table 1")]
    keys = {("", "parameters"): "parameters_paper_millions"}
    keys |= {(name, "top1"): f"{name}_paper_percent" for name in DATASETS["paper"]}
    values = {(row["dataset"], row["metric"]): row["value"] for _, row in rows.iterrows()}
    return {key: values[source] for source, key in keys.items()}


def _counted(costs: pd.DataFrame, attention: str) -> dict[str, Any]:
    rows = costs[(costs["model.attention"] == attention) & (costs["crop"] == costs["size"])]
    for key, value in COUNTED_AT.items():
        rows = rows[rows[key] == value]
    if rows.empty:
        return {"parameters_millions": NOT_COUNTED, "tflops_3_views": NOT_COUNTED}
    cost = rows.iloc[0]
    return {
        "parameters_millions": float(cost["parameters"]) / 1e6,
        "tflops_3_views": float(cost["multiply_adds"]) * VIEWS / 1e12,
    }


def _accuracy(runs: pd.DataFrame, dataset: str) -> dict[str, Any]:
    key = _key(dataset)
    tested = runs[(runs["status"] == "done") & runs["top1"].notna()]
    details = dict.fromkeys(f"{key}.{name}" for name in ("low", "high", "std", "seeds", "videos", "chance", "gmacs"))
    if tested.empty:
        return {key: _word(runs) or NOT_TESTED, **details}
    mean, std = mean_std([float(share) for share in tested["top1"]])
    run = tested.iloc[0]
    details |= {f"{key}.seeds": len(tested), f"{key}.videos": int(run["test.videos"]), f"{key}.std": percent_of(std)}
    details |= {f"{key}.chance": 100 / int(run["classes"]), f"{key}.gmacs": _gmacs(run)}
    if std is None:
        details |= {f"{key}.{end}": percent_of(run[f"top1_{end}"]) for end in ("low", "high")}
    return {key: mean * 100, **details}


def _gmacs(run: "pd.Series[Any]") -> float | None:
    views = run["test.clips"] * run["test.crops"]
    return None if pd.isna(run["multiply_adds"]) else float(run["multiply_adds"] * views) / 1e9


def _difference(row: dict[str, Any], dataset: str) -> dict[str, Any]:
    """Measured minus published, where the two are of one dataset; else nothing to compare."""
    if f"{dataset}_paper_percent" not in row:
        return {}
    measured = row[_key(dataset)]
    comparable = is_number(measured)
    return {f"{dataset}_difference_points": measured - row[f"{dataset}_paper_percent"] if comparable else measured}


def _word(runs: pd.DataFrame) -> str | None:
    """The worst that happened to trainings that are not done; None when they all are."""
    if runs.empty:
        return NOT_RUN
    return next((word for status, word in _WORDS.items() if (runs["status"] == status).any()), None)


def _expense(sets: Sequence[pd.DataFrame]) -> dict[str, Any]:
    """What a row's trainings took: all of them, the word of the one that did not end well, or how many there are."""
    keys = ("peak_memory_mib", "clips_per_s", "device_minutes")
    words = [word for runs in sets if (word := _word(runs))]
    if words:
        missing = words.count(NOT_RUN)
        partly = f"{len(sets) - missing} of {len(sets)} sets" if missing < len(sets) else NOT_RUN
        return dict.fromkeys(keys, next((word for word in _WORDS.values() if word in words), partly))
    runs = pd.concat(sets)
    hours = sum(float(one["device_hours"].mean()) for one in sets)
    peak, speed = runs["peak_memory_bytes"].max(), runs["clips_per_s"].astype(float).median()
    values = (peak / 2**20, speed, hours * 60)
    return {key: NOT_MEASURED if pd.isna(value) else float(value) for key, value in zip(keys, values, strict=True)}


def _finding(claim: str, rows: pd.DataFrame, cells: list[tuple[str, str]], holds: bool) -> Finding:
    values = {(scheme, key): rows[key].to_dict()[scheme] for scheme, key in cells}
    measured = all(is_number(value) for value in values.values())
    parts = [f"{SCHEMES[scheme]} {percent(value)}" for (scheme, _), value in values.items()]
    chances = {rows[f"{key}.chance"].max() for _, key in cells if rows[f"{key}.chance"].notna().any()}
    parts += [f"chance {chance:.0f} %" for chance in sorted(chances)]
    return Finding(claim, ("shown" if holds else "not shown") if measured else "not measured", "; ".join(parts))


def percent(value: Any) -> str:
    """An accuracy in running text: "97.5 %", or the word in its place."""
    return f"{value:.1f} %" if is_number(value) else str(value)


def _leader(table: pd.DataFrame, dataset: str) -> str:
    key = _key(dataset)
    where = f"On the {TITLES[dataset].lower()}" if dataset in DATASETS["demo"] else f"On {TITLES[dataset]}"
    measured = table[table[key].map(is_number)]
    if measured.empty:
        return f"{where}, nothing was measured yet."
    best = measured.sort_values(key, ascending=False, kind="stable").iloc[0]
    least, _ = bounds(best, key)
    level = [row["scheme"] for _, row in measured.iterrows() if row[key] >= least and row["scheme"] != best["scheme"]]
    beside = f"within its uncertainty: {', '.join(level)}" if level else "no other is within its uncertainty"
    if len(measured) == 1:
        return f"{where}, only {best['scheme']} was measured so far ({best[key]:.1f} %)."
    among = "" if len(measured) == len(table) else f" of the {len(measured)} measured so far"
    shared = [row["scheme"] for _, row in measured.iterrows() if percent(row[key]) == percent(best[key])]
    if len(shared) > 1:
        rest = [scheme for scheme in level if scheme not in shared]
        beside = f"; within the uncertainty: {', '.join(rest)}" if rest else ""
        return f"{where}, {_listed(shared)} share the highest accuracy{among} ({best[key]:.1f} %{beside})."
    return f"{where}, {best['scheme']} is the most accurate{among} ({best[key]:.1f} %; {beside})."


def _listed(words: Sequence[str]) -> str:
    """`a, b and c`."""
    return f"{', '.join(words[:-1])} and {words[-1]}"
