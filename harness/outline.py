"""Reads a suite's `report`: the published rows that its jobs stand for, the figures to draw, the findings expected.

A choice of jobs (`{model.attention: divided, data: motion}`) that no job of the suite answers to is a mistake: it would
leave a row empty or a claim unjudged for ever.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import ValidationError

from harness import checks, document
from harness.combination import Job
from harness.errors import Mistake
from harness.matrix import Setting, flat
from harness.only import facts
from harness.spec import Scale, from_data
from results import literature
from results.outline import Chosen, Curves, Outline

CHOICES = ("of", "minus", "above", "below", "near", "where")
"""Keys under which jobs are chosen."""


def read(doc: document.Document, mistakes: list[Mistake]) -> Outline:
    """What the file says of its report; what is wrong with it is added to `mistakes`."""
    given = doc.data.get("report")
    plain = _leaves({} if given is None else given, ())
    try:
        outline = from_data(Outline, plain)
    except ValidationError as error:
        for key, problem in checks.problems(error, Outline):
            mistakes.append(_mistake(doc, _path(key, plain), problem))
        return Outline()
    for index, name in enumerate(outline.published):
        if name not in literature.names():
            problem = checks.unknown("file of published numbers", name, literature.names())
            mistakes.append(_mistake(doc, ("published", index), problem))
    return outline


def check(outline: Outline, jobs: Mapping[Scale, Sequence[Job]], doc: document.Document) -> list[Mistake]:
    """What of the outline the jobs of these scales cannot show; a scale whose jobs are not known is left out."""
    told: dict[document.KeyPath, dict[str, list[str]]] = {}
    for scale, of_scale in sorted(jobs.items()):
        tests = [own for job in of_scale for own in _tests(job)]
        for path, problem in (*_wrong(outline, tests, scale), *_crowded(outline, of_scale)):
            told.setdefault(path, {}).setdefault(problem, []).append(scale)
    found = []
    for path, problems in told.items():
        at = (f"{problem}, at {' and '.join(scales)} scale" for problem, scales in problems.items())
        found.append(_mistake(doc, path, "; ".join(at)))
    if set(jobs) == set(get_args(Scale)):
        tests = [own for of_scale in jobs.values() for job in of_scale for own in _tests(job)]
        found += [_mistake(doc, path, problem) for path, problem in _empty_rows(outline, tests)]
    return found


_Facts = Mapping[str, Any]
_Wrong = Iterator[tuple[document.KeyPath, str]]


def _wrong(outline: Outline, tests: Sequence[_Facts], scale: Scale) -> _Wrong:
    """Choices and keys that none of a scale's jobs has."""
    for path, chosen in _choices(outline, scale):
        if problem := _problem(chosen, tests):
            yield path, problem
    known = dict.fromkeys(key for own in tests for key in own)
    for path, key in _keys(outline, scale):
        if key not in known:
            yield path, f"no job has {key}{checks.did_you_mean(key, known)}"
        elif path[-1] == "x" and (words := [own[key] for own in tests if isinstance(own.get(key), str)]):
            yield path, f"{key} has values that are no numbers, such as {words[0]}; a curve needs some along x"
    names: set[str] = set()
    for index, figure in _figures(outline, scale):
        if figure.name in names:
            yield ("figures", index, "name"), f"two figures are named {figure.name}"
        names.add(figure.name)


def _empty_rows(outline: Outline, tests: Sequence[_Facts]) -> _Wrong:
    """Rows in which no job of any scale stands."""
    for name, chosen in outline.rows.items():
        for place, each in enumerate(outline.choices(name)):
            if problem := _problem(each, tests):
                yield ("rows", name, *(() if isinstance(chosen, dict) else (place,))), problem


def _crowded(outline: Outline, jobs: Sequence[Job]) -> _Wrong:
    """Rows in which two variants would stand, and jobs that would stand in two rows."""
    rows: dict[str, str] = {}
    for name in outline.rows:
        cells: dict[tuple[str, int], Job] = {}
        for job in jobs:
            own = _facts(job)
            if not any(_answers(own, chosen) for chosen in outline.choices(name)):
                continue
            first = cells.setdefault((job.spec.data.name, job.spec.seed), job)
            if first is not job:
                yield ("rows", name), f"{first.label} and {job.label} would both stand in it"
                break
            if rows.setdefault(job.id, name) != name:
                yield ("rows", name), f"{job.label} stands in {rows[job.id]} too"
                break


