"""Contact sheets: what a model sees of a data set, as a picture that a person can check."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from harness.data.clips import TrainClips, source
from harness.data.tasks import Undecodable, ViewsTask, test_views
from harness.data.videos import Dataset
from harness.spec import JobSpec

LEAST_PIXELS = 96
"""About a frame's size on the sheet where it is smaller: it is enlarged by a whole number."""
TEXT_PIXELS, LETTER_PIXELS, LINE_PIXELS, GAP = 260, 12, 15, 4
BACKGROUND, INK = (255, 255, 255), (20, 20, 20)
NOTHING = np.empty((0, 0, 0, 3), np.uint8)
"""The frames of a video that does not decode."""
WIDEST = 16
"""Frames in a row; of longer clips some are left out evenly."""


@dataclass(frozen=True)
class Row:
    """One view of one video."""

    video: str
    label: str
    view: str
    frames: npt.NDArray[np.uint8]
    """[t h w c], as the model gets them but for their scale of values; none where the video does not decode."""
    problem: str = ""


def rows(dataset: Dataset, spec: JobSpec, split: Literal["train", "val"], videos: int) -> list[Row]:
    """The views of some videos, spread evenly over a split: of the job's first epoch, or of its test."""
    return list((_trained if split == "train" else _tested)(dataset, spec, videos))


def _spread(length: int, wanted: int) -> list[int]:
    """Places from the first to the last."""
    return sorted(set(np.linspace(0, length - 1, min(wanted, length)).astype(int).tolist()))


def _trained(dataset: Dataset, spec: JobSpec, videos: int) -> Iterator[Row]:
    """The clips of the first epoch, with all that is done to them but for mixing them and erasing."""
    import torch

    from harness.data.augment import shown

    clips = TrainClips(dataset, spec.clip, spec.recipe, spec.data.fraction, spec.seed)
    for index in _spread(len(clips.videos), videos):
        video, batch = clips.videos[index], clips.alone(0, index)
        label = dataset.classes[video.label]
        if batch.skipped:
            yield Row(video.id, label, "", NOTHING, batch.skipped[0][1])
            continue
        seen = shown(torch.from_numpy(batch.clips), batch.drawn, spec.clip, spec.recipe)
        yield Row(video.id, label, "a training clip", _colours(seen[0].numpy(), spec.clip.bgr))


def _tested(dataset: Dataset, spec: JobSpec, videos: int) -> Iterator[Row]:
    """Every view of the job's first test."""
    test = spec.tests[0]
    for index in _spread(len(dataset.val), videos):
        video = dataset.val[index]
        of_file, label = source(dataset, video, spec.clip, test.size or spec.clip.size), dataset.classes[video.label]
        found = test_views(ViewsTask(of_file, ((test.clips, test.crops),)))
        if isinstance(found, Undecodable):
            yield Row(video.id, label, "", NOTHING, found.reason)
            continue
        for view in found.views:
            position, crop = view.key
            where = f"clip at {position:g}, crop {crop + 1} of 3" if test.crops == 3 else f"clip at {position:g}"
            yield Row(video.id, label, where, _colours(found.crop(view), spec.clip.bgr))


def _colours(frames: npt.NDArray[np.uint8], bgr: bool) -> npt.NDArray[np.uint8]:
    """In the order in which the model gets them: a model that reads blue first sees wrong colours, and so does one who
    looks at the sheet."""
    return frames[..., ::-1] if bgr else frames


def write(path: Path, shown: Sequence[Row]) -> None:
    """The rows one below the other, text at the left, as a PNG file. Raises OSError where it cannot be written."""
    bands = [_band(row) for row in shown]
    height = sum(band.height + GAP for band in bands) + GAP
    sheet = Image.new("RGB", (max(band.width for band in bands) + 2 * GAP, height), BACKGROUND)
    top = GAP
    for band in bands:
        sheet.paste(band, (GAP, top))
        top += band.height + GAP
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, "PNG")


def _band(row: Row) -> Image.Image:
    """One row: its text, then its frames, as high as the higher of both."""
    shown = row.frames[_spread(len(row.frames), WIDEST)] if len(row.frames) else row.frames
    size = shown.shape[1] if len(shown) else LEAST_PIXELS
    factor = max(1, round(LEAST_PIXELS / size))
    size *= factor
    lines = _lines(row)
    height = max(size, LINE_PIXELS * len(lines))
    band = Image.new("RGB", (TEXT_PIXELS + len(shown) * (size + GAP), height), BACKGROUND)
    for place, line in enumerate(lines):
        ImageDraw.Draw(band).text((0, place * LINE_PIXELS), line, INK, _font())
    for place, frame in enumerate(shown):
        picture = Image.fromarray(np.ascontiguousarray(frame)).resize((size, size), Image.Resampling.NEAREST)
        band.paste(picture, (TEXT_PIXELS + place * (size + GAP), 0))
    return band


@cache
def _font() -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib and has the letters of most alphabets; Pillow's own has English ones."""
    from matplotlib import get_data_path

    return ImageFont.truetype(Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), LETTER_PIXELS)


def _lines(row: Row) -> list[str]:
    """The text of a row, each line no wider than its place."""
    names = (_drawable(text) for text in (row.label, row.video, row.view) if text)
    return [_fitted(line) for line in (*names, *_wrapped(_drawable(row.problem)))]


def _drawable(text: str) -> str:
    """With letters and their accents as one, as macOS does not keep them in names, and a mark for what has no shape."""
    letters = unicodedata.normalize("NFC", text)
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in letters)


def _fits(line: str) -> bool:
    return _font().getlength(line) <= TEXT_PIXELS - GAP


def _fitted(line: str) -> str:
    """Long names keep their ends, which tell files apart."""
    if _fits(line):
        return line
    end = line[-TEXT_PIXELS:]
    while not _fits(f"...{end}"):
        end = end[1:]
    return f"...{end}"


def _wrapped(text: str) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        if lines and _fits(f"{lines[-1]} {word}"):
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
