"""Finds a video that annotations name without its extension, or without its time span, below a folder."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from harness.data.videos import DatasetError

VIDEO_SUFFIXES = frozenset(
    (".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".m2t", ".m2ts", ".m4v", ".mkv",
     ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".ts",
     ".vob", ".webm", ".wmv")
)  # fmt: skip
"""Of containers with times, which both decoders read; a raw stream (.h264, .y4m) has none."""
COMPANIONS = frozenset(
    (".aac", ".ass", ".bmp", ".csv", ".db", ".description", ".flac", ".h5", ".html", ".info", ".ini", ".jpeg",
     ".jpg", ".json", ".jsonl", ".log", ".m4a", ".md", ".mp3", ".npy", ".npz", ".pdf", ".pkl", ".png", ".pt", ".py",
     ".sh", ".srt", ".tif", ".tiff", ".tsv", ".txt", ".vtt", ".wav", ".webp", ".xml", ".yaml", ".yml")
)  # fmt: skip
"""Notes, pictures, sound and features, which lie beside videos and are none."""
TIME_SPAN = re.compile(r"_\d{6}_\d{6}$")
"""Start and end in seconds, which the official Kinetics downloader puts behind a video's id."""


def is_video(name: str) -> bool:
    """Whether a file's name ends as videos' names do."""
    return Path(name).suffix.lower() in VIDEO_SUFFIXES


def is_companion(name: str) -> bool:
    """Whether a file that is no video is of a kind that lies beside videos, so that nobody misses it."""
    return Path(name).suffix.lower() in COMPANIONS


def videos_below(folder: Path) -> Iterator[str]:
    """The videos among `files_below`."""
    return filter(is_video, files_below(folder))


def files_below(folder: Path) -> Iterator[str]:
    """The files in a folder and the folders in it, as paths relative to it, in order; hidden names are passed over.

    Links are followed, but not round in a circle. Raises DatasetError for a folder that cannot be read.
    """
    yield from _below(str(folder), "", frozenset())


def _below(folder: str, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[str]:
    for name, is_folder in _listed(folder):
        if is_folder:
            status = Path(folder, name).stat()
            here = (status.st_dev, status.st_ino)
            if here not in above:
                yield from _below(f"{folder}/{name}", f"{prefix}{name}/", above | {here})
        else:
            yield prefix + name


def _listed(folder: str) -> list[tuple[str, bool]]:
    """(name, whether it is a folder) of what is in a folder, in order of names."""
    try:
        with os.scandir(folder) as entries:
            found = sorted((entry.name, entry.is_dir()) for entry in entries if not entry.name.startswith("."))
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be read: {error.strerror}") from None
    for name, _ in found:
        if not name.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in name):
            raise DatasetError(f"{folder}: the name {os.fsencode(name)!r} is not UTF-8; rename it")
    return found


def folders_in(folder: Path) -> list[str]:
    """The names of the folders in a folder, in order; hidden ones are passed over."""
    return [name for name, is_folder in _listed(str(folder)) if is_folder]


def videos_in(folder: Path) -> list[str]:
    """The names of the videos directly in a folder, in order."""
    return [name for name, is_folder in _listed(str(folder)) if not is_folder and is_video(name)]


class Finder:
    """The videos below a folder, looked through once, when first asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._by_name: dict[str, list[str]] | None = None

    def find(self, name: str, *, spans: bool = True) -> list[str]:
        """The videos that a name without extension can mean, relative to the folder.

        `abc` is `abc.mp4` in any folder below, or else, unless times are known (not `spans`),
        `abc_000010_000020.mp4`; `train/abc` is one of these in a folder `train`. Of several that fit, one in exactly
        that folder is meant alone.
        """
        parent, _, base = name.rpartition("/")
        named = self._names()
        found = named.get(base) or (named.get(f"{base}_*") if spans else None) or []
        if parent:
            found = [path for path in found if f"/{path}".rpartition("/")[0].endswith(f"/{parent}")]
        exact = [path for path in found if path.rpartition("/")[0] == parent]
        return exact if len(exact) == 1 else found

    def _names(self) -> dict[str, list[str]]:
        if self._by_name is None:
            self._by_name = {}
            for path in videos_below(self.folder):
                stem = path.rpartition("/")[2].rpartition(".")[0]
                self._by_name.setdefault(stem, []).append(path)
                if TIME_SPAN.search(stem):
                    self._by_name.setdefault(f"{TIME_SPAN.sub('', stem)}_*", []).append(path)
        return self._by_name
