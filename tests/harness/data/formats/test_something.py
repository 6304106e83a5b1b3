import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.formats.something import Something
from harness.data.videos import DatasetError, Video


def something(folder: Path, train: str | None = None, labels: str | None = None) -> Something:
    (folder / "labels").mkdir()
    (folder / "videos").mkdir()
    (folder / "videos" / "2.mp4").touch()
    entry = {
        "id": "1",
        "label": "pushing a cup left",
        "template": "Pushing [something] left",
        "placeholders": ["a cup"],
    }
    other = {**entry, "id": "2", "template": "Pushing [something] right"}
    default = {"Pushing something right": "1", "Pushing something left": "0"}
    (folder / "labels" / "labels.json").write_text(labels or json.dumps(default))
    (folder / "labels" / "train.json").write_text(train or json.dumps([entry, other], indent=1))
    (folder / "labels" / "validation.json").write_text(json.dumps([{**entry, "id": 3}]))
    return Something(format="something-something", root=folder)


def test_the_lists_are_read(tmp_path):
    read = something(tmp_path).read()
    assert read.classes == ("Pushing something left", "Pushing something right")
    assert read.train == (
        Video("1", tmp_path / "videos" / "1.webm", 0),  # absent: found when it is decoded
        Video("2", tmp_path / "videos" / "2.mp4", 1),
    )
    assert [video.id for video in read.val] == ["3"]
    assert (Something.SAMPLING, Something.FLIP) == ("segment", False)


def test_the_older_names_are_read(tmp_path):
    entry = something(tmp_path)
    for kind in ("labels", "train", "validation"):
        (tmp_path / "labels" / f"{kind}.json").rename(tmp_path / f"something-something-v2-{kind}.json")
    (tmp_path / "labels").rmdir()
    (tmp_path / "videos").rename(tmp_path / "20bn-something-something-v2")
    assert len(entry.read().train) == 2


def test_a_folder_of_videos_by_another_name_is_said(tmp_path):
    entry = something(tmp_path)
    (tmp_path / "videos").rename(tmp_path / "webm")
    assert entry.model_copy(update={"videos": Path("webm")}).read().train[1].path == tmp_path / "webm" / "2.mp4"


def test_every_mistake_is_told_at_once(tmp_path):
    train = """[
      {"id": "1", "template": "Pushing [something] lef"},
      {"id": "2"},
      7,
      {"id": "3", "template": "Pushing [something] left"},
      {"id": "9", "template": "Pushing [something] left"}, {"id": "9", "template": "Pushing [something] left"},
      {"id": "../9", "template": "Pushing [something] left"},
      {"id": true, "template": "Pushing [something] left"},
      {"id": "8", "template": ["Pushing [something] left"]}
    ]"""
    with pytest.raises(DatasetError) as caught:
        something(tmp_path, train).read()
    file = tmp_path / "labels" / "train.json"
    wanted = "expected the number of a video as `id`, text as `template`, read"
    assert str(caught.value).splitlines() == [
        f"{file}:2: the template 'Pushing something lef' is not in the label file "
        "(did you mean 'Pushing something left'?)",
        f'{file}:3: expected an object with `id` and `template`, read {{"id": "2"}}',
        f"{file}:4: expected an object with `id` and `template`, read 7",
        f'{file}:7: {wanted} {{"id": "../9", "template": "Pushing [something] left"}}',
        f'{file}:8: {wanted} {{"id": true, "template": "Pushing [something] left"}}',
        f'{file}:9: {wanted} {{"id": "8", "template": ["Pushing [something] left"]}}',
        f"{file}:6: the video 9 stands twice (first at {file}:6)",
        f"{tmp_path}/labels/validation.json:1: the video 3 is in the training split too ({file}:5)",
    ]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("[]", "expected an object"),
        ('{"a": "x"}', "expected an object"),
        ("{", "not valid JSON"),
        ('{"a": "1"}', "0 to 0"),
        ('{"a": "0", "a": "1"}', "'a' stands twice"),
    ],
)
def test_a_broken_label_file_is_named(tmp_path, labels, said):
    with pytest.raises(DatasetError, match=rf"labels\.json:1: .*{said}"):
        something(tmp_path, labels=labels).read()


def test_missing_parts_are_named(tmp_path):
    with pytest.raises(DatasetError, match=r"no file labels/labels\.json or something-something-v2-labels\.json"):
        Something(format="something-something", root=tmp_path).files()
    entry = something(tmp_path)
    (tmp_path / "videos" / "2.mp4").unlink()
    (tmp_path / "videos").rmdir()
    with pytest.raises(DatasetError, match="no folder of videos; expected videos or 20bn"):
        entry.read()


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 2)), min_size=2, unique_by=lambda video: video[0]),
       st.sampled_from([None, 1]), st.lists(st.text(), min_size=3, max_size=3, unique=True))  # fmt: skip
def test_what_is_written_is_read_back(tmp_path_factory, videos, indent, templates):
    folder = tmp_path_factory.mktemp("something")
    templates = [template.replace("[", "").replace("]", "") + str(index) for index, template in enumerate(templates)]
    entry = something(folder, labels=json.dumps({template: str(index) for index, template in enumerate(templates)}))
    listed = [{"id": str(id_), "template": f"[{templates[label]}]"} for id_, label in videos]
    (folder / "labels" / "train.json").write_text(json.dumps(listed[1:], indent=indent))
    (folder / "labels" / "validation.json").write_text(json.dumps(listed[:1], ensure_ascii=False), encoding="utf-8")
    read = entry.read()
    assert [(int(video.id), video.label) for video in (*read.val, *read.train)] == videos
    assert read.classes == tuple(templates)


def test_damaged_lists_are_told_or_read_whole(tmp_path, survive):
    names = ("left", "right")
    train = json.dumps(
        [{"id": str(i), "template": f"Pushing [something] {names[i % 2]}"} for i in range(10, 22)], indent=0
    )
    entry = something(tmp_path, train)
    survive(
        tmp_path / "labels" / "train.json", lambda: len(entry.read().train), lambda text: len(json.loads(text)), 400
    )
