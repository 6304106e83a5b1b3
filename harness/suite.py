"""Suite files: one question, a matrix of variants, the report that answers it.

`load` reads a file, expands its matrix (`harness/matrix.py`) and checks every combination as a job
(`harness/combination.py`), at every scale of the file; what it finds wrong it raises together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness import checks, document, matrix, outline
from harness.combination import REQUIRED, Job, checked
from harness.errors import Mistake, SuiteError
from harness.matrix import Combination
from harness.only import kept
from harness.search import block
from harness.spec import Scale
from results.outline import Outline

KEYS = ("title", "question", "report", "base", "matrix", "include", "exclude", "scales", "resources", "search")
NAMES = ("model.name", "data.name", "seed")
"""What is told of a job wherever it varies."""


@dataclass(frozen=True)
class Suite:
    """A suite at one scale, checked and expanded. `jobs` holds each training once."""

    path: Path
    title: str
    question: str
    report: Outline
    scale: Scale
    jobs: tuple[Job, ...]
    narrowed: tuple[str, ...] = ()
    """What a person laid over it (`--set`), and kept of it (`--only`)."""
    search: block.Search | None = None
    """How its recipe is searched; of most suites nothing."""

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.path.stem

    @property
    def folder(self) -> str:
        """What its report's folder is called, and its study: its name, and the scale where that is not demo."""
        return self.name if self.scale == "demo" else f"{self.name}-{self.scale}"


def load(
    path: Path,
    scale: Scale = "demo",
    sets: Sequence[str] = (),
    only: Sequence[str] = (),
    datasets_file: Path | None = None,
) -> Suite:
    """Read, check and expand a suite file.

    `sets` are `KEY=VALUE` laid over every combination, `only` are `KEY=VALUE[,VALUE]` that keep some of them. Raises
    SuiteError with every mistake of the file, at any of its scales; HarnessError where there is no such file.
    """
    doc = document.read(path)
    if not isinstance(doc.data, dict):
        raise SuiteError([Mistake(doc.file, 1, "", f"a suite is a mapping with the keys {checks.one_of(KEYS)}")])
    reader = matrix.Reader(doc)
    title, question = _heading(reader)
    mistakes = list(doc.mistakes)
    report = outline.read(doc, mistakes)
    others: list[Mistake] = []
    plain: dict[Scale, list[Job]] = {}
    """Each scale's jobs as the file has them, where nothing is wrong with them."""
    for each in matrix.SCALES if sets else [each for each in matrix.SCALES if each != scale]:
        found: list[Mistake] = []
        jobs_of = _jobs(reader, each, (), found, datasets_file)
        plain |= {} if found else {each: jobs_of}
        others += found
    jobs = _jobs(reader, scale, sets, mistakes, datasets_file)
    if not (sets or mistakes):
        plain[scale] = jobs
    if report != Outline() and not (mistakes or reader.mistakes):
        mistakes += outline.check(report, plain, doc)
    search = None
    if not (mistakes or reader.mistakes):
        for each in [each for each in plain if each != scale]:
            mistakes += block.read(doc, each, reader.combinations(each, ()), plain[each], datasets_file)[1]
        search, wrong = block.read(doc, scale, reader.combinations(scale, sets), jobs, datasets_file)
        mistakes += wrong
    mistakes += [each for each in others if each.key != "data.name" or each.problem == REQUIRED]  # of sets not used
    if not (mistakes or reader.mistakes or jobs):
        mistakes.append(Mistake(doc.file, doc.line(("exclude",)), "exclude", f"leaves no job at {scale} scale"))
    if mistakes or reader.mistakes:
        raise SuiteError([*mistakes, *reader.mistakes])
    narrowed = (*(f"--set {text}" for text in sets), *(f"--only {text}" for text in only))
    return Suite(path, title, question, report.at(scale), scale, tuple(kept(jobs, only)), narrowed, search)


def _heading(reader: matrix.Reader) -> tuple[str, str]:
    """Title and question; notes top-level keys that do not belong."""
    data = reader.doc.data
    for key in data:
        if key not in KEYS:
            reader.mistake((key,), checks.unknown("key", key, KEYS))
    if data.get("base") is None:
        reader.mistake(("base",), "the key 'base' is missing: what all variants share (model, data, clip, recipe)")
        reader.broken = True
    texts = {"title": data.get("title", Path(reader.doc.file).stem), "question": data.get("question", "")}
    for key, value in texts.items():
        if not isinstance(value, str):
            reader.mistake((key,), f"expected text, got {value!r}")
    return str(texts["title"]), str(texts["question"])


def _jobs(
    reader: matrix.Reader, scale: Scale, sets: Sequence[str], mistakes: list[Mistake], datasets_file: Path | None
) -> list[Job]:
    """Every job at one scale, each training once with the tests of all that ask for it."""
    merged: dict[str, Job] = {}
    firsts: dict[str, tuple[Combination, Job]] = {}
    combinations = reader.combinations(scale, sets)
    for combination in () if reader.broken else combinations:
        jobs, found = checked(combination, reader.doc, datasets_file)
        mistakes += [each for each in found if each.problem != REQUIRED or each.key not in reader.unread]
        for job in jobs:
            first, asked = firsts.setdefault(job.id, (combination, job))
            if first is combination:
                merged[job.id] = job
            elif mistake := _repeated(first, combination, asked.spec.tests == job.spec.tests):
                mistakes.append(mistake)
            else:
                merged[job.id] = _with_tests(merged[job.id], job)
    return _told_apart(list(merged.values()))


def _told_apart(jobs: Sequence[Job]) -> list[Job]:
    """The jobs without the values that nobody needs to tell one from another, such as what a model always goes with."""
    keys = list(dict.fromkeys(key for job in jobs for key, _ in job.variant))
    for key in reversed(keys) if len(jobs) > 1 else ():
        shorter = [tuple(pair for pair in job.variant if pair[0] != key) for job in jobs]
        known = {dict(job.variant).get(key) for job in jobs}
        if len(set(shorter)) == len(jobs) and not (key in NAMES and len(known) > 1):
            jobs = [replace(job, variant=variant) for job, variant in zip(jobs, shorter, strict=True)]
    return list(jobs)


def _repeated(first: Combination, second: Combination, same_tests: bool) -> Mistake | None:
    """The mistake of two combinations that are one training: one row of a table would stand for both.

    None where it is meant: where they differ by nothing but the tests that they ask for.
    """
    keys = dict.fromkeys([*second.own, *first.own])
    differing = [key for key in keys if second.own.get(key) is not first.own.get(key)]  # by place: equal values too
    of_training = [key for key in differing if not _of_tests(key)]
    if differing and not of_training and not same_tests:
        return None
    key = (of_training or differing or list(keys))[0]
    there, here = (each.own.get(key) or next(iter(each.own.values())) for each in (first, second))
    problem = f"{here.value!r} gives the same training as {there.value!r} on line {there.line}; keep one of them"
    laid = second.point.get(key, here)
    if laid is not here:
        problem += f", or do not lay {laid.value!r} over both ({laid.place})"
    return Mistake(here.file, here.line, key, problem)


def _of_tests(key: str) -> bool:
    return key.split(".")[0] == "test"


def _with_tests(known: Job, job: Job) -> Job:
    """One job with the tests of both; what tells the two apart no longer belongs to its label."""
    tests = tuple(dict.fromkeys((*known.spec.tests, *job.spec.tests)))
    variant = tuple((key, value) for key, value in known.variant if not _of_tests(key))
    return replace(known, spec=replace(known.spec, tests=tests), variant=variant)
