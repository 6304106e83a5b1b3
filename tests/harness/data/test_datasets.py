import json
from pathlib import Path

import pytest

from harness.data import datasets
from harness.data.datasets import (
    FORMATS,
    KNOWN,
    PUBLISHED_SIZES,
    class_count,
    configured,
    open_dataset,
    require,
)
from harness.data.videos import DatasetError


def kinetics(folder: Path, train: str = "a.mp4 0\nb.mp4 1\n", val: str = "c.mp4 1\n", classes: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "train.csv").write_text(train)
    (folder / "val.csv").write_text(val)
    if classes:
        (folder / "classes.txt").write_text(classes)
    return folder


def configure(folder: Path, text: str) -> Path:
    path = folder / "datasets.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_configured_set_is_opened_relative_to_the_file(tmp_path):
    kinetics(tmp_path / "clips")
    file = configure(tmp_path, "mine: {format: kinetics, root: clips, classes: 3, decoder: pyav}\n")
    dataset = open_dataset("mine", cache=tmp_path, datasets_file=file)
    assert [len(dataset.train), len(dataset.val)] == [2, 1]
    assert (dataset.name, dataset.classes, dataset.decoder) == ("mine", ("0", "1", "2"), "pyav")
    assert (dataset.sampling, dataset.flip) == ("dense", True)


def test_the_home_folder_is_known(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    kinetics(tmp_path / "clips")
    file = configure(
        tmp_path, "mine: {format: kinetics, root: ~/clips}\nother: {format: kinetics, root: ~nobody0/clips}\n"
    )
    assert open_dataset("mine", cache=tmp_path, datasets_file=file).train[0].path == tmp_path / "clips" / "a.mp4"
    with pytest.raises(DatasetError, match=r":2: other: root: "):
        open_dataset("other", cache=tmp_path, datasets_file=file)


def test_ones_own_set_says_how_it_is_sampled(tmp_path):
    kinetics(tmp_path / "clips")
    file = configure(tmp_path, "mine: {format: kinetics, root: clips, sampling: segment, flip: false}\n")
    dataset = open_dataset("mine", cache=tmp_path, datasets_file=file)
    assert (dataset.sampling, dataset.flip) == ("segment", False)


def test_a_known_set_keeps_its_protocol_in_any_format(tmp_path):
    for split in ("train", "val"):
        for index in range(174):
            (tmp_path / split / f"class {index:03d}").mkdir(parents=True)
            (tmp_path / split / f"class {index:03d}" / "1.mp4").touch()
    dataset = open_dataset("ssv2", cache=tmp_path, datasets_file=configure(tmp_path, "ssv2: {format: folder, root: .}"))
    assert (dataset.sampling, dataset.flip, len(dataset.classes)) == ("segment", False, 174)


def test_a_known_set_needs_no_format(tmp_path):
    kinetics(tmp_path / "clips")
    file = configure(tmp_path, "k400: {root: clips}\n")
    assert len(open_dataset("k400", cache=tmp_path, datasets_file=file).classes) == 400


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("k400", "", r"no data set 'k400'.*write `k400: \{format: kinetics, root: /path/to/k400\}`"),
        ("k40", "mine: {}", "did you mean 'k400'"),
        ("mine", "", r"write `mine: \{format: folder, root: /path/to/mine, val_share: 0.2, seed: 0\}`"),
        ("mine", "\nmine: 7", r":2: mine: expected a format and a root"),
        ("mine", "mine: {root: /d}", "mine: say its format: kinetics, something-something, diving48"),
        ("mine", "mine: {format: folders, root: /d}", r"unknown format 'folders' \(did you mean 'folder'\?\)"),
        ("mine", "mine: {format: [1], root: /d}", "unknown format"),
        ("mine", "mine:\n  format: kinetics\n  root: /d\n  clases: 3",
         r":4: mine\.clases: unknown key 'clases' \(did you mean 'classes'\?\); allowed: format, root"),
        ("mine", "mine: {format: kinetics, root: /d, classes: many}", "classes: expected a whole number"),
        ("mine", "mine: {format: kinetics, root: 7}", r"mine\.root: "),
        ("mine", "mine: {format: table, root: /d, list: a.csv}", "say how `list` is split"),
        ("mine", "mine: {format: table, root: /d, list: a.csv, columns: {lable: x}}",
         r"columns\.lable: unknown key 'lable' \(did you mean 'label'\?\); allowed: video, label, split, first, last"),
        ("../evil", "../evil: {format: folder, root: /d}", r"'\.\./evil' cannot name a data set: a name is at most"),
        (".hidden", "", "begins with none of"),
        ("a b", "a b: {format: folder, root: /d}", "letters, digits, `.`, `_` and `-`"),
        ("x" * 65, "", "at most 64"),
        ("mine", "mine: {format: kinetics, root: /d, decoder: opencv}", r"decoder: 'opencv' is not allowed"),
        ("k400", "k400: {root: /d, flip: false}", "its sampling and mirroring are its protocol's"),
        ("k400", "k400: {root: /d, classes: 200}", "k400: it has 400 classes, not 200"),
        ("mine", "- a\n- b", r":1: expected a name of a data set on each line, as in `k400: "),
        ("mine", "mine: {root: /d}\nmine: {root: /e}", r":2: mine: the key stands twice"),
        ("mine", "mine: {root: /d", "not valid YAML"),
    ],
)  # fmt: skip
def test_mistakes_of_the_datasets_file_are_told(tmp_path, name, text, said):
    file = configure(tmp_path, text)
    with pytest.raises(DatasetError, match=said) as caught:
        open_dataset(name, cache=tmp_path, datasets_file=file)
    assert str(file) in str(caught.value)


