"""Records and counted costs as tidy DataFrames: one row per measurement, one column per fact."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from results.record import Cost, Measured, Record, Test
from results.store import collector_paused

COST_COLUMNS = ["model.name", "model.size", "model.attention", "frames", "size", "crop", "classes"]
COST_COLUMNS += Cost.model_fields
"""What `costs` always has, also when nothing was counted yet; other keys of a model follow them."""

_RECORD_COLUMNS = ["id", "status", "scale", "classes", "started", "finished", "weights_sha256"]
_SPEC_COLUMNS = ["model.name", "model.size", "model.attention", "data.name", "clip.frames", "clip.size", "seed"]
_SPEC_COLUMNS += ["precision"]
_TEST_FIELDS = ["clips", "crops", "size", "clips_per_video", "videos", "answered"]
_ACCURACIES = ["top1", "top1_low", "top1_high", "top5", "class_mean", "loss"]
_SPLIT_COLUMNS = [f"{split}.{name}" for split in ("train", "val") for name in ("videos", "digest")]
_MEASURED_FIELDS = [name for name in Measured.model_fields if name != "epoch_s"]
COLUMNS = [
    *_RECORD_COLUMNS,
    *_SPEC_COLUMNS,
    *Cost.model_fields,
    *("epochs", "train.loss", "train.accuracy", *_SPLIT_COLUMNS, "skipped"),
    *(f"test.{name}" for name in [*_TEST_FIELDS, "undecodable"]),
    *_ACCURACIES,
    *_MEASURED_FIELDS,
    *("error.type", "error.message", "undecodable", "notes"),
]
"""What `frame` always has, also without records; other keys of a spec and `environment.` follow them."""


DAMAGED, NOT_RUN = "damaged", "not run"
"""The `status` of a job whose record cannot be read, and of one that has none."""


@dataclass(frozen=True)
class Unrecorded:
    """A job of which there is no record to read; its cost may be known all the same."""

    id: str
    status: str
    """DAMAGED or NOT_RUN."""
    spec: Mapping[str, Any]
    cost: Cost | None = None


@collector_paused()
def frame(records: Iterable[Record], unrecorded: Iterable[Unrecorded] = ()) -> pd.DataFrame:
    """One row per (record, test); a record without tests has one row, its test values missing.

    `unrecorded` are jobs without a record that can be read: a row each, which holds nothing but that. Nested keys
    are flattened with dots (`model.attention`, `clip.frames`, `environment.torch`). `skipped` and `test.undecodable`
    count videos; `train.loss` and `train.accuracy` are the last epoch's; `notes` and `undecodable`, a sentence for each
    split, are joined by newlines. What a test has for each class stays in the record.
    """
    rows = [row for record in records for row in _rows(record)]
    rows += [_unrecorded_row(job) for job in unrecorded]
    columns = dict.fromkeys([*COLUMNS, *(key for row in rows for key in row)])
    return pd.DataFrame({column: [row.get(column) for row in rows] for column in columns})


def of_tests(found: pd.DataFrame, asked: Mapping[str, Collection[tuple[str, Any, int, int]]]) -> pd.DataFrame:
    """The frame with those tests alone that were asked for, by job: data set, clips, crops, size.

    Another suite may have asked a training that it shares for other tests. A job left without any keeps a row without.
    """
    tests = ["data.name", "test.clips", "test.crops", "test.size"]
    kept = [test in asked.get(id_, ()) for id_, *test_ in found[["id", *tests]].itertuples(index=False)
            for test in [tuple(test_)]]  # fmt: skip
    of_job = [name for name in found if not str(name).startswith("test.") and name not in _ACCURACIES]
    bare = found[~found["id"].isin(found["id"][kept])].drop_duplicates("id")[of_job]
    return pd.concat([found[kept], bare.reindex(columns=found.columns)]).sort_index().reset_index(drop=True)


def costs(root: Path) -> pd.DataFrame:
    """The counted costs under `<root>/costs`: a row per architecture, clip, crop and class count.

    `COST_COLUMNS` are always there. A damaged file holds no known cost: whoever needs it counts again and replaces it.
    """
    found = [_cost_row(path) for path in sorted((root / "costs").glob("*.json"))]
    rows = [row for row in found if row]
    return pd.DataFrame(rows, columns=list(dict.fromkeys([*COST_COLUMNS, *(key for row in rows for key in row)])))


def _rows(record: Record) -> list[dict[str, Any]]:
    row: dict[str, Any] = {name: getattr(record, name) for name in _RECORD_COLUMNS}
    row["classes"] = record.classes or None
    _flatten(record.spec, "", row)
    if record.cost:
        row |= record.cost.__dict__
    if record.epochs:
        last = record.epochs[-1]
        row |= {"epochs": len(record.epochs), "train.loss": last.loss, "train.accuracy": last.accuracy}
    row |= {name: getattr(record.measured, name) for name in _MEASURED_FIELDS}
    row |= {"skipped": len(record.skipped), "notes": "\n".join(record.notes)}
    row["undecodable"] = "\n".join(record.undecodable)
    if record.splits:
        splits = {"train": record.splits.train, "val": record.splits.val}
        row |= {f"{name}.{key}": value for name, split in splits.items() for key, value in split}
        row |= {"sampling": record.splits.sampling, "flip": record.splits.flip}
    row |= {f"environment.{key}": value for key, value in record.environment.items()}
    if record.error:
        row |= {"error.type": record.error.type, "error.message": record.error.message}
    return [row | _test_row(test) for test in record.tests] or [row]


def _test_row(test: Test) -> dict[str, Any]:
    row = {f"test.{name}": getattr(test, name) for name in _TEST_FIELDS}
    return row | {"test.undecodable": len(test.undecodable)} | {name: getattr(test, name) for name in _ACCURACIES}


def _unrecorded_row(job: Unrecorded) -> dict[str, Any]:
    row: dict[str, Any] = {"id": job.id, "status": job.status}
    _flatten(job.spec, "", row)
    return row | (job.cost.__dict__ if job.cost else {})


def _flatten(values: Mapping[str, Any], prefix: str, row: dict[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, dict):
            _flatten(value, f"{prefix}{key}.", row)
        else:
            row[prefix + key] = value


def _cost_row(path: Path) -> dict[str, Any] | None:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        row = {name: stored[name] for name in ("frames", "size", "classes")}
        row["crop"] = stored.get("crop", stored["size"])
        row |= {f"model.{key}": value for key, value in stored["model"].items()}
        return row | Cost.model_validate(stored["cost"]).model_dump()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
