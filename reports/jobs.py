"""The jobs of a suite in its report: a row of the suite's page each, and a page each with all that a record holds.

A page is written again only when something that it shows has changed: what it was made from stands, as a digest, in
`pages.json` beside the pages.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from reports import markup
from reports.comparison import Asked
from reports.content import SuiteInfo
from reports.epochs import curves
from reports.metrics import WORDS
from results.collect import NOT_RUN
from results.record import Problem, Record, Share, Test
from results.store import write_atomic

STAMPS: Final = "pages.json"
LINES: Final = 60
"""Of a log, its last ones."""
NAMED: Final = 200
"""Undecodable videos of a split that are listed; of more only how many there are."""
_LOG_BYTES: Final = 16_000
_MARKS: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
"""By which a terminal colours text and moves in it."""


@dataclass(frozen=True)
class Job:
    """A job as its suite's report shows it: where it stands, and what it left."""

    id: str
    state: str
    """A record's status, or what `status` calls it: "not run", "running", "damaged" ..."""
    record: Record | None = None
    log: str = ""
    """The end of its log (`tail`)."""
    problem: str = ""
    """What is wrong with it, where its record has no error."""

    @property
    def told(self) -> str:
        """What is wrong with it, in a line; nothing where all is well."""
        if self.record is None:
            return self.problem
        error = f"{self.record.error.type}: {self.record.error.line}" if self.record.error else self.problem
        return "; ".join(filter(None, (error, *self.record.undecodable, *self.record.notes)))


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the jobs table."""

    id: str
    label: str
    state: str
    tone: str
    """Whether that is "good", "bad" or neither ("quiet")."""
    linked: bool
    """Whether it has a page."""
    told: str
    cells: tuple[str, ...]
    """Those of `COLUMNS`, empty where nothing was measured."""


def tail(path: Path) -> str:
    """The last lines of a log, without the marks of a terminal; nothing where there is none."""
    try:
        with path.open("rb") as file:
            skipped = max(file.seek(0, os.SEEK_END) - _LOG_BYTES, 0)
            file.seek(skipped)
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    lines = _MARKS.sub("", text).splitlines()[bool(skipped) :]  # the first may be cut
    return "\n".join(lines[-LINES:])


def write(
    jobs: Iterable[Job],
    labels: Mapping[str, str],
    suite: SuiteInfo,
    folder: Path,
    asked: Mapping[str, Sequence[Asked]],
) -> list[Row]:
    """Writes `<folder>/<id>.html` of every job that left a record or a log, where it does not stand there already.

    `jobs` is gone through once and not kept, so that logs may be read on the way. Returns a row for each of `labels`,
    in their order; those that are not among `jobs` have not run. Rows tell of the tests that are `asked` of a job, by
    its id, in their order; another suite may have asked for others. Pages of jobs that are the suite's no more are
    removed. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known, sizes = _stamps(folder / STAMPS), {entry.name: entry.stat().st_size for entry in os.scandir(folder)}
    rows: dict[str, Row] = {}
    stamps: dict[str, list[Any]] = {}
    for job in jobs:
        label = labels.get(job.id, job.id)
        rows[job.id] = _row(job, label, asked.get(job.id, ()))
        if rows[job.id].linked:
            stamp, name = _stamp(job, label, suite), f"{job.id}.html"
            size = sizes.get(name)
            if size is None or known.get(job.id) != [stamp, size]:
                size = _put(folder, name, page(job, label, suite), is_new=size is None)
            stamps[job.id] = [stamp, size]
    for id_ in known.keys() - stamps.keys():
        (folder / f"{Path(id_).name}.html").unlink(missing_ok=True)
    if stamps != known:
        write_atomic(folder / STAMPS, json.dumps(stamps, indent=0, sort_keys=True) + "\n")
    return [rows.get(id_) or _row(Job(id_, NOT_RUN), label) for id_, label in labels.items()]


