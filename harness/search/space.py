"""The space of a search: ranges and choices of a suite's keys, some of them under conditions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isclose
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, model_validator

from harness import document, matrix
from harness.matrix import Point, Setting
from harness.value import Value

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

KINDS = ("float", "int", "choice")
Facts = Mapping[str, Any]
"""Key path -> value, of all that names a job (`harness.only.facts`)."""


class Distribution(Value):
    """What a key may be: numbers of a range, ends included, or some values. It is searched where `when` holds.

    `float` and `int`: [low, high], with `log` drawn evenly on a logarithmic scale, with `step` in multiples from low.
    `choice`: a list; a mapping in it sets several keys at once. `when`: keys, searched above, and their values.
    """

    real: Annotated[tuple[float, float] | None, Field(alias="float")] = None
    whole: Annotated[tuple[int, int] | None, Field(alias="int")] = None
    choice: tuple[Any, ...] | None = None
    log: bool = False
    step: Annotated[float, Field(gt=0)] | None = None
    when: dict[str, Any] = {}  # noqa: RUF012 (copied)

    @model_validator(mode="after")
    def _consistent(self) -> "Distribution":
        given = [name for name, value in zip(KINDS, (self.real, self.whole, self.choice), strict=True) if value]
        if len(given) != 1:
            raise ValueError("expected one of float: [low, high], int: [low, high] and choice: [a, b, ...]")
        if self.choice is not None:
            words = [word(value) for value in self.choice]
            if len(set(words)) < len(words):
                raise ValueError("a choice stands twice")
            if self.log or self.step:
                raise ValueError("log and step belong to float and int, not to choice")
            return self
        low, high = self.ends
        if not low < high:
            raise ValueError(f"{given[0]} is [low, high], low < high, not [{low:g}, {high:g}]")
        if self.log and low <= 0:
            raise ValueError(f"log needs a low end above 0, not {low:g}")
        if self.log and self.step:
            raise ValueError("log and step do not go together")
        if self.whole and self.step and self.step != int(self.step):
            raise ValueError(f"step of int is a whole number, not {self.step:g}")
        if self.step and not _is_multiple(high - low, self.step):
            raise ValueError(f"step {self.step:g} does not lead from {low:g} to {high:g}")
        return self

    @property
    def ends(self) -> tuple[float, float]:
        """Low and high of a range."""
        return self.real or self.whole or (0.0, 0.0)

    def optuna(self) -> "BaseDistribution":
        """As Optuna has it; its choices are what is told of ours."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if self.choice is not None:
            return CategoricalDistribution([word(value) for value in self.choice])
        if self.whole:
            return IntDistribution(*self.whole, log=self.log, step=int(self.step or 1))
        low, high = self.ends
        return FloatDistribution(low, high, log=self.log, step=self.step)

    def told(self, value: Any) -> Any:
        """The value as Optuna has it; None where it is none of these."""
        if self.choice is not None:
            known = {word(each): each for each in self.choice}
            return next((word for word, each in known.items() if each == value), None)
        low, high = self.ends
        inside = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
        if not inside or (self.whole and value != int(value)):
            return None
        return None if self.step and not _is_multiple(value - low, self.step) else value

    def value(self, told: Any) -> Any:
        """The inverse of `told`."""
        if self.choice is None:
            return told
        return next(each for each in self.choice if word(each) == told)


def _is_multiple(value: float, step: float) -> bool:
    return isclose(value / step, round(value / step), abs_tol=1e-9)


