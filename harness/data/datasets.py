"""Data sets by name: what is known of each, and where the datasets file says that it lies.

Reading checks everything that can be checked without opening a video and reports all mistakes at once as `file:line`.
A file that is absent or damaged is found when it is decoded, where it is counted and named.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from harness import checks, document
from harness.data import embedded
from harness.data.formats.diving48 import Diving48
from harness.data.formats.entry import Entry
from harness.data.formats.folder import Folder
from harness.data.formats.howto100m import HowTo100M
from harness.data.formats.kinetics import Kinetics
from harness.data.formats.something import Something
from harness.data.formats.splits import Annotations, no_collection
from harness.data.formats.table import Table
from harness.data.videos import Dataset, DatasetError, Sampling
from harness.errors import HarnessError

FORMATS: Mapping[str, type[Entry]] = {
    "kinetics": Kinetics,
    "something-something": Something,
    "diving48": Diving48,
    "howto100m": HowTo100M,
    "folder": Folder,
    "table": Table,
}


NAME = re.compile(r"\w[\w.-]{0,63}")


class Listing(NamedTuple):
    """A set as the datasets file has it, right or wrong."""

    format: str
    classes: int | None
    """None where only reading its lists would tell."""
    root: str


@dataclass(frozen=True)
class Known:
    """A data set that suites may name: its usual format, its number of classes, and how its protocol sees a video."""

    format: str
    classes: int
    sampling: Sampling
    flip: bool
    embedded: bool = False
    drawn: bool = False
    """Whether its classes are drawn from a longer list, so that their number is that of the list at hand."""


KNOWN: Mapping[str, Known] = {
    "k400": Known("kinetics", 400, "dense", flip=True),
    "k600": Known("kinetics", 600, "dense", flip=True),
    "ssv2": Known("something-something", 174, "segment", flip=False),
    "diving48": Known("diving48", 48, "dense", flip=False),
    "howto100m": Known("howto100m", 1059, "dense", flip=True, drawn=True),
    "appearance": Known("kinetics", 4, "dense", flip=True, embedded=True),
    "long": Known("kinetics", 3, "dense", flip=True, embedded=True),
    "motion": Known("something-something", 4, "segment", flip=False, embedded=True),
}
"""Segment sampling and no mirroring of SSv2: configs/SSv2 of the released code. Diving-48 and HowTo100M have no
configuration there: "all the other hyperparameters were the same as for Kinetics" (facebookresearch/TimeSformer,
issue 62). Diving-48 is not mirrored here all the same: its classes tell left from right."""

PUBLISHED_SIZES: Mapping[str, Mapping[str, int]] = {
    "k400": {"train": 240_000, "val": 20_000},
    "k600": {"train": 392_000, "val": 30_000},
    "ssv2": {"train": 170_000, "val": 25_000},
    "diving48": {"train": 16_000, "val": 3_000},
    "howto100m": {"train": 85_000, "val": 35_000},
    **{
        name: {split: len(made.classes) * scenes for split, scenes in made.scenes.items()}
        for name, made in embedded.SETS.items()
    },
}
"""Videos of each split as the paper counts them, in thousands (TimeSformer, arXiv 2102.05095v4; 85K and 35K also in
section 4.5 of the ICML edition); of the embedded sets, exactly."""


def revision(name: str) -> int:
    """The version of a generated set's bytes; 0 for the others, whose files are not ours."""
    return embedded.REVISION if name in KNOWN and KNOWN[name].embedded else 0


def class_count(name: str, datasets_file: Path | None = None) -> int:
    """How many classes the data set has, without touching its videos; raises DatasetError for an unknown name.

    A known set's number is known. One's own says it, or its annotations are read.
    """
    known = KNOWN.get(name)
    if known and not known.drawn:
        return known.classes
    try:
        entry, place = _configured(name, datasets_file)
    except DatasetError:
        if known:
            return known.classes
        raise
    if entry.classes or known:
        return entry.classes or (known.classes if known else 0)
    with _told_at(place):
        _check_root(entry, "; to plan without it, say `classes:`, how many")
        return _counted(entry)


def require(name: str, datasets_file: Path | None) -> None:
    """Raise DatasetError now where `open_dataset` would later, for want of an entry, of its folder or of a list."""
    if name in KNOWN and KNOWN[name].embedded:
        return
    entry, place = _configured(name, datasets_file)
    with _told_at(place):
        _check_root(entry)
        entry.files()


def open_dataset(name: str, *, cache: Path, datasets_file: Path | None = None) -> Dataset:
    """The data set of this name: an embedded one is generated under `cache` when absent, another is looked up.

    The datasets file says where a data set lies: `k400: {root: /data/k400}`. Raises DatasetError.
    """
    known = KNOWN.get(name)
    if known and known.embedded:
        entry = FORMATS[known.format](format=known.format, root=_embedded(name, cache))
        place = str(entry.root)
    else:
        entry, place = _configured(name, datasets_file)
    expected = entry.classes or (known.classes if known else None)
    with _told_at(place):
        _check_root(entry)
        read = _read(entry.model_copy(update={"classes": expected}))
    if expected and len(read.classes) != expected:
        hint = f"; if that is right, say `classes: {len(read.classes)}`" if known is None or known.drawn else ""
        raise DatasetError(
            f"{place}: {name} has {expected} classes, the annotations name {len(read.classes)} ({entry.root}){hint}"
        )
    sampling = known.sampling if known else entry.sampling or entry.SAMPLING
    flip = known.flip if known else entry.FLIP if entry.flip is None else entry.flip
    return Dataset(name, read.classes, sampling, flip, read.train, read.val, entry.decoder)