def page(job: Job, label: str, suite: SuiteInfo) -> bytes:
    """A job's page: how it ended, its training, tests, settings and surroundings, and the end of its log."""
    record = job.record
    return markup.page(
        "job.html",
        suite=suite,
        job=job,
        row=_row(job, label),
        record=record,
        notices=[
            *filter(None, [job.problem]),
            *(record.undecodable if record else []),
            *(record.notes if record else []),
        ],
        when=_when(record) if record else "",
        facts=_facts(record) if record else [],
        curves=curves(record.epochs) if record else [],
        tests=[_test(test) for test in record.tests] if record else [],
        undecodable=_undecodable(record) if record else [],
        settings=_settings(record.spec) if record else [],
        environment=_pairs(record.environment) if record else "",
        traceback=_traceback(record.error) if record and record.error else "",
    )


def _row(job: Job, label: str, asked: Sequence[Asked] = ()) -> Row:
    tone = "good" if job.state == "done" else "bad" if job.state in WORDS else "quiet"
    cells = tuple(text(job.record, asked) if job.record else "" for _, text in COLUMNS)
    linked = job.record is not None or bool(job.log)
    return Row(job.id, label, WORDS.get(job.state, job.state), tone, linked, job.told, cells)


def _accuracy(record: Record, asked: Sequence[Asked]) -> str:
    made: dict[tuple[int | str, int, int], str]
    made = {(test.clips, test.crops, test.size): f"{test.top1 * 100:.1f}" for test in record.tests}
    found = [made.get((clips, crops, size), "–") for _, clips, crops, size in asked]
    return " / ".join(found) if set(found) != {"–"} else ""


def _number(value: float | None, digits: int, factor: float = 1.0) -> str:
    return "" if value is None else f"{value * factor:.{digits}f}"


COLUMNS: Final[tuple[tuple[str, Callable[[Record, Sequence[Asked]], str]], ...]] = (
    ("Top‑1, %", _accuracy),
    ("Training top‑1, %", lambda record, _: _number(record.epochs[-1].accuracy, 1, 100) if record.epochs else ""),
    ("Training, s", lambda record, _: _number(record.measured.train_s, 1)),
    ("Testing, s", lambda record, _: _number(record.measured.test_s, 1)),
    ("clips/s", lambda record, _: _number(record.measured.clips_per_s, 0)),
    ("Data wait, %", lambda record, _: _number(record.measured.data_wait_share, 0, 100)),
    ("Memory, MiB", lambda record, _: _number(record.measured.peak_memory_bytes, 0, 2**-20)),
    ("Latency, ms", lambda record, _: _number(record.measured.latency_s, 1, 1000)),
)
"""What a job's row tells besides its name and state: a heading, and the text of a record and the tests asked for."""


def _facts(record: Record) -> list[tuple[str, str, str]]:
    """A name, a number and what stands beside it; what was not measured is left out."""
    measured, cost = record.measured, record.cost
    found = [
        ("Duration", _duration(measured.wall_s), f"{measured.device_hours:.3g} device-hours"),
        ("Device", f"{measured.devices} × {measured.device}", _attempts(measured.attempts)),
        ("Parameters", cost and _scaled(cost.parameters), ""),
        ("Multiply-adds", cost and _scaled(cost.multiply_adds), "one view"),
        ("Training speed", _unit(measured.clips_per_s, "clips/s"), _waiting(measured.data_wait_share)),
        ("Peak memory", _unit(measured.peak_memory_bytes, "MiB", 2**-20), ""),
        ("Latency", _unit(measured.latency_s, "ms", 1000), "one clip, median"),
        ("Load", _unit(measured.load, "a core"), "the machine's load average in training"),
        ("Throughput", _unit(measured.throughput_clips_per_s, "clips/s"), f"batches of {measured.throughput_batch}"),
    ]
    return [(name, value, beside) for name, value, beside in found if value]


def _attempts(count: int) -> str:
    return "" if count == 1 else f"{count} attempts"


def _waiting(share: float | None) -> str:
    return "" if share is None else f"{share:.0%} of it waiting for data"


def _scaled(count: int) -> str:
    factor, unit = next((each for each in ((1e9, "G"), (1e6, "M")) if count >= each[0]), (1e3, "k"))
    return f"{count / factor:.3g} {unit}"


def _unit(value: float | None, unit: str, factor: float = 1.0) -> str:
    if value is None:
        return ""
    number = value * factor
    return f"{number:,.0f} {unit}" if number >= 100 else f"{number:.3g} {unit}"


