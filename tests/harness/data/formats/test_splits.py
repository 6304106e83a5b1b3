import gc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.formats.splits import (
    Listed,
    Row,
    annotations,
    checked,
    held_out,
    no_collection,
    share_of_each_class,
    shuffled,
)
from harness.data.formats.text import Mistakes
from harness.data.videos import DatasetError, Video


def read(tmp_path, train, val, **given):
    made = [[Row(line, *row) for line, row in enumerate(rows, 1)] for rows in (train, val)]
    arguments = {"names": (), "count": None, "by": None, **given}
    paths = tmp_path / "train.csv", tmp_path / "val.csv"
    return annotations(
        (paths[0], made[0]), (paths[1], made[1]), folder=tmp_path, mistakes=Mistakes(), **arguments
    )  # fmt: skip


def told(tmp_path, train, val, **given) -> list[str]:
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, train, val, **given)
    return str(caught.value).replace(f"{tmp_path}/", "").splitlines()


def test_rows_become_videos(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "x.webm").touch()
    made = read(
        tmp_path, [("a.mp4", "0"), ("/abs/b.mp4", "1"), ("x", "1")], [("c.mp4", "1", "", 5, 9), ("d/x.mp4", "0")]
    )
    assert made.train == (
        Video("a.mp4", tmp_path / "a.mp4", 0),
        Video("/abs/b.mp4", Path("/abs/b.mp4"), 1),
        Video("x", tmp_path / "d" / "x.webm", 1),
    )
    assert made.val[0] == Video("c.mp4:5-9", tmp_path / "c.mp4", 1, 5, 9)


def test_absent_names_without_extension_stay_to_be_counted(tmp_path):
    (tmp_path / "x.webm").touch()
    made = read(tmp_path, [("x", "0"), ("y", "0")], [("c.mp4", "0")])
    assert made.train[1] == Video("y", tmp_path / "y.mp4", 0)


def test_a_list_of_which_nothing_is_found_is_told(tmp_path):
    (problem,) = told(tmp_path, [("x", "0"), ("y", "0")], [("c.mp4", "0")])
    assert problem.startswith("train.csv:1: no video x with an extension below ")
    assert problem.endswith("nor any other of this list: is the root right?")


def test_the_separator_is_doubted_where_the_label_holds_another(tmp_path):
    problem, *_ = told(tmp_path, [("v/0", "a,1")], [("v/1", "b,1")])
    assert problem.endswith("is the root right? And the separator (`separator: ','`)? The label is 'a,1'.")


def test_labels_that_are_left_out_are_told_on_the_line_behind_the_gap(tmp_path):
    val = [("c.mp4", "1")]
    (problem,) = told(tmp_path, [("a.mp4", "2"), ("b.mp4", "1")], val)
    assert problem.startswith("train.csv:2: the labels begin at 1, ")
    (problem,) = told(tmp_path, [("a.mp4", "5"), ("b.mp4", "1"), ("d.mp4", "0")], val)
    assert problem.startswith("train.csv:1: no training video has the label 2, 3, 4, ")
    (problem,) = told(tmp_path, [("a.mp4", "0")], val)
    assert problem.startswith("val.csv:1: no training video has the label 1, ")
    assert read(tmp_path, [("a.mp4", "5"), ("b.mp4", "1")], val, count=6).classes == tuple("012345")
    assert read(tmp_path, [("a.mp4", "5"), ("b.mp4", "1")], val, by="names").classes == ("1", "5")
    assert told(tmp_path, [("a.mp4", "0"), ("b.mp4", "l"), ("d.mp4", "2")], val) == [
        "train.csv:2: the label must be a whole number from 0, read 'l'"
    ]  # which may be the 1


def test_a_class_is_not_called_unknown_where_rows_are_lacking(tmp_path):
    mistakes = Mistakes()
    mistakes.add(tmp_path / "train.csv", 1, "a row that cannot be read")
    rows = [Row(2, "b.mp4", "sit")], [Row(1, "c.mp4", "stand")]
    with pytest.raises(DatasetError) as caught:
        annotations(
            (tmp_path / "train.csv", rows[0]), (tmp_path / "val.csv", rows[1]), folder=tmp_path, names=(), count=None,
            by=None, mistakes=mistakes,
        )  # fmt: skip
    assert str(caught.value) == f"{tmp_path}/train.csv:1: a row that cannot be read"


