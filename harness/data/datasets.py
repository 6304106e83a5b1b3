"""Data sets as lists of video files and labels, read from the annotation formats of Kinetics and Something-Something.

Reading checks everything that can be checked without opening a video and reports all mistakes at once as `file:line`.
A file that is absent or damaged is found when it is decoded, where it is counted and named.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from harness import document
from harness.data import embedded
from harness.data.videos import Dataset, DatasetError, Video

MISTAKES_SHOWN = 20


@dataclass(frozen=True)
class _Annotated:
    """A video and the `file:line` that names it."""

    video: Video
    place: str


@dataclass(frozen=True)
class Known:
    """A data set that suites may name: its annotation format, its number of classes, and whether it is generated."""

    format: Literal["kinetics", "something-something"]
    classes: int
    embedded: bool = False


KNOWN: Mapping[str, Known] = {
    "k400": Known("kinetics", 400),
    "k600": Known("kinetics", 600),
    "ssv2": Known("something-something", 174),
    "appearance": Known("kinetics", 4, embedded=True),
    "motion": Known("something-something", 4, embedded=True),
}


def revision(name: str) -> int:
    """The version of a generated set's bytes; 0 for the others, whose files are not ours."""
    return embedded.REVISION if name in KNOWN and KNOWN[name].embedded else 0


def class_count(name: str, datasets_file: Path | None = None) -> int:
    """How many classes the data set has, without touching its videos; raises DatasetError for an unknown name."""
    if name in KNOWN:
        return KNOWN[name].classes
    entry = _configured(name, datasets_file)
    if entry.classes is None:
        raise DatasetError(f"{datasets_file}:{entry.line}: {name}: say its number of classes, as in `classes: 48`")
    return entry.classes


def require(name: str, datasets_file: Path | None) -> None:
    """Raise DatasetError now where `open_dataset` would later, for want of an entry or of its folder; reads no list."""
    if name in KNOWN and KNOWN[name].embedded:
        return
    entry = _configured(name, datasets_file)
    if not entry.root.is_dir():
        raise DatasetError(f"{datasets_file}:{entry.line}: {name}: there is no folder {entry.root}")


def open_dataset(name: str, *, cache: Path, datasets_file: Path | None = None) -> Dataset:
    """The data set of this name: an embedded one is generated under `cache` when absent, another is looked up.

    The datasets file says where a data set lies: `k400: {format: kinetics, root: /data/k400}`. Raises DatasetError.
    """
    known = KNOWN.get(name)
    if known and known.embedded:
        try:
            return READERS[known.format](embedded.ensure(name, cache), name=name)
        except FileExistsError as error:
            raise DatasetError(f"the embedded set {name} cannot be made under {cache}: {error}") from error
    entry = _configured(name, datasets_file)
    if known and known.format != entry.format:
        raise DatasetError(f"{datasets_file}:{entry.line}: {name} has the format {known.format}, not {entry.format}")
    dataset = READERS[entry.format](entry.root, name=name)
    expected = class_count(name, datasets_file) if known or entry.classes else len(dataset.classes)
    if len(dataset.classes) != expected:
        raise DatasetError(f"{entry.root}: {name} has {expected} classes, the annotations name {len(dataset.classes)}")
    return dataset


# Kinetics


def read_kinetics(folder: Path, *, name: str) -> Dataset:
    """train.csv and val.csv with `path label` on each line, and class names in classes.txt (optional, one a line).

    A relative path is relative to the folder and may hold spaces. Raises DatasetError with every mistake.
    """
    names = _class_names(folder / "classes.txt")
    count = len(names) if names else KNOWN[name].classes if name in KNOWN else None
    problems: list[str] = []
    trained, tested = (_kinetics_split(folder / f"{split}.csv", count, problems) for split in ("train", "val"))
    train, val = _checked(trained, tested, problems)
    count = count or 1 + max(video.label for video in (*train, *val))
    return Dataset(name, names or tuple(map(str, range(count))), "dense", True, train, val)


def _class_names(path: Path) -> tuple[str, ...]:
    return tuple(_text(path).splitlines()) if path.is_file() else ()