def _when(record: Record) -> str:
    """In the minutes of its first attempt's start and its end; records are in UTC."""
    started, finished = (each[:16].replace("T", " ") for each in (record.started, record.finished))
    return f"{started} to {finished.removeprefix(started[:11])} UTC"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, hours = divmod(round(seconds), 60), divmod(round(seconds / 60), 60)
    return f"{minutes[0]} min {minutes[1]} s" if seconds < 3600 else f"{hours[0]} h {hours[1]} min"


def _test(test: Test) -> dict[str, Any]:
    """A test in words; its classes are numbered as the data set numbers them."""
    clips = "covering clips" if test.clips == "cover" else f"{test.clips} clip{'' if test.clips == 1 else 's'}"
    crops = f"{test.crops} crop{'' if test.crops == 1 else 's'}"
    return {
        "title": f"{clips} × {crops} of {test.size} pixels",
        "top1": f"{test.top1 * 100:.1f}",
        "range": f"{test.top1_low * 100:.1f}–{test.top1_high * 100:.1f}",
        "top5": _number(test.top5, 1, 100),
        "mean": f"{test.class_mean * 100:.1f}",
        "loss": f"{test.loss:.3f}",
        "answered": f"{test.answered} of {test.videos}",
        "classes": Markup("").join(_class(share) for share in test.per_class),
    }


@cache
def _class(share: Share | None) -> Markup:
    """A class in the list of them: its accuracy in percent and as a bar."""
    if share is None:
        return Markup("<li>no videos</li>\n")
    return Markup(f'<li><i style="width:{share * 100:.3g}%"></i>{share * 100:.1f}</li>\n')


def _undecodable(record: Record) -> list[tuple[str, Markup, int]]:
    """Of each split with such videos: its name, the first `NAMED` with the reasons, and how many more there are."""
    tested = {id_: reason for test in record.tests for id_, reason in test.undecodable.items()}
    splits = (("Training", record.skipped), ("Validation", tested))
    return [
        (name, markup.pairs(tuple(sorted(found.items())[:NAMED])), max(len(found) - NAMED, 0))
        for name, found in splits
        if found
    ]


def _settings(spec: Mapping[str, Any]) -> list[tuple[str, Markup]]:
    """The specification in groups, what stands alone first."""
    alone = {key: value for key, value in spec.items() if not isinstance(value, dict)}
    groups = {"job": alone} if alone else {}
    groups |= {key: value for key, value in spec.items() if isinstance(value, dict)}
    return [(name, _pairs(values)) for name, values in groups.items()]


def _pairs(values: Mapping[str, Any]) -> Markup:
    return markup.pairs(tuple((key, _text(value)) for key, value in values.items()))


def _text(value: Any) -> str:
    """Texts as they are, all else as in the record."""
    if isinstance(value, str):
        return value
    return repr(value) if type(value) in (int, float) else json.dumps(value, ensure_ascii=False)


def _traceback(error: Problem) -> str:
    """Where it happened; the message alone where that is not known."""
    return error.traceback.strip("\n") or error.message


def _stamp(job: Job, label: str, suite: SuiteInfo) -> str:
    """Names all that the page is made from."""
    record = job.record.model_dump_json() if job.record else ""
    told = [label, suite.name, suite.title, suite.scale, job.id, job.state, job.problem, job.log, record]
    parts = [markup.drawn_with(), *(hashlib.sha256(each.encode("utf-8", "replace")).digest() for each in told)]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:32]


def _stamps(path: Path) -> dict[str, list[Any]]:
    """Each page's digest and bytes; nothing where the file is missing or damaged: all is written then."""
    try:
        stamps = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return stamps if isinstance(stamps, dict) else {}


def _put(folder: Path, name: str, data: bytes, is_new: bool) -> int:
    """Writes a page and returns its bytes; one that stands already is replaced whole.

    It does not wait for the disk, as `write_atomic` does: ten thousand would take minutes. What a kill or a power cut
    leaves of it has another size than its stamp says, or no stamp, and is written again.
    """
    final = f"{folder}/{name}"  # plain strings and `open`, as in `results.store`
    path = final if is_new else f"{folder}/.{name}.{os.getpid()}.tmp"
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(data)
    if not is_new:
        os.replace(path, final)  # noqa: PTH105
    return len(data)
