"""What a suite is expected to find, and whether its records show it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import pandas as pd

from results.answers import Compare, Tested
from results.outline import Claim, Condition, Plain, rows_of
from results.paired import Difference
from results.quantities import OF_TESTS, SHARES, chance, measured, views
from results.statistics import mean_std

Verdict = Literal["shown", "not shown", "not measured"]
Text = Callable[[str, float], str]
"""A quantity's value as it is written, with its unit; of "difference" in points (`reports.metrics.written`)."""
_Row = Mapping[Any, Any]


@dataclass(frozen=True)
class Finding:
    """One statement, judged by what was measured."""

    claim: str
    verdict: Verdict
    evidence: str
    """The numbers that decide it."""


@dataclass(frozen=True)
class _Value:
    """A quantity of one variant, over its seeds."""

    name: str
    mean: float | None
    """None where a seed of it has not been measured."""
    std: float | None
    seeds: int
    measured: int
    """How many of them are."""
    chance: float | None
    """In percent; None where the number of classes is not known yet."""
    tested: tuple[Tested, ...]
    """Its seeds' tests, of a quantity that is one of tests."""


@dataclass(frozen=True)
class _Part:
    """A condition, judged."""

    verdict: Verdict
    found: str
    """What was measured."""
    asked: str
    """What it had to be."""


def judge(
    claim: Claim, frame: pd.DataFrame, names: Mapping[str, str], text: Text, compare: Compare | None = None
) -> Finding:
    """Whether a claim holds for the means over seeds, and where accuracies are compared beyond chance.

    `frame` has the suite's jobs (`results.collect.frame`), those without a record too; `names` says what to call each
    by its id, seeds of one variant the same. With `compare`, a top-1 that is above or below another's by a difference
    that the same videos do not tell from chance (`results.paired`), or from what is asked for, is not shown to be; one
    whose scores of single videos are missing is not measured. Other comparisons of accuracies are by means alone, and
    say so; gains too where the videos are others, or their scores are missing.
    """
    parts = [_part(condition, frame, names, text, compare) for condition in claim.holds]
    verdicts = {part.verdict for part in parts}
    worst = next(each for each in _WORST if each in verdicts)
    by_asked = _joined((part.asked, part.found) for part in parts)
    by_found = _joined((found, asked) for asked, found in by_asked.items())
    return Finding(claim.claim, worst, "; ".join(f"{found} (asked for: {asked})" for found, asked in by_found.items()))


