"""What `compare` sets side by side: one variant's jobs, one a seed, named by a job's id or by a suite and values."""

import difflib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import document
from harness.combination import Job
from harness.errors import HarnessError, SuiteError
from harness.only import leaves
from harness.spec import Scale
from harness.suite import load
from results.record import Record, Test
from results.store import Store

SELECTOR = re.compile(r"(?P<suite>.+\.ya?ml)(?::(?P<only>.*))?")
PROTOCOL = re.compile(r"(?P<clips>[1-9][0-9]*|cover)x(?P<crops>[13])(?:@(?P<size>[1-9][0-9]*))?")
NEAREST = 5
FORMS = "a job's id (`status` shows it), or SUITE:KEY=VALUE,... such as suites/small.yaml:model.attention=axial"


@dataclass(frozen=True)
class Contender:
    """One variant: the records of its seeds."""

    asked: str
    """How the person named it."""
    records: tuple[Record, ...]
    missing: tuple[str, ...] = ()
    """Labels of the jobs of other seeds that have no test yet."""

    @property
    def spec(self) -> dict[str, Any]:
        """Every leaf of what names it, but for the seed."""
        return {key: value for key, value in leaves("", self.records[0].spec).items() if key != "seed"}

    @property
    def seeds(self) -> list[int]:
        """One a record."""
        return [record.spec["seed"] for record in self.records]

    @property
    def tests(self) -> list[Test]:
        """The tests that all of its seeds have, as the first one has them."""
        first, *others = ({_key(test): test for test in record.tests} for record in self.records)
        return [test for key, test in first.items() if all(key in other for other in others)]

    def each(self, test: Test) -> list[Test]:
        """This test of every seed."""
        return [next(own for own in record.tests if _key(own) == _key(test)) for record in self.records]

    def name(self, test: Test) -> str:
        """`1x3`, or `1x3@256` where its crop is not the training's."""
        crop = "" if test.size == self.spec["clip.size"] else f"@{test.size}"
        return f"{test.clips}x{test.crops}{crop}"


@dataclass(frozen=True)
class Match:
    """A test that two contenders have in common: of the same crop, or each at the crop that it was trained at.

    Or, where they have none in common, the only test of each.
    """

    a: Test
    b: Test
    name: str
    """`1x3`; `1x3 and 10x3` where each has its own."""
    own: bool = False
    """Whether each has its own."""


def _key(test: Test) -> tuple[int | str, int, int]:
    return test.clips, test.crops, test.size


def find(text: str, store: Store, scale: Scale, sets: Sequence[str], datasets: Path) -> Contender:
    """The variant that a person names; raises HarnessError where there is none, more than one, or it has no test."""
    selector = SELECTOR.fullmatch(text)
    if selector:
        return _of_suite(text, Path(selector["suite"]), selector["only"] or "", store, scale, sets, datasets)
    return _of_job(text, store)


def job_id(text: str, store: Store, expected: str = "") -> str:
    """The one job of which this is the id, or its beginning; raises HarnessError. `expected`: what else may be said."""
    known = sorted(path.name for path in store.jobs.glob("*") if path.is_dir())
    found = [name for name in known if text and name.startswith(text)]
    if len(found) > 1:
        raise HarnessError(f"{text}: more than one job begins so: {_listed(found, store)}")
    if not found:
        near = difflib.get_close_matches(text, known, n=NEAREST, cutoff=0.0)
        told = f"; nearest: {_listed(near, store)}" if near else ""
        raise HarnessError(f"{text or repr(text)}: no job in {store.root} begins so{told}{expected}")
    return found[0]


def _of_job(text: str, store: Store) -> Contender:
    id_ = job_id(text, store, f". Expected {FORMS}")
    record = store.read(id_)
    if record is None or not record.tests:
        raise HarnessError(f"{text}: {_untested(id_, record)}; `run` its suite first")
    return Contender(text, (record,))


def _of_suite(
    text: str, path: Path, values: str, store: Store, scale: Scale, sets: Sequence[str], datasets: Path
) -> Contender:
    only = re.split(r",(?=[\w.]+=)", values) if values else []
    try:
        jobs = load(path, scale, sets, only, datasets).jobs
    except SuiteError as error:
        raise SuiteError(
            [replace(each, file=text) if each.file == "--only" else each for each in error.mistakes]
        ) from None
    variants: dict[str, list[Job]] = {}
    for job in jobs:
        variants.setdefault(json.dumps({**job.spec.content(), "seed": None}), []).append(job)
    if len(variants) > 1:
        names = "; ".join(of[0].name for of in variants.values())
        raise HarnessError(
            f"{text}: {len(variants)} variants are that: {names}. Add what tells them apart (KEY=VALUE,KEY=VALUE)"
        )
    records = [(job, store.read(job.id)) for job in jobs]
    tested = tuple(record for _, record in records if record and record.tests)
    if not tested:
        why = "; ".join(f"{job.label}: {_untested(job.id, record)}" for job, record in records)
        narrowed = " ".join(f"--only '{each}'" for each in only)
        command = f"python -m harness run {path} {narrowed}".strip()
        raise HarnessError(f"{text}: no job of it has a test in {store.root} ({why}): run `{command}` first")
    missing = tuple(job.label for job, record in records if not (record and record.tests))
    return Contender(text, tested, missing)


