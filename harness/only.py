"""`--only KEY=VALUE[,VALUE]`: keeps the jobs of a suite that have one of these values.

Values are compared as YAML reads them, so that `4`, `"4"` and `4.0` are one, and so are `0.5` and `0.50`.
"""

from collections.abc import Hashable, Sequence
from difflib import SequenceMatcher
from typing import Any

import yaml

from harness import checks, document, matrix
from harness.combination import Job
from harness.errors import Mistake, SuiteError

SEEDS = ("seed", "seeds")


def kept(jobs: Sequence[Job], texts: Sequence[str]) -> list[Job]:
    """The jobs that agree with every `KEY=VALUE[,VALUE]`; raises SuiteError where none does."""
    remaining = list(jobs)
    for text in texts:
        remaining = _agreeing(remaining, text)
    return remaining


def _agreeing(jobs: list[Job], text: str) -> list[Job]:
    key, equals, values = text.partition("=")
    name = "seeds" if key in SEEDS else matrix.leaf(key)
    told = [(job, facts(job)) for job in jobs]
    known = {_plain(own[name]): own[name] for _, own in told if name in own}
    if not equals or not known:
        problem = f"unknown key '{key}'" if equals else "expected KEY=VALUE, such as model.attention=divided"
        raise _mistake(text, f"{problem}; {_varying([own for _, own in told], name)}")
    wanted = _parsed(text, values)
    strange = [value for value in wanted if _plain(value) not in known]
    if strange:
        word = document.written(strange[0])
        allowed = [document.written(value) for value in _closest(word, known.values())]
        raise _mistake(text, checks.unknown(f"value of {key}", word, allowed))
    asked = {_plain(value) for value in wanted}
    return [job for job, own in told if name in own and _plain(own[name]) in asked]


def _parsed(text: str, values: str) -> list[Any]:
    """The values after the equals sign: what stands between the brackets of a YAML list."""
    try:
        parsed = yaml.load(f"[{values}]", document.Loader)
    except yaml.YAMLError:
        raise _mistake(text, f"'{values}' is no YAML value, nor several with commas between") from None
    return parsed or [None]


def facts(job: Job) -> dict[str, Any]:
    """Every leaf of what names a job, its seed as `seeds`."""
    content = job.spec.content()
    seed = content.pop("seed")
    return leaves("", {**content, "seeds": seed})


def leaves(prefix: str, tree: dict[str, Any]) -> dict[str, Any]:
    """A nested mapping's values by their key paths, such as `model.attention`."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= leaves(f"{prefix}{key}.", value) if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


def _plain(value: Any) -> Hashable:
    """What is equal exactly where YAML would read the same."""
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    value = document.scalar(value) if isinstance(value, str) else value
    return str(value) if isinstance(value, bool) or not isinstance(value, int | float | None) else value


def _varying(facts: Sequence[dict[str, Any]], key: str) -> str:
    """The keys that tell jobs apart, each with its values, the closest to `key` first."""
    values: dict[str, dict[Hashable, Any]] = {}
    for own in facts:
        for name, value in own.items():
            values.setdefault(name, {})[_plain(value)] = value
    told = {name: found for name, found in values.items() if len(found) > 1}
    if not told:
        return "there is one job only"
    words = [f"{name} ({', '.join(map(document.written, told[name].values()))})" for name in _closest(key, told)]
    return f"what varies here, closest first: {', '.join(words)}"


def _closest(word: str, known: Any) -> list[Any]:
    return sorted(known, key=lambda each: -SequenceMatcher(None, word, str(each)).ratio())


def _mistake(text: str, problem: str) -> SuiteError:
    return SuiteError([Mistake("--only", 0, text, problem)])