_WORST: Final[Sequence[Verdict]] = ("not shown", "not measured", "shown")
"""A claim of which one part does not hold is not shown, whatever is still to be measured."""


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Each key once, with all that was said of it."""
    found: dict[str, list[str]] = {}
    for key, said in pairs:
        found.setdefault(key, []).append(said)
    return {key: ", ".join(dict.fromkeys(said)) for key, said in found.items()}


def _part(
    condition: Condition, frame: pd.DataFrame, names: Mapping[str, str], text: Text, compare: Compare | None
) -> _Part:
    def known(chosen: Mapping[str, Plain]) -> list[_Value]:
        return list(_values(condition.quantity, rows_of(frame, chosen), _calls(condition.quantity, frame, names)))

    values = known(condition.of)
    minus = known(condition.minus) if condition.minus is not None else None
    called = {each.name for each in values}
    others = known(condition.than) if isinstance(condition.than, dict) else []
    others = [each for each in others if each.name not in called]  # `above: {data: motion}` means all others of it
    write = _Written(condition.quantity, text)
    found = write.all(values) if minus is None else f"{write.all(values)} less {write.all(minus)}"
    verdict, asked = _verdict(condition, values, minus, others), write.asked(condition, values, others)
    by_means = _Part(verdict, found, f"{asked}, by means alone")
    if compare is None or verdict == "not measured" or not _is_of_two(condition):
        return _Part(verdict, found, asked)
    if not _has_interval(condition):
        return by_means
    if verdict == "not shown":
        return _Part(verdict, found, asked)
    pairs = [(value, other, compare(other.tested, value.tested)) for value in values for other in minus or others]
    told = {f"{value.name} and {other.name}": _tells(condition, each) for value, other, each in pairs}
    if minus and None in told.values():  # a gain may be over the accuracy on other videos
        return by_means
    if level := [pair for pair, tells in told.items() if tells is False]:
        return _Part("not shown", found, f"{asked}, and the videos do not tell {' or '.join(level)} so far apart")
    if unknown := [pair for pair, tells in told.items() if tells is None]:
        return _Part("not measured", found, f"{asked}; the scores of {' or '.join(unknown)} video by video are missing")
    return _Part(verdict, found, asked)


def _is_of_two(condition: Condition) -> bool:
    """Whether accuracies of variants are compared, which other videos would change."""
    return condition.quantity in SHARES and (isinstance(condition.than, dict) or condition.minus is not None)


def _has_interval(condition: Condition) -> bool:
    """Whether the same videos give an interval of what is compared: of one difference in top-1, on one side."""
    one = isinstance(condition.than, dict if condition.minus is None else float | int)
    return condition.quantity == "top1" and condition.relation != "near" and one


def _tells(condition: Condition, found: Difference | None) -> bool | None:
    """Whether the same videos tell the difference from chance, and from what is asked for; None where unknown."""
    if found is None:
        return None
    than, by = condition.than if isinstance(condition.than, float | int) else 0.0, condition.by
    if than == by == 0.0:
        return found.tells_apart
    return found.low * 100 > than + by if condition.relation == "above" else found.high * 100 < than - by


def _verdict(
    condition: Condition, values: Sequence[_Value], minus: Sequence[_Value] | None, others: Sequence[_Value]
) -> Verdict:
    """Whether it holds for each value beside each of the others, once all of them are measured."""
    less = [0.0] if minus is None else [each.mean for each in minus]
    sides = [(each.mean, off, limit) for each in values for off in less for limit in _limits(condition, each, others)]
    known = [(a - b, c) for a, b, c in sides if a is not None and b is not None and c is not None]
    if not sides or len(known) < len(sides):
        return "not measured"
    return "shown" if all(_holds(condition, *each) for each in known) else "not shown"


def _limits(condition: Condition, value: _Value, others: Sequence[_Value]) -> list[float | None]:
    than = condition.than
    if isinstance(than, dict):
        return [other.mean for other in others]
    return [value.chance if isinstance(than, str) else than]


def _holds(condition: Condition, value: float, limit: float) -> bool:
    if condition.relation == "above":
        return value > limit + condition.by
    if condition.relation == "below":
        return value < limit - condition.by
    return abs(value - limit) <= condition.by


def _calls(quantity: str, frame: pd.DataFrame, names: Mapping[str, str]) -> Callable[[_Row], str]:
    """What to call a row of `frame`: its job, and its test where the job has several."""
    several = set(frame["id"][frame.duplicated("id")]) if quantity in OF_TESTS else set()

    def called(row: _Row) -> str:
        name = names[str(row["id"])]
        return f"{name} ({views(row)})" if row["id"] in several else name

    return called


def _values(quantity: str, rows: pd.DataFrame, called: Callable[[_Row], str]) -> Iterator[_Value]:
    """The quantity of each variant, and of each of its tests where it is one of tests."""
    once = rows if quantity in OF_TESTS else rows.drop_duplicates("id")
    groups: dict[str, list[_Row]] = {}
    for row in once.to_dict("records"):
        groups.setdefault(called(row), []).append(row)
    for name, group in groups.items():
        known = measured(quantity, group)
        some = len(known) if known else sum(measured(quantity, [row]) is not None for row in group)
        mean, std = mean_std(known) if known else (None, None)
        guessed = chance(row["classes"] for row in group)
        made = [tested(row) for row in group if quantity in OF_TESTS and pd.notna(row["test.crops"])]
        yield _Value(name, mean, std, len(group), some, guessed, tuple(made))


def tested(row: _Row) -> Tested:
    """The job and test of a row of `results.collect.frame`."""
    clips = row["test.clips"]
    return row["id"], clips if clips == "cover" else int(clips), int(row["test.crops"]), int(row["test.size"])


@dataclass(frozen=True)
class _Written:
    """A condition in words."""

    quantity: str
    text: Text

    def all(self, values: Sequence[_Value]) -> str:
        return ", ".join(map(self.one, values)) or "no such job"

    def one(self, value: _Value) -> str:
        if value.mean is None:
            return f"{value.name} " + (
                f"measured in {value.measured} of {value.seeds} seeds only" if value.measured else "not measured"
            )
        if not value.std and self.quantity not in SHARES:  # one seed, or a count, which no seed changes
            return f"{value.name} {self.text(self.quantity, value.mean)}"
        spread = f" (± {self.apart(value.std)}, {value.seeds} seeds)" if value.std is not None else ""
        return f"{value.name} {self.text(self.quantity, value.mean)}{spread}"

    def apart(self, difference: float) -> str:
        """How far two values of the quantity are from each other: of percents in points."""
        if self.quantity in SHARES:
            return self.text("difference", difference).removeprefix("+")
        return self.text(self.quantity, difference)

    def asked(self, condition: Condition, values: Sequence[_Value], others: Sequence[_Value]) -> str:
        limit = self.limit(condition, values, others)
        if condition.relation == "near":
            return f"within {self.apart(condition.by)} of {limit}"
        by = f"more than {self.apart(condition.by)} " if condition.by else ""
        return f"{by}{condition.relation} {limit}"

    def limit(self, condition: Condition, values: Sequence[_Value], others: Sequence[_Value]) -> str:
        than = condition.than
        if isinstance(than, dict):
            return self.all(others)
        if isinstance(than, str):
            chances = sorted({each.chance for each in values if each.chance is not None})
            return ", ".join(["chance", *(self.text("top1", each) for each in chances)])
        return self.text(self.quantity, than) if condition.minus is None else self.apart(than)
