"""A suite's matrix: from nested YAML to the flat combinations of settings that its jobs are made of.

As in GitHub Actions: `exclude` drops combinations, `include` extends those whose axis values agree with it and is a
combination of its own where none do. A scale, and then `--set`, is laid over every combination; where one of them
names an axis it gives the axis other values. A scale may have a `matrix`, `include` and `exclude` of its own, which
take the place of the suite's.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import yaml

from harness import checks, document
from harness.errors import Mistake, SuiteError
from harness.spec import Scale

JOB_KEYS = ("model", "data", "clip", "recipe", "test", "seeds", "precision", "resources")
NAMED = ("model", "data", "recipe")
"""Keys whose bare word is a name: `data: k400` says the same as `data: {name: k400}`."""
SCALES: tuple[Scale, ...] = get_args(Scale)
OWN = ("matrix", "include", "exclude")
"""Sections that a scale may have instead of the suite's."""
SEARCH = "search"
"""A section of the suite's, of which a scale may say some keys otherwise (`harness.search.block`)."""


@dataclass(frozen=True)
class Setting:
    """A value and where it was written (`--set` has line 0)."""

    value: Any
    file: str
    line: int

    @property
    def place(self) -> str:
        """Where it was written, as mistakes name it."""
        return f"{self.file}:{self.line}" if self.line else self.file


Point = dict[str, Setting]
"""Leaf key path (`model.attention`) -> setting."""
Axes = dict[str, list[Point]]
"""Axis key -> its values, each a point of one leaf, or of several where the value is a mapping."""


@dataclass(frozen=True)
class Combination:
    """All settings of one combination, and those of the matrix and of `include` that tell it from its neighbours."""

    point: Point
    own: Point

    @property
    def varied(self) -> tuple[str, ...]:
        """The keys of its own settings, in the order of all."""
        return tuple(key for key in self.point if key in self.own)


def leaf(key: str) -> str:
    """The leaf that a scalar at `key` sets: `data` is short for `data.name`."""
    return f"{key}.name" if key in NAMED else key


def flat(key: str, value: Any, setting: Callable[[document.KeyPath], Setting], inner: document.KeyPath = ()) -> Point:
    """The leaves of `value` at `key`; `setting` says where the part at an inner path was written."""
    if not isinstance(value, dict):
        return {leaf(key): replace(setting(inner), value=value)}
    points = (flat(f"{key}.{name}", item, setting, (*inner, name)) for name, item in value.items())
    return laid_over(*points)


def laid_over(*layers: Point) -> Point:
    """Later layers over earlier ones; a leaf replaces what stood below or above it."""
    point: Point = {}
    for layer in layers:
        for key, setting in layer.items():
            for other in [name for name in point if name.startswith(f"{key}.") or key.startswith(f"{name}.")]:
                del point[other]
            point[key] = setting
    return point


