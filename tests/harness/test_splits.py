from dataclasses import replace
from pathlib import Path

import pytest

from harness.data.videos import Dataset, DatasetError, Video
from harness.splits import refuse_another, splits_of

VIDEOS = tuple(Video(f"v{n}", Path(f"v{n}.mp4"), n % 2) for n in range(8))
DATASET = Dataset("mine", ("a", "b"), "dense", True, VIDEOS[:6], VIDEOS[6:])
FOLDER = Path("runs/jobs/x")


def test_the_videos_of_a_fraction_are_counted():
    assert splits_of(DATASET, 0.5).train.videos == 4  # 1.5 of 3, rounded, of each class
    assert splits_of(DATASET, 0.5).val == splits_of(DATASET, 1.0).val


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"train": VIDEOS[:4]}, r"training videos: 6 \(digest \w+\), now 4"),
        ({"train": VIDEOS[5::-1]}, "training videos: 6"),
        ({"val": (*VIDEOS[6:7], replace(VIDEOS[7], label=0))}, "validation videos: 2"),
        ({"sampling": "segment"}, "sampling: dense, now segment"),
        ({"flip": False}, "flip: True, now False"),
    ],
)
def test_another_data_set_of_the_same_name_is_refused(changes, told):
    before, now = (splits_of(each, 1.0) for each in (DATASET, replace(DATASET, **changes)))
    with pytest.raises(DatasetError, match=told):
        refuse_another(before, now, DATASET, FOLDER)


def test_the_same_is_taken_also_by_another_decoder_and_from_another_folder():
    moved = replace(DATASET, decoder="pyav", train=tuple(replace(v, path=Path("/else") / v.path) for v in VIDEOS[:6]))
    refuse_another(splits_of(DATASET, 1.0), splits_of(moved, 1.0), moved, FOLDER)
    refuse_another(None, splits_of(moved, 1.0), moved, FOLDER)