def _kinetics_split(path: Path, classes: int | None, problems: list[str]) -> list[_Annotated]:
    entries: list[_Annotated] = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        place = f"{path}:{number}"
        file, _, label = line.rstrip().rpartition(" ")
        if not line.strip():
            continue
        if not file:
            problems.append(f"{place}: expected `path label` with a space between, read {line!r}")
        elif not _is_label(label, classes):
            problems.append(f"{place}: the label must be {_allowed(classes)}, read {label!r}")
        else:
            video = Video(file.strip(), path.parent / file.strip(), int(label))
            entries.append(_Annotated(video, place))
    _note_repeated(entries, problems)
    return entries


def _is_label(text: str, classes: int | None) -> bool:
    return text.isascii() and text.isdigit() and (classes is None or int(text) < classes)


def _allowed(classes: int | None) -> str:
    return "a whole number from 0" + (f" to {classes - 1}" if classes else "")


# Something-Something


def read_something_something(folder: Path, *, name: str) -> Dataset:
    """The label file, the two lists and the folder of videos of Something-Something V2, by their old names or new.

    `labels/{labels,train,validation}.json`, or `something-something-v2-{labels,train,validation}.json` beside the
    videos; `videos/` or `20bn-something-something-v2/` with `<id>.webm` or `<id>.mp4`. Raises DatasetError with every
    mistake.
    """
    problems: list[str] = []
    templates = _templates(_one_of(folder, "labels"), problems)
    videos = next((folder / name for name in VIDEO_FOLDERS if (folder / name).is_dir()), None)
    if videos is None:
        raise DatasetError(f"{folder}: no folder of videos; expected {' or '.join(VIDEO_FOLDERS)} in it")
    with os.scandir(videos) as listing:
        files = {entry.name for entry in listing}

    trained, tested = (
        _something_split(_one_of(folder, kind), templates, videos, files, problems) for kind in ("train", "validation")
    )
    train, val = _checked(trained, tested, problems)
    classes = tuple(sorted(templates, key=lambda template: templates[template]))
    return Dataset(name, classes, "segment", False, train, val)


VIDEO_FOLDERS = ("videos", "20bn-something-something-v2")
VIDEO_SUFFIXES = (".webm", ".mp4")


def _one_of(folder: Path, kind: str) -> Path:
    names = f"labels/{kind}.json", f"something-something-v2-{kind}.json", f"labels/something-something-v2-{kind}.json"
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise DatasetError(f"{folder}: no {kind} file; expected {' or '.join(names[:2])}")


def _templates(path: Path, problems: list[str]) -> dict[str, int]:
    """Class number by template, which must be 0, 1, 2, ..."""
    data = _json(path)
    if not isinstance(data, dict) or not data or not all(_is_label(str(index), None) for index in data.values()):
        raise DatasetError(f'{path}:1: expected an object of templates and numbers, as in {{"Moving something": "0"}}')
    templates = {template: int(index) for template, index in data.items()}
    if sorted(templates.values()) != list(range(len(templates))):
        problems.append(f"{path}:1: the {len(templates)} classes must be numbered 0 to {len(templates) - 1}, each once")
    return templates


