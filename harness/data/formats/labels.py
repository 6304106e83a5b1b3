"""Class numbers from what annotations write: a number, or a class's name."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.checks import did_you_mean
from harness.data.formats.text import json_object, text, whole
from harness.data.videos import DatasetError

By = Literal["numbers", "names"]


def read_names(path: Path) -> tuple[str, ...]:
    """Class names in the order of their numbers: one a line, or a JSON list, or a JSON object of names and numbers.

    Raises DatasetError for a blank line between names, for a name that stands twice, and for numbers that are not
    0, 1, 2, ...
    """
    if path.suffix == ".json":
        return _distinct(path, _json_names(path, json_object(path)))
    return _distinct(path, [line.strip() for line in text(path).rstrip().split("\n")])


def _json_names(path: Path, data: Any) -> list[str]:
    if isinstance(data, list) and all(isinstance(name, str) for name in data):
        return data
    if isinstance(data, dict) and sorted(map(str, data.values())) == sorted(map(str, range(len(data)))):
        return [name.strip('"') for name in sorted(data, key=lambda name: int(data[name]))]
    raise DatasetError(f"{path}:1: expected a list of class names, or an object of names numbered 0, 1, 2, ...")


def _distinct(path: Path, names: Sequence[str]) -> tuple[str, ...]:
    lines: dict[str, int] = {}
    for line, name in enumerate(names, start=1):
        if not name:
            raise DatasetError(f"{path}:{line}: a class without a name")
        if name in lines:
            raise DatasetError(f"{path}:{line}: the class {name!r} stands twice (first as number {lines[name] - 1})")
        lines[name] = line
    return tuple(names)


@dataclass(frozen=True)
class Numbering:
    """The number of each label text that means a class, and what is said of the others."""

    classes: tuple[str, ...]
    numbers: Mapping[str, int]
    by: By
    listed: bool
    """Whether the classes were given, and not gathered from the labels."""
    lowest: int = 0
    """The least number that a label has."""

    def problem(self, label: str) -> str:
        """Why a label text is none of the classes."""
        if self.by == "names":
            if whole(label) is not None and not self.listed:
                return f"the label {label!r} is a number among names; if it names a class, say `labels: names`"
            where = "in the list of classes" if self.listed else "a class of the training list"
            return f"the class {label!r} is not {where}{did_you_mean(label, self.classes)}"
        most = f" to {len(self.classes) - 1}" if self.listed else ""
        if not self.listed and whole(label) is not None:
            return f"the label {label} would make more classes than there are videos; if it is right, say `classes:`"
        begin = whole(label) is not None and self.lowest == 1
        hint = "; the labels begin at 1, and classes are numbered from 0" if begin else ""
        return f"the label must be a whole number from 0{most}, read {label!r}{hint}"

    def gap(self, trained: Collection[int]) -> tuple[int, str] | None:
        """The label to tell of, and why, where classes that nobody listed have no number without a training video.

        Labels that begin at 1, or that leave some out, would else make classes that no video has.
        """
        absent = [number for number in range(len(self.classes)) if number not in trained]
        if self.listed or self.by == "names" or not absent:
            return None
        numbers = ", ".join([*map(str, absent[:8]), *(["..."] if len(absent) > 8 else [])])
        said = f"no training video has the label {numbers}, and classes are numbered 0, 1, 2, ..."
        if self.lowest:
            said = f"the labels begin at {self.lowest}, and classes are numbered from 0"
        remedy = "number them so, or say `labels: names` to take the numbers for names; if there are classes without "
        remedy += f"training videos, say how many classes there are: `classes: {len(self.classes)}`"
        written = sorted(set(self.numbers.values()))
        return next(number for number in written if number >= absent[0]), f"{said}: {remedy}"


def numbering(
    trained: Collection[str],
    tested: Collection[str],
    names: tuple[str, ...],
    count: int | None,
    by: By | None,
    most: int,
) -> Numbering:
    """How the label texts of both splits are numbered.

    `by` numbers or names; where this is not said, either with a list of `names`, else whichever most of the texts are.
    Without a list, named classes are those of the training split in alphabetical order (Kinetics' own), and numbers
    reach to the greatest that is written, which must be less than `most`. Raises DatasetError where a number could be
    a name.
    """
    texts = {*trained, *tested}
    if by is None and any(whole(name) is not None for name in names) and names != tuple(map(str, range(len(names)))):
        raise DatasetError("names of classes are numbers; say `labels: numbers` or `labels: names`")
    written = [text for text in texts if whole(text) is not None]
    mostly = by or ("names" if 2 * len(written) < len(texts) else "numbers")
    reach = len(names) or count or most
    numbers = {text: int(text) for text in written if int(text) < reach}
    lowest = min(numbers.values(), default=0)
    if names:
        meant = {name: number for number, name in enumerate(names)}
        known = {"names": meant, "numbers": numbers, None: {**numbers, **meant}}[by]
        return Numbering(names, known, mostly, True, lowest)
    if mostly == "names":
        classes = tuple(sorted(text for text in trained if text and (by or whole(text) is None)))
        return Numbering(classes, {name: number for number, name in enumerate(classes)}, "names", False)
    classes = tuple(map(str, range(count or 1 + max(numbers.values(), default=-1))))
    return Numbering(classes, numbers, "numbers", count is not None, lowest)
