"""Turns what pydantic finds wrong into sentences for the person who wrote the file."""

import difflib
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
}


def did_you_mean(word: Any, allowed: Iterable[str]) -> str:
    """` (did you mean 'x'?)` when one of `allowed` is close to `word`, else nothing."""
    close = difflib.get_close_matches(str(word), list(allowed), n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""


def one_of(allowed: Iterable[str]) -> str:
    """The allowed words, comma-separated."""
    return ", ".join(allowed)


def unknown(kind: str, word: Any, allowed: Iterable[str]) -> str:
    """The sentence for a word that is none of the allowed."""
    words = list(allowed)
    return f"unknown {kind} '{word}'{did_you_mean(word, words)}; allowed: {one_of(words)}"


def problems(error: ValidationError, kind: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """(dotted key inside `kind`, sentence) for everything that pydantic found wrong."""
    for detail in error.errors(include_url=False):
        location = [str(part) for part in detail["loc"]]
        yield ".".join(location), _sentence(dict(detail), kind)


def _sentence(detail: dict[str, Any], kind: type[BaseModel]) -> str:
    what, value, context = detail["type"], detail.get("input"), detail.get("ctx", {})
    if what == "extra_forbidden":
        return unknown("key", detail["loc"][-1], _holder(kind, detail["loc"][:-1]).model_fields)
    if what == "missing":
        return "required, but not given"
    if what == "literal_error":
        allowed = context["expected"].replace(" or ", ", ").replace("'", "")
        return f"{value!r} is not allowed{did_you_mean(value, allowed.split(', '))}; allowed: {allowed}"
    if what == "value_error":
        return str(context["error"])
    if what in EXPECTED:
        return f"expected {EXPECTED[what]}, got {_shown(value)}"
    return f"{detail['msg'][0].lower()}{detail['msg'][1:]}, got {_shown(value)}"


def _holder(kind: type[BaseModel], location: Iterable[int | str]) -> type[BaseModel]:
    """The model in which a key at this location stands; a place in a list is of the list's models."""
    for part in location:
        if part in kind.model_fields:
            kind = next(_models(kind.model_fields[str(part)].annotation), kind)
    return kind


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that an annotation such as `tuple[Clip, ...] | None` names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _shown(value: Any) -> str:
    return "nothing" if value is None else f"the text {value!r}" if isinstance(value, str) else repr(value)
