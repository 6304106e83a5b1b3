"""Made-up reports and records for tests of pages; nothing here was measured."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from reports.comparison import Asked
from reports.content import PANEL_COLUMNS, Figure, Panel, Report, SuiteInfo, Table
from reports.jobs import Job
from reports.metrics import Column
from results.claims import Finding
from results.collect import frame
from results.record import Cost, Epoch, Measured, Problem, Record, Split, Splits, Test

SUITE = SuiteInfo(
    "attention_schemes",
    "Space-time attention schemes",
    "Which way of attending to space and time is the most accurate for what it costs?",
    "demo",
)
SCHEMES = ("Space", "Joint Space-Time", "Divided Space-Time", "Sparse Local Global", "Axial")
SETS = ("Appearance set", "Motion set")
NAN = float("nan")
HOSTILE = '<script>document.title="owned"</script><img src=x onerror=\'document.title="owned"\'>"&amp;\' 🎬'
"""What a name may hold: it must be read as it is written, and run nothing."""
LONG = "Donaudampfschifffahrtsgesellschaftskapitän" * 6


def record(id_: str, top1: float | None = 0.9, **changes: Any) -> Record:
    """A training of twelve epochs with one test; without `top1` it has none. `changes` replace fields."""
    shares = [] if top1 is None else [min(top1 + 0.03, 1.0), max(top1 - 0.03, 0.0), top1, None]
    made: dict[str, Any] = {
        "id": id_,
        "status": "done",
        "scale": "demo",
        "spec": {
            "model": {"name": "timesformer", "size": "demo", "attention": "divided", "weights": None},
            "data": {"name": "motion", "fraction": 1.0},
            "clip": {"frames": 8, "stride": 4, "size": 32},
            "recipe": {"name": "demo", "epochs": 12, "batch_size": 16, "jitter": [1.0, 1.125], "flip": True},
            "seed": 0,
            "precision": "float32",
        },
        "classes": 4,
        "cost": Cost(parameters=289_924, multiply_adds=38_744_320, attention_multiply_adds=897_024),
        "epochs": [Epoch(epoch=each, loss=1.4 * 0.8**each, accuracy=1 - 0.7 * 0.8**each, learning_rate=1e-3, clips=640)
                   for each in range(1, 13)],
        "tests": [] if top1 is None else [
            Test(clips=1, crops=3, size=32, clips_per_video=1.0, videos=200, answered=200, top1=top1,
                 top1_low=max(top1 - 0.04, 0), top1_high=min(top1 + 0.03, 1), top5=None, class_mean=top1,
                 per_class=shares, loss=0.31, undecodable={})
        ],
        "splits": Splits(train=Split(videos=800, digest="0123456789abcdef"),
                         val=Split(videos=200, digest="fedcba9876543210"), sampling="dense", flip=True),
        "skipped": {},
        "weights_sha256": "0" * 64,
        "notes": [],
        "measured": Measured(
            wall_s=97.7, train_s=89.8, test_s=4.7, device="cpu", devices=1, device_hours=0.027, clips_per_s=64.4,
            data_wait_share=0.3, peak_memory_bytes=100_851_712, latency_s=0.008, latency_spread_s=0.003,
            throughput_clips_per_s=190.0, throughput_batch=16, epoch_s=[7.5] * 12, attempts=1),
        "environment": {"python": "3.11.7", "torch": "2.9.0", "cpu": "made-up processor", "cores": 2, "gpu": None},
        "started": "2026-01-01T00:00:00+00:00",
        "finished": "2026-01-01T00:01:38+00:00",
        "error": None,
    }  # fmt: skip
    return Record(**made | changes)


def failure(id_: str, status: str = "failed", message: str = "no <memory> & no luck") -> Record:
    """A training that ended badly before any test."""
    error = Problem(type="RuntimeError", message=message, traceback=f"Traceback:\n  here < there\n{message}\n")
    return record(id_, None, status=status, error=error, epochs=[], cost=None)


def records() -> list[Record]:
    """Of every scheme and set; one of each way to end badly, and two that did not run."""
    found = []
    for place, scheme in enumerate(SCHEMES):
        for half, _ in enumerate(SETS):
            id_ = f"{place}{half}a4f9c27d10"
            top1 = 0.27 if (scheme, half) == ("Space", 1) else 0.98 - 0.011 * place - 0.02 * half
            if (place, half) not in {(2, 0), (2, 1), (3, 1), (4, 0), (4, 1)}:
                found.append(record(id_, top1))
    undecodable = {"clip_17.mp4": "moov atom not found", "clip_90.mp4": "no frames"}
    found[0] = found[0].model_copy(update={"skipped": undecodable, "notes": ["taken up after a restart"]})
    return [*found, failure("31a4f9c27d10"), failure("40a4f9c27d10", "oom"), failure("41a4f9c27d10", "diverged")]


def labels() -> dict[str, str]:
    """Of all jobs of the suite, those without a record included."""
    return {f"{place}{half}a4f9c27d10": f"{scheme} · {set_}"
            for place, scheme in enumerate(SCHEMES) for half, set_ in enumerate(SETS)}  # fmt: skip


def jobs(found: list[Record], log: str = "epoch 1 of 12\nepoch 2 of 12\n") -> Iterator[Job]:
    """The records' jobs, one at a time, as `report` gives them."""
    for each in found:
        yield Job(each.id, each.status, each, log)


