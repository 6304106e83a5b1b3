"""Makes many records in a temporary folder and times their collection: python benchmarks/collect_records.py [count].

The project promises 10,000 records in a DataFrame within 2 s. The records are made up and thrown away.
"""

import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from results.collect import frame
from results.record import Cost, Epoch, Measured, Record, Split, Splits, Test
from results.store import Store


def made_up(index: int) -> Record:
    """A record of the size that a demo job writes: 20 epochs and one test."""
    epochs = [Epoch(epoch=e, loss=1.4 - e / 20, accuracy=e / 20, learning_rate=0.01, clips=800) for e in range(20)]
    return Record(
        id=f"{index:012x}",
        status="done",
        scale="demo",
        spec={
            "model": {"name": "timesformer", "size": "demo", "attention": "divided", "drop_path": 0.0},
            "data": {"name": "motion", "fraction": 1.0},
            "clip": {"frames": 8, "stride": 4, "size": 32, "mean": [0.45] * 3, "std": [0.225] * 3},
            "recipe": {"name": "demo", "optimizer": "adamw", "learning_rate": 0.001, "epochs": 20, "batch_size": 32},
            "seed": index,
            "precision": "float32",
        },
        classes=4,
        cost=Cost(parameters=150_000, multiply_adds=20_000_000, attention_multiply_adds=1_000_000),
        epochs=epochs,
        tests=[_TEST],
        splits=Splits(train=_SPLIT, val=_SPLIT),
        skipped={},
        weights_sha256=f"{index:064x}",
        notes=[],
        measured=_MEASURED,
        environment={"python": "3.11", "torch": "2.9", "cpu": "benchmark", "cores": 2, "gpu": None, "dirty": False},
        started="2026-01-01T00:00:00Z",
        finished="2026-01-01T00:01:00Z",
        error=None,
    )


_TEST = Test(
    clips=1, crops=3, size=32, clips_per_video=1.0, videos=200, answered=200, top1=0.9, top1_low=0.86, top1_high=0.94,
    top5=None, class_mean=0.9, per_class=[0.9] * 4, loss=0.3, undecodable={},
)  # fmt: skip
_SPLIT = Split(videos=800, digest="0123456789abcdef")
_MEASURED = Measured(
    wall_s=60.0,
    train_s=50.0,
    test_s=5.0,
    device="cpu",
    devices=1,
    device_hours=1 / 60,
    clips_per_s=400.0,
    data_wait_share=0.1,
    peak_memory_bytes=400 << 20,
    latency_s=0.01,
    latency_spread_s=0.001,
    throughput_clips_per_s=900.0,
    throughput_batch=16,
    epoch_s=[2.5] * 20,
    attempts=1,
)


def write_records(root: Path, count: int) -> None:
    """Plain writes: the store's own would sync ten thousand times, and the writing is not what is timed."""
    store = Store(root)
    for index in range(count):
        record = made_up(index)
        path = store.record_path(record.id)
        path.parent.mkdir(parents=True)
        path.write_text(record.model_dump_json(indent=1), encoding="utf-8")


def collect(root: Path) -> str:
    """What `report` does first; run in a process of its own, as there."""
    start = time.perf_counter()
    records, errors = Store(root).load()
    loaded = time.perf_counter()
    rows = frame(records)
    end = time.perf_counter()
    return (
        f"{len(records)} records, {len(errors)} damaged, frame {rows.shape[0]} x {rows.shape[1]}: "
        f"load {loaded - start:.2f} s + frame {end - loaded:.2f} s = {end - start:.2f} s"
    )


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_records(Path(folder), count)
        os.sync()
        for _ in range(3):
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                print(process.submit(collect, Path(folder)).result())


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
