import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.formats.folder import Folder
from harness.data.videos import DatasetError, Video
from tests.harness.data.formats.conftest import NAMES


def folder(root: Path, *names: str, **keys) -> Folder:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return Folder.model_validate_json(json.dumps({"format": "folder", "root": str(root), **keys}))


def told(entry: Folder) -> list[str]:
    with pytest.raises(DatasetError) as caught:
        entry.read()
    return str(caught.value).replace(f"{entry.root}/", "").splitlines()


def test_two_splits_are_read(tmp_path):
    read = folder(tmp_path, "train/sit/1.mp4", "train/clap/x/2.webm", "train/clap/notes.txt", "val/sit/1.mp4").read()
    assert read.classes == ("clap", "sit")
    assert read.train == (
        Video("train/clap/x/2.webm", tmp_path / "train/clap/x/2.webm", 0),
        Video("train/sit/1.mp4", tmp_path / "train/sit/1.mp4", 1),
    )
    assert read.val == (Video("val/sit/1.mp4", tmp_path / "val/sit/1.mp4", 1),)


def test_one_folder_is_split_by_the_share(tmp_path):
    names = [f"{name}/{i}.mp4" for name in ("sit", "val") for i in range(10)]
    entry = folder(tmp_path, *names, val_share=0.2)
    read = entry.read()
    assert [video.label for video in read.val] == [0, 0, 1, 1]
    assert sorted(video.id for video in (*read.train, *read.val)) == sorted(names)
    assert entry.read() == read
    assert entry.model_copy(update={"seed": 1}).read() != read
    assert entry.files() == ()


def test_classes_may_be_given_and_numbers_are_names(tmp_path):
    entry = folder(tmp_path, "train/10/1.mp4", "train/9/1.mp4", "validation/9/1.mp4")
    assert entry.read().classes == ("10", "9")
    (tmp_path / "classes.txt").write_text("9\n10\n11\n")
    assert [video.label for video in entry.read().train] == [1, 0]


def test_linked_classes_and_other_alphabets(tmp_path):
    folder(tmp_path, "elsewhere/1.mp4", "data/val/踊る/2.mp4")
    (tmp_path / "data" / "train").mkdir()
    (tmp_path / "data" / "train" / "踊る").symlink_to(tmp_path / "elsewhere")
    assert folder(tmp_path / "data").read().train[0].id == "train/踊る/1.mp4"


def test_folders_without_splits_are_told_with_what_to_say(tmp_path):
    (said,) = told(folder(tmp_path, "sit/1.mp4", "clap/1.mp4"))
    assert said == (
        f"{tmp_path}: no folders `train` and `val`; it has: clap, sit. "
        "If these are the classes, say what to hold out: `val_share: 0.2`"
    )


def test_mistakes_are_told(tmp_path):
    (said,) = told(folder(tmp_path, "train/sit/1.mp4", "train/empty/1.txt", "val/sitt/1.mp4"))  # 'sitt' may be there
    assert said.startswith("train/empty: no video in it but 1.txt; their names end in .3g2, .3gp")
    assert told(folder(tmp_path, "train/empty/2.mp4")) == [
        "val: the class 'sitt' is not a class of the training list (did you mean 'sit'?)"
    ]


def test_a_class_of_one_video_stays_in_training_and_none_is_left_to_hold_out(tmp_path):
    assert told(folder(tmp_path, "sit/1.mp4", val_share=0.5)) == [
        f"{tmp_path}: the validation split is empty: no class has two videos, of which `val_share` could hold one out"
    ]


@pytest.mark.parametrize("names", [("train", "val"), ("Training", "test"), ("train", "val", "extra")])
def test_a_share_of_what_is_split_already_is_refused(tmp_path, names):
    entry = folder(tmp_path, *(f"{name}/sit/{i}.mp4" for name in names for i in range(4)), val_share=0.2)
    for ask in (entry.files, entry.read, entry.quick_count):
        with pytest.raises(DatasetError) as caught:
            ask()
        assert str(caught.value) == (
            f"{tmp_path}: it is split already, by the folders {names[0]} and {names[1]}, which `val_share` would take "
            "for classes: leave out `val_share`. If they are classes, name all classes in classes.txt"
        )
    assert entry.model_copy(update={"val_share": None}).read().classes == ("sit",)


