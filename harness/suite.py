"""Suite files: one question, a matrix of variants, the report that answers it.

`load` reads a file, expands its matrix (`harness/matrix.py`) and checks every combination as a job
(`harness/combination.py`), at every scale of the file; what it finds wrong it raises together.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import checks, document, matrix
from harness.combination import Job, checked
from harness.errors import Mistake, SuiteError
from harness.spec import Scale

KEYS = ("title", "question", "reports", "base", "matrix", "include", "exclude", "scales", "resources")
REPORTS = ("table1",)


@dataclass(frozen=True)
class Suite:
    """A suite at one scale, checked and expanded. `jobs` holds each training once."""

    path: Path
    title: str
    question: str
    reports: tuple[str, ...]
    scale: Scale
    jobs: tuple[Job, ...]

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.path.stem


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
    title, question, reports = _heading(reader)
    mistakes = list(doc.mistakes)
    jobs_at = {each: _jobs(reader, each, (), mistakes, datasets_file) for each in matrix.SCALES}
    jobs = _jobs(reader, scale, sets, mistakes, datasets_file) if sets else jobs_at[scale]
    if not (mistakes or reader.mistakes or jobs):
        mistakes.append(Mistake(doc.file, doc.line(("exclude",)), "exclude", f"leaves no job at {scale} scale"))
    if mistakes or reader.mistakes:
        raise SuiteError([*mistakes, *reader.mistakes])
    return Suite(path, title, question, reports, scale, tuple(_kept(jobs, only)))


def _heading(reader: matrix.Reader) -> tuple[str, str, tuple[str, ...]]:
    """Title, question and reports; notes top-level keys that do not belong."""
    data = reader.doc.data
    for key in data:
        if key not in KEYS:
            reader.mistake((key,), checks.unknown("key", key, KEYS))
    if "base" not in data:
        reader.mistake((), "the key 'base' is missing: what all variants share (model, data, clip, recipe)")
    texts = {"title": data.get("title", Path(reader.doc.file).stem), "question": data.get("question", "")}
    for key, value in texts.items():
        if not isinstance(value, str):
            reader.mistake((key,), f"expected text, got {value!r}")
    reports = data.get("reports", [])
    if not isinstance(reports, list) or any(report not in REPORTS for report in reports):
        reader.mistake(("reports",), f"expected a list of {checks.one_of(REPORTS)}, got {reports!r}")
        reports = []
    return str(texts["title"]), str(texts["question"]), tuple(reports)


def _jobs(
    reader: matrix.Reader, scale: Scale, sets: Sequence[str], mistakes: list[Mistake], datasets_file: Path | None
) -> list[Job]:
    """Every job at one scale, each training once with the tests of all that ask for it."""
    merged: dict[str, Job] = {}
    for combination in reader.combinations(scale, sets):
        jobs, found = checked(combination, reader.doc, datasets_file)
        mistakes += found
        for job in jobs:
            known = merged.get(job.id, job)
            tests = tuple(dict.fromkeys((*known.spec.tests, *job.spec.tests)))
            merged[job.id] = replace(known, spec=replace(known.spec, tests=tests))
    return list(merged.values())


def _kept(jobs: Iterable[Job], only: Sequence[str]) -> list[Job]:
    """The jobs that agree with every `KEY=VALUE[,VALUE]`; raises SuiteError where none does."""
    kept = list(jobs)
    for text in only:
        key, equals, values = text.partition("=")
        found = {_value(job, key) for job in kept}
        if not equals or found == {None}:
            raise SuiteError([Mistake("--only", 0, text, "expected KEY=VALUE, such as model.attention=divided")])
        wanted = values.split(",")
        strange = [value for value in wanted if value not in found]
        if strange:
            known = sorted(str(value) for value in found)
            raise SuiteError([Mistake("--only", 0, text, checks.unknown(f"value of {key}", strange[0], known))])
        kept = [job for job in kept if _value(job, key) in wanted]
    return kept


def _value(job: Job, key: str) -> str | None:
    """What a job has at a key path, as text; None where it has no such key."""
    value: Any = job.spec.content()
    for part in matrix.leaf(key).split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return None if value is None else str(value)