def _something_split(
    path: Path, templates: Mapping[str, int], videos: Path, files: set[str], problems: list[str]
) -> list[_Annotated]:
    found: list[_Annotated] = []
    for line, entry in _entries(path):
        place = f"{path}:{line}"
        if not isinstance(entry, dict) or not {"id", "template"} <= entry.keys():
            problems.append(f"{place}: expected an object with `id` and `template`, read {json.dumps(entry)[:80]}")
            continue
        template = str(entry["template"]).replace("[", "").replace("]", "")
        if template not in templates:
            near = get_close_matches(template, templates, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            problems.append(f"{place}: the template {template!r} is not in the label file{hint}")
            continue
        id_ = str(entry["id"])
        file = next((id_ + suffix for suffix in VIDEO_SUFFIXES if id_ + suffix in files), id_ + VIDEO_SUFFIXES[0])
        found.append(_Annotated(Video(id_, videos / file, templates[template]), place))
    _note_repeated(found, problems)
    return found


def _entries(path: Path) -> Iterator[tuple[int, Any]]:
    """Each item of a JSON list with the line on which it starts."""
    text = _text(path)
    decoder = json.JSONDecoder()
    position, line, counted = _skip(text, 0), 1, 0
    if text[position : position + 1] != "[":
        raise DatasetError(f"{path}:1: expected a JSON list of videos")
    position = _skip(text, position + 1)
    while text[position : position + 1] != "]":
        line, counted = line + text.count("\n", counted, position), position
        try:
            entry, position = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            raise DatasetError(f"{path}:{error.lineno}: not valid JSON: {error.msg}") from None
        yield line, entry
        position = _skip(text, position)
        if text[position : position + 1] not in (",", "]"):
            raise DatasetError(f"{path}:{line}: not valid JSON: a comma or the end of the list must follow this entry")
        if text[position] == ",":
            position = _skip(text, position + 1)


def _skip(text: str, position: int) -> int:
    while text[position : position + 1].isspace():
        position += 1
    return position


# Both


def _note_repeated(entries: Sequence[_Annotated], problems: list[str]) -> None:
    places: dict[str, str] = {}
    for entry in entries:
        id_ = entry.video.id
        if id_ in places:
            problems.append(f"{entry.place}: the video {id_} stands twice (first at {places[id_]})")
        places.setdefault(id_, entry.place)


def _checked(
    train: list[_Annotated], val: list[_Annotated], problems: list[str]
) -> tuple[tuple[Video, ...], tuple[Video, ...]]:
    """Both splits without their places in the files; raises all mistakes at once, a video in both splits among them."""
    trained = {entry.video.id for entry in train}
    problems += [
        f"{entry.place}: the video {entry.video.id} is in the training split too"
        for entry in val
        if entry.video.id in trained
    ]
    if not train or not val:
        problems.append("a split is empty")
    if problems:
        more = len(problems) - MISTAKES_SHOWN
        raise DatasetError("\n".join([*problems[:MISTAKES_SHOWN], *([f"... and {more} more"] if more > 0 else [])]))
    return tuple(entry.video for entry in train), tuple(entry.video for entry in val)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _json(path: Path) -> Any:
    try:
        return json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise DatasetError(f"{path}:{error.lineno}: not valid JSON: {error.msg}") from None


# Where data sets lie

READERS: Mapping[str, Callable[..., Dataset]] = {
    "kinetics": read_kinetics,
    "something-something": read_something_something,
}
ENTRY_KEYS = ("format", "root", "classes")


@dataclass(frozen=True)
class _Entry:
    """What the datasets file says of one data set."""

    format: str
    root: Path
    classes: int | None
    line: int


def _configured(name: str, datasets_file: Path | None) -> _Entry:
    """The entry of this name; raises DatasetError that says what to write where."""
    format_ = KNOWN[name].format if name in KNOWN else "kinetics"
    remedy = f"{name}: {{format: {format_}, root: /path/to/{name}}}"
    if datasets_file is None or not datasets_file.is_file():
        place = datasets_file or "a datasets file"
        raise DatasetError(f"the data set {name!r} is not configured: write `{remedy}` into {place}")
    read = document.read(datasets_file)
    entries = read.data if isinstance(read.data, dict) else {}
    if name not in entries:
        near = get_close_matches(name, [*KNOWN, *entries], 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise DatasetError(f"{datasets_file}: no data set {name!r}{hint}: write `{remedy}` into it")
    entry, line = entries[name], read.line((name,))
    if problem := _entry_problem(entry):
        raise DatasetError(f"{datasets_file}:{line}: {name}: {problem}, as in `{remedy}`")
    return _Entry(entry["format"], datasets_file.parent / Path(entry["root"]).expanduser(), entry.get("classes"), line)


def _entry_problem(entry: Any) -> str:
    if not isinstance(entry, dict) or not isinstance(entry.get("root"), str):
        return "expected a format and a root"
    if unknown := sorted(set(entry) - set(ENTRY_KEYS)):
        return f"unknown key {unknown[0]!r}, allowed are {', '.join(ENTRY_KEYS)}"
    if entry.get("format") not in READERS:
        return f"the format must be {' or '.join(READERS)}, not {entry.get('format')!r}"
    classes = entry.get("classes", 1)
    return "" if isinstance(classes, int) and classes > 0 else f"classes must be a whole number, not {classes!r}"
