"""Annotation files as text, csv rows and JSON entries that know their lines; broken ones are told as `file:line`."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.data.videos import DatasetError

MISTAKES_SHOWN = 20
JSON_SPACE = re.compile(r"[ \t\n\r]*")
NOT_IN_NAMES = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
"""Control characters, and halves of characters, which JSON can hold and no file name can."""


class Mistakes:
    """The mistakes of a data set's files, each at its place, told all at once."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.more = 0
        """Those beyond what is shown, which are counted."""

    @property
    def full(self) -> bool:
        """Whether another one would only be counted, so that nothing costly should be found out about it."""
        return len(self.found) == MISTAKES_SHOWN

    def add(self, path: Path, line: int, problem: str) -> None:
        """Note one mistake on a line; line 0 is of a file as a whole, or of a folder."""
        if self.full:
            self.more += 1
        else:
            self.found.append(f"{path}:{line}: {problem}" if line else f"{path}: {problem}")

    def tell(self) -> None:
        """Raise DatasetError where there are mistakes, with the first of them and the number of the rest."""
        if self.found:
            raise DatasetError("\n".join([*self.found, *([f"... and {self.more:,} more"] if self.more else [])]))


def text(path: Path) -> str:
    """What a UTF-8 file holds, without byte order mark, each line ended by a newline alone. Raises DatasetError."""
    try:
        raw = path.read_bytes()
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        read = raw.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problem = f"cannot be read: byte {raw[error.start]:#x} is not UTF-8; save the file as UTF-8"
        raise DatasetError(f"{path}:{line}: {problem}") from None
    if "\0" in read:
        line = read.count("\n", 0, read.index("\0")) + 1
        raise DatasetError(f"{path}:{line}: cannot be read: a zero byte; this is no text, or saved as UTF-16")
    return read


def name_problem(name: str) -> str:
    """Why a text can be no file's name; empty where it can."""
    if not name or name.isspace():
        return "the video's name is empty"
    if not name.isprintable() and NOT_IN_NAMES.search(name):
        return f"{name[:80]!r} has characters that no file name can hold"
    return ""


def rows(path: Path, separator: str, mistakes: Mistakes) -> Iterator[tuple[int, list[str]]]:
    """The fields of each line that is not blank, spaces around them cut off; a field that holds quotes is quoted.

    A field ends on its line: a quote that is not closed is a mistake, and does not swallow what follows.
    """
    for number, line in enumerate(text(path).split("\n"), start=1):
        if not line.strip():
            continue
        if '"' not in line:
            fields = line.split(separator)
        else:
            try:
                (fields,) = csv.reader([line], delimiter=separator, strict=True, skipinitialspace=separator != " ")
            except csv.Error:
                mistakes.add(path, number, f"a quote that is not closed, or text behind it, read {_shown(line)}")
                continue
        fields = [field.strip() for field in fields]
        if any(fields):
            yield number, fields


def _shown(line: str) -> str:
    return repr(line if len(line) <= 80 else line[:80] + "...")


def whole(value: Any, most: int = 10**9) -> int | None:
    """A whole number from 0 to below `most`, written as a number or as text; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        value = int(value)
    return value if type(value) is int and 0 <= value < most else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} stands twice in one object")
    return made


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)


def json_object(path: Path) -> Any:
    """What a JSON file holds; raises DatasetError where it is not JSON, or names a key twice."""
    read = text(path)
    value, end = _decoded(path, read, _skip(read, 0), 1)
    if _skip(read, end) < len(read):
        raise DatasetError(f"{path}:{read.count(chr(10), 0, end) + 1}: not valid JSON: something follows its end")
    return value


def json_entries(path: Path) -> Iterator[tuple[int, Any]]:
    """Each item of a JSON list with the line on which it starts."""
    read = text(path)
    position, line, counted = _skip(read, 0), 1, 0
    if read[position : position + 1] != "[":
        raise DatasetError(f"{path}:1: expected a JSON list of videos")
    position = _skip(read, position + 1)
    more = read[position : position + 1] != "]"
    while more:
        line, counted = line + read.count("\n", counted, position), position
        entry, position = _decoded(path, read, position, line)
        yield line, entry
        position = _skip(read, position)
        if read[position : position + 1] not in (",", "]"):
            raise DatasetError(f"{path}:{line}: not valid JSON: a comma or the end of the list must follow this entry")
        more = read[position] == ","
        position = _skip(read, position + 1) if more else position
    if _skip(read, position + 1) < len(read):
        line += read.count("\n", counted, position)
        raise DatasetError(f"{path}:{line}: not valid JSON: something follows the end of the list")


def _decoded(path: Path, read: str, position: int, line: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(read, position)
    except json.JSONDecodeError as error:
        raise DatasetError(f"{path}:{error.lineno}: not valid JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path}:{line}: not valid JSON: {error}") from None


def _skip(read: str, position: int) -> int:
    match = JSON_SPACE.match(read, position)
    return match.end() if match else position


def shown(value: Any) -> str:
    """The beginning of a JSON value, for an error's text."""
    return json.dumps(value)[:80]
