"""Kinetics: a list a split, `path label` on each line, or the official csv of labels, ids and times."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from harness.checks import one_of
from harness.data.formats.entry import Entry, Separator
from harness.data.formats.finder import is_video
from harness.data.formats.labels import By
from harness.data.formats.splits import SEPARATORS, Annotations, Row, annotations
from harness.data.formats.text import Mistakes, rows, text, whole

OFFICIAL = ("label", "youtube_id", "time_start", "time_end")


class Kinetics(Entry):
    """train.csv and val.csv, without header (facebookresearch/TimeSformer, DATASET.md), or with the official one.

    A path is relative to `prefix` in the root, may hold spaces, and may be an id without extension, to be found below
    it. A label is a number or a class's name. Without `separator` the label stands behind the last space or tab.
    """

    EXAMPLE = "root: /path/to/{name}"

    train: str = "train.csv"
    val: str = "val.csv"
    separator: Separator | None = None
    prefix: str = ""
    labels: By | None = None

    def files(self) -> tuple[Path, ...]:
        """Both lists."""
        return self.one_of(self.train), self.one_of(self.val)

    def read(self) -> Annotations:
        """Both lists, the videos found below the prefix."""
        mistakes = Mistakes()
        train, val = ((path, list(self._rows(path, mistakes))) for path in self.files())
        return annotations(
            train, val, folder=self.root / self.prefix, names=self.names(), count=self.classes, by=self.labels,
            mistakes=mistakes,
        )  # fmt: skip

    def _rows(self, path: Path, mistakes: Mistakes) -> Iterator[Row]:
        read = text(path)
        first = read.lstrip().partition("\n")[0]
        if "youtube_id" in [field.strip(' "') for field in first.split(",")]:
            return _official(path, mistakes)
        return self._listed(path, read, mistakes)

    def _listed(self, path: Path, read: str, mistakes: Mistakes) -> Iterator[Row]:
        said = f"`path{self.separator or ' '}label`"
        for line, written in enumerate(read.split("\n"), start=1):
            if not written.strip():
                continue
            name, label = _parted(written.strip(), self.separator)
            if name and label and not ("." in label and self._holds_path(label)):
                yield Row(line, name, label)
                continue
            mistakes.add(path, line, f"expected {said}, read {written[:80]!r}{self._hint(written)}")

    def _holds_path(self, label: str) -> bool:
        """Whether a label is the end of a path with spaces, and the label behind another separator."""
        others = (other for other in SEPARATORS if other != self.separator)
        return any(is_video(label.rpartition(other)[0].strip(' "')) for other in others)

    def _hint(self, written: str) -> str:
        others = [other for other in (",", "\t", ";", " ") if other != (self.separator or " ") and other in written]
        return f"; is the separator another (`separator: {others[0]!r}`)?" if others else ""


def _parted(written: str, separator: str | None) -> tuple[str, str]:
    """(path, label) of a line, of which either may be in double quotes; empty where there are no two."""
    quoted = _quoted_label(separator).fullmatch(written) if written.endswith('"') else None
    if quoted:
        name, label = quoted[1], quoted[2].replace('""', '"')
    elif separator is None:
        name, label = (*written.rsplit(None, 1), "")[:2]
    else:
        name, _, label = written.rpartition(separator)
    return _unquoted(name.strip()), label.strip()


@cache
def _quoted_label(separator: str | None) -> re.Pattern[str]:
    between = re.escape(separator) if separator else r"[ \t]"
    return re.compile(rf'(.*){between}\s*"((?:[^"]|"")+)"')


def _unquoted(name: str) -> str:
    """A path without the quotes around it; empty where they are not closed, or closed within it."""
    if not name.startswith('"'):
        return name
    inside = name[1:-1].replace('""', "")
    return name[1:-1].replace('""', '"') if len(name) > 2 and name.endswith('"') and '"' not in inside else ""


def _official(path: Path, mistakes: Mistakes) -> Iterator[Row]:
    """The csv that Kinetics is published as; a file is named `<id>_<start>_<end>`, each of six digits, or `<id>`."""
    listed = rows(path, ",", mistakes)
    line, header = next(listed)
    if absent := [name for name in OFFICIAL if name not in header]:
        mistakes.add(path, line, f"the header lacks {one_of(absent)}; it has {one_of(header)}")
        return
    label, id_, start, end = (header.index(name) for name in OFFICIAL)
    for line, fields in listed:
        if len(fields) != len(header):
            mistakes.add(path, line, f"expected {len(header)} fields as in the header, read {len(fields)}")
            continue
        times = whole(fields[start], 10**6), whole(fields[end], 10**6)
        if not fields[id_] or times[0] is None or times[1] is None or times[0] >= times[1]:
            read = f"{fields[id_]!r}, {fields[start]!r} and {fields[end]!r}"
            mistakes.add(path, line, f"expected an id, a start and a later end in whole seconds, read {read}")
            continue
        yield Row(line, f"{fields[id_]}_{times[0]:06d}_{times[1]:06d}", fields[label], fields[id_])
