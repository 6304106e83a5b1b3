"""Checks one combination of settings as a job, placing each mistake on the line whose setting caused it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from harness import checks, document
from harness.data.datasets import class_count
from harness.data.videos import DatasetError
from harness.errors import Mistake
from harness.matrix import Combination, Point, Setting
from harness.recipes import RECIPES
from harness.spec import Clip, Data, JobSpec, Precision, Protocol, Recipe, Resources, from_data
from models import zoo
from models.catalog import Options
from models.registry import UnknownModel, options_type

V = TypeVar("V", bound=BaseModel)
REQUIRED = "required, but not given"


@dataclass(frozen=True)
class Job:
    """One training of a suite: its specification, and the values that tell it from its neighbours."""

    spec: JobSpec
    variant: tuple[tuple[str, str], ...]

    @cached_property
    def id(self) -> str:
        """The training's identity."""
        return self.spec.identity()

    @cached_property
    def label(self) -> str:
        """The varied values, such as `divided · motion`; a bare number with its key's last part, as in `frames 8`."""
        return self._told(self.variant)

    @cached_property
    def name(self) -> str:
        """The label that all of a variant's seeds share."""
        return self._told([(key, value) for key, value in self.variant if key != "seed"])

    def _told(self, variant: Sequence[tuple[str, str]]) -> str:
        bare = [key.rpartition(".")[2] for key, value in variant if _is_bare(value)]
        words = [f"{_short(key, bare)} {value}" if _is_bare(value) else value for key, value in variant]
        return " · ".join(words) or self.spec.model.name


def checked(
    combination: Combination, doc: document.Document, datasets_file: Path | None
) -> tuple[list[Job], list[Mistake]]:
    """The jobs of one combination (one a seed) and its mistakes; no jobs where there are mistakes."""
    check = _Check(combination, doc, datasets_file)
    jobs = check.jobs()
    return ([] if check.mistakes else jobs), check.mistakes


