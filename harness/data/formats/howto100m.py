"""HowTo100M's tasks: a csv of videos and task ids, of which the categories with enough videos are split at random."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from harness.data.formats.entry import Entry, Seed, Separator
from harness.data.formats.splits import Annotations, Row, annotations, shuffled
from harness.data.formats.table import Columns, read_rows
from harness.data.formats.text import Mistakes, rows, whole
from harness.data.videos import DatasetError

TRAIN, ALL = 85, 120
"""85K of the 120K videos train, 35K test (TimeSformer, section 4.5); of fewer videos, the same share."""


class HowTo100M(Entry):
    """HowTo100M_v1.csv with the columns `video_id` and `task_id`, and `<video_id>.mp4` (or .webm, ...) below the root.

    "We consider only categories that have at least 100 video examples ... We randomly partition this collection into
    85K training videos and 35K testing videos" (TimeSformer, section 4.5). Which videos these were is not published:
    the split is drawn anew by `seed`, from ids alone, so it is the same on every machine, with any videos missing.
    """

    EXAMPLE = "root: /path/to/{name}, seed: 0"

    list: Path = Path("HowTo100M_v1.csv")
    separator: Separator = ","
    columns: Columns = Columns(video="video_id", label="task_id")
    min_videos: Annotated[int, Field(ge=1)] = 100
    seed: Seed = 0
    prefix: str = ""

    def files(self) -> tuple[Path, ...]:
        """The csv."""
        return (self.one_of(str(self.list)),)

    def read(self) -> Annotations:
        """The csv; classes are numbered in the order of their tasks' ids, and named where task_ids.csv is there."""
        mistakes = Mistakes()
        path = self.at(self.list)
        listed = self._whole_ids(path, read_rows(path, self.separator, self.columns, mistakes), mistakes)
        mistakes.tell()
        videos = Counter(row.label for row in listed)
        tasks = sorted((task for task, count in videos.items() if count >= self.min_videos), key=int)
        if not tasks:
            most = max(videos.values(), default=0)
            raise DatasetError(f"{path}:1: no task has {self.min_videos} videos, the most has {most}: say `min_videos`")
        kept = [row for row in listed if videos[row.label] >= self.min_videos]
        order = shuffled([row.name for row in kept], self.seed)
        cut = round(len(kept) * TRAIN / ALL)
        train, val = ([kept[index] for index in sorted(part)] for part in (order[:cut], order[cut:]))
        read = annotations(
            (path, train), (path, val), folder=self.root / self.prefix, names=tuple(tasks), count=None, by="names",
            mistakes=mistakes,
        )  # fmt: skip
        return read._replace(classes=self._titles(tasks))

    def _whole_ids(self, path: Path, listed: Sequence[Row], mistakes: Mistakes) -> Sequence[Row]:
        """The same rows, `007` and `7` one task; another text is a mistake, and not a rare task to be passed over."""
        numbered = []
        for row in listed:
            task = whole(row.label)
            if task is None:
                mistakes.add(path, row.line, f"the task must be a whole number, read {row.label!r}")
            else:
                numbered.append(row._replace(label=str(task)))
        return numbered

    def _titles(self, tasks: Sequence[str]) -> tuple[str, ...]:
        """What task_ids.csv (id, tab, title) calls the tasks; the ids themselves where it does not, or is not there."""
        path = self.at(self.class_names or "task_ids.csv")
        mistakes = Mistakes()
        titles = {}
        if self.class_names or path.is_file():
            titles = {fields[0]: fields[1] for _, fields in rows(path, "\t", mistakes) if len(fields) == 2}
        mistakes.tell()
        return tuple(titles.get(task, task) for task in tasks)
