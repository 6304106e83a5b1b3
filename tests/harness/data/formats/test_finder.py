import os

import pytest

from harness.data.formats.finder import (
    COMPANIONS,
    VIDEO_SUFFIXES,
    Finder,
    files_below,
    folders_in,
    is_companion,
    is_video,
    videos_below,
    videos_in,
)
from harness.data.videos import DatasetError


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_videos_are_known_by_their_suffix():
    assert all(map(is_video, ["a.mp4", "b.WEBM", "c d.mkv", "a.b.avi", "camera.MTS", "disc.m2ts", "a.gif", "a.vob"]))
    assert not any(map(is_video, ["a", "a.txt", "mp4", "-3B32lodo2M", "a.mp4.part"]))


def test_videos_are_found_at_any_depth_in_order_and_nothing_else(tmp_path):
    touch(tmp_path, "b/2.mp4", "b/1.webm", "a.mkv", "b/c/d/é.mp4", ".hidden/x.mp4", "b/._1.mp4", "notes.txt")
    assert list(videos_below(tmp_path)) == ["a.mkv", "b/1.webm", "b/2.mp4", "b/c/d/é.mp4"]
    assert folders_in(tmp_path) == ["b"]


def test_files_are_told_from_those_that_lie_beside_them(tmp_path):
    touch(tmp_path, "b/1.webm", "a.mkv", "notes.TXT", "b/1.mp4.part", "b/.hidden")
    assert list(files_below(tmp_path)) == ["a.mkv", "b/1.mp4.part", "b/1.webm", "notes.TXT"]
    assert videos_in(tmp_path) == ["a.mkv"]
    assert list(filter(is_companion, files_below(tmp_path))) == ["notes.TXT"]
    assert not VIDEO_SUFFIXES & COMPANIONS


def test_links_are_followed_but_not_in_circles(tmp_path):
    touch(tmp_path, "data/a/1.mp4")
    (tmp_path / "data" / "a" / "up").symlink_to(tmp_path / "data" / "a")
    (tmp_path / "data" / "b").symlink_to(tmp_path / "data" / "a")
    (tmp_path / "data" / "broken.mp4").symlink_to(tmp_path / "nowhere.mp4")  # told when it is decoded
    assert list(videos_below(tmp_path / "data")) == ["a/1.mp4", "b/1.mp4", "broken.mp4"]


def test_a_folder_that_is_absent_is_told(tmp_path):
    with pytest.raises(DatasetError, match=r"nowhere: cannot be read: No such file"):
        list(videos_below(tmp_path / "nowhere"))


def test_a_name_that_is_not_utf8_is_told(tmp_path):
    (tmp_path / os.fsdecode(b"a\xff.mp4")).touch()
    with pytest.raises(DatasetError, match=r"the name b'a\\xff\.mp4' is not UTF-8"):
        list(videos_below(tmp_path))


def test_a_name_without_extension_is_found(tmp_path):
    touch(
        tmp_path, "train/sit/abc.mp4", "train/sit/-3B32lodo2M_000059_000069.mp4", "val/abc.mp4", "x.webm", "sub/x.mp4"
    )
    find = Finder(tmp_path).find
    assert find("-3B32lodo2M") == ["train/sit/-3B32lodo2M_000059_000069.mp4"]
    assert find("-3B32lodo2M_000059_000069") == ["train/sit/-3B32lodo2M_000059_000069.mp4"]
    assert find("-3B32lodo2M", spans=False) == []
    assert find("abc") == ["train/sit/abc.mp4", "val/abc.mp4"]
    assert find("val/abc") == ["val/abc.mp4"]
    assert find("sit/abc") == ["train/sit/abc.mp4"]
    assert find("it/abc") == []
    assert find("x") == ["x.webm"]  # what lies just there is meant
    assert find("y") == []
