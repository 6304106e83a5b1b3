import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data import datasets
from harness.data.datasets import open_dataset, read_kinetics, read_something_something
from harness.data.videos import DatasetError, Video, subset


def kinetics(folder: Path, train: str = "a.mp4 0\nb.mp4 1\n", val: str = "c.mp4 1\n", classes: str = "") -> Path:
    (folder / "train.csv").write_text(train)
    (folder / "val.csv").write_text(val)
    if classes:
        (folder / "classes.txt").write_text(classes)
    return folder


def something(folder: Path, train: str | None = None, labels: str | None = None) -> Path:
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
    return folder


def test_kinetics_lists_are_read(tmp_path):
    dataset = read_kinetics(kinetics(tmp_path, train="a.mp4 0\nsub folder/b c.mp4 1\n\n/abs/d.mp4 1\n"), name="mine")
    assert dataset.train == (
        Video("a.mp4", tmp_path / "a.mp4", 0),
        Video("sub folder/b c.mp4", tmp_path / "sub folder/b c.mp4", 1),
        Video("/abs/d.mp4", Path("/abs/d.mp4"), 1),
    )
    assert dataset.val == (Video("c.mp4", tmp_path / "c.mp4", 1),)
    assert (dataset.classes, dataset.sampling, dataset.flip) == (("0", "1"), "dense", True)


def test_kinetics_class_names_are_read(tmp_path):
    assert read_kinetics(kinetics(tmp_path, classes="abseiling\nzumba\n"), name="mine").classes == (
        "abseiling",
        "zumba",
    )


def test_every_mistake_of_kinetics_lists_is_told_at_once(tmp_path):
    folder = kinetics(tmp_path, "a.mp4,0\nb.mp4 one\nc.mp4 2\nd.mp4 1\nd.mp4 0\n", "e.mp4 -1\nd.mp4 1\n", "x\ny\n")
    with pytest.raises(DatasetError) as caught:
        read_kinetics(folder, name="mine")
    assert str(caught.value).splitlines() == [
        f"{tmp_path}/train.csv:1: expected `path label` with a space between, read 'a.mp4,0'",
        f"{tmp_path}/train.csv:2: the label must be a whole number from 0 to 1, read 'one'",
        f"{tmp_path}/train.csv:3: the label must be a whole number from 0 to 1, read '2'",
        f"{tmp_path}/train.csv:5: the video d.mp4 stands twice (first at {tmp_path}/train.csv:4)",
        f"{tmp_path}/val.csv:1: the label must be a whole number from 0 to 1, read '-1'",
        f"{tmp_path}/val.csv:2: the video d.mp4 is in the training split too",
    ]


def test_a_long_list_of_mistakes_is_cut(tmp_path):
    with pytest.raises(DatasetError) as caught:
        read_kinetics(kinetics(tmp_path, train="x\n" * 100), name="mine")
    lines = str(caught.value).splitlines()
    assert len(lines) == datasets.MISTAKES_SHOWN + 1
    assert lines[-1].startswith("... and 8")


@pytest.mark.parametrize("content", ["", "\n\n"])
def test_an_empty_split_is_a_mistake(tmp_path, content):
    with pytest.raises(DatasetError, match="empty"):
        read_kinetics(kinetics(tmp_path, val=content), name="mine")


def test_a_missing_list_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"train\.csv: cannot be read: No such file"):
        read_kinetics(tmp_path, name="mine")


def test_a_list_that_is_no_text_is_named(tmp_path):
    kinetics(tmp_path)
    (tmp_path / "val.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match=r"val\.csv: cannot be read"):
        read_kinetics(tmp_path, name="mine")


def test_something_something_is_read(tmp_path):
    dataset = read_something_something(something(tmp_path), name="mine")
    assert dataset.classes == ("Pushing something left", "Pushing something right")
    assert dataset.train == (
        Video("1", tmp_path / "videos" / "1.webm", 0),  # absent: found when it is decoded
        Video("2", tmp_path / "videos" / "2.mp4", 1),
    )
    assert [video.id for video in dataset.val] == ["3"]
    assert (dataset.sampling, dataset.flip) == ("segment", False)


def test_the_older_names_of_something_something_are_read(tmp_path):
    something(tmp_path)
    for kind in ("labels", "train", "validation"):
        (tmp_path / "labels" / f"{kind}.json").rename(tmp_path / f"something-something-v2-{kind}.json")
    (tmp_path / "labels").rmdir()
    (tmp_path / "videos").rename(tmp_path / "20bn-something-something-v2")
    assert len(read_something_something(tmp_path, name="mine").train) == 2


def test_every_mistake_of_something_something_lists_is_told_at_once(tmp_path):
    train = """[
      {"id": "1", "template": "Pushing [something] lef"},
      {"id": "2"},
      7,
      {"id": "3", "template": "Pushing [something] left"},
      {"id": "9", "template": "Pushing [something] left"}, {"id": "9", "template": "Pushing [something] left"}
    ]"""
    with pytest.raises(DatasetError) as caught:
        read_something_something(something(tmp_path, train), name="mine")
    file = tmp_path / "labels" / "train.json"
    assert str(caught.value).splitlines() == [
        f"{file}:2: the template 'Pushing something lef' is not in the label file; "
        "did you mean 'Pushing something left'?",
        f'{file}:3: expected an object with `id` and `template`, read {{"id": "2"}}',
        f"{file}:4: expected an object with `id` and `template`, read 7",
        f"{file}:6: the video 9 stands twice (first at {file}:6)",
        f"{tmp_path}/labels/validation.json:1: the video 3 is in the training split too",
    ]


@pytest.mark.parametrize(
    ("train", "said"),
    [
        ("{}", r"train\.json:1: expected a JSON list"),
        ('[\n{"id": 1', r"train\.json:2: not valid JSON"),
        ('[\n{"id": 1}\n{"id": 2}]', r"train\.json:2: not valid JSON: a comma"),
        ("[\n\n", r"train\.json:3: not valid JSON"),
    ],
)
def test_a_broken_list_is_named_with_its_line(tmp_path, train, said):
    with pytest.raises(DatasetError, match=said):
        read_something_something(something(tmp_path, train), name="mine")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("[]", "expected an object"),
        ('{"a": "x"}', "expected an object"),
        ("{", "not valid JSON"),
        ('{"a": "1"}', "0 to 0"),
    ],
)
def test_a_broken_label_file_is_named(tmp_path, labels, said):
    with pytest.raises(DatasetError, match=rf"labels\.json:1: .*{said}"):
        read_something_something(something(tmp_path, labels=labels), name="mine")