class Reader:
    """Reads one suite document, collecting mistakes instead of stopping at the first."""

    def __init__(self, doc: document.Document) -> None:
        self.doc = doc
        self.mistakes: list[Mistake] = []
        self.unread: set[str] = set()
        """Axes whose values could not be read: that nothing else gives these keys is no mistake of its own."""
        self.scale: Scale = "demo"
        self.broken = False
        """Whether a whole section could not be read, so that nothing can be said of the combinations."""

    def combinations(self, scale: Scale, sets: Sequence[str]) -> list[Combination]:
        """Every combination of the suite at one scale, with `sets` (`KEY=VALUE`) laid over."""
        base = self._over(self._mapping(("base",)), self._mapping(("resources",), "resources."))
        self.scale = scale
        axes, overlay, overrides = self._axes(), self._overlay(scale), self._overrides(sets)
        for layer in (overlay, overrides):
            for key in [key for key in layer if key in axes]:
                self._replace_axis(axes, key, layer.pop(key))
        varied = self._included(self._excluded(_product(axes), axes), axes)
        return [Combination(self._over(base, own, overlay, overrides), own) for own in varied]

    def mistake(self, path: document.KeyPath, problem: str) -> None:
        """Note a mistake at a key path of the file."""
        self.mistakes.append(Mistake(self.doc.file, self.doc.line(path), ".".join(map(str, path)), problem))

    def _over(self, *layers: Point) -> Point:
        """Layers laid over one another; a key inside a list is a mistake, for it would take the whole list's place."""
        point: Point = {}
        for layer in layers:
            point = laid_over(point, {key: layer[key] for key in layer if not self._in_list(point, key, layer[key])})
        return point

    def _in_list(self, point: Point, key: str, setting: Setting) -> bool:
        for name, below in point.items():
            if key.startswith(f"{name}.") and isinstance(below.value, list):
                problem = f"{name} is a list ({below.place}); give the whole list here, as {name}: [...]"
                self.mistakes.append(Mistake(setting.file, setting.line, key, problem))
                return True
        return False

    def _at(self, path: document.KeyPath) -> Setting:
        return Setting(None, self.doc.file, self.doc.line(path))

    def _section(self, key: str, kind: type, expected: str) -> tuple[document.KeyPath, Any]:
        """Where a section stands and what it holds: the scale's own, else the suite's; empty where it is wrong."""
        scales = self.doc.data.get("scales")
        mine = scales.get(self.scale) if isinstance(scales, dict) else None
        own = key in OWN and isinstance(mine, dict) and key in mine
        path: document.KeyPath = ("scales", self.scale, key) if own else (key,)
        value = mine[key] if own and mine else self.doc.data.get(key)
        if value is not None and not isinstance(value, kind):
            self.mistake(path, f"expected {expected}, got {value!r}")
            self.broken = self.broken or key != "exclude"  # which gives no job anything
        return path, value if isinstance(value, kind) else kind()

    def _job_key(self, path: document.KeyPath, key: str) -> bool:
        first = key.split(".")[0]
        if first not in JOB_KEYS:
            self.mistake(path, checks.unknown("key", first, JOB_KEYS))
        return first in JOB_KEYS

    def _mapping(self, path: document.KeyPath, prefix: str = "") -> Point:
        """The mapping at `path` as a point of job keys."""
        value: Any = self.doc.data
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.mistake(path, f"expected a mapping of keys to values, got {value!r}")
            self.broken = self.broken or path != ("resources",)  # of which every one has a value by itself
            return {}
        sections = (*OWN, SEARCH) if path[0] == "scales" else ()
        given = {key: item for key, item in value.items() if key not in sections}
        known = {key: item for key, item in given.items() if prefix or self._job_key((*path, key), key)}
        return self._point(path, known, prefix)

    def _point(self, path: document.KeyPath, mapping: Mapping[str, Any], prefix: str = "") -> Point:
        def place(key: str) -> Callable[[document.KeyPath], Setting]:
            return lambda inner: self._at((*path, key, *inner))

        return self._over(*(flat(f"{prefix}{key}", item, place(key)) for key, item in mapping.items()))

    def _axes(self) -> Axes:
        axes: Axes = {}
        place, section = self._section("matrix", dict, "a mapping of key paths to lists of values")
        for key, values in section.items():
            path = (*place, key)
            if not self._job_key(path, key):
                continue
            if leaf(key) in axes:
                self.mistake(path, "the same axis stands twice, once by its short name; keep one")
            if not isinstance(values, list) or not values:
                self.unread.add(leaf(key))
                problem = f"expected a list of values, got {values!r}"
                self.mistake(path, "an axis of the matrix needs at least one value" if values == [] else problem)
            else:
                axes[leaf(key)] = [self._axis_value((*path, index), key, value) for index, value in enumerate(values)]
        return axes

    def _axis_value(self, path: document.KeyPath, key: str, value: Any) -> Point:
        return flat(key, value, lambda inner: self._at((*path, *inner)))

    def _overlay(self, scale: Scale) -> Point:
        for name in self._section("scales", dict, f"a mapping with the keys {checks.one_of(SCALES)}")[1]:
            if name not in SCALES:
                self.mistake(("scales", name), checks.unknown("scale", name, SCALES))
        return self._mapping(("scales", scale))

    def _overrides(self, sets: Sequence[str]) -> Point:
        return self._over(*(override(text) for text in sets))

    def _replace_axis(self, axes: Axes, key: str, setting: Setting) -> None:
        """A scale or `--set` that names an axis gives it other values: a list, or, for `--set`, just one."""
        values = setting.value if isinstance(setting.value, list) else [setting.value]
        if not values or (setting.file != "--set" and not isinstance(setting.value, list)):
            problem = f"is an axis of the matrix; here a list of other values may stand, not {setting.value!r}"
            self.mistakes.append(Mistake(setting.file, setting.line, key, problem))
            return
        axes[key] = [flat(key, value, lambda _: setting) for value in values]

    def _entries(self, section: str) -> Iterator[tuple[document.KeyPath, Point]]:
        place, entries = self._section(section, list, "a list of mappings")
        for index, entry in enumerate(entries):
            path = (*place, index)
            if not isinstance(entry, dict) or not entry:
                self.mistake(path, f"expected a mapping such as {{model.attention: joint}}, got {entry!r}")
            elif not [key for key in entry if not self._job_key((*path, key), key)]:  # tells every unknown key
                yield path, self._point(path, entry)

    def _excluded(self, points: list[Point], axes: Axes) -> list[Point]:
        names = _leaves(axes)
        for path, entry in self._entries("exclude"):
            foreign = [key for key in entry if key not in names]
            if foreign:
                self.mistake(path, f"{foreign[0]} is no axis of the matrix; axes: {checks.one_of(axes)}")
            else:
                points = [point for point in points if not _agrees(point, entry)]
        return points

    def _included(self, points: list[Point], axes: Axes) -> list[Point]:
        names, entries = _leaves(axes), [entry for _, entry in self._entries("include")]
        points = list(points) if axes or not entries else []
        originals, alone = list(points), []
        for entry in entries:
            shared = {key: setting for key, setting in entry.items() if key in names}
            matched = [index for index, point in enumerate(originals) if _agrees(point, shared)]
            for index in matched:
                points[index] = self._over(points[index], entry)
            if not matched:
                alone.append(entry)
        return points + alone


def override(text: str) -> Point:
    """One `--set KEY=VALUE`, the value read as YAML; raises SuiteError."""
    key, equals, value = text.partition("=")
    first = key.split(".")[0]
    if not equals:
        raise SuiteError([Mistake("--set", 0, text, "expected KEY=VALUE, such as model.size=tiny")])
    if first not in JOB_KEYS:
        raise SuiteError([Mistake("--set", 0, text, checks.unknown("key", first, JOB_KEYS))])
    try:
        data = yaml.load(value, document.Loader)
    except yaml.YAMLError:
        raise SuiteError([Mistake("--set", 0, text, f"'{value}' is not a YAML value")]) from None
    return flat(key, data, lambda _: Setting(None, "--set", 0))


def _product(axes: Axes) -> list[Point]:
    return [laid_over(*values) for values in itertools.product(*axes.values())]


def _leaves(axes: Axes) -> set[str]:
    return {key for values in axes.values() for value in values for key in value}


def _agrees(point: Point, entry: Point) -> bool:
    return all(key in point and point[key].value == setting.value for key, setting in entry.items())
