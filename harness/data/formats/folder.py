"""Folders of videos, one a class, in `train/` and `val/`, or together and split by a share that is stated."""

from pathlib import Path

from harness.checks import one_of
from harness.data.formats.entry import Entry, Seed, Share
from harness.data.formats.finder import VIDEO_SUFFIXES, folders_in, videos_below
from harness.data.formats.splits import Annotations, Row, annotations, share_of_each_class
from harness.data.formats.text import Mistakes
from harness.data.videos import DatasetError

TRAIN_FOLDERS, VAL_FOLDERS = ("train", "training"), ("val", "validation", "valid", "test")


class Folder(Entry):
    """`<root>/train/<class>/<video>` and `<root>/val/...`; with `val_share`, `<root>/<class>/<video>`.

    Classes are numbered in alphabetical order, or in that of `class_names`. Videos are found at any depth below their
    class. What is held out is drawn by `seed` from the files' names, class by class.
    """

    EXAMPLE = "root: /path/to/{name}, val_share: 0.2, seed: 0"

    val_share: Share | None = None
    seed: Seed = 0

    def files(self) -> tuple[Path, ...]:
        """None: the folders are the annotations. Raises DatasetError where there are no two splits."""
        if not self.val_share:
            self._splits()
        return ()

    def read(self) -> Annotations:
        """Every video below a folder that is a class."""
        mistakes = Mistakes()
        if self.val_share:
            rows = self._rows(self.root, mistakes)
            train, val = share_of_each_class(rows, self.val_share, self.seed)
            paths = self.root, self.root
        else:
            paths = self._splits()
            train, val = (self._rows(path, mistakes) for path in paths)
        return annotations(
            (paths[0], train), (paths[1], val), folder=self.root, names=self.names(), count=None, by="names",
            mistakes=mistakes,
        )  # fmt: skip

    def _splits(self) -> tuple[Path, Path]:
        """The folders of both splits."""
        present = folders_in(self.root)
        found = [[name for name in names if name in present] for names in (TRAIN_FOLDERS, VAL_FOLDERS)]
        if not all(found):
            said = f"no folders `train` and `val`; it has: {one_of(present[:8]) or 'none'}"
            raise DatasetError(f"{self.root}: {said}. If these are the classes, say what to hold out: `val_share: 0.2`")
        return self.root / found[0][0], self.root / found[1][0]

    def _rows(self, folder: Path, mistakes: Mistakes) -> list[Row]:
        """The videos of each class of a folder."""
        below = "" if folder == self.root else f"{folder.relative_to(self.root).as_posix()}/"
        rows: list[Row] = []
        for name in folders_in(folder):
            found = [Row(0, f"{below}{name}/{video}", name) for video in videos_below(folder / name)]
            if not found:
                known = one_of(sorted(VIDEO_SUFFIXES))
                mistakes.add(folder / name, 0, f"no video in it; their names end in {known}")
            rows += found
        return rows
