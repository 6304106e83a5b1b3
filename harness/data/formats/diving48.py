"""Diving-48, the second version of its labels: two JSON lists of trimmed videos with frames, and a vocabulary."""

from pathlib import Path
from typing import Any

from harness.data.formats.entry import Entry
from harness.data.formats.finder import Finder
from harness.data.formats.splits import Annotations, Listed, checked
from harness.data.formats.text import Mistakes, json_entries, json_object, name_problem, shown
from harness.data.videos import DatasetError, Video

VIDEO_FOLDERS = ("videos", "rgb")
CLASSES = 48


class Diving48(Entry):
    """Diving48_V2_{train,test}.json, Diving48_vocab.json (optional: names of classes), videos in `videos/` or `rgb/`.

    A video is `<vid_name>.mp4`. `end_frame` is one past the last: of a video from frame 0 on it is the length.

    Sampled densely: "the Diving-48 configuration is essentially the same as Kinetics", says the paper's author
    (facebookresearch/TimeSformer, issue 62). Not mirrored, as a twist to the left is not one to the right.
    """

    FLIP = False
    EXAMPLE = "root: /path/to/{name}"

    videos: Path | None = None

    def files(self) -> tuple[Path, ...]:
        """Both lists."""
        names = ("Diving48_V2_train.json", "Diving48_V2_test.json")
        return tuple(self.one_of(name, f"annotations/{name}") for name in names)

    def read(self) -> Annotations:
        """Both lists; a video is looked for by its name below the folder of videos."""
        mistakes = Mistakes()
        train, val = self.files()
        names = self.names() or self._vocabulary()
        count = len(names) or self.classes or CLASSES
        finder = Finder(self._folder())
        trained, tested = (_listed(path, count, finder, mistakes) for path in (train, val))
        return checked(names or tuple(map(str, range(count))), trained, tested, mistakes)

    def _folder(self) -> Path:
        names = (self.videos,) if self.videos else VIDEO_FOLDERS
        return next((self.root / name for name in names if (self.root / name).is_dir()), self.root)

    def _vocabulary(self) -> tuple[str, ...]:
        """Each class's take-off, somersaults, twists and position as one name; none where there is no file."""
        try:
            path = self.one_of("Diving48_vocab.json", "annotations/Diving48_vocab.json")
        except DatasetError:
            return ()
        words = json_object(path)
        if not isinstance(words, list) or not all(_is_class(parts) for parts in words):
            raise DatasetError(f'{path}:1: expected a list of lists of words, as in [["Back", "15som", "NoTwis"]]')
        return tuple(" ".join(parts) for parts in words)


def _is_class(parts: Any) -> bool:
    return isinstance(parts, list) and bool(parts) and all(isinstance(part, str) for part in parts)


def _listed(path: Path, count: int, finder: Finder, mistakes: Mistakes) -> Listed:
    found = Listed(path)
    for line, entry in json_entries(path):
        if problem := _problem(entry, count):
            mistakes.add(path, line, f"{problem}, read {shown(entry)}")
            continue
        name = entry["vid_name"]
        files = finder.find(name)
        if len(files) > 1:
            mistakes.add(path, line, f"{name} can be each of {', '.join(files[:4])}")
        file = finder.folder / (files[0] if files else f"{name}.mp4")
        found.add(Video(name, file, entry["label"], entry["start_frame"], entry["end_frame"]), line)
    return found


def _problem(entry: Any, count: int) -> str:
    """What is wrong with one item of a list; empty where nothing is."""
    if not isinstance(entry, dict) or not {"vid_name", "label", "start_frame", "end_frame"} <= entry.keys():
        return "expected an object with `vid_name`, `label`, `start_frame` and `end_frame`"
    name, label = entry["vid_name"], entry["label"]
    if not isinstance(name, str) or name_problem(name):
        return "`vid_name` must be the name of a video"
    if type(label) is not int or not 0 <= label < count:
        return f"the label must be a whole number from 0 to {count - 1}"
    first, last = entry["start_frame"], entry["end_frame"]
    if type(first) is not int or type(last) is not int or not 0 <= first < last:
        return "`end_frame` must be greater than `start_frame`, and both whole numbers from 0"
    return ""
