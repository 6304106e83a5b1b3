"""A suite's `search` block: what is searched, what for, how, and how long; read and checked with the suite."""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations as pairs
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from harness import checks, document, matrix
from harness.combination import Job, checked
from harness.data.datasets import class_count
from harness.data.videos import DatasetError
from harness.errors import Mistake
from harness.matrix import Combination, Point, Setting
from harness.only import facts
from harness.search.space import Distribution, Parameter, Space, alternatives, exclusive, named, word
from harness.spec import Positive, Scale, from_data
from harness.value import Value
from results.quantities import SHARES, Quantity
from results.trials import Objective

SEARCHED = ("model", "data", "clip", "recipe", "precision")
"""What a search may vary: all that names a training but its seed."""
TRIED = 100
"""Drawn settings that are checked as jobs before a search begins, ends of ranges among them."""

Samplers = Literal["tpe", "random", "gp", "cma_es", "nsga_ii"]
Pruners = Literal["asha", "hyperband", "median", "none"]


def _by_name(value: Any) -> Any:
    """A bare word is a name, as in the rest of a suite."""
    return {"name": value} if isinstance(value, str) else value


def _several(value: Any) -> Any:
    """One objective stands without a list."""
    return (value,) if isinstance(value, dict) else tuple(value) if isinstance(value, list) else value


class Sampler(Value):
    """How settings are proposed: Optuna's samplers. `startup`: trials that are drawn at random first."""

    name: Samplers = "tpe"
    seed: Annotated[int, Field(ge=0)] = 0
    startup: Positive = 5


class Pruner(Value):
    """How trials are ended early, by the accuracy on the validation videos after each epoch.

    `asha` (asynchronous successive halving): of those that reached `min_epochs`, `min_epochs` x `reduction` and so on,
    one in `reduction` goes on. `hyperband`: the same with several beginnings. `median`: those worse than the median at
    the same epoch end.
    """

    name: Pruners = "asha"
    min_epochs: Positive = 1
    reduction: Annotated[int, Field(ge=2)] = 4


class Aim(Value):
    """An objective: `{maximize: top1}`, `{minimize: device_minutes}`."""

    maximize: Quantity | None = None
    minimize: Quantity | None = None

    @model_validator(mode="after")
    def _one(self) -> "Aim":
        if (self.maximize is None) == (self.minimize is None):
            raise ValueError("expected {maximize: top1} or {minimize: device_minutes}, one of the two")
        return self

    @property
    def objective(self) -> Objective:
        """The same as a report has it."""
        if self.maximize:
            return Objective(self.maximize, "maximize")
        return Objective(str(self.minimize), "minimize")


class Block(Value):
    """The block as the file has it, but for its space.

    Ends at whichever comes first: `trials` in all, `device_hours` of them, or `hours` since the command began. `first`:
    settings that are tried after the suite's own, trial 0. `storage`: where the study is kept, by default in the output
    folder.
    """

    space: dict[str, Any]
    objective: Annotated[tuple[Aim, ...], BeforeValidator(_several), Field(min_length=1, max_length=2)] = (
        Aim(maximize="top1"),
    )
    sampler: Annotated[Sampler, BeforeValidator(_by_name)] = Sampler()
    pruner: Annotated[Pruner, BeforeValidator(_by_name)] | None = None
    trials: Positive | None = None
    device_hours: Annotated[float, Field(gt=0)] | None = None
    hours: Annotated[float, Field(gt=0)] | None = None
    first: tuple[dict[str, Any], ...] = ()
    storage: str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "Block":
        if not (self.trials or self.device_hours or self.hours):
            raise ValueError("says nothing of its end; give trials, device_hours or hours")
        if self.trials and len(self.first) >= self.trials:
            raise ValueError(f"{self.trials} trials do not hold the suite's own and {len(self.first)} of `first`")
        if self.pruner and self.pruner.name != "none" and not self.prunable:
            raise ValueError("trials are pruned by accuracy alone: with another objective, or two, pruner is none")
        if len({each.objective.quantity for each in self.objective}) < len(self.objective):
            raise ValueError("the two objectives are of one quantity")
        if self.sampler.name == "cma_es" and len(self.objective) > 1:
            raise ValueError("cma_es seeks one objective; with two use tpe, gp or nsga_ii")
        return self

    @property
    def prunable(self) -> bool:
        """Whether what is told after each epoch is of the kind that is sought."""
        return len(self.objective) == 1 and self.objective[0].maximize in SHARES

    @property
    def pruning(self) -> Pruner:
        """The pruner, also where the file says nothing of it."""
        return self.pruner or Pruner(name="asha" if self.prunable else "none")