def test_all_mistakes_of_an_entry_are_told_with_an_example(tmp_path):
    file = configure(tmp_path, "mine: {format: diving48, root: /d, clases: 3, decoder: x}")
    with pytest.raises(DatasetError) as caught:
        open_dataset("mine", cache=tmp_path, datasets_file=file)
    first, second, example = str(caught.value).splitlines()
    assert ("clases" in first + second, "decoder" in first + second) == (True, True)
    assert example == "as in `mine: {format: diving48, root: /path/to/mine}`"


def test_a_mistake_of_one_entry_leaves_the_others_usable(tmp_path):
    kinetics(tmp_path / "clips")
    file = configure(tmp_path, "mine: {format: kinetics, root: clips}\nother: {format: nonsense}\n")
    assert open_dataset("mine", cache=tmp_path, datasets_file=file)


@pytest.mark.parametrize("file", [None, Path("absent.yaml")])
def test_a_set_that_is_not_configured_is_told_with_the_remedy(tmp_path, file):
    with pytest.raises(DatasetError, match=r"'ssv2' is not configured: write `ssv2: \{format: something-something"):
        open_dataset("ssv2", cache=tmp_path, datasets_file=file)


@pytest.mark.parametrize("name", [name for name, known in KNOWN.items() if not known.embedded] + ["mine"])
def test_the_line_that_the_remedy_shows_is_sound(tmp_path, name):
    for format_ in FORMATS:
        file = configure(tmp_path, datasets._remedy(name, format_))
        with pytest.raises(DatasetError, match=rf":1: {name}: there is no folder /path/to/{name}"):
            require(name, file)


def test_a_wrong_number_of_classes_is_told(tmp_path):
    kinetics(tmp_path / "clips", classes="a\nb\n")
    file = configure(tmp_path, "k400: {root: clips}\nmine: {format: kinetics, root: clips, classes: 3}\n")
    with pytest.raises(DatasetError, match=r"k400 has 400 classes, the annotations name 2 \(.*clips\)$"):
        open_dataset("k400", cache=tmp_path, datasets_file=file)
    with pytest.raises(DatasetError, match=r"mine has 3 classes, .* if that is right, say `classes: 2`"):
        open_dataset("mine", cache=tmp_path, datasets_file=file)


def test_the_classes_of_howto100m_are_those_of_the_list_if_this_is_said(tmp_path):
    lines = [f"v{task}_{i}.mp4,{task}\n" for task in range(3) for i in range(5)]
    (tmp_path / "HowTo100M_v1.csv").write_text("video_id,task_id\n" + "".join(lines))
    file = configure(tmp_path, "howto100m: {root: ., min_videos: 5}\n")
    with pytest.raises(DatasetError, match=r"howto100m has 1059 classes, .* if that is right, say `classes: 3`"):
        open_dataset("howto100m", cache=tmp_path, datasets_file=file)
    file = configure(tmp_path, "howto100m: {root: ., min_videos: 5, classes: 3}\n")
    assert len(open_dataset("howto100m", cache=tmp_path, datasets_file=file).classes) == 3
    assert class_count("howto100m", file) == 3


def test_class_counts_of_known_sets_need_no_file():
    counts = {name: class_count(name) for name in KNOWN}
    assert counts == {
        "k400": 400, "k600": 600, "ssv2": 174, "diving48": 48, "howto100m": 1059,
        "appearance": 4, "motion": 4, "long": 3,
    }  # fmt: skip


def test_the_classes_of_ones_own_set_are_said_or_counted(tmp_path):
    file = configure(
        tmp_path, "mine: {format: kinetics, root: clips}\nsaid: {format: kinetics, root: /d, classes: 7}\n"
    )
    assert class_count("said", file) == 7
    with pytest.raises(DatasetError, match=r":1: mine: there is no folder .*clips; to plan without it, say `classes:`"):
        class_count("mine", file)
    kinetics(tmp_path / "clips")
    assert class_count("mine", file) == 2


def test_the_annotations_are_read_once_however_often_classes_are_counted(tmp_path, monkeypatch):
    kinetics(tmp_path / "clips")
    file = configure(tmp_path, "mine: {format: kinetics, root: clips}\n")
    assert class_count("mine", file) == 2
    monkeypatch.setattr(FORMATS["kinetics"], "read", lambda entry: pytest.fail("read again"))
    assert class_count("mine", file) == 2


