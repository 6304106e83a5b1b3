"""Something-Something V2: a label file of templates, two JSON lists, and a folder of videos named by number."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from harness.checks import did_you_mean
from harness.data.formats.entry import Entry
from harness.data.formats.splits import Annotations, Listed, checked
from harness.data.formats.text import Mistakes, json_entries, json_object, name_problem, shown, whole
from harness.data.videos import DatasetError, Sampling, Video

VIDEO_FOLDERS = ("videos", "20bn-something-something-v2")
VIDEO_SUFFIXES = (".webm", ".mp4")


class Something(Entry):
    """The published label file and lists, and `<id>.webm` or `<id>.mp4` in the folder of videos.

    By their new names or old: `labels/{labels,train,validation}.json` or `something-something-v2-*.json`, `videos/` or
    `20bn-something-something-v2/`. One frame of each segment, no mirroring: left and right are labels here.
    """

    SAMPLING: ClassVar[Sampling] = "segment"
    FLIP = False
    EXAMPLE = "root: /path/to/{name}"

    videos: Path | None = None

    def files(self) -> tuple[Path, ...]:
        """The label file and both lists."""
        return self._file("labels"), self._file("train"), self._file("validation")

    def _file(self, kind: str) -> Path:
        old = f"something-something-v2-{kind}.json"
        return self.one_of(f"labels/{kind}.json", old, f"labels/{old}", f"{kind}.json")

    def read(self) -> Annotations:
        """Both lists; a video is looked for by its id among the files of the folder."""
        mistakes = Mistakes()
        labels, train, val = self.files()
        templates = _templates(labels, mistakes)
        folder, present = self._folder()
        trained, tested = (_listed(path, templates, folder, present, mistakes) for path in (train, val))
        names = tuple(sorted(templates, key=lambda template: templates[template]))
        return checked(names, trained, tested, mistakes)

    def _folder(self) -> tuple[Path, set[str]]:
        """The folder of videos, and the names of the files in it."""
        names = (self.videos,) if self.videos else VIDEO_FOLDERS
        folder = next((self.root / name for name in names if (self.root / name).is_dir()), None)
        if folder is None:
            raise DatasetError(f"{self.root}: no folder of videos; expected {' or '.join(map(str, names))} in it")
        with os.scandir(folder) as listing:
            return folder, {entry.name for entry in listing}


def _templates(path: Path, mistakes: Mistakes) -> dict[str, int]:
    """Class number by template, which must be 0, 1, 2, ..."""
    data = json_object(path)
    if not isinstance(data, dict) or not data or not all(whole(index) is not None for index in data.values()):
        raise DatasetError(f'{path}:1: expected an object of templates and numbers, as in {{"Moving something": "0"}}')
    templates = {template: int(index) for template, index in data.items()}
    if sorted(templates.values()) != list(range(len(templates))):
        mistakes.add(path, 1, f"the {len(templates)} classes must be numbered 0 to {len(templates) - 1}, each once")
    return templates


def _listed(path: Path, templates: Mapping[str, int], folder: Path, present: set[str], mistakes: Mistakes) -> Listed:
    found = Listed(path)
    for line, entry in json_entries(path):
        if not isinstance(entry, dict) or not {"id", "template"} <= entry.keys():
            mistakes.add(path, line, f"expected an object with `id` and `template`, read {shown(entry)}")
            continue
        id_, template = entry["id"], entry["template"]
        if type(id_) is int:
            id_ = str(id_)
        if not isinstance(id_, str) or not isinstance(template, str) or name_problem(id_) or "/" in id_:
            mistakes.add(path, line, f"expected the number of a video as `id`, text as `template`, read {shown(entry)}")
            continue
        template = template.replace("[", "").replace("]", "")
        if template not in templates:
            near = "" if mistakes.full else did_you_mean(template, templates)
            mistakes.add(path, line, f"the template {template!r} is not in the label file{near}")
            continue
        file = next((id_ + suffix for suffix in VIDEO_SUFFIXES if id_ + suffix in present), id_ + VIDEO_SUFFIXES[0])
        found.add(Video(id_, Path(f"{folder}/{file}"), templates[template]), line)
    return found