def test_a_share_of_the_training_folder_alone_is_refused_with_the_root_that_is_meant(tmp_path):
    (said,) = told(folder(tmp_path, "train/sit/1.mp4", "train/sit/2.mp4", val_share=0.5))
    assert said == (
        f"{tmp_path}: its only folder is train, which `val_share` would take for the only class: say `root: train`"
    )


def test_classes_may_be_named_as_splits_are_where_this_is_said(tmp_path):
    entry = folder(tmp_path, *(f"{name}/{i}.mp4" for name in ("bus", "train", "test") for i in range(4)), val_share=0.5)
    (tmp_path / "classes.txt").write_text("bus\ntest\ntrain\n")
    assert entry.read().classes == ("bus", "test", "train")
    assert entry.files() == ()


def test_videos_of_no_class_are_told(tmp_path):
    (tmp_path / "loose").mkdir()
    said = "which have no class; move each into the folder of its class"
    alone = folder(tmp_path / "loose", *(f"{i}.mp4" for i in range(5)), "list.csv", val_share=0.2)
    assert told(alone) == [
        f"{tmp_path}/loose: no class folders: videos directly in it (0.mp4, 1.mp4, 2.mp4 and 2 more), {said}"
    ]
    assert told(alone.model_copy(update={"val_share": None})) == [
        f"{tmp_path}/loose: no folders `train` and `val`; it has: no folder, but the videos 0.mp4, 1.mp4, 2.mp4 and "
        "2 more. A class is a folder of videos"
    ]
    beside = folder(tmp_path / "a", "x.mts", "train/y.mp4", "train/sit/1.mp4", "val/sit/2.mp4")
    assert told(beside) == [
        f"{tmp_path}/a: videos directly in it (x.mts), {said}",
        f"train: videos directly in it (y.mp4), {said}",
    ]
    (tmp_path / "empty").mkdir()
    assert told(folder(tmp_path / "empty", val_share=0.2)) == [
        f"{tmp_path}/empty: no class folders in it; a class is a folder of videos"
    ]


def test_videos_of_any_camera_are_read_and_what_may_be_a_video_is_told(tmp_path):
    entry = folder(tmp_path, "a/1.MTS", "a/2.m2ts", "a/3.gif", "a/4.mp4", "a/notes.txt", "a/4.jpg", val_share=0.5)
    read = entry.read()
    assert len(read.train) + len(read.val) == 4
    folder(tmp_path, "a/5.mp4.part", "a/x/raw.h264")
    assert told(entry) == [
        "a: 5.mp4.part, x/raw.h264 may be videos or not, by the ends of their names; rename them, or move them away"
    ]


def test_classes_are_counted_by_their_folders_alone(tmp_path):
    entry = folder(tmp_path, "train/sit/1.mp4", "train/clap/1.mp4", "val/sit/2.mp4")
    assert entry.quick_count() == 2
    assert folder(tmp_path / "train", val_share=0.5).quick_count() == 2


@given(
    st.dictionaries(
        NAMES.filter(lambda name: name[0] != "."),
        st.sets(NAMES.filter(lambda name: name[0] != "."), min_size=1, max_size=4),
        min_size=1,
        max_size=4,
    )
)
def test_what_is_written_is_read_back(tmp_path_factory, classes):
    root = tmp_path_factory.mktemp("folder")
    names = [f"{name}/{video}.mp4" for name, videos in classes.items() for video in videos]
    read = folder(root, *(f"{split}/{name}" for split in ("train", "val") for name in names)).read()
    assert read.classes == tuple(sorted(classes))
    for split, videos in (("train", read.train), ("val", read.val)):
        assert {video.id for video in videos} == {f"{split}/{name}" for name in names}
        assert all(video.id.split("/")[1] == read.classes[video.label] and video.path.is_file() for video in videos)