def test_missing_parts_of_something_something_are_named(tmp_path):
    with pytest.raises(DatasetError, match=r"no labels file; expected labels/labels\.json or something-something-v2"):
        read_something_something(tmp_path, name="mine")
    something(tmp_path)
    (tmp_path / "videos" / "2.mp4").unlink()
    (tmp_path / "videos").rmdir()
    with pytest.raises(DatasetError, match="no folder of videos; expected videos or 20bn"):
        read_something_something(tmp_path, name="mine")


def configure(folder: Path, text: str) -> Path:
    path = folder / "datasets.yaml"
    path.write_text(text)
    return path


def test_a_configured_set_is_opened_relative_to_the_file(tmp_path):
    (tmp_path / "clips").mkdir()
    kinetics(tmp_path / "clips")
    file = configure(tmp_path, "mine: {format: kinetics, root: clips, classes: 2}\n")
    assert len(open_dataset("mine", cache=tmp_path, datasets_file=file).train) == 2
    assert datasets.class_count("mine", file) == 2


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("k400", "", r"no data set 'k400'.*write `k400: \{format: kinetics, root: /path/to/k400\}`"),
        ("k40", "mine: {}", "did you mean 'k400'"),
        ("mine", "\nmine: 7", r":2: mine: expected a format and a root"),
        ("mine", "mine: {format: csv, root: /d}", "must be kinetics or something-something, not 'csv'"),
        ("mine", "mine: {format: kinetics, root: /d, clases: 3}", "unknown key 'clases', allowed are format"),
        ("mine", "mine: {format: kinetics, root: /d, classes: many}", "classes must be a whole number"),
        ("ssv2", "ssv2: {format: kinetics, root: /d}", "ssv2 has the format something-something, not kinetics"),
    ],
)
def test_mistakes_of_the_datasets_file_are_told(tmp_path, name, text, said):
    with pytest.raises(DatasetError, match=said):
        open_dataset(name, cache=tmp_path, datasets_file=configure(tmp_path, text))


@pytest.mark.parametrize("file", [None, Path("absent.yaml")])
def test_a_set_that_is_not_configured_is_told_with_the_remedy(tmp_path, file):
    with pytest.raises(DatasetError, match=r"'ssv2' is not configured: write `ssv2: \{format: something-something"):
        open_dataset("ssv2", cache=tmp_path, datasets_file=file)


def test_a_wrong_number_of_classes_is_told(tmp_path):
    kinetics(tmp_path, classes="a\nb\n")
    file = configure(tmp_path, f"k400: {{format: kinetics, root: {tmp_path}}}")
    with pytest.raises(DatasetError, match="k400 has 400 classes, the annotations name 2"):
        open_dataset("k400", cache=tmp_path, datasets_file=file)


def test_class_counts_of_known_sets_need_no_file():
    counts = {name: datasets.class_count(name) for name in datasets.KNOWN}
    assert counts == {"k400": 400, "k600": 600, "ssv2": 174, "appearance": 4, "motion": 4}


def test_a_set_of_ones_own_must_say_its_classes(tmp_path):
    with pytest.raises(DatasetError, match="say its number of classes"):
        datasets.class_count("mine", configure(tmp_path, "mine: {format: kinetics, root: /d}"))


def test_only_generated_sets_have_a_revision():
    assert datasets.revision("k400") == datasets.revision("mine") == 0
    assert datasets.revision("motion") == datasets.revision("appearance") > 0


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "cache").write_text("a file stands here")
    with pytest.raises(DatasetError, match=r"motion cannot be made under .*cache"):
        open_dataset("motion", cache=tmp_path / "cache")


labels = st.lists(st.integers(0, 4), min_size=1, max_size=60)


@given(labels, st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_larger_fraction_contains_the_smaller_and_every_class(drawn, one, other):
    videos = [Video(f"v{index}", Path(f"v{index}"), label) for index, label in enumerate(drawn)]
    small, large = subset(videos, min(one, other)), subset(videos, max(one, other))
    assert set(small) <= set(large)
    assert {video.label for video in small} == set(drawn)
    assert list(large) == [video for video in videos if video in set(large)]
    for label in set(drawn):
        kept = sum(video.label == label for video in large)
        assert kept == max(1, round(max(one, other) * drawn.count(label)))


def test_a_fraction_of_one_is_everything():
    videos = [Video(str(index), Path(str(index)), index % 3) for index in range(20)]
    assert subset(videos, 1.0) == tuple(videos)
