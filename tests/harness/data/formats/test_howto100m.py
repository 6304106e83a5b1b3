import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.formats.howto100m import HowTo100M
from harness.data.videos import DatasetError

HEADER = "video_id,category_1,category_2,rank,task_id\n"


def howto(folder: Path, tasks: dict[str, int], **keys) -> HowTo100M:
    """A csv of so many videos of each task, the first of each in the folder."""
    lines = [f'v{task}_{i},"Food, and",Recipes,{i},{task}\n' for task, count in tasks.items() for i in range(count)]
    (folder / "HowTo100M_v1.csv").write_text(HEADER + "".join(lines), encoding="utf-8")
    for task, count in tasks.items():
        for i in range(count):
            (folder / f"v{task}_{i}.webm").touch()
    return HowTo100M.model_validate_json(json.dumps({"format": "howto100m", "root": str(folder), **keys}))


def test_tasks_with_enough_videos_are_split_85_to_35(tmp_path):
    read = howto(tmp_path, {"30": 120, "7": 100, "8": 99, "1000": 140}).read()
    assert read.classes == ("7", "30", "1000")
    assert (len(read.train), len(read.val)) == (255, 105)
    assert Counter(video.label for video in (*read.train, *read.val)) == {0: 100, 1: 120, 2: 140}
    assert read.train[0].path.suffix == ".webm"
    assert not {video.id for video in read.train} & {video.id for video in read.val}


def test_the_split_is_drawn_by_the_seed_and_not_by_the_order_or_the_files(tmp_path):
    entry = howto(tmp_path, {"1": 12, "2": 12}, min_videos=10)
    first = entry.read()
    path = tmp_path / "HowTo100M_v1.csv"
    header, *lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([header, *lines[::-1]]))
    (tmp_path / "v1_0.webm").unlink()
    assert {video.id for video in entry.read().val} == {video.id for video in first.val}
    others = [entry.model_copy(update={"seed": seed}).read() for seed in (1, 2, 3)]
    assert len({frozenset(video.id for video in each.val) for each in (first, *others)}) == 4


def test_tasks_are_named_by_their_list(tmp_path):
    entry = howto(tmp_path, {"7": 12, "8": 12}, min_videos=10)
    (tmp_path / "task_ids.csv").write_text("id\ttask_name\n7\tMake a cake\n", encoding="utf-8")
    assert entry.read().classes == ("Make a cake", "8")


def test_other_columns_are_said(tmp_path):
    entry = howto(tmp_path, {}, list="tasks.tsv", separator="\t", min_videos=2, prefix="videos",
                  columns={"video": "vid", "label": "task"})  # fmt: skip
    (tmp_path / "videos").mkdir()
    (tmp_path / "tasks.tsv").write_text("task\tvid\n" + "".join(f"5\tx{i}.mp4\n" for i in range(4)))
    assert {video.path for video in entry.read().train} < {tmp_path / "videos" / f"x{i}.mp4" for i in range(4)}
    assert entry.files() == (tmp_path / "tasks.tsv",)


def test_mistakes_are_told_with_their_lines(tmp_path):
    entry = howto(tmp_path, {"1": 3}, min_videos=2)
    path = tmp_path / "HowTo100M_v1.csv"
    path.write_text(path.read_text() + "x,a,b,1,1z\ny,a,b,1\n")
    with pytest.raises(DatasetError) as caught:
        entry.read()
    assert str(caught.value).splitlines() == [
        f"{path}:6: expected 5 fields as in the header, read 4",
        f"{path}:5: the task must be a whole number, read '1z'",
    ]


def test_too_few_videos_are_told(tmp_path):
    with pytest.raises(DatasetError, match=r"v1\.csv:1: no task has 100 videos, the most has 3: say `min_videos`"):
        howto(tmp_path, {"1": 3}).read()


def test_a_missing_list_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"no file HowTo100M_v1\.csv in it"):
        HowTo100M(format="howto100m", root=tmp_path).files()


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(1, 4), st.integers(0, 99))
def test_what_is_written_is_read_back(tmp_path_factory, counts, least, seed):
    folder = tmp_path_factory.mktemp("howto")
    lines = [f"v{task}_{i}.mp4,,,1,{task}\n" for task, count in enumerate(counts) for i in range(count)]
    entry = howto(folder, {}, min_videos=least, seed=seed)
    (folder / "HowTo100M_v1.csv").write_text(HEADER + "".join(lines))
    kept = [count for count in counts if count >= least]
    cut = round(sum(kept) * 85 / 120)
    if not kept or not 0 < cut < sum(kept):
        with pytest.raises(DatasetError):
            entry.read()
        return
    read = entry.read()
    assert (len(read.train), len(read.val)) == (cut, sum(kept) - cut)
    found = Counter(read.classes[video.label] for video in (*read.train, *read.val))
    assert found == {str(task): count for task, count in enumerate(counts) if count >= least}
    assert all(video.id.startswith(f"v{read.classes[video.label]}_") for video in read.train)


def test_a_damaged_list_is_told_or_read_whole(tmp_path, survive):
    entry = howto(tmp_path, {"1": 6, "2": 6}, min_videos=1)

    def read() -> int:
        annotations = entry.read()
        return len(annotations.train) + len(annotations.val)

    def expected(text: str) -> int:
        return sum(bool(line.strip(" ,\r\t")) for line in text.replace("\r", "\n").split("\n")) - 1

    survive(tmp_path / "HowTo100M_v1.csv", read, expected, 300)
