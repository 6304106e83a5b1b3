"""Made-up records of a Table 1 suite; nothing here was measured."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from reports import beside, comparison, videos
from reports.beside import Counted
from reports.captions import caption
from reports.content import Table
from results.collect import NOT_RUN, Unrecorded, frame
from results.literature import published
from results.record import Cost, Epoch, Measured, Problem, Record, Split, Splits, Test

SCHEMES = {
    "space": "Space",
    "joint": "Joint Space-Time",
    "divided": "Divided Space-Time",
    "sparse_local_global": "Sparse Local Global",
    "axial": "Axial",
}
_SHARES = {
    "appearance": {"space": 0.975, "joint": 0.98, "divided": 0.99, "sparse_local_global": 0.985, "axial": 0.96},
    "motion": {"space": 0.27, "joint": 0.975, "divided": 0.985, "sparse_local_global": 0.93, "axial": 0.955},
}
_PARAMETERS = {"space": 85.93, "joint": 85.94, "divided": 121.39, "sparse_local_global": 121.39, "axial": 156.84}
_GMACS = {"space": 140.5, "joint": 179.6, "divided": 195.8, "sparse_local_global": 188.1, "axial": 203.3}


def make_record(attention: str, dataset: str, **changes: Any) -> Record:
    """A finished demo training; `changes` replace fields, `top1` and `seed` those of its test and spec."""
    place = list(SCHEMES).index(attention)
    seed = changes.pop("seed", 0)
    shares = _SHARES.get(dataset, _SHARES["appearance"])
    size, clip = changes.pop("size", "demo"), changes.pop("clip", {"frames": 8, "stride": 4, "size": 32})
    top1 = changes.pop("top1", shares[attention])
    test = Test(
        clips=1,
        crops=3,
        size=32,
        clips_per_video=1.0,
        videos=200,
        answered=200,
        top1=top1,
        top1_low=max(top1 - 0.02, 0.0),
        top1_high=min(top1 + 0.02, 1.0),
        top5=None,
        class_mean=top1,
        per_class=[top1] * 4,
        loss=0.31,
        undecodable={},
    )
    measured = Measured(
        wall_s=41.0 + place,
        train_s=38.0,
        test_s=2.0,
        device="cpu",
        devices=1,
        device_hours=(41.0 + place) / 3600,
        clips_per_s=812.0 - 60 * place,
        data_wait_share=0.08,
        peak_memory_bytes=(310 + 12 * place) << 20,
        latency_s=0.004,
        latency_spread_s=0.0002,
        throughput_clips_per_s=1900.0,
        throughput_batch=16,
        epoch_s=[2.0] * 20,
        attempts=1,
    )
    fields: dict[str, Any] = {
        "id": f"{dataset}-{attention}-{seed}",
        "status": "done",
        "scale": "demo",
        "spec": {
            "model": {"name": "timesformer", "size": size, "attention": attention},
            "data": {"name": dataset, "fraction": 1.0},
            "clip": clip,
            "recipe": {"name": "demo", "epochs": 20, "batch_size": 32},
            "seed": seed,
            "precision": "float32",
        },
        "classes": 4,
        "cost": Cost(
            parameters=160_000 + 40_000 * place,
            multiply_adds=19_000_000 + 4_000_000 * place,
            attention_multiply_adds=1_000_000,
        ),
        "epochs": [Epoch(epoch=0, loss=0.4, accuracy=0.9, learning_rate=0.001, clips=800)],
        "tests": [test],
        "splits": Splits(
            train=Split(videos=800, digest="0123456789abcdef"),
            val=Split(videos=200, digest="fedcba9876543210"),
            sampling="dense",
            flip=True,
        ),
        "skipped": {},
        "weights_sha256": "0" * 64,
        "notes": [],
        "measured": measured,
        "environment": {"python": "3.11.7", "torch": "2.9.0", "cpu": "made-up processor", "cores": 2, "gpu": None},
        "started": "2026-01-01T00:00:00Z",
        "finished": "2026-01-01T00:01:00Z",
        "error": None,
    }
    return Record(**fields | changes)


def make_paper_record(attention: str, dataset: str, **changes: Any) -> Record:
    """A finished training of the paper's model and clip."""
    clip = {"frames": 8, "stride": 32, "size": 224}
    return make_record(attention, dataset, **{"size": "base", "clip": clip, "scale": "paper"} | changes)


def make_failure(attention: str, dataset: str, status: str = "failed") -> Record:
    """A training that ended badly, before any test."""
    error = Problem(type="RuntimeError", message="no <memory> & no luck", traceback="Traceback:\n  here < there\n")
    return make_record(attention, dataset, status=status, tests=[], error=error, cost=None)


@pytest.fixture
def record_of() -> Callable[..., Record]:
    return make_record


@pytest.fixture
def paper_record_of() -> Callable[..., Record]:
    return make_paper_record


@pytest.fixture
def failure_of() -> Callable[..., Record]:
    return make_failure


def unrecorded(attention: str, dataset: str) -> Unrecorded:
    """A job that was not run."""
    return Unrecorded(f"{dataset}-{attention}-0", NOT_RUN, make_record(attention, dataset).spec)


def make_table(records: pd.DataFrame, scale: str = "demo", crop: int = 32) -> Table:
    """Table 1, as a suite has it whose jobs these are: a row a scheme, the paper's numbers beside its own."""
    jobs = records.drop_duplicates("id")
    names = {id_: SCHEMES[scheme] for id_, scheme in zip(jobs["id"], jobs["model.attention"], strict=True)}
    asked = {id_: [(data, 1, 3, crop)] for id_, data in zip(jobs["id"], jobs["data.name"], strict=True)}
    own = Table(
        name="table1",
        frame=comparison.table(records, comparison.rows(names), asked),
        columns=comparison.columns(records, asked),
        caption="",
        rows="Scheme",
        notes=tuple(videos.by_data_set(records[records["status"] != NOT_RUN], names)),
    )
    counted = {SCHEMES[name]: Counted(int(_PARAMETERS[name] * 1e6), int(3 * _GMACS[name] * 1e9)) for name in SCHEMES}
    table = beside.beside(own, published("table1"), counted, scale)
    return replace(table, caption=caption(table, scale, several=True))


@pytest.fixture
def table_of() -> Callable[..., Table]:
    return make_table


@pytest.fixture
def finished() -> list[Record]:
    return [make_record(attention, dataset) for dataset in _SHARES for attention in SCHEMES]


@pytest.fixture
def records(finished: list[Record]) -> pd.DataFrame:
    return frame(finished)


@pytest.fixture
def mixed(finished: list[Record]) -> pd.DataFrame:
    """Every way for a cell to hold a word: a failure, no memory, a timeout, a divergence, two jobs that did not run."""
    words = {"motion-joint-0": "failed", "motion-axial-0": "oom", "appearance-axial-0": "timeout"}
    words |= {"motion-sparse_local_global-0": "diverged"}
    kept = [record for record in finished if record.id not in words and "divided" not in record.id]
    bad = [make_failure(*id.split("-")[1::-1], status=status) for id, status in words.items()]
    return frame(kept + bad, [unrecorded("divided", dataset) for dataset in _SHARES])


@pytest.fixture
def table(records: pd.DataFrame) -> Table:
    """Table 1 at demo scale, all jobs done."""
    return make_table(records)


@pytest.fixture
def mixed_table(mixed: pd.DataFrame) -> Table:
    """Table 1 at demo scale, with every word that can stand for a number."""
    return make_table(mixed)
