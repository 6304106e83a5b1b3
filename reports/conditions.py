"""Whether the times and the memory of several jobs can be compared: what they were measured on, and how busy it was."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd

from reports.metrics import Column, plain
from results.outline import Claim

_TIMES: Final = frozenset({"clips_per_s", "latency", "device_minutes", "training_minutes", "training_hours"})
_DIFFER: Final = {
    "environment.device": ("Times and memory were measured on different devices", _TIMES | {"peak_memory"}),
    "devices": ("Speeds and memory were measured on different numbers of devices", {"clips_per_s", "peak_memory"}),
    "environment.threads": ("Times were measured with different numbers of CPU threads", _TIMES),
}
"""A column of `results.collect.frame` -> what is to be said of jobs that differ in it, and the quantities that then do
not compare; device-hours are counted with their devices."""

WAITING: Final = 1.25
"""Load average to a core from which on jobs wait for each other so much that speeds suffer."""
UNEVEN: Final = 1.5
"""How many times the least load the greatest may be and speeds still be compared."""
_NAMED_MOST: Final = 4


@dataclass(frozen=True)
class Unlike:
    """Something in which jobs were not measured alike."""

    told: str
    quantities: frozenset[str]
    """What is not to be compared then."""


def unlike(records: pd.DataFrame, names: Mapping[str, str]) -> dict[str, Unlike]:
    """Why costs of these jobs are not to be compared, by the columns that say so; empty if they are.

    `records` are of `results.collect.frame`; `names` say what a job is called, by its id.
    """
    measured = records[(records["status"] == "done") & records["clips_per_s"].notna()].drop_duplicates("id")
    found = {}
    for column, (how, quantities) in _DIFFER.items():
        jobs = {value: [names[id_] for id_ in group["id"]] for value, group in _by(measured, column)}
        if len(jobs) > 1:
            told = "; ".join(f"{plain(value)}: {_listed(each)}" for value, each in jobs.items())
            found[column] = Unlike(f"{how}, so that none is marked as best: {told}.", frozenset(quantities))
    load = pd.to_numeric(measured["load"])
    if load.max() > WAITING and (load.isna().any() or load.max() > UNEVEN * load.min()):
        unknown = f", and not known of {load.isna().sum()} jobs" if load.isna().any() else ""
        found["load"] = Unlike(
            "Times were measured on a machine that was not equally busy, so that none is marked as best: load averages "
            f"of {load.min():.1f} to {load.max():.1f} to each core{unknown}.",
            _TIMES,
        )
    return found


def concern(claim: Claim, why: Mapping[str, Unlike]) -> bool:
    """Whether `why` (of `unlike`) says that what is claimed was not measured alike."""
    return any(condition.quantity in each.quantities for condition in claim.holds for each in why.values())


def heeded(columns: Iterable[Column], why: Mapping[str, Unlike]) -> list[Column]:
    """The columns, those without a best among them that `why` (of `unlike`) concerns."""
    concerned = {quantity for each in why.values() for quantity in each.quantities}
    return [replace(each, comparable=False) if each.metric in concerned else each for each in columns]


def _by(records: pd.DataFrame, column: str) -> Iterator[tuple[Any, pd.DataFrame]]:
    if column in records:
        yield from records.groupby(column, sort=True)


def _listed(names: list[str]) -> str:
    """Each once; how many more there are, where they are many."""
    once = list(dict.fromkeys(names))
    return ", ".join(once[:_NAMED_MOST]) + (f" and {len(once) - _NAMED_MOST} more" if len(once) > _NAMED_MOST else "")