class _Check:
    def __init__(self, combination: Combination, doc: document.Document, datasets_file: Path | None) -> None:
        self.point, self.varied = combination.point, combination.varied
        self.mistakes: list[Mistake] = []
        self.doc, self.datasets_file = doc, datasets_file
        self.tree = self.completed(nested(combination.point))

    def completed(self, tree: dict[str, Any]) -> dict[str, Any]:
        """What the model's name stands for, beneath what the suite says; as it is where the name says nothing."""
        if not isinstance(tree.get("model"), dict) or "name" not in tree["model"]:
            return tree
        try:
            return zoo.completed(tree)
        except UnknownModel:
            return tree  # told when the model itself is checked

    def mistake(self, key: str, problem: str) -> None:
        setting = self.origin(key)
        self.mistakes.append(Mistake(setting.file, setting.line, key, problem))

    def origin(self, key: str) -> Setting:
        """The setting of this key, of its last written part, of what it is part of, of a neighbour; else `base`."""
        inside = [name for name in self.point if name == key or name.startswith(f"{key}.")]
        around = [name for name in self.point if key.startswith(f"{name}.")]
        for name in [*reversed(inside), *around]:
            return self.point[name]
        parent = key.rpartition(".")[0]
        return self.origin(parent) if parent else Setting(None, self.doc.file, self.doc.line(("base",)))

    def jobs(self) -> list[Job]:
        model, data, recipe = self.model(), self.data(), self.recipe()
        clip = self.read("clip", Clip, self.tree.get("clip", {}))
        resources = self.read("resources", Resources, self.tree.get("resources", {}))
        tests, seeds, precision = self.tests(), self.seeds(), self.precision()
        if model and clip:
            self.check_together(model, clip, tests)
        if not (model and data and recipe and clip and resources):
            return []
        full = tuple(dict.fromkeys(test.at(clip.size) for test in tests))
        specs = [JobSpec(model, data, clip, recipe, seed, precision, full, resources) for seed in seeds]
        return [Job(spec, self.variant(spec.seed, len(seeds))) for spec in specs]

    def read(self, key: str, kind: type[V], data: Any) -> V | None:
        """`data` as a `kind`, or None after noting what is wrong with it."""
        try:
            return from_data(kind, data)
        except ValidationError as error:
            for inner, problem in checks.problems(error, kind):
                self.mistake(f"{key}.{inner}" if inner else key, problem)
            return None

    def named(self, key: str) -> dict[str, Any] | None:
        """The mapping at `key`, which must have a name; None after noting that it has none."""
        tree = self.tree.get(key, {})
        if not isinstance(tree, dict) or "name" not in tree:
            self.mistake(f"{key}.name", REQUIRED)
            return None
        return {**tree, "name": str(tree["name"])}

    def model(self) -> Options | None:
        tree = self.named("model")
        if tree is None:
            return None
        try:
            kind = options_type(zoo.form(tree["name"]).model["name"])
        except UnknownModel as error:
            self.mistake("model.name", str(error))
            return None
        return self.read("model", kind, tree)

    def data(self) -> Data | None:
        tree = self.named("data")
        if tree is None:
            return None
        try:
            class_count(tree["name"], self.datasets_file)
        except DatasetError as error:
            self.mistake("data.name", str(error))
            return None
        return self.read("data", Data, tree)

    def recipe(self) -> Recipe | None:
        tree = self.named("recipe")
        if tree is None:
            return None
        if tree["name"] not in RECIPES:
            self.mistake("recipe.name", checks.unknown("recipe", tree["name"], RECIPES))
            return None
        return self.read("recipe", Recipe, {**RECIPES[tree["name"]], **tree})

    def precision(self) -> Precision:
        value: Any = self.tree.get("precision", "float32")
        if value not in get_args(Precision):
            self.mistake("precision", checks.unknown("precision", value, get_args(Precision)))
        precision: Precision = value
        return precision

    def tests(self) -> list[Protocol]:
        tree = self.tree.get("test", {})
        protocols = tree if isinstance(tree, list) else [tree]
        if not protocols:
            self.mistake("test", "an empty list; leave the key out for one clip and three crops")
        return [test for test in (self.read("test", Protocol, each) for each in protocols) if test]

    def seeds(self) -> list[int]:
        seeds: Any = self.tree.get("seeds", [0])
        whole = isinstance(seeds, list) and all(type(seed) is int and 0 <= seed < 2**31 for seed in seeds)
        if not whole or not seeds or len(set(seeds)) != len(seeds):
            self.mistake("seeds", f"expected a list of different whole numbers from 0, got {seeds!r}")
            return []
        return list(seeds)

    def check_together(self, model: Options, clip: Clip, tests: Sequence[Protocol]) -> None:
        """Combinations that no training could run, at the training crop and at each test crop."""
        for key, problem in model.problems(clip.frames, clip.size):
            self.mistake(key, problem)
        for size in {test.size for test in tests if test.size} - {clip.size}:
            for key, problem in model.problems(clip.frames, size):
                if key == "clip.size":
                    self.mistake("test.size", problem.replace("clip.size", "test.size"))

    def variant(self, seed: int, seeds: int) -> tuple[tuple[str, str], ...]:
        told = [key for key in self.varied if key != "seeds" and not key.startswith("resources.")]  # name no training
        shown = tuple((key, document.written(self.point[key].value)) for key in told)
        return (*shown, ("seed", str(seed))) if seeds > 1 or "seeds" in self.varied else shown


def _short(key: str, lasts: Sequence[str]) -> str:
    """A key's last part, or all of it where another of these keys ends the same."""
    last = key.rpartition(".")[2]
    return last if lasts.count(last) == 1 else key


@cache  # a sweep of ten thousand jobs has a handful of values
def _is_bare(text: str) -> bool:
    """Whether a value says nothing without its key: a number, true, false, null, a list."""
    return text.isdigit() or not isinstance(document.scalar(text), str) or text.startswith("[")


def nested(point: Point) -> dict[str, Any]:
    """Flat key paths as nested mappings."""
    tree: dict[str, Any] = {}
    for key, setting in point.items():
        *parents, last = key.split(".")
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[last] = setting.value
    return tree
