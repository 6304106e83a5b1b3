"""What the datasets file may say of a set in any format; each format adds its keys and its reading."""

from abc import abstractmethod
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from harness.checks import one_of
from harness.data.formats.labels import read_names
from harness.data.formats.splits import Annotations
from harness.data.videos import DatasetError, Decoder, Sampling
from harness.value import Value

Separator = Annotated[str, Field(min_length=1, max_length=1)]
Share = Annotated[float, Field(gt=0, lt=1)]
ANNOTATION_SUFFIXES = (".csv", ".json", ".tsv", ".txt")

Seed = Annotated[int, Field(ge=0)]


class Entry(Value):
    """One data set on this disk. A relative path is relative to the root, the root to the datasets file."""

    SAMPLING: ClassVar[Sampling] = "dense"
    FLIP: ClassVar[bool] = True
    EXAMPLE: ClassVar[str]
    """What stands behind the format in the line that a person is told to write."""

    format: str
    root: Path
    annotations: Path = Path()
    decoder: Decoder = "decord"
    classes: Annotated[int, Field(ge=1)] | None = None
    class_names: Path | None = None
    sampling: Sampling | None = None
    flip: bool | None = None

    @field_validator("root", "annotations", "class_names")
    @classmethod
    def _is_path(cls, path: Path | None) -> Path | None:
        if path is not None and "\0" in str(path):
            raise ValueError("a path cannot hold a zero byte")
        return path

    def at(self, name: str | Path) -> Path:
        """Where a file of the annotations lies."""
        return self.root / self.annotations / name

    def names(self) -> tuple[str, ...]:
        """The names of the classes, from `class_names`, or from `classes.txt` where there is one; else none."""
        path = self.at(self.class_names or "classes.txt")
        return read_names(path) if self.class_names or path.is_file() else ()

    def one_of(self, *names: str) -> Path:
        """The first of these annotation files that is there; raises DatasetError where none is."""
        for name in names:
            if self.at(name).is_file():
                return self.at(name)
        folder = self.root / self.annotations
        if not folder.is_dir():
            raise DatasetError(f"there is no folder {folder}")
        present = sorted(path.name for path in folder.glob("*") if path.suffix in ANNOTATION_SUFFIXES)
        there = f"; there are {one_of(present[:8])}" if present else ""
        raise DatasetError(f"{folder}: no file {' or '.join(names[:2])} in it{there}")

    def quick_count(self) -> int | None:
        """How many classes there are, where this is said or listed; None where annotations would have to be read."""
        return self.classes or len(self.names()) or None

    @abstractmethod
    def files(self) -> tuple[Path, ...]:
        """The annotation files that reading needs; raises DatasetError where one is absent."""

    @abstractmethod
    def read(self) -> Annotations:
        """Both splits, of `classes` classes where this is said; raises DatasetError with every mistake."""
