"""The recipe that was found, as a suite of its own: `run` trains it on fresh seeds, beside the suite's own recipe."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from harness import document
from harness.combination import nested
from harness.search.block import Search
from harness.search.space import Parameter
from harness.suite import Suite
from results import trials as plain
from results.store import write_atomic

FRESH = 3
"""Seeds on which the recipe is tried again."""


def write(suite: Suite, study: plain.Study, folder: Path) -> Path | None:
    """Write it into the study's folder; None where no trial is complete yet."""
    best = study.best()
    search = suite.search
    if not best or search is None:
        return None
    path = folder / f"{study.name}-best.yaml"  # its report is called so
    write_atomic(path, _text(suite, study, search, best[0]))
    return path


def command(path: Path, scale: str, *more: str) -> str:
    """What trains the recipe again, on fresh seeds."""
    at = ["--scale", scale] if scale != "demo" else []
    return shlex.join(["python", "-m", "harness", "run", str(path), *at, *more])


def _text(suite: Suite, study: plain.Study, search: Search, best: plain.Trial) -> str:
    found = _settings(search, best.parameters)
    own = _settings(search, search.own)
    keys = dict.fromkeys([*found, *own])
    rows = [{key: each.get(key, search.space.facts[key]) for key in keys} for each in (found, own)]
    telling = {key: rows[0][key] for key in keys if rows[0][key] != rows[1][key]}
    aim = study.objectives[0]
    plain_suite: dict[str, Any] = {
        "title": f"The best recipe of the search {study.name}{', beside its first' if telling else ': its first'}",
        "question": "Does the recipe that was found hold on seeds that no trial had?",
        "base": {**nested(search.combination.point), "seeds": _fresh(study.seeds)},
        "include": [_short(row) for row in (rows if telling else rows[:1])],
    }
    words = [key for key in telling if not isinstance(telling[key], list | tuple)]
    if words and aim.direction == "maximize" and len(study.objectives) == 1:
        chosen = [{key: row[key] for key in words} for row in rows]
        holds = [{"of": chosen[0], "above": chosen[1], "quantity": aim.quantity}]
        plain_suite["report"] = {
            "findings": [{"claim": "The recipe that was found is better than the suite's own", "holds": holds}]
        }
    values = ", ".join(f"{each.quantity} {value:g}" for each, value in zip(study.objectives, best.values, strict=True))
    lines = [
        f"# Trial {best.number} of the study '{study.name}' of {suite.path.name} at {study.scale} scale:",
        f"# {values} (seed {_listed(study.seeds)}).",
        "# It was chosen by that number, which is therefore too good; the seeds here are some that no trial had.",
        "#",
        f"#   {command(Path(f'{study.name}-best.yaml'), study.scale)}",
    ]
    return (
        "\n".join(lines)
        + "\n"
        + yaml.safe_dump(plain_suite, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)
    )


def _settings(search: Search, parameters: Any) -> dict[str, Any]:
    """Key path -> value, of a trial's parameters."""

    def pick(parameter: Parameter) -> Any:
        return parameters[parameter.name]

    return {key: setting.value for key, setting in search.space.settings(pick)[1].items()}


def _fresh(seeds: Sequence[int]) -> list[int]:
    """Seeds that no trial had."""
    return list(range(max(seeds) + 1, max(seeds) + 1 + FRESH))


def _short(row: dict[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in row.items()}


def _listed(values: Any) -> str:
    return document.written(list(values)).strip("[]")
