import csv
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.data.formats.table import Columns, Table, read_rows
from harness.data.formats.text import Mistakes
from harness.data.videos import DatasetError, Video
from tests.harness.data.formats.conftest import NAMES, written_lines


def table(folder: Path, content: str, **keys) -> Table:
    (folder / "videos.csv").write_text(content, encoding="utf-8")
    keys = {"list": "videos.csv", "columns": {"split": "split"}, **keys}
    return Table.model_validate_json(json.dumps({"format": "table", "root": str(folder), **keys}))


def told(entry: Table) -> list[str]:
    with pytest.raises(DatasetError) as caught:
        entry.read()
    return str(caught.value).replace(f"{entry.root}/", "").splitlines()


def test_columns_are_those_that_are_named(tmp_path):
    lines = ["part;extra;file;action", 'train;"x;y";"a;b.mp4";sit', "validation;;c.mp4;sit", "training;;d.mp4;clap"]
    content = "\n".join([*lines, "test;;e.mp4;no"])
    columns = {"video": "file", "label": "action", "split": "part"}
    read = table(
        tmp_path, content, columns=columns, separator=";", splits={"left_out": ["test"]}, prefix="clips"
    ).read()
    assert read.classes == ("clap", "sit")
    assert read.train == (Video("a;b.mp4", tmp_path / "clips/a;b.mp4", 1), Video("d.mp4", tmp_path / "clips/d.mp4", 0))
    assert read.val == (Video("c.mp4", tmp_path / "clips/c.mp4", 1),)


def test_a_part_of_a_file_is_read(tmp_path):
    content = "video,label,split,from,to\na.mp4,0,train,10,20\na.mp4,1,train,,\nb.mp4,1,val,5,\n"
    columns = {"split": "split", "first": "from", "last": "to"}
    read = table(tmp_path, content, columns=columns).read()
    assert [(video.id, video.first, video.last) for video in (*read.train, *read.val)] == [
        ("a.mp4:10-20", 10, 20), ("a.mp4", 0, None), ("b.mp4:5-", 5, None)
    ]  # fmt: skip


def test_two_lists_or_a_share_of_one(tmp_path):
    (tmp_path / "t.csv").write_text("video,label\na.mp4,0\n")
    (tmp_path / "v.csv").write_text("label,video\n0,b.mp4\n")
    entry = table(tmp_path, "", list=None, train="t.csv", val="v.csv", columns={})
    assert [video.id for split in entry.read()[1:] for video in split] == ["a.mp4", "b.mp4"]
    assert entry.files() == (tmp_path / "t.csv", tmp_path / "v.csv")
    content = "video,label\n" + "".join(f"{i}.mp4,{i % 2}\n" for i in range(20))
    read = table(tmp_path, content, columns={}, val_share=0.3, seed=4).read()
    assert (len(read.train), [video.label for video in read.val].count(1)) == (14, 3)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"list": None, "columns": {}}, "say `train` and `val`"),
        ({"train": "t.csv"}, "say either `list`"),
        ({"columns": {}}, "say how `list` is split"),
        ({"val_share": 0.2}, "`columns.split` and `val_share` both say how `list` is split; keep one"),
        ({"list": None, "train": "t", "val": "v"}, "are split already"),
        ({"list": None, "train": "t", "val": "v", "columns": {}, "val_share": 0.2}, "are split already"),
        ({"columns": {"vidoe": "x"}}, "vidoe"),
        ({"separator": ", "}, "at most 1 character"),
        ({"val_share": 1.0}, "less than 1"),
    ],
)
def test_there_is_one_way_to_split(tmp_path, keys, said):
    with pytest.raises(ValidationError, match=said):
        table(tmp_path, "", **keys)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", ["videos.csv:1: no column 'video' for `video`; the header has: ",
              "videos.csv:1: no column 'label' for `label`; the header has: ",
              "videos.csv:1: no column 'split' for `split`; the header has: "]),
        ("video,lable,split\n", ["videos.csv:1: no column 'label' for `label` (did you mean 'lable'?); "
                                 "the header has: video, lable, split"]),
        ("video,label,label,split\n", ["videos.csv:1: more than one column 'label' for `label`; "
                                       "the header has: video, label, label, split"]),
    ],
)  # fmt: skip
def test_a_header_without_the_columns_is_told(tmp_path, content, said):
    assert told(table(tmp_path, content))[: len(said)] == said