COLUMNS = (
    Column("paper_millions", "parameters", "Parameters, M", "paper", "paper"),
    Column("millions", "parameters", "Parameters, M", "counted", "counted"),
    Column("gmacs", "gmacs", "GMACs, 1 view", "counted", "counted"),
    Column("k400", "top1", "K400", "paper", "paper"),
    Column("appearance", "top1", "Appearance set", "demo, measured", "measured"),
    Column("ssv2", "top1", "SSv2", "paper", "paper"),
    Column("motion", "top1", "Motion set", "demo, measured", "measured"),
    Column("memory", "peak_memory", "Peak memory, MiB", "demo, measured", "measured"),
    Column("speed", "clips_per_s", "clips/s", "demo, measured", "measured"),
    Column("minutes", "device_minutes", "device-minutes", "demo, measured", "measured"),
)
_CELLS = [
    ["Space", 85.9, 85.93, 140.5, 76.9, 98.0, 36.6, 27.0, 96.2, 64.4, 1.6],
    ["Joint Space-Time", 85.9, 85.94, 179.6, 77.4, 96.9, 58.5, 94.9, 120.8, 51.3, 2.2],
    ["Divided Space-Time", 121.4, 121.39, 195.8, 78.0, "not run", 59.5, "not run", "not run", "not run", "not run"],
    ["Sparse Local Global", 121.4, 121.39, 188.1, 75.9, 94.7, 56.3, "failed", 111.9, 48.1, 2.4],
    ["Axial", 156.8, 156.84, 203.3, 73.5, "out of memory", 56.2, "diverged", "failed", "failed", "failed"],
]


def table(name: str = "table1", repeat: int = 1) -> Table:
    """A table with numbers of every origin, words, intervals and an empty cell; `repeat` makes it longer."""
    keys = [column.key for column in COLUMNS]
    rows = []
    for turn in range(repeat):
        for scheme, *cells in _CELLS:
            row: dict[str, Any] = {"scheme": scheme if repeat == 1 else f"{scheme} {turn}"} | dict(
                zip(keys, cells, strict=True)
            )
            for key in ("appearance", "motion"):
                if isinstance(row[key], float):
                    row[key] = row[key] - turn * 0.13
                    row |= {f"{key}.low": row[key] - 3.1, f"{key}.high": min(row[key] + 2.0, 100.0)}
            rows.append(row)
    caption = "Five schemes. Counted at the paper's scale; measured at demo scale. Bold: best measured value."
    notes = ("Motion set: 800 training and 200 validation videos (lists 01234567 and fedcba98).",)
    return Table(name, pd.DataFrame(rows), COLUMNS, caption, "Scheme", notes)


def figures() -> tuple[Figure, ...]:
    """Bars with a word in the place of a number, points, and curves."""
    bars = [("Space", NAN, 98.0, 94.9, 100.0, "", 76.9), ("Joint Space-Time", NAN, 96.9, 93.8, 98.9, "", 77.4),
            ("Divided Space-Time", NAN, NAN, NAN, NAN, "not run", 78.0)]  # fmt: skip
    points = [("Space", 0.12, 98.0, 94.9, 100.0, "", NAN), ("Joint Space-Time", 0.19, 96.9, 93.8, 98.9, "", NAN)]
    course = ((8, 71.0), (16, 76.0), (32, 80.0))
    lines = [(name, x, y + add, NAN, NAN, "", NAN)
             for name, add in (("TimeSformer", 0.0), ("SlowFast", -6.0)) for x, y in course]  # fmt: skip
    panel = {"bars": bars, "points": points, "curves": lines}
    data = {kind: pd.DataFrame(rows, columns=PANEL_COLUMNS) for kind, rows in panel.items()}
    accuracy = tuple(Panel(name, "bars", data["bars"], "", "top-1 accuracy, %", 25.0, limits=(0, 100)) for name in SETS)
    cost = tuple(
        Panel(name, "points", data["points"], "GMACs", "top-1 accuracy, %", 25.0, limits=(0, 100)) for name in SETS
    )
    frames = (Panel("Motion set", "curves", data["curves"], "frames of a clip", "top-1 accuracy, %"),)
    return (
        Figure("accuracy", accuracy, "Top-1 accuracy with 95 % intervals. Dashed: chance."),
        Figure("cost", cost, "Accuracy over the cost of a test."),
        Figure("frames", frames, "Accuracy over the frames of a clip."),
    )


