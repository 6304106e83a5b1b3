"""Any suite's variants side by side: accuracy of each data set and test, what each costs, what each took.

For questions that no table of the paper asks, such as those about a data set of one's own. Pure functions of
DataFrames; a cell holds a number or the word that stands in its place ("failed", "not run", ...).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from reports.metrics import NOT_MEASURED, NOT_RUN, WORDS, Column
from results.collect import DAMAGED
from results.statistics import mean_std

VARIED_WITHIN: Final = ("data", "data.name", "seed", "seeds")
"""Axes whose values share a row: data sets stand beside each other, seeds are averaged."""
_WORDS: Final = {DAMAGED: DAMAGED, **WORDS}
_COSTS: Final = (
    Column("parameters_millions", "size", "Parameters, M", "counted", "counted"),
    Column("gmacs_per_view", "gmacs", "GMACs, 1 view", "counted", "counted"),
)
_MEASURED: Final = (
    Column("peak_memory_mib", "peak_memory", "Peak memory, MiB", "measured", "measured"),
    Column("clips_per_s", "clips_per_s", "clips/s", "measured", "measured"),
    Column("device_minutes", "device_minutes", "device-minutes", "measured", "measured"),
)
_TEST: Final = ["data.name", "test.clips", "test.crops", "test.size"]


def table(records: pd.DataFrame, variants: Mapping[str, Sequence[tuple[str, str]]]) -> pd.DataFrame:
    """One row a variant, in the suite's order; `variants` holds each job's varied (key, value) pairs by its id.

    Its columns are those of `columns`, with `.low`, `.high` (95 % interval over videos, one seed) or `.std`, `.seeds`
    beside accuracies.
    """
    rows: dict[str, list[str]] = {}
    for id_, variant in variants.items():
        rows.setdefault(_label(variant), []).append(id_)
    return pd.DataFrame([_row(label, records[records["id"].isin(ids)], len(ids)) for label, ids in rows.items()])


def columns(records: pd.DataFrame) -> tuple[Column, ...]:
    """What there is to show: an accuracy for each data set and test that was made."""
    made = records.dropna(subset=_TEST)[_TEST].drop_duplicates().itertuples(index=False)
    accuracies = [Column(_key(*each), "top1", str(each[0]), f"top-1, {_test(*each[1:])}", "measured") for each in made]
    return (*_COSTS, *accuracies, *_MEASURED)


def caption(scale: str) -> str:
    """What a reader must know to read the numbers rightly."""
    demo = " at demo scale (small models, this machine)" if scale == "demo" else ""
    return (
        f"Top-1 accuracy in percent{demo}, clips × crops of so many pixels. Ranges: 95 % bootstrap intervals over the"
        " test videos; ±: standard deviation over seeds. Multiply-adds are of one view of the training crop. Memory is"
        " the largest of a row's trainings, clips/s their median, device-minutes their sum. Bold: best measured value."
    )


def _label(variant: Sequence[tuple[str, str]]) -> str:
    values = [f"{key.rpartition('.')[2]} {value}" for key, value in variant if key not in VARIED_WITHIN]
    return " · ".join(values) or "all"


def _row(label: str, runs: pd.DataFrame, jobs: int) -> dict[str, Any]:
    row: dict[str, Any] = {"scheme": label}
    state = _state(runs, jobs)
    for key in ("parameters_millions", "gmacs_per_view", "peak_memory_mib", "clips_per_s", "device_minutes"):
        row[key] = state
    jobs_of = runs.drop_duplicates("id")
    counted = jobs_of.dropna(subset=["multiply_adds"])
    if len(counted):
        first = counted.iloc[0]
        row |= {"parameters_millions": first["parameters"] / 1e6, "gmacs_per_view": first["multiply_adds"] / 1e9}
    measured = jobs_of[jobs_of["clips_per_s"].notna()]
    if len(measured):
        row |= {"clips_per_s": float(measured["clips_per_s"].median())}
        row |= {"device_minutes": float(measured["device_hours"].sum()) * 60}
        peaks = measured["peak_memory_bytes"].dropna()
        row["peak_memory_mib"] = float(peaks.max()) / 2**20 if len(peaks) else NOT_MEASURED
    for each, tests in runs.dropna(subset=_TEST).groupby(_TEST, sort=False):
        row |= _accuracy(_key(*each), tests)
    return row


def _accuracy(key: str, tests: pd.DataFrame) -> dict[str, Any]:
    """Mean over seeds in percent, with its spread."""
    mean, std = mean_std([float(value) * 100 for value in tests["top1"]])
    if std is not None:
        return {key: mean, f"{key}.std": std, f"{key}.seeds": len(tests)}
    low, high = (float(tests[name].iloc[0]) * 100 for name in ("top1_low", "top1_high"))
    return {key: mean, f"{key}.low": low, f"{key}.high": high}


def _state(runs: pd.DataFrame, jobs: int) -> str:
    """The worst that can be said of a row's jobs where a number is owed."""
    found = set(runs["status"])
    worst = [word for status, word in _WORDS.items() if status in found]
    return worst[0] if worst else NOT_RUN if len(runs.drop_duplicates("id")) < jobs else NOT_MEASURED


def _key(data: Any, clips: Any, crops: Any, size: Any) -> str:
    return f"top1_percent {data} {_test(clips, crops, size)}"


def _test(clips: Any, crops: Any, size: Any) -> str:
    clips = clips if isinstance(clips, str) else f"{clips:.0f}"
    return f"{clips} × {crops:.0f} of {size:.0f}"