def test_what_a_run_would_miss_is_told_before(tmp_path):
    file = configure(tmp_path, "k400: {root: clips}\n")
    with pytest.raises(DatasetError, match=r":1: k400: there is no folder .*clips"):
        require("k400", file)
    (tmp_path / "clips").mkdir()
    with pytest.raises(DatasetError, match=r"no file train\.csv in it"):
        require("k400", file)
    kinetics(tmp_path / "clips")
    require("k400", file)
    require("motion", None)


@pytest.mark.parametrize("ask", [class_count, require, open_dataset])
def test_what_is_wrong_on_disk_is_told_below_the_line_of_the_entry(tmp_path, ask):
    def told() -> str:
        with pytest.raises(DatasetError) as caught:
            ask("mine", **({"cache": tmp_path} if ask is open_dataset else {}), datasets_file=file)
        return str(caught.value)

    for format_ in ("folder", "kinetics"):
        file = configure(tmp_path, f"\nmine: {{format: {format_}, root: nowhere}}\n")
        assert told().startswith(f"{file}:2: mine: there is no folder {tmp_path}/nowhere")
    (tmp_path / "nowhere").mkdir()
    assert told() == f"{file}:2: mine: {tmp_path}/nowhere: no file train.csv in it"
    if ask is require:
        return  # which reads no list
    kinetics(tmp_path / "nowhere", train="a.mp4 0\nb.mp4\n")
    assert told().startswith(f"{file}:2: mine: {tmp_path}/nowhere/train.csv:2: expected `path label`")
    kinetics(tmp_path / "nowhere", train="a.mp4\nb.mp4\n")
    first, second, _ = told().splitlines()
    assert first == f"{file}:2: mine:"
    assert second.startswith(f"{tmp_path}/nowhere/train.csv:1: ")


def test_the_names_that_are_kept_in_files_are_plain(tmp_path):
    kinetics(tmp_path / "clips")
    for name in ("ucf101", "my-set_2.1", "дом", "_x"):
        file = configure(tmp_path, f"{name}: {{format: kinetics, root: clips}}\n")
        assert open_dataset(name, cache=tmp_path, datasets_file=file).name == name


def test_what_the_system_refuses_is_told(tmp_path):
    file = configure(tmp_path, f"mine: {{format: kinetics, root: ., train: {'x' * 300}}}\n")
    with pytest.raises(DatasetError, match=r":1: mine: .*File name too long"):
        require("mine", file)
    with pytest.raises(DatasetError, match="File name too long"):
        open_dataset("mine", cache=tmp_path, datasets_file=file)


def test_configured_sets_are_listed_without_reading_their_lists(tmp_path, monkeypatch):
    for name in ("sit", "clap"):
        (tmp_path / "videos" / name).mkdir(parents=True)
    monkeypatch.setattr(datasets, "_read", lambda entry: pytest.fail("read"))
    lines = [
        "k400: {format: folder, root: /d}",
        "howto100m: {root: /d, classes: 3}",
        "mine: {format: folder, root: videos, val_share: 0.2}",
        "said: {format: kinetics, root: /d, classes: 7}",
        "unread: {format: kinetics, root: videos}",
        "gone: {format: folder, root: /d}",
        "wrong: 7",
        "../evil: {format: folder, root: videos, val_share: 0.2}",
    ]
    assert configured(configure(tmp_path, "\n".join(lines))) == {
        "k400": ("folder", 400, "/d"),
        "howto100m": ("howto100m", 3, "/d"),
        "mine": ("folder", 2, "videos"),
        "said": ("kinetics", 7, "/d"),
        "unread": ("kinetics", None, "videos"),
        "gone": ("folder", None, "/d"),
        "wrong": ("", None, ""),
        "../evil": ("folder", None, "videos"),
    }
    assert configured(tmp_path / "absent.yaml") == configured(None) == {}


def test_embedded_sets_need_no_entry_and_heed_none(tmp_path, embedded_cache):
    file = configure(tmp_path, "motion: {root: /d}\n")
    assert len(open_dataset("motion", cache=embedded_cache, datasets_file=file).classes) == 4


def test_published_sizes_are_those_of_the_embedded_sets(embedded_cache):
    for name in ("appearance", "motion"):
        dataset = open_dataset(name, cache=embedded_cache)
        assert PUBLISHED_SIZES[name] == {"train": len(dataset.train), "val": len(dataset.val)}
    assert set(PUBLISHED_SIZES) == set(KNOWN)


def test_only_generated_sets_have_a_revision():
    assert datasets.revision("k400") == datasets.revision("mine") == 0
    assert datasets.revision("motion") == datasets.revision("appearance") > 0


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "cache").write_text("a file stands here")
    with pytest.raises(DatasetError, match=r"motion cannot be made under .*cache"):
        open_dataset("motion", cache=tmp_path / "cache")


def test_entries_of_every_format_are_plain_values():
    for format_, kind in FORMATS.items():
        schema = kind.model_json_schema()
        assert schema["additionalProperties"] is False, format_
        assert json.dumps(schema)