FINDINGS = (
    Finding(
        "Space attention alone fails where motion decides", "shown", "motion set: 27.0 against 94.9 %, chance 25 %"
    ),
    Finding("Divided attention beats joint attention", "not measured", "Divided Space-Time not run"),
    Finding("Axial attention is the cheapest", "not shown", "GMACs: 203.3 against 140.5 of Space"),
)
ANSWERS = (
    "Joint Space-Time is the most accurate on the motion set: 94.9 % against 27.0 % of Space attention.",
    "Where appearance decides, all schemes that were measured are within 4 points.",
)


def asked(made: Record) -> list[Asked]:
    """All tests that a record has."""
    return [(made.spec["data"]["name"], test.clips, test.crops, test.size) for test in made.tests]


def report(found: list[Record] | None = None, **changes: Any) -> Report:
    """A half-run suite with everything that a report can have."""
    found = records() if found is None else found
    made: dict[str, Any] = {
        "suite": SUITE,
        "answers": ANSWERS,
        "findings": FINDINGS,
        "tables": (table(),),
        "figures": figures(),
        "records": frame(found),
        "labels": labels(),
        "asked": {each.id: asked(each) for each in found},
        "problems": (),
    }
    return Report(**made | changes)


def hostile() -> tuple[Report, list[Record]]:
    """A report in which every text from a user's files tries to be more than text, and its records."""
    names = [HOSTILE, LONG, "café 🏃‍♀️ \u202eright to left", "a&b<c>d\"e'f", "\x00\x1b[31mcontrols"]
    cells = pd.DataFrame({"scheme": names, "motion": [1.0, HOSTILE, LONG, 4.0, 5.0]})
    column = Column("motion", "top1", HOSTILE, LONG, "measured")
    made = failure("0a", message=HOSTILE * 3)
    made = made.model_copy(update={
        "skipped": {HOSTILE: HOSTILE, LONG: LONG},
        "notes": [HOSTILE],
        "spec": {"model": {HOSTILE: HOSTILE, "long": LONG}, HOSTILE: [HOSTILE]},
        "environment": {HOSTILE: HOSTILE, "long": LONG},
    })  # fmt: skip
    found = [made, record("0b", 0.5)]
    data = pd.DataFrame([(HOSTILE, NAN, 50.0, NAN, NAN, "", NAN)], columns=PANEL_COLUMNS)
    return report(
        found,
        suite=SuiteInfo("hostile", f"{HOSTILE} {LONG}", HOSTILE, "demo"),
        answers=(HOSTILE, LONG),
        findings=(Finding(HOSTILE, "shown", LONG),),
        tables=(Table("hostile", cells, (column,), HOSTILE, HOSTILE, (HOSTILE, LONG)),),
        figures=(Figure("hostile", (Panel(HOSTILE, "bars", data, HOSTILE, HOSTILE),), HOSTILE),),
        labels={"0a": HOSTILE, "0b": LONG, "0c": names[2]},
        problems=(HOSTILE, LONG),
    ), found


_SVG = (
    '<?xml version="1.0"?>\n<svg width="324pt" height="216pt" viewBox="0 0 324 216" xmlns="http://www.w3.org/2000/svg">'
    '<path d="M40 10V180H310" style="fill: none; stroke: #5d6066"/><text style="fill: #1c1d1f">98.0</text></svg>\n'
)


def draw(figure: Figure, folder: Path) -> list[Path]:
    """Stands in for the drawing of figures, which tests of pages do not look at."""
    folder.mkdir(parents=True, exist_ok=True)
    panels = [f"{figure.name}-{place}.svg" for place, _ in enumerate(figure.panels, 1)]
    paths = [folder / name for name in (*panels, *(f"{figure.name}.{kind}" for kind in ("svg", "pdf", "png", "csv")))]
    for path in paths:
        path.write_text(_SVG, encoding="utf-8")
    return paths


def states(found: list[Record]) -> Mapping[str, str]:
    """Each job's status by its id."""
    return {each.id: each.status for each in found}