@dataclass(frozen=True)
class Parameter:
    """A searched key with one of its distributions."""

    name: str
    """The key, and the condition where it has several distributions: as Optuna calls it."""
    key: str
    distribution: Distribution
    place: Setting
    """Where it was written."""

    def point(self, value: Any) -> Point:
        """The settings that a value stands for: one, or several where it is a mapping."""
        return matrix.flat(self.key, value, lambda _: self.place)

    def own(self, facts: Facts) -> Any:
        """The suite's own value as Optuna has it; None where that is none of this distribution's."""
        if self.distribution.choice is None:
            return self.distribution.told(facts.get(matrix.leaf(self.key)))
        for value in self.distribution.choice:
            point = self.point(value)
            if all(key in facts and facts[key] == setting.value for key, setting in point.items()):
                return self.distribution.told(value)
        return None

    def may_set(self, key: str, value: Any) -> bool:
        """Whether one of its values gives a key this value."""
        if self.distribution.choice is None:
            return self.distribution.told(value) is not None
        points = [self.point(choice) for choice in self.distribution.choice]
        return any(key in point and point[key].value == value for point in points)

    @property
    def keys(self) -> list[str]:
        """The leaves that its values set."""
        values = self.distribution.choice or (None,)
        return list(dict.fromkeys(key for value in values for key in self.point(value)))


Pick = Callable[[Parameter], Any]
"""Gives a parameter's value as Optuna has it."""


@dataclass(frozen=True)
class Space:
    """All searched parameters, in the order of the file, and the suite's own values."""

    parameters: tuple[Parameter, ...]
    facts: Facts

    def settings(self, pick: Pick) -> tuple[dict[str, Any], Point]:
        """The values of the parameters whose conditions hold, by name and as Optuna has them; and what they set."""
        told: dict[str, Any] = {}
        point: Point = {}
        facts = dict(self.facts)
        for parameter in self.parameters:
            if holds(parameter.distribution.when, facts):
                told[parameter.name] = pick(parameter)
                mine = parameter.point(parameter.distribution.value(told[parameter.name]))
                point = matrix.laid_over(point, mine)
                facts |= {key: setting.value for key, setting in mine.items()}
        return told, point

    def own(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The suite's own values with some given ones instead (by key), as Optuna has them.

        Raises LookupError, whose argument is the parameter, where a value is none of its distribution.
        """
        facts = {**self.facts, **given}

        def pick(parameter: Parameter) -> Any:
            value = parameter.own(facts)
            if value is None:
                raise LookupError(parameter)
            return value

        return self.settings(pick)[0]

    def plain(self) -> dict[str, Any]:
        """The space as plain data, which tells one from another."""
        return {
            parameter.name: parameter.distribution.model_dump(mode="json", by_alias=True, exclude_defaults=True)
            for parameter in self.parameters
        }


def word(choice: Any) -> str:
    """What a choice is called, in Optuna's storage too: `adamw`, or `schedule steps, milestones [11, 14]`."""
    if isinstance(choice, dict) and choice:
        return ", ".join(f"{key} {document.written(value)}" for key, value in choice.items())
    return document.written(choice)


def holds(when: Mapping[str, Any], facts: Facts) -> bool:
    """Whether each of these keys has its value, or one of a list's."""
    return all(facts.get(key) in (value if isinstance(value, list) else [value]) for key, value in when.items())


def exclusive(one: Distribution, other: Distribution) -> bool:
    """Whether the conditions of two distributions of one key never hold together."""
    return any(not set(_words(one.when[key])) & set(_words(other.when[key])) for key in one.when.keys() & other.when)


def _words(value: Any) -> list[str]:
    return [document.written(each) for each in (value if isinstance(value, list) else [value])]


def alternatives(value: Any) -> list[tuple[document.KeyPath, dict[str, Any]]]:
    """The distributions that a key of the file's `space` has, each with its place in the value.

    A list of values is short for one `choice`; a list of distributions holds several, each under its own condition.
    """
    if isinstance(value, list) and value and all(isinstance(each, dict) and set(KINDS) & set(each) for each in value):
        return [((index,), each) for index, each in enumerate(value)]
    return [((), {"choice": value} if isinstance(value, list) else value)]


def named(key: str, distributions: Sequence[Distribution]) -> Iterator[str]:
    """A name for each distribution of a key."""
    for distribution in distributions:
        when = ", ".join(f"{name} {document.written(value)}" for name, value in distribution.when.items())
        yield f"{key} ({when})" if len(distributions) > 1 and when else key
