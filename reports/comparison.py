"""Any suite's variants side by side: accuracy of each data set and test, what each costs, what each took.

For questions that no table of the paper asks, such as those about a data set of one's own. Pure functions of
DataFrames; a cell holds a number, the word that stands in its place ("failed", "not run", ...), or nothing where none
is owed.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from statistics import fmean, median
from typing import Any, Final

import pandas as pd

from reports.metrics import NOT_MEASURED, NOT_TESTED, WORDS, Column, title
from results.collect import NOT_RUN
from results.quantities import measured
from results.statistics import mean_interval, mean_std

Variants = Mapping[str, Sequence[tuple[str, str]]]
"""Each job's varied (key, value) pairs by its id, in the suite's order."""
Rows = Mapping[str, Sequence[str]]
"""A row's name -> the ids of its jobs: its data sets and seeds."""
OWN: Final = "own"
"""In the place of a test's clips: each model has a test of its own."""
OWN_SIZE: Final = 0
"""In the place of a test's size: each model has a crop of its own."""
Asked = tuple[str, int | str, int, int]
"""A test that a job owes: data set, clips, crops, size in pixels."""

VARIED_WITHIN: Final = ("data", "data.name", "seed")
"""Axes whose values share a row: data sets stand beside each other, seeds are averaged."""
COSTS: Final = (
    Column("parameters_millions", "size", "Parameters, M", "counted", "counted"),
    Column("gmacs_per_view", "gmacs", "GMACs, 1 view", "counted", "counted"),
)
_USED: Final = (
    Column("peak_memory_mib", "peak_memory", "Peak memory, MiB", "measured", "measured"),
    Column("clips_per_s", "clips_per_s", "clips/s", "measured", "measured"),
)
_TRAINING: Final = {
    "demo": Column("training_minutes", "training_minutes", "training, device-minutes", "measured", "measured"),
    "paper": Column("training_hours", "training_hours", "training, device-hours", "measured", "measured"),
}
"""What training took, by the scale."""
_TOGETHER: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {
    "peak_memory": max,
    "clips_per_s": median,
    "training_minutes": fmean,
    "training_hours": fmean,
}
"""What stands in a row of several jobs."""
_TEST: Final = ["data.name", "test.clips", "test.crops", "test.size"]


def rows(names: Mapping[str, str]) -> dict[str, list[str]]:
    """The ids of each row's jobs, from the name of each job's row by its id, in the suite's order."""
    found: dict[str, list[str]] = {}
    for id_, name in names.items():
        found.setdefault(name, []).append(id_)
    return found


def table(records: pd.DataFrame, rows: Rows, asked: Mapping[str, Sequence[Asked]], scale: str = "demo") -> pd.DataFrame:
    """`rows` with their numbers; `asked` are the tests of each of their jobs, by its id.

    Its columns are those of `columns`, with `.low`, `.high` (95 % interval: of a seed over videos, of several of their
    mean, and no narrower), `.std`, `.seeds` and `.owed` (jobs) beside accuracies. A test that none of a row's jobs owes
    or has made leaves its cell empty.
    """
    found = pd.DataFrame(
        [_row(label, records[records["id"].isin(ids)], {id_: asked[id_] for id_ in ids}) for label, ids in rows.items()]
    )
    keys = [column.key for column in columns(records, asked, scale)]
    return found[
        ["scheme", *(name for each in keys for name in map(str, found) if name == each or name.startswith(f"{each}."))]
    ]


def columns(records: pd.DataFrame, asked: Mapping[str, Sequence[Asked]], scale: str = "demo") -> tuple[Column, ...]:
    """What there is to show: an accuracy for each data set and test that was asked for or made, by data set."""
    five = set(records["data.name"][records["top5"].notna()])
    accuracies = [
        Column(key(each, metric), metric, title(each[0]), f"{word}, {told(*each[1:])}", "measured")
        for each in tests(records, asked)
        for metric, word in (("top1", "top-1"), ("top5", "top-5"))
        if metric == "top1" or each[0] in five
    ]
    return (*COSTS, *accuracies, *_USED, _TRAINING[scale])


def own_tests(
    records: pd.DataFrame, asked: Mapping[str, Sequence[Asked]]
) -> tuple[pd.DataFrame, dict[str, list[Asked]]]:
    """Both with one column for tests of a data set that stand beside each other in a paper's table or figure.

    Where each of its jobs has a single test, and not all the same, the test is called `own`. Where all
    have the same tests but for the size of the crop, which is the model's, that size is.
    """
    by_data: dict[str, list[Sequence[Asked]]] = {}
    for each in asked.values():
        for data in dict.fromkeys(test[0] for test in each):
            by_data.setdefault(data, []).append([test for test in each if test[0] == data])
    own = {
        data
        for data, each in by_data.items()
        if all(len(of_job) == 1 for of_job in each) and len({of_job[0] for of_job in each}) > 1
    }
    sized = {data for data, each in by_data.items() if data not in own and _differ_by_model_in_size(each)}
    found = records.copy()
    tested = found["data.name"].isin(list(own)) & found["test.crops"].notna()
    found["test.clips"] = found["test.clips"].astype(object).mask(tested, OWN)
    found.loc[tested, ["test.crops", "test.size"]] = 0
    found.loc[found["data.name"].isin(list(sized)) & found["test.size"].notna(), "test.size"] = OWN_SIZE

    def called(test: Asked) -> Asked:
        data, clips, crops, _ = test
        return (data, OWN, 0, OWN_SIZE) if data in own else (data, clips, crops, OWN_SIZE) if data in sized else test

    return found, {id_: list(dict.fromkeys(map(called, each))) for id_, each in asked.items()}


