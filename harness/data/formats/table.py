"""Any csv with a header: which column holds the video, the label, the split and the frames is said in the entry."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import model_validator

from harness.checks import did_you_mean, one_of
from harness.data.formats.entry import Entry, Seed, Separator, Share
from harness.data.formats.labels import By
from harness.data.formats.splits import Annotations, Row, annotations, held_out
from harness.data.formats.text import Mistakes, rows, whole
from harness.value import Value


class Columns(Value):
    """The columns' names. `first`, `last`: the first frame of the part that is meant, and one past its last."""

    video: str = "video"
    label: str = "label"
    split: str | None = None
    first: str | None = None
    last: str | None = None


class Splits(Value):
    """What the column of splits says of a video for training, for validation, and of one that is left out."""

    train: tuple[str, ...] = ("train", "training")
    val: tuple[str, ...] = ("val", "valid", "validate", "validation")
    left_out: tuple[str, ...] = ()


class Table(Entry):
    """A csv for each split (`train` and `val`), or one `list`, with a column of splits or a share to be held out."""

    EXAMPLE = "root: /path/to/{name}, list: videos.csv, columns: {{video: file, label: action, split: part}}"

    train: Path | None = None
    val: Path | None = None
    list: Path | None = None
    separator: Separator = ","
    columns: Columns = Columns()
    splits: Splits = Splits()
    val_share: Share | None = None
    seed: Seed = 0
    prefix: str = ""
    labels: By | None = None

    @model_validator(mode="after")
    def _is_split(self) -> "Table":
        """One way to split."""
        if self.list is None and not (self.train and self.val):
            raise ValueError("say `train` and `val`, a csv each, or `list`, one for both")
        if self.list is not None and (self.train or self.val):
            raise ValueError("say either `list`, or `train` and `val`")
        if self.list is None and (self.val_share or self.columns.split):
            raise ValueError("`val_share` and `columns.split` split one `list`; `train` and `val` are split already")
        if self.val_share and self.columns.split:
            raise ValueError("`columns.split` and `val_share` both say how `list` is split; keep one of them")
        if self.list is not None and not (self.val_share or self.columns.split):
            raise ValueError("say how `list` is split: `columns: {split: ...}`, or `val_share: 0.2` and a `seed`")
        return self

    def files(self) -> tuple[Path, ...]:
        """One csv or two."""
        return tuple(self.one_of(str(name)) for name in (self.list, self.train, self.val) if name)

    def read(self) -> Annotations:
        """The rows of both splits, the videos found below the prefix."""
        mistakes = Mistakes()
        if self.train and self.val:
            paths = self.at(self.train), self.at(self.val)
            train, val = (read_rows(path, self.separator, self.columns, mistakes) for path in paths)
        else:
            paths = (self.at(self.list or ""),) * 2
            train, val = self._parts(paths[0], mistakes)
        return annotations(
            (paths[0], train), (paths[1], val), folder=self.root / self.prefix, names=self.names(), count=self.classes,
            by=self.labels, mistakes=mistakes,
        )  # fmt: skip

    def _parts(self, path: Path, mistakes: Mistakes) -> tuple[Sequence[Row], Sequence[Row]]:
        if self.val_share:
            listed = read_rows(path, self.separator, self.columns, mistakes)
            return held_out(path, listed, self.val_share, self.seed, mistakes)
        train: list[Row] = []
        val: list[Row] = []
        known = self.splits
        for row, split in _split_rows(path, self.separator, self.columns, mistakes):
            if split in known.train:
                train.append(row)
            elif split in known.val:
                val.append(row)
            elif split not in known.left_out:
                allowed = (*known.train, *known.val, *known.left_out)
                problem = f"unknown split {split!r}{did_you_mean(split, allowed)}; allowed: {one_of(allowed)}"
                mistakes.add(path, row.line, f"{problem} (see `splits`)")
        for word, found, words in (("training", train, known.train), ("validation", val, known.val)):
            if not (found or mistakes.found):
                said = f"no row says {' or '.join(words)} in the column {self.columns.split!r}"
                mistakes.add(path, 0, f"the {word} split is empty: {said} (see `splits`)")
        return train, val


def read_rows(path: Path, separator: str, columns: Columns, mistakes: Mistakes) -> Sequence[Row]:
    """The rows of a csv with a header, without regard to splits."""
    return [row for row, _ in _split_rows(path, separator, columns, mistakes)]


def _split_rows(path: Path, separator: str, columns: Columns, mistakes: Mistakes) -> Iterator[tuple[Row, str]]:
    """Each row, and what its column of splits says."""
    listed = rows(path, separator, mistakes)
    line, header = next(listed, (1, []))
    wanted = columns.model_dump(exclude_none=True)
    for key, name in wanted.items():
        if header.count(name) != 1:
            said = "no column" if name not in header else "more than one column"
            near = "" if name in header else did_you_mean(name, header)
            hint = f"; is the separator {separator!r}?" if len(header) == 1 else ""
            mistakes.add(path, line, f"{said} {name!r} for `{key}`{near}; the header has: {one_of(header)}{hint}")
    if any(header.count(name) != 1 for name in wanted.values()):
        return
    at = {key: header.index(name) for key, name in wanted.items()}
    video, label, split = at["video"], at["label"], at.get("split")
    for line, fields in listed:
        if len(fields) != len(header):
            mistakes.add(path, line, f"expected {len(header)} fields as in the header, read {len(fields)}")
        elif "first" not in at and "last" not in at:
            yield Row(line, fields[video], fields[label]), fields[split] if split is not None else ""
        elif part := _part(fields, at):
            yield Row(line, fields[video], fields[label], "", *part), fields[split] if split is not None else ""
        else:
            read = ", ".join(repr(fields[at[key]]) for key in ("first", "last") if key in at)
            mistakes.add(path, line, f"expected whole numbers of frames from 0, the last greater, read {read}")


def _part(fields: Sequence[str], at: dict[str, int]) -> tuple[int, int | None] | None:
    """(first, last) of a row, an empty last meaning the end; None where they are not frames."""
    first = whole(fields[at["first"]] or "0") if "first" in at else 0
    written = fields[at["last"]] if "last" in at else ""
    last = whole(written) if written else None
    if first is None or (written and (last is None or last <= first)):
        return None
    return first, last