def _untested(id_: str, record: Record | None) -> str:
    if record is None:
        return f"job {id_} has no record yet"
    return f"job {id_} ended as {record.status}, without a test" if record.error else f"job {id_} has no test"


def _listed(ids: Sequence[str], store: Store) -> str:
    """Jobs with their labels, the first few."""
    words = [f"{id_}{_label(store.job_folder(id_))}" for id_ in ids[:NEAREST]]
    return ", ".join(words) + (", ..." if len(ids) > NEAREST else "")


def _label(folder: Path) -> str:
    """` (divided · motion)`; nothing where the order of the job is not there any more."""
    try:
        return f" ({json.loads((folder / 'job.json').read_text(encoding='utf-8'))['label']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def refuse(a: Contender, b: Contender) -> None:
    """Raise HarnessError where the two were not tested on the same videos, or are one."""
    shared = {record.id for record in a.records} & {record.id for record in b.records}
    if shared:
        raise HarnessError(f"{a.asked} and {b.asked} are both job {min(shared)}: there is nothing to compare")
    sets = [each.spec["data.name"] for each in (a, b)]
    if sets[0] != sets[1]:
        raise HarnessError(
            f"{a.asked} was tested on the data set {sets[0]}, {b.asked} on {sets[1]}: only answers to the same videos "
            "can be compared one by one"
        )
    lists = {record.splits.val.digest: record for record in (*a.records, *b.records) if record.splits}
    if len(lists) > 1:
        told = "; ".join(
            f"job {record.id} {record.splits.val.videos} videos (digest {digest})"
            for digest, record in lists.items() if record.splits
        )  # fmt: skip
        raise HarnessError(
            f"the jobs were tested on different lists of videos of {sets[0]}: {told}. Run those of the older list again"
        )


def matches(a: Contender, b: Contender) -> list[Match]:
    """The tests that both have, the one with the most views first."""
    found = [
        Match(of_a, of_b, a.name(of_a) if a.name(of_a) == b.name(of_b) else f"{of_a.clips}x{of_a.crops}@{of_a.size}")
        for of_a in a.tests for of_b in b.tests
        if (of_a.clips, of_a.crops) == (of_b.clips, of_b.crops)
        and (of_a.size == of_b.size or a.name(of_a) == b.name(of_b))
    ]  # fmt: skip
    return sorted(found, key=lambda match: -match.a.clips_per_video * match.a.crops)


def chosen(a: Contender, b: Contender, asked: str | None) -> tuple[Match, list[str]]:
    """The test to compare by, and the names of others that both have; raises HarnessError.

    Two that were each tested in one way only, and not the same, are compared by these, as in the reports' column of
    each its own test.
    """
    if asked is not None and not PROTOCOL.fullmatch(asked):
        raise HarnessError(f"--test {asked}: expected CLIPSxCROPS, such as 1x3, 10x3, coverx3 or, of a crop, 1x3@256")
    both = matches(a, b)
    fitting = [match for match in both if asked is None or match.name == asked]
    names = [match.name for match in both]
    own = None if both else _own(a, b)
    if own and asked is None:
        return own, []
    if not fitting:
        common = f"both have {', '.join(names)}" if names else "they have none in common"
        wanted = f"--test {asked}: not both were tested so" if asked else "they were not tested by the same protocol"
        without = "Without --test each is compared by its own; " if own else ""
        raise HarnessError(
            f"{wanted}; {common} ({_tests(a)}; {_tests(b)}). {without}`run` with `--set test=...` adds a test"
        )
    return fitting[0], [name for name in names if name != fitting[0].name]


def _own(a: Contender, b: Contender) -> Match | None:
    """Each one's only test; None where a job of them has several, or seeds of one have different ones."""
    if any(len({_key(test) for record in each.records for test in record.tests}) > 1 for each in (a, b)):
        return None
    of_a, of_b = a.tests[0], b.tests[0]
    return Match(of_a, of_b, f"{a.name(of_a)} and {b.name(of_b)}", own=True)


def _tests(side: Contender) -> str:
    """What it was called, and the tests that all of its seeds have."""
    return f"{side.asked}: {', '.join(map(side.name, side.tests)) or 'none that all of its seeds have'}"


def differing(a: Contender, b: Contender) -> dict[str, tuple[Any, Any]]:
    """The keys, seeds apart, in which the two differ, each with both values; None where one has no such key."""
    mine, other = a.spec, b.spec
    keys = dict.fromkeys([*mine, *other])
    return {key: (mine.get(key), other.get(key)) for key in keys if mine.get(key) != other.get(key)}


def names(a: Contender, b: Contender) -> tuple[str, str]:
    """What the two are called beside each other: the values that tell them apart, or how they were asked for."""
    differ = differing(a, b)
    if "model.name" in differ:
        one, two = differ["model.name"]
        return str(one), str(two)
    if 0 < len(differ) <= 3:
        one, two = (" · ".join(_word(key, values[side]) for key, values in differ.items()) for side in (0, 1))
        return one, two
    if not differ and len(a.records) == len(b.records) == 1:
        return f"seed {a.seeds[0]}", f"seed {b.seeds[0]}"
    return a.asked, b.asked


def _word(key: str, value: Any) -> str:
    return value if isinstance(value, str) else f"{key.rpartition('.')[2]} {document.written(value)}"
