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
    assert told(folder(tmp_path, "train/sit/1.mp4", "train/empty/1.txt", "val/sitt/1.mp4"))[0].startswith(
        "train/empty: no video in it; their names end in .3gp, .avi"
    )
    assert told(folder(tmp_path, "train/empty/2.mp4")) == [
        "val: the class 'sitt' is not a class of the training list (did you mean 'sit'?)"
    ]


def test_a_class_of_one_video_stays_in_training_and_none_is_left_to_hold_out(tmp_path):
    assert told(folder(tmp_path, "sit/1.mp4", val_share=0.5)) == [f"{tmp_path}: the split is empty: no video is listed"]


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