def _differ_by_model_in_size(of_jobs: Sequence[Sequence[Asked]]) -> bool:
    """Whether all have the same tests, but each at a size of its own."""
    sizes = [{size for *_, size in tests} for tests in of_jobs]
    same = len({frozenset(test[1:3] for test in tests) for tests in of_jobs}) == 1
    return same and all(len(each) == 1 for each in sizes) and len(set.union(*sizes)) > 1


def tests(records: pd.DataFrame, asked: Mapping[str, Sequence[Asked]]) -> list[Asked]:
    """Every test that was asked for or made, by data set."""
    made = records.dropna(subset=_TEST)[_TEST].drop_duplicates().itertuples(index=False, name=None)
    found = list(dict.fromkeys([*chain.from_iterable(asked.values()), *(_plain(*each) for each in made)]))
    sets = list(dict.fromkeys(data for data, *_ in found))
    return sorted(found, key=lambda test: sets.index(test[0]))


def _plain(data: Any, clips: Any, crops: Any, size: Any) -> Asked:
    """A test of a DataFrame, from which numbers come back as floats."""
    return str(data), clips if isinstance(clips, str) else int(clips), int(crops), int(size)


def _row(label: str, runs: pd.DataFrame, asked: Mapping[str, Sequence[Asked]]) -> dict[str, Any]:
    taken = (*_USED, *_TRAINING.values())
    costs = (column.key for column in (*COSTS, *taken))
    row: dict[str, Any] = {"scheme": label} | dict.fromkeys(costs, _state(runs, list(asked)) or NOT_MEASURED)
    jobs_of = runs.drop_duplicates("id")
    counted = jobs_of.dropna(subset=["multiply_adds"])
    if len(counted):
        first = counted.iloc[0]
        row |= {"parameters_millions": first["parameters"] / 1e6, "gmacs_per_view": first["multiply_adds"] / 1e9}
    of_costs = jobs_of[["status", "peak_memory_bytes", "clips_per_s", "train_s", "devices"]].to_dict("records")
    for column in taken if len(jobs_of) == len(asked) else ():
        if known := measured(column.metric, of_costs):
            row[column.key] = _TOGETHER[column.metric](known)
    for test in dict.fromkeys(chain.from_iterable(asked.values())):
        owing = [id_ for id_ in asked if test in asked[id_]]
        for name in (key(test), key(test, "top5")):
            row |= {name: _state(runs, owing) or NOT_TESTED, f"{name}.owed": len(owing)}
    for each, group in runs.dropna(subset=_TEST).groupby(_TEST, sort=False):
        for metric in ("top1", "top5") if group["top5"].notna().all() else ("top1",):
            row |= _accuracy(key(_plain(*each), metric), group, metric)
    return row


def _accuracy(name: str, tested: pd.DataFrame, metric: str) -> dict[str, Any]:
    """Mean over seeds in percent, with its spread."""
    values = [float(value) * 100 for value in tested[metric]]
    mean, std = mean_std(values)
    cell = {name: mean, f"{name}.seeds": len(tested)}
    of_videos = [tested[f"top1_{end}"].mean() * 100 for end in ("low", "high")] if metric == "top1" else [mean, mean]
    if interval := mean_interval(values):  # seeds may agree by chance, as where all are right: videos still vary
        low, high = min(interval[0], of_videos[0]), max(interval[1], of_videos[1])
        return cell | {f"{name}.std": std, f"{name}.low": max(low, 0.0), f"{name}.high": min(high, 100.0)}
    if metric != "top1":  # only of that an interval over videos is kept
        return cell
    return cell | dict(zip((f"{name}.low", f"{name}.high"), of_videos, strict=True))


def _state(runs: pd.DataFrame, ids: Sequence[str]) -> str | None:
    """The worst that can be said of these jobs where a number is owed; None where all are done."""
    found = runs[runs["id"].isin(ids)].set_index("id")["status"]
    worst = next((word for status, word in WORDS.items() if status in found.values), None)
    return worst or (NOT_RUN if NOT_RUN in found.values or found.index.nunique() < len(ids) else None)


def key(test: Asked, metric: str = "top1") -> str:
    """The column of a test's accuracy."""
    data, *how = test
    return f"{metric}_percent {data} {told(*how)}"


def told(clips: Any, crops: Any, size: Any) -> str:
    """A test in a heading: `10 × 3 of 224`."""
    if clips == OWN:
        return "each its own test"
    clips = clips if isinstance(clips, str) else f"{clips:.0f}"
    return f"{clips} × {crops:.0f} of {size:.0f}" if size else f"{clips} × {crops:.0f}"