def _answers(own: _Facts, chosen: Chosen) -> bool:
    return all(own.get(key) == value for key, value in chosen.items())


def _tests(job: Job) -> Iterator[dict[str, Any]]:
    """The values by which a job and its tests are chosen, test by test."""
    for test in job.spec.tests:
        yield {**_facts(job), "test.clips": test.clips, "test.crops": test.crops, "test.size": test.size}


def _facts(job: Job) -> dict[str, Any]:
    """The values by which a job is chosen, under the names that they have in records."""
    found = facts(job)
    return {"seed": found.pop("seeds"), **found}


def _figures(outline: Outline, scale: Scale) -> Iterator[tuple[int, Curves]]:
    """Those of this scale, each with its place in the file."""
    return ((index, each) for index, each in enumerate(outline.figures) if each.scale in (None, scale))


def _keys(outline: Outline, scale: Scale) -> Iterator[tuple[document.KeyPath, str]]:
    """Every key that a figure of this scale is drawn by."""
    for index, figure in _figures(outline, scale):
        if figure.series:
            yield ("figures", index, "series"), figure.series
        for place, axis in enumerate(figure.panels):
            yield ("figures", index, "panels", place, "x"), axis.x


def _choices(outline: Outline, scale: Scale) -> Iterator[tuple[document.KeyPath, Chosen]]:
    """Every choice of jobs that must be answered at this scale; rows may stand for jobs of one scale only."""
    for index, figure in _figures(outline, scale):
        for place, axis in enumerate(figure.panels):
            yield ("figures", index, "panels", place, "where"), axis.where
    for index, claim in enumerate(outline.findings):
        for place, condition in enumerate(claim.holds) if claim.scale in (None, scale) else ():
            for key in CHOICES[:-1]:
                if isinstance(chosen := getattr(condition, key), dict):
                    yield ("findings", index, "holds", place, key), chosen


def _problem(chosen: Chosen, tests: Sequence[_Facts]) -> str | None:
    known = dict.fromkeys(name for own in tests for name in own)
    for key, value in chosen.items():
        if key not in known:
            return f"no job has {key}{checks.did_you_mean(key, known)}"
        values = list(dict.fromkeys(str(own[key]) for own in tests if key in own))
        if value is not None and str(value) not in values:
            return f"no job has {key} {value}; there are {checks.one_of(values)}"
    return None if any(_answers(own, chosen) for own in tests) else "no job has all of these values"


def _leaves(value: Any, path: document.KeyPath) -> Any:
    """The block with each choice of jobs as leaf keys: `{data: motion}` is `{data.name: motion}`."""
    if isinstance(value, list):
        return [_leaves(each, (*path, index)) for index, each in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if path and (path[-1] in CHOICES or (len(path) > 1 and path[0] == "rows")):
        return {key: setting.value for part in value.items() for key, setting in _leaf(*part).items()}
    return {key: _leaves(each, (*path, key)) for key, each in value.items()}


def _leaf(key: str, value: Any) -> dict[str, Setting]:
    return flat(key, value, lambda _: Setting(None, "", 0))


def _path(key: str, data: Any) -> document.KeyPath:
    """The parts of a dotted key, one by one as `data` has them: names of rows may hold dots, and be numbers."""
    first, _, rest = key.partition(".")
    if not key:
        return ()
    if isinstance(data, list) and first.isdigit():
        return int(first), *_path(rest, data[int(first)])
    if isinstance(data, dict):
        first = max((name for name in data if f"{key}.".startswith(f"{name}.")), key=len, default=first)
        return first, *_path(key[len(first) + 1 :], data.get(first))
    return first, *_path(rest, None)


def _mistake(doc: document.Document, path: document.KeyPath, problem: str) -> Mistake:
    return Mistake(doc.file, doc.line(("report", *path)), ".".join(map(str, ("report", *path))), problem)