@dataclass(frozen=True)
class Search:
    """A suite's search, checked: all that a worker needs beside the study."""

    block: Block
    space: Space
    own: dict[str, Any]
    """Trial 0, by parameters' names, as Optuna has the values."""
    first: tuple[dict[str, Any], ...]
    combination: Combination
    """The suite's own settings."""
    doc: document.Document
    datasets_file: Path | None

    def jobs(self, point: Point) -> list[Job]:
        """The jobs of a trial, one a seed. Raises SuiteMistakes where no training could have these settings."""
        jobs, mistakes = checked(self.laid(point), self.doc, self.datasets_file)
        if mistakes:
            raise SuiteMistakes(mistakes)
        return jobs

    def laid(self, point: Point) -> Combination:
        """The suite's settings with a trial's over them."""
        return Combination(matrix.laid_over(self.combination.point, point), point)


class SuiteMistakes(Exception):
    """Settings that each are allowed and together are not."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("; ".join(f"{each.key}: {each.problem}" for each in mistakes))


def read(
    doc: document.Document,
    scale: Scale,
    combinations: Sequence[Combination],
    jobs: Sequence[Job],
    datasets_file: Path | None,
) -> tuple[Search | None, list[Mistake]]:
    """The search of a suite at a scale, and what is wrong with it; None where something is, or the suite has none."""
    if not dict(layers(doc, scale)):
        return None, []
    reader = _Reader(doc, scale)
    search = reader.search(combinations, jobs, datasets_file)
    return (None if reader.mistakes else search), reader.mistakes


def layers(doc: document.Document, scale: Scale) -> Iterator[tuple[document.KeyPath, Any]]:
    """What the file says of its search at a scale, each with its place: for all scales, then for this one."""
    if doc.data.get(matrix.SEARCH) is not None:
        yield (matrix.SEARCH,), doc.data[matrix.SEARCH]
    scales = doc.data.get("scales")
    mine = scales.get(scale) if isinstance(scales, dict) else None
    if isinstance(mine, dict) and mine.get(matrix.SEARCH) is not None:
        yield ("scales", scale, matrix.SEARCH), mine[matrix.SEARCH]


class _Reader:
    """Reads the block of one scale: the suite's, with what the scale says of it laid over, key by key."""

    def __init__(self, doc: document.Document, scale: Scale) -> None:
        self.doc, self.mistakes = doc, list[Mistake]()
        self.layers = dict(layers(doc, scale))

    def mistake(self, inner: document.KeyPath, problem: str) -> None:
        """Note a mistake at a place in the block."""
        name = ".".join(map(str, ("search", *inner)))
        self.mistakes.append(Mistake(self.doc.file, self.doc.line(self.path(inner)), name, problem))

    def path(self, inner: document.KeyPath) -> document.KeyPath:
        """Where a part of the block stands: in the scale's, if it is there."""
        places = [(*place, *inner) for place in self.layers]
        return next((place for place in reversed(places) if place in self.doc.lines), places[0])

    def search(
        self, combinations: Sequence[Combination], jobs: Sequence[Job], datasets_file: Path | None
    ) -> Search | None:
        block, found = self.block(), None
        if block and len(combinations) != 1:
            self.mistake((), f"a suite that is searched has one variant, its own recipe; this has {len(combinations)}")
        elif block and jobs:
            devices = jobs[0].spec.resources.devices
            if devices > 1:
                problem = f"a trial trains on one device, `resources` ask for {devices}; say nodes: 1, gpus_per_node: 1"
                self.mistake((), problem)
            space = Space(tuple(self.parameters(block, facts(jobs[0]))), facts(jobs[0]))
            if not self.mistakes:
                found = self.completed(block, space, combinations[0], datasets_file)
        return found

    def block(self) -> Block | None:
        for layer in self.layers.values():
            if not isinstance(layer, dict):
                self.mistake((), f"expected a mapping with the keys {checks.one_of(Block.model_fields)}")
                return None
        merged = {key: value for layer in self.layers.values() for key, value in layer.items()}
        spaces = [layer["space"] for layer in self.layers.values() if "space" in layer]
        if spaces and all(isinstance(space, dict) for space in spaces):
            space = {key: value for space in spaces for key, value in space.items()}
            merged["space"] = {key: value for key, value in space.items() if value is not None}  # null: not here
        try:
            return from_data(Block, merged)
        except ValidationError as error:
            for key, problem in checks.problems(error, Block):
                self.mistake(tuple(int(part) if part.isdigit() else part for part in key.split(".") if part), problem)
            return None

    def parameters(self, block: Block, known: Mapping[str, Any]) -> Iterator[Parameter]:
        varied: dict[str, Parameter] = {}
        if not block.space:
            self.mistake(("space",), "names no key to search")
        for key, value in block.space.items():
            if key.split(".")[0] not in SEARCHED:
                self.mistake(("space", key), checks.unknown("key to search", key.split(".")[0], SEARCHED))
                continue
            found = list(self.of_key(key, value))
            for parameter in found:
                for name in [name for name in parameter.keys if name not in known]:
                    close = checks.did_you_mean(name, known)
                    self.mistake(("space", key), f"no training of this suite has the key {name}{close}")
                self.conditions(parameter, varied, known)
                yield parameter
            if any(not exclusive(one.distribution, other.distribution) for one, other in pairs(found, 2)):
                self.mistake(("space", key), "its ranges need conditions (`when`) of which never two hold together")
            varied |= {name: parameter for parameter in found for name in parameter.keys}

    def conditions(self, parameter: Parameter, varied: Mapping[str, Parameter], known: Mapping[str, Any]) -> None:
        """Note conditions that can never hold."""
        for name, value in parameter.distribution.when.items():
            if name not in varied:
                close = checks.did_you_mean(name, varied)
                self.mistake(("space", parameter.key), f"when: {name} is not searched above{close}")
                continue
            above = varied[name]
            for each in value if isinstance(value, list) else [value]:
                if each != known.get(name) and not above.may_set(name, each):
                    choices = [above.point(choice)[name].value for choice in above.distribution.choice or ()]
                    problem = checks.unknown(f"value of {name}", document.written(each), map(document.written, choices))
                    self.mistake(("space", parameter.key), f"when: {problem}")

    def of_key(self, key: str, value: Any) -> Iterator[Parameter]:
        read: list[tuple[document.KeyPath, Distribution]] = []
        for inner, plain in alternatives(value):
            try:
                read.append((inner, from_data(Distribution, plain)))
            except ValidationError as error:
                for part, problem in checks.problems(error, Distribution):
                    self.mistake(("space", key, *inner, *(part.split(".") if part else ())), problem)
        for (inner, distribution), name in zip(read, named(key, [each for _, each in read]), strict=True):
            line = self.doc.line(self.path(("space", key, *inner)))
            yield Parameter(name, key, distribution, Setting(None, self.doc.file, line))

    def completed(
        self, block: Block, space: Space, combination: Combination, datasets_file: Path | None
    ) -> Search | None:
        try:
            own = space.own({})
        except LookupError as error:
            parameter: Parameter = error.args[0]
            value = [document.written(space.facts.get(key)) for key in parameter.keys]
            problem = f"does not hold the suite's own {', '.join(value)}, which is trial 0"
            self.mistake(("space", parameter.key), problem)
            return None
        self.check_measured(block, str(space.facts["data.name"]), datasets_file)
        first = [self.given(index, values, space) for index, values in enumerate(block.first)]
        search = Search(block, space, own, tuple(first), combination, self.doc, datasets_file)
        self.mistakes += _impossible(search)
        return search

    def check_measured(self, block: Block, dataset: str, datasets_file: Path | None) -> None:
        """Note an objective that no trial's record would have."""
        from results.summary import TOP5_FROM  # imports NumPy: where a suite is searched

        with suppress(DatasetError):  # told where it is needed
            classes = class_count(dataset, datasets_file)
            if classes < TOP5_FROM and any(aim.objective.quantity == "top5" for aim in block.objective):
                self.mistake(("objective",), f"{dataset} has {classes} classes: top5 is measured from {TOP5_FROM} on")

    def given(self, index: int, values: Mapping[str, Any], space: Space) -> dict[str, Any]:
        searched = {key for parameter in space.parameters for key in parameter.keys}
        for key in [key for key in values if key not in searched]:
            self.mistake(("first", index, key), f"is not searched{checks.did_you_mean(key, searched)}")
        try:
            return space.own(values)
        except LookupError as error:
            parameter: Parameter = error.args[0]
            self.mistake(("first", index), f"{parameter.key} is not in its distribution")
            return {}


def _impossible(search: Search) -> list[Mistake]:
    """Mistakes of settings that may be proposed and that no training could have, each told once."""
    draw = random.Random(0)
    found: dict[tuple[str, int, str], Mistake] = {}
    for _ in range(TRIED):
        _, point = search.space.settings(lambda parameter: _drawn(parameter.distribution, draw))
        try:
            search.jobs(point)
        except SuiteMistakes as error:
            for each in error.mistakes:
                found.setdefault((each.file, each.line, each.key), each)
    return list(found.values())


def _drawn(distribution: Distribution, draw: random.Random) -> Any:
    """A value as Optuna has it: an end of the range every second time."""
    if distribution.choice is not None:
        return word(draw.choice(distribution.choice))
    low, high = distribution.ends
    value = draw.choice([low, high, draw.uniform(low, high), draw.uniform(low, high)])
    if distribution.step:
        value = low + distribution.step * ((value - low) // distribution.step)
    return int(value) if distribution.whole else float(value)
