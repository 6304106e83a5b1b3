"""Reads a suite's `report`: the published rows that its jobs stand for, the figures to draw, the findings expected.

A choice of jobs (`{model.attention: divided, data: motion}`) that no job of the suite answers to is a mistake: it would
leave a row empty or a claim unjudged for ever.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

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
    plain = _leaves(doc.data.get("report") or {}, ())
    try:
        outline = from_data(Outline, plain)
    except ValidationError as error:
        for key, problem in checks.problems(error, Outline):
            mistakes.append(_mistake(doc, _path(key), problem))
        return Outline()
    for index, name in enumerate(outline.published):
        if name not in literature.names():
            problem = checks.unknown("file of published numbers", name, literature.names())
            mistakes.append(_mistake(doc, ("published", index), problem))
    return outline


def check(outline: Outline, jobs: Sequence[Job], scale: Scale, doc: document.Document) -> Iterator[Mistake]:
    """What of the outline these jobs, all of a scale, cannot show."""
    of_jobs = [_facts(job) for job in jobs]
    for path, chosen in _choices(outline, scale):
        problem = _problem(chosen, of_jobs)
        if problem:
            yield _mistake(doc, path, f"{problem}, at {scale} scale")
    known = dict.fromkeys(key for own in of_jobs for key in own)
    for path, key in _keys(outline, scale):
        if key not in known and not key.startswith("test."):
            yield _mistake(doc, path, f"no job has {key}{checks.did_you_mean(key, known)}, at {scale} scale")
    names: set[str] = set()
    for index, figure in _figures(outline, scale):
        if figure.name in names:
            yield _mistake(doc, ("figures", index, "name"), f"two figures are named {figure.name} at {scale} scale")
        names.add(figure.name)


def check_rows(outline: Outline, jobs: Sequence[Job], doc: document.Document) -> Iterator[Mistake]:
    """Rows in which no job stands, of all scales' jobs."""
    of_jobs = [_facts(job) for job in jobs]
    for name, chosen in outline.rows.items():
        problems = [_problem(each, of_jobs) for each in outline.choices(name)]
        for place, problem in enumerate(problems):
            if problem:
                yield _mistake(doc, ("rows", name, *(() if isinstance(chosen, dict) else (place,))), problem)


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


def _problem(chosen: Chosen, jobs: Sequence[Mapping[str, Any]]) -> str | None:
    of_job = {key: value for key, value in chosen.items() if not key.startswith("test.")}
    if any(all(own.get(key) == value for key, value in of_job.items()) for own in jobs):
        return None
    for key, value in of_job.items():
        values = list(dict.fromkeys(str(own[key]) for own in jobs if key in own))
        if not values:
            return f"no job has {key}{checks.did_you_mean(key, dict.fromkeys(name for own in jobs for name in own))}"
        if str(value) not in values:
            return f"no job has {key} {value}; there are {checks.one_of(values)}"
    return "no job has all of these values"


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


def _path(key: str) -> document.KeyPath:
    return tuple(int(part) if part.isdigit() else part for part in key.split(".") if part)


def _mistake(doc: document.Document, path: document.KeyPath, problem: str) -> Mistake:
    return Mistake(doc.file, doc.line(("report", *path)), ".".join(map(str, ("report", *path))), problem)
