"""Folders of videos, one a class, in `train/` and `val/`, or together and split by a share that is stated."""

from collections.abc import Sequence
from pathlib import Path

from harness.checks import one_of
from harness.data.formats.entry import Entry, Seed, Share
from harness.data.formats.finder import VIDEO_SUFFIXES, files_below, folders_in, is_companion, is_video, videos_in
from harness.data.formats.splits import Annotations, Row, annotations, held_out
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
        self._folders()
        return ()

    def quick_count(self) -> int | None:
        """The folders in the training split."""
        return super().quick_count() or len(folders_in(self._folders()[0])) or None

    def read(self) -> Annotations:
        """Every video below a folder that is a class."""
        mistakes = Mistakes()
        paths = self._folders()
        if self.val_share:
            train, val = held_out(self.root, self._rows(self.root, mistakes), self.val_share, self.seed, mistakes)
        else:
            _tell_loose(self.root, mistakes)
            train, val = (self._rows(path, mistakes) for path in paths)
        return annotations(
            (paths[0], train), (paths[1], val), folder=self.root, names=self.names(), count=None, by="names",
            mistakes=mistakes,
        )  # fmt: skip

    def _folders(self) -> tuple[Path, Path]:
        """The folders of both splits; one and the same where a share is held out."""
        present = folders_in(self.root)
        train, val = (_named(names, present) for names in (TRAIN_FOLDERS, VAL_FOLDERS))
        if self.val_share:
            self._refuse_splits(present, train, val)
            return self.root, self.root
        if not (train and val):
            loose = "" if present else _shown(videos_in(self.root))
            there = one_of(present[:8]) or (f"no folder, but the videos {loose}" if loose else "none")
            remedy = "If these are the classes, say what to hold out: `val_share: 0.2`"
            if not present:
                remedy = "A class is a folder of videos"
            raise DatasetError(f"{self.root}: no folders `train` and `val`; it has: {there}. {remedy}")
        return self.root / train[0], self.root / val[0]

    def _refuse_splits(self, present: Sequence[str], train: Sequence[str], val: Sequence[str]) -> None:
        """Raise DatasetError where `val_share` would take splits for classes, which a list of classes may say."""
        if not (train or val) or {*train, *val} <= {*self.names()}:
            return
        if train and val:
            raise DatasetError(
                f"{self.root}: it is split already, by the folders {train[0]} and {val[0]}, which `val_share` would "
                "take for classes: leave out `val_share`. If they are classes, name all classes in classes.txt"
            )
        if len(present) == 1:
            raise DatasetError(
                f"{self.root}: its only folder is {present[0]}, which `val_share` would take for the only class: say "
                f"`root: {self.root / present[0]}`"
            )

    def _rows(self, folder: Path, mistakes: Mistakes) -> list[Row]:
        """The videos of each class of a folder."""
        below = "" if folder == self.root else f"{folder.relative_to(self.root).as_posix()}/"
        rows: list[Row] = []
        names = folders_in(folder)
        _tell_loose(folder, mistakes)
        if not (names or mistakes.found):
            mistakes.add(folder, 0, "no class folders in it; a class is a folder of videos")
        for name in names:
            files = list(files_below(folder / name))
            rows += [Row(0, f"{below}{name}/{file}", name) for file in files if is_video(file)]
            _tell_others(folder / name, files, mistakes)
        return rows


def _named(names: Sequence[str], present: Sequence[str]) -> list[str]:
    """Those of the folders that have one of the names, in the names' order."""
    return [folder for name in names for folder in present if folder.lower() == name]


def _tell_loose(folder: Path, mistakes: Mistakes) -> None:
    """Note videos that lie above the folders of classes."""
    if loose := videos_in(folder):
        classes = "" if folders_in(folder) else "no class folders: "
        said = f"videos directly in it ({_shown(loose)}), which have no class; move each into the folder of its class"
        mistakes.add(folder, 0, classes + said)


def _tell_others(folder: Path, files: Sequence[str], mistakes: Mistakes) -> None:
    """Note a class without video, and files that may be meant for videos and are not known as such."""
    others = [file for file in files if not is_video(file)]
    unknown = [file for file in others if not is_companion(file)]
    if len(others) == len(files):
        there = f" but {_shown(others)}" if others else ""
        mistakes.add(folder, 0, f"no video in it{there}; their names end in {one_of(sorted(VIDEO_SUFFIXES))}")
    elif unknown:
        said = "may be videos or not, by the ends of their names; rename them, or move them away"
        mistakes.add(folder, 0, f"{_shown(unknown)} {said}")


def _shown(names: Sequence[str]) -> str:
    """The first names of many, and how many more there are."""
    return one_of(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")