def test_a_name_that_can_be_several_videos_is_told(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.mp4").touch()
    assert told(tmp_path, [("x", "0")], [("c.mp4", "0")]) == ["train.csv:1: x can be each of a/x.mp4, b/x.mp4"]


def test_repeated_and_shared_videos_are_told_by_any_of_their_names(tmp_path):
    train = [("a.mp4", "0"), ("./a.mp4", "0"), ("a.mp4", "0"), ("b/../a.mp4", "0"), (f"{tmp_path}/c.mp4", "0")]
    assert told(tmp_path, train, [("c.mp4", "0"), ("d//e.mp4", "0"), ("d/e.mp4", "0")]) == [
        "train.csv:2: the video ./a.mp4 stands twice (first at train.csv:1)",
        "train.csv:3: the video a.mp4 stands twice (first at train.csv:1)",
        "train.csv:4: the video b/../a.mp4 stands twice (first at train.csv:1)",
        "val.csv:1: the video c.mp4 is in the training split too (train.csv:5)",
        "val.csv:3: the video d/e.mp4 stands twice (first at val.csv:2)",
    ]


def test_parts_of_one_file_are_videos_of_their_own(tmp_path):
    made = read(tmp_path, [("a.mp4", "0", "", 0, 5), ("a.mp4", "0", "", 5, 9)], [("a.mp4", "0", "", 9, None)])
    assert [video.id for video in (*made.train, *made.val)] == ["a.mp4:0-5", "a.mp4:5-9", "a.mp4:9-"]


def test_an_empty_split_is_told_unless_its_mistakes_are(tmp_path):
    assert told(tmp_path, [("a.mp4", "0")], []) == ["val.csv: the validation split is empty: no video is listed"]
    assert told(tmp_path, [], [("a.mp4", "x")], by="names", names=("x",)) == [
        "train.csv: the training split is empty: no video is listed"
    ]
    assert told(tmp_path, [("a.mp4", "0")], [("b.mp4", "x")]) == [
        "val.csv:1: the label must be a whole number from 0, read 'x'"
    ]


def test_labels_that_could_be_either_are_told_with_the_list(tmp_path):
    (problem,) = told(tmp_path, [("a.mp4", "1")], [("b.mp4", "1")], names=("1", "2"))
    assert problem == "train.csv: names of classes are numbers; say `labels: numbers` or `labels: names`"


def test_no_near_name_is_sought_for_mistakes_that_are_only_counted(tmp_path, monkeypatch):
    sought = []
    monkeypatch.setattr("harness.data.formats.labels.did_you_mean", lambda *given: sought.append(given) or "")
    rows = [(f"{index}.mp4", f"class {index}") for index in range(500)]
    assert told(tmp_path, rows, [("x.mp4", "sit")], names=("sit",), by="names")[-1] == "... and 480 more"
    assert len(sought) == 20


def test_checked_keeps_the_order(tmp_path):
    train, val = Listed(tmp_path), Listed(tmp_path)
    videos = [Video(str(index), tmp_path / str(index), 0) for index in range(5)]
    for line, video in enumerate(videos[:3]):
        train.add(video, line)
    for line, video in enumerate(videos[3:]):
        val.add(video, line)
    assert checked(("x",), train, val, Mistakes()) == (("x",), tuple(videos[:3]), tuple(videos[3:]))


def test_a_share_that_holds_nothing_out_is_told(tmp_path):
    mistakes = Mistakes()
    train, val = held_out(tmp_path, [Row(1, "a.mp4", "0"), Row(2, "b.mp4", "1")], 0.5, 0, mistakes)
    assert (len(train), val, len(mistakes.found)) == (2, [], 1)
    assert "the validation split is empty: no class has two videos" in mistakes.found[0]
    mistakes = Mistakes()
    assert len(held_out(tmp_path, [Row(1, "a.mp4", "0"), Row(2, "b.mp4", "0")], 0.5, 0, mistakes)[1]) == 1
    assert held_out(tmp_path, [], 0.5, 0, mistakes) == ([], [])
    assert not mistakes.found


@given(st.lists(st.text(max_size=4), unique=True), st.integers(0, 5))
def test_a_shuffle_is_of_the_names_and_not_of_their_order(names, seed):
    order = [names[index] for index in shuffled(names, seed)]
    assert sorted(order) == sorted(names)
    assert [names[::-1][index] for index in shuffled(names[::-1], seed)] == order


def test_seeds_shuffle_differently():
    names = list(map(str, range(50)))
    assert len({tuple(shuffled(names, seed)) for seed in range(5)}) == 5


@given(st.lists(st.integers(0, 3).map(str), min_size=1, max_size=60), st.floats(0.01, 0.99), st.integers(0, 9))
def test_a_share_of_each_class_is_held_out(labels, share, seed):
    rows = [Row(index, f"v{index}.mp4", label) for index, label in enumerate(labels)]
    train, val = share_of_each_class(rows, share, seed)
    assert sorted(train + val) == rows
    for label in set(labels):
        count, held = labels.count(label), sum(row.label == label for row in val)
        assert held < count or count == 0
        assert held == min(count - 1, max(1, round(share * count)))


def test_the_collector_is_paused_and_left_as_it_was():
    with no_collection():
        assert not gc.isenabled()
        with no_collection():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()