def test_another_separator_is_guessed_at(tmp_path):
    assert told(table(tmp_path, "video;label;split\n"))[0].endswith("video;label;split; is the separator ','?")


def test_mistakes_are_told_with_their_lines(tmp_path):
    content = (
        "video,label,split,to\na.mp4,0,tarin,1\nb.mp4,0\nc.mp4,0,train,0\nd.mp4,0,val,x\n,0,train,1\ne.mp4,,val,2\n"
    )
    entry = table(tmp_path, content, columns={"split": "split", "last": "to"})
    allowed = "train, training, val, valid, validate, validation"
    assert told(entry) == [
        f"videos.csv:2: unknown split 'tarin' (did you mean 'train'?); allowed: {allowed} (see `splits`)",
        "videos.csv:3: expected 4 fields as in the header, read 2",
        "videos.csv:4: expected whole numbers of frames from 0, the last greater, read '0'",
        "videos.csv:5: expected whole numbers of frames from 0, the last greater, read 'x'",
        "videos.csv:6: the video's name is empty",
        "videos.csv:7: the label must be a whole number from 0, read ''",
    ]


def test_an_unknown_split_does_not_make_its_class_unknown(tmp_path):
    content = "video,label,split\na.mp4,sit,tarin\nb.mp4,clap,train\nc.mp4,sit,val\n"
    (said,) = told(table(tmp_path, content))
    assert said.startswith("videos.csv:2: unknown split 'tarin'")


def test_an_empty_split_is_told_with_what_would_fill_it(tmp_path):
    content = "video,label,split\na.mp4,sit,train\nb.mp4,sit,test\n"
    assert told(table(tmp_path, content, splits={"left_out": ["test"]})) == [
        "videos.csv: the validation split is empty: no row says val or valid or validate or validation in the column "
        "'split' (see `splits`)"
    ]
    assert told(table(tmp_path, "video,label\na.mp4,sit\n", columns={}, val_share=0.2)) == [
        "videos.csv: the validation split is empty: no class has two videos, of which `val_share` could hold one out"
    ]


def test_rows_of_a_list_without_splits(tmp_path):
    (tmp_path / "a.csv").write_text("label,video\nsit,x.mp4\n")
    ((line, name, label, *_),) = read_rows(tmp_path / "a.csv", ",", Columns(), Mistakes())
    assert (line, name, label) == (2, "x.mp4", "sit")


VIDEOS = st.tuples(NAMES, NAMES, st.integers(0, 50), st.integers(1, 50) | st.none())


@given(
    st.lists(VIDEOS, min_size=1, max_size=12, unique_by=lambda video: video[0]),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_is_written_is_read_back(tmp_path_factory, videos, separator, quoting):
    folder = tmp_path_factory.mktemp("table")
    rows = [
        (f"{name}.mp4", label, first, "" if length is None else first + length) for name, label, first, length in videos
    ]
    for split in ("train", "val"):
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter=separator, quoting=quoting)
            writer.writerows([("video", "label", "first", "last"), *((f"{split}/{row[0]}", *row[1:]) for row in rows)])
    columns = {"first": "first", "last": "last"}
    keys = {"list": None, "train": "train.csv", "val": "val.csv", "labels": "names", "columns": columns}
    read = table(folder, "", separator=separator, **keys).read()
    found = [(video.path, read.classes[video.label], video.first, video.last) for video in read.train]
    assert found == [(folder / "train" / name, label, first, last or None) for name, label, first, last in rows]
    assert len(read.val) == len(rows)


def test_damaged_lists_are_told_or_read_whole(tmp_path, survive):
    lines = [f'"v, {i}.mp4",class {"ab"[i % 2]},{"val" if i < 4 else "train"}\n' for i in range(12)]
    entry = table(tmp_path, "video,label,split\n" + "".join(lines))

    def read() -> int:
        annotations = entry.read()
        return len(annotations.train) + len(annotations.val)

    survive(tmp_path / "videos.csv", read, lambda text: written_lines(text) - 1, 400)
