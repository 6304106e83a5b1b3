"""Whether the times and the memory of several jobs can be compared: what they were measured on, and how busy it was."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import pandas as pd

from reports.metrics import Column, plain
from results.outline import Claim

_DIFFER: Final = {
    "environment.device": "on different devices",
    "devices": "on different numbers of devices",
    "environment.threads": "with different numbers of CPU threads",
}
"""A column of `results.collect.frame`, and how jobs were measured whose values in it differ."""
_LOAD: Final = "load"
_OF_LOAD: Final = frozenset({"clips_per_s", "latency", "device_minutes", "training_minutes", "training_hours"})
_OF_ANY: Final = _OF_LOAD | {"peak_memory"}

WAITING: Final = 1.25
"""Load average to a core from which on jobs wait for each other so much that speeds suffer."""
UNEVEN: Final = 1.5
"""How many times the least load the greatest may be and speeds still be compared."""
_NAMED_MOST: Final = 4


def unlike(records: pd.DataFrame, names: Mapping[str, str]) -> dict[str, str]:
    """Why costs of these jobs are not to be compared: a sentence for each column that says so; empty if they are.

    `records` are of `results.collect.frame`; `names` say what a job is called, by its id.
    """
    measured = records[(records["status"] == "done") & records["clips_per_s"].notna()].drop_duplicates("id")
    found = {}
    for column, how in _DIFFER.items():
        jobs = {value: [names[id_] for id_ in group["id"]] for value, group in _by(measured, column)}
        if len(jobs) > 1:
            told = "; ".join(f"{plain(value)}: {_listed(each)}" for value, each in jobs.items())
            found[column] = f"Times and memory were measured {how}, so that none is marked as best: {told}."
    load = pd.to_numeric(measured[_LOAD])
    if load.max() > WAITING and (load.isna().any() or load.max() > UNEVEN * load.min()):
        unknown = f", and not known of {load.isna().sum()} jobs" if load.isna().any() else ""
        found[_LOAD] = (
            "Times were measured on a machine that was not equally busy, so that none is marked as best: load averages "
            f"of {load.min():.1f} to {load.max():.1f} to each core{unknown}."
        )
    return found


def concern(claim: Claim, why: Mapping[str, str]) -> bool:
    """Whether `why` (of `unlike`) says that what is claimed was not measured alike."""
    return bool(_concerned(why) & {each.quantity for each in claim.holds})


def _concerned(why: Mapping[str, str]) -> frozenset[str]:
    return _OF_ANY if why.keys() - {_LOAD} else _OF_LOAD if why else frozenset()


def heeded(columns: tuple[Column, ...], why: Mapping[str, str]) -> Iterator[Column]:
    """The columns, those without a best among them that `why` (of `unlike`) concerns."""
    concerned = _concerned(why)
    for column in columns:
        yield replace(column, comparable=False) if column.metric in concerned else column


def _by(records: pd.DataFrame, column: str) -> Iterator[tuple[Any, pd.DataFrame]]:
    if column in records:
        yield from records.groupby(column, sort=True)


def _listed(names: list[str]) -> str:
    """Each once; how many more there are, where they are many."""
    once = list(dict.fromkeys(names))
    return ", ".join(once[:_NAMED_MOST]) + (f" and {len(once) - _NAMED_MOST} more" if len(once) > _NAMED_MOST else "")