def configured(datasets_file: Path | None) -> dict[str, Listing]:
    """Every set of the datasets file; empty where there is no such file. No list of videos is read for it."""
    if datasets_file is None or not datasets_file.is_file():
        return {}
    return {name: _listing(name, entry, datasets_file) for name, entry in _entries(datasets_file).data.items()}


def _listing(name: str, written: Any, datasets_file: Path) -> Listing:
    known = KNOWN.get(name)
    said = written if isinstance(written, dict) else {}
    format_ = said.get("format", known.format if known else "")
    try:
        classes = (known.classes if known and not known.drawn else None) or _quick_count(name, datasets_file)
    except (DatasetError, OSError):  # told when the set is used
        classes = None
    return Listing(str(format_), classes, str(said.get("root", "")))


def _quick_count(name: str, datasets_file: Path) -> int | None:
    entry, _ = _configured(name, datasets_file)
    return entry.quick_count()


@lru_cache
def _counted(entry: Entry) -> int:
    """Remembered, as planning a suite asks for each of its jobs."""
    return len(_read(entry).classes)


def _read(entry: Entry) -> Annotations:
    with no_collection():
        return entry.read()


@contextmanager
def _told_at(place: str) -> Iterator[None]:
    """Tells what is wrong with the files of an entry, each mistake at its own place, below the entry's."""
    try:
        yield
    except (DatasetError, OSError) as error:  # OSError: a folder without permission, a name that is too long
        said = str(error)
        raise DatasetError(f"{place}:{chr(10) if chr(10) in said else ' '}{said}") from None


def _check_root(entry: Entry, remedy: str = "") -> None:
    if not entry.root.is_dir():
        raise DatasetError(f"there is no folder {entry.root}{remedy}")


def _embedded(name: str, cache: Path) -> Path:
    try:
        return embedded.ensure(name, cache)
    except FileExistsError as error:
        raise DatasetError(f"the embedded set {name} cannot be made under {cache}: {error}") from error


# The datasets file


def _configured(name: str, datasets_file: Path | None) -> tuple[Entry, str]:
    """The entry of this name and where it stands; raises DatasetError that says what to write where."""
    if not NAME.fullmatch(name):  # it becomes the name of files
        raise DatasetError(
            f"{datasets_file or 'the datasets file'}: {name!r} cannot name a data set: a name is at most 64 letters, "
            "digits, `.`, `_` and `-`, and begins with none of `.` and `-`"
        )
    if datasets_file is None or not datasets_file.is_file():
        place = datasets_file or "a datasets file"
        raise DatasetError(f"the data set {name!r} is not configured: write `{_remedy(name)}` into {place}")
    read = _entries(datasets_file)
    if name not in read.data:
        near = checks.did_you_mean(name, [*KNOWN, *read.data])
        raise DatasetError(f"{datasets_file}: no data set {name!r}{near}: write `{_remedy(name)}` into it")
    entry, place = read.data[name], f"{datasets_file}:{read.line((name,))}: {name}"
    format_ = _format(name, entry, place)
    try:
        made = FORMATS[format_].model_validate_json(json.dumps({**entry, "format": format_}, default=str))
    except ValidationError as error:
        found = checks.problems(error, FORMATS[format_])
        lines = [
            f"{datasets_file}:{read.line((name, *key.split('.')))}: {'.'.join(filter(None, (name, key)))}: {problem}"
            for key, problem in found
        ]
        raise DatasetError("\n".join([*lines, f"as in `{_remedy(name, format_)}`"])) from None
    if problem := _problem(name, made):
        raise DatasetError(f"{place}: {problem}")
    return made.model_copy(update={"root": datasets_file.parent / _home(made.root, place)}), place


def _entries(datasets_file: Path) -> document.Document:
    """The datasets file as a mapping of names; raises DatasetError where it is none."""
    try:
        read = document.read(datasets_file)
    except HarnessError as error:
        raise DatasetError(str(error)) from None
    if read.mistakes:
        raise DatasetError("\n".join(map(str, read.mistakes)))
    read.data = {} if read.data is None else read.data
    if not isinstance(read.data, dict):
        raise DatasetError(f"{datasets_file}:1: expected a name of a data set on each line, as in `{_remedy('k400')}`")
    return read


def _format(name: str, entry: Any, place: str) -> str:
    """The format that an entry names, or that its name is known by."""
    if not isinstance(entry, dict) or "root" not in entry:
        raise DatasetError(f"{place}: expected a format and a root, as in `{_remedy(name)}`")
    format_ = entry.get("format", KNOWN[name].format if name in KNOWN else None)
    if format_ is None:
        raise DatasetError(f"{place}: say its format: {checks.one_of(FORMATS)}")
    if not isinstance(format_, str) or format_ not in FORMATS:
        raise DatasetError(f"{place}: {checks.unknown('format', format_, FORMATS)}")
    return format_


def _problem(name: str, entry: Entry) -> str:
    """What an entry says against what is known of its name; empty where nothing."""
    known = KNOWN.get(name)
    if known is None:
        return ""
    if entry.sampling or entry.flip is not None:
        return "its sampling and mirroring are its protocol's; for others, give the set a name of your own"
    if entry.classes not in (None, known.classes) and not known.drawn:
        return f"it has {known.classes} classes, not {entry.classes}; give a part of it a name of your own"
    return ""


def _home(root: Path, place: str) -> Path:
    try:
        return root.expanduser()
    except RuntimeError as error:
        raise DatasetError(f"{place}: root: {error}") from None


def _remedy(name: str, format_: str | None = None) -> str:
    """A line for the datasets file."""
    format_ = format_ or (KNOWN[name].format if name in KNOWN else "folder")
    return f"{name}: {{format: {format_}, {FORMATS[format_].EXAMPLE.format(name=name)}}}"
