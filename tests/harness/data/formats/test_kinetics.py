import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.formats.kinetics import Kinetics
from harness.data.formats.text import MISTAKES_SHOWN
from harness.data.videos import DatasetError, Video
from tests.harness.data.formats.conftest import NAMES, written_lines


def kinetics(
    folder: Path, train: str = "a.mp4 0\nb.mp4 1\n", val: str = "c.mp4 1\n", classes: str = "", **keys
) -> Kinetics:
    (folder / "train.csv").write_bytes(train.encode())
    (folder / "val.csv").write_bytes(val.encode())
    if classes:
        (folder / "classes.txt").write_text(classes, encoding="utf-8")
    return Kinetics.model_validate_json(json.dumps({"format": "kinetics", "root": str(folder), **keys}))


def told(entry: Kinetics) -> list[str]:
    with pytest.raises(DatasetError) as caught:
        entry.read()
    return str(caught.value).replace(f"{entry.root}/", "").splitlines()


def test_lists_are_read(tmp_path):
    entry = kinetics(tmp_path, train="a.mp4 0\nsub folder/b c.mp4 1\n\n/abs/d.mp4\t1\r\né ü.mp4  1  \n")
    read = entry.read()
    assert read.train == (
        Video("a.mp4", tmp_path / "a.mp4", 0),
        Video("sub folder/b c.mp4", tmp_path / "sub folder/b c.mp4", 1),
        Video("/abs/d.mp4", Path("/abs/d.mp4"), 1),
        Video("é ü.mp4", tmp_path / "é ü.mp4", 1),
    )
    assert read.val == (Video("c.mp4", tmp_path / "c.mp4", 1),)
    assert read.classes == ("0", "1")


def test_class_names_are_read(tmp_path):
    assert kinetics(tmp_path, classes="abseiling\nzumba\n").read().classes == ("abseiling", "zumba")


@pytest.mark.parametrize(
    ("line", "separator", "name", "label"),
    [
        ("a b.mp4,1", ",", "a b.mp4", "1"),
        ('"a, b.mp4",1', ",", "a, b.mp4", "1"),
        ('"a ""b"".mp4" 1', None, 'a "b".mp4', "1"),
        ('5" pipe.mp4 1', None, '5" pipe.mp4', "1"),
        ('a b.mp4 "sit, ""down"""', None, "a b.mp4", 'sit, "down"'),
        ("a.mp4;sit down", ";", "a.mp4", "sit down"),
        ("a b.mp4\tsit down", "\t", "a b.mp4", "sit down"),
        ('"x" ".mp4 "sit"', " ", "", ""),
    ],
)
def test_separators_and_quotes(tmp_path, line, separator, name, label):
    entry = kinetics(tmp_path, train=f"{line}\n", val="v.mp4;1\n".replace(";", separator or " "), separator=separator)
    if not name:
        assert told(entry)[0].startswith("train.csv:1: expected `path label`, read")
        return
    (tmp_path / "classes.txt").write_text(f"other\n{label if label != '1' else 'x'}\n", encoding="utf-8")
    if label != "1":
        (tmp_path / "val.csv").write_text(f'v.mp4{separator or " "}"other"\n', encoding="utf-8")
    assert entry.read().train == (Video(name, tmp_path / name, 1),)


def test_a_prefix_and_other_names_of_the_lists(tmp_path):
    entry = kinetics(tmp_path, prefix="videos/320", train="", val="")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "t.txt").write_text("a.mp4 0\n")
    (tmp_path / "lists" / "v.txt").write_text("/abs/b.mp4 0\n")
    entry = entry.model_copy(update={"annotations": Path("lists"), "train": "t.txt", "val": "v.txt"})
    read = entry.read()
    assert read.train == (Video("a.mp4", tmp_path / "videos/320/a.mp4", 0),)
    assert read.val == (Video("/abs/b.mp4", Path("/abs/b.mp4"), 0),)
    assert entry.files() == (tmp_path / "lists/t.txt", tmp_path / "lists/v.txt")


def test_ids_without_extension_are_found_as_the_official_files(tmp_path):
    for name in ("train/sit/-3B32lodo2M_000059_000069.mp4", "val/--07WQ2iBlw.mkv"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    read = kinetics(tmp_path, train="-3B32lodo2M 0\nabsent00000 0\n", val="--07WQ2iBlw 0\n").read()
    assert read.train == (
        Video("-3B32lodo2M", tmp_path / "train/sit/-3B32lodo2M_000059_000069.mp4", 0),
        Video("absent00000", tmp_path / "absent00000.mp4", 0),
    )
    assert read.val == (Video("--07WQ2iBlw", tmp_path / "val/--07WQ2iBlw.mkv", 0),)


OFFICIAL = "label,youtube_id,time_start,time_end,split,is_cc\n"


def test_the_official_csv_is_read(tmp_path):
    (tmp_path / "sit").mkdir()
    for name in ("abcdefghijk_000010_000020", "abcdefghijk_000030_000040", "short_id000"):
        (tmp_path / "sit" / f"{name}.mp4").touch()
    train = f'{OFFICIAL}"sit, down",abcdefghijk,10,20,train,0\r\nclap,short_id000,5,15,train,1\n'
    read = kinetics(tmp_path, train=train, val=f"\n{OFFICIAL}clap,abcdefghijk,30,40,validate,0\n").read()
    assert read.classes == ("clap", "sit, down")
    assert read.train == (
        Video("abcdefghijk_000010_000020", tmp_path / "sit/abcdefghijk_000010_000020.mp4", 1),
        Video("short_id000_000005_000015", tmp_path / "sit/short_id000.mp4", 0),
    )
    assert read.val[0].path == tmp_path / "sit/abcdefghijk_000030_000040.mp4"


def test_a_video_of_other_times_is_not_taken_for_one_that_is_there(tmp_path):
    for name in ("abcdefghijk_000010_000020.mp4", "zzzzzzzzzzz_000000_000010.mp4"):
        (tmp_path / name).touch()
    lines = "sit,abcdefghijk,10,20,train,0\nsit,abcdefghijk,50,60,train,0\n"
    entry = kinetics(tmp_path, train=OFFICIAL + lines, val=f"{OFFICIAL}sit,zzzzzzzzzzz,0,10,val,0\n")
    assert [video.path.name for video in entry.read().train] == [
        "abcdefghijk_000010_000020.mp4",
        "abcdefghijk_000050_000060.mp4",
    ]


def test_mistakes_of_the_official_csv_are_told(tmp_path):
    lines = "sit,abc,10,5,train,0\nsit,abc,x,20,train,0\nsit,abc,10\nsit,,1,2,train,0\nsit,ok,1,2,train,0\n"
    assert told(kinetics(tmp_path, train=OFFICIAL + lines, val="youtube_id,split\nabc,val\n")) == [
        "train.csv:2: expected an id, a start and a later end in whole seconds, read 'abc', '10' and '5'",
        "train.csv:3: expected an id, a start and a later end in whole seconds, read 'abc', 'x' and '20'",
        "train.csv:4: expected 6 fields as in the header, read 3",
        "train.csv:5: expected an id, a start and a later end in whole seconds, read '', '1' and '2'",
        "val.csv:1: the header lacks label, time_start, time_end; it has youtube_id, split",
        f"train.csv:6: no video ok_000001_000002 with an extension below {tmp_path}, nor any other of this list: "
        "is the root right?",
    ]


def test_a_path_that_only_looks_like_a_header_is_a_path(tmp_path):
    entry = kinetics(tmp_path, train="youtube_id_1.mp4 0\n", val="c.mp4 0\n")
    assert entry.read().train[0].id == "youtube_id_1.mp4"


@pytest.mark.parametrize("line", ["my videos/a 1.mp4,1", "b/c d.mp4;sit", '"e f.webm",2'])
def test_paths_with_spaces_before_another_separator_are_told_as_such(tmp_path, line):
    between = ";" if ";" in line else ","
    hint = f"is the separator another (`separator: '{between}'`)?"
    entry = kinetics(tmp_path, train=f"{line}\n", val=f"{line.replace('.', ' 2.')}\n")
    assert told(entry) == [
        f"train.csv:1: expected `path label`, read {line!r}; {hint}",
        f"val.csv:1: expected `path label`, read {line.replace('.', ' 2.')!r}; {hint}",
    ]
    assert len(entry.model_copy(update={"separator": between, "labels": "names"}).read().train) == 1


def test_lists_that_count_from_1_are_refused_unless_the_classes_are_said(tmp_path):
    entry = kinetics(tmp_path, train="a.mp4 1\nb.mp4 2\n", val="c.mp4 2\n")
    assert told(entry)[0].startswith("train.csv:1: the labels begin at 1, and classes are numbered from 0")
    assert entry.model_copy(update={"classes": 3}).read().classes == ("0", "1", "2")
    assert entry.model_copy(update={"labels": "names"}).read().classes == ("1", "2")


def test_every_mistake_is_told_at_once(tmp_path):
    train = "a.mp4,0\nb.mp4 one\nc.mp4 2\nd.mp4 1\nd.mp4 0\n\x01.mp4 0\n"
    assert told(kinetics(tmp_path, train, "e.mp4 -1\nd.mp4 1\n", "x\ny\n")) == [
        "train.csv:1: expected `path label`, read 'a.mp4,0'; is the separator another (`separator: ','`)?",
        "train.csv:2: the label must be a whole number from 0 to 1, read 'one'",
        "train.csv:3: the label must be a whole number from 0 to 1, read '2'",
        "train.csv:6: '\\x01.mp4' has characters that no file name can hold",
        "val.csv:1: the label must be a whole number from 0 to 1, read '-1'",
        "train.csv:5: the video d.mp4 stands twice (first at train.csv:4)",
        "val.csv:2: the video d.mp4 is in the training split too (train.csv:4)",
    ]


def test_a_long_list_of_mistakes_is_cut(tmp_path):
    lines = told(kinetics(tmp_path, train="x\n" * 100))
    assert (len(lines), lines[-1]) == (MISTAKES_SHOWN + 1, "... and 80 more")


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", " \r\n"])
def test_an_empty_split_is_a_mistake(tmp_path, content):
    assert told(kinetics(tmp_path, val=content)) == ["val.csv: the validation split is empty: no video is listed"]


def test_a_missing_list_is_named(tmp_path):
    entry = kinetics(tmp_path)
    (tmp_path / "train.csv").unlink()
    with pytest.raises(DatasetError, match=r"no file train\.csv in it; there are val\.csv"):
        entry.files()


WRITTEN = st.lists(st.tuples(NAMES, st.integers(0, 3)), min_size=2, max_size=12, unique_by=lambda video: video[0])


@given(WRITTEN, st.sampled_from([None, ",", "\t", ";"]), st.booleans(), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_what_is_written_is_read_back(tmp_path_factory, videos, separator, marked, end, named):
    folder = tmp_path_factory.mktemp("kinetics")
    between, classes = separator or " ", ("up, then", "down", 'the "best"', "left")

    def line(name: str, label: int) -> str:
        quoted = '"' + f"{name}.mp4".replace('"', '""') + '"'
        written = '"' + classes[label].replace('"', '""') + '"' if named else str(label)
        return f"{quoted if name.startswith(chr(34)) else f'{name}.mp4'}{between}{written}{end}"

    text = ("\ufeff" if marked else "") + "".join(line(*video) for video in videos[1:])
    entry = kinetics(folder, text, line(*videos[0]), "\n".join(classes), separator=separator)
    read = entry.read()
    assert [(video.id, video.label) for video in read.train] == [(f"{name}.mp4", label) for name, label in videos[1:]]
    assert [video.path for video in read.train] == [folder / f"{name}.mp4" for name, _ in videos[1:]]


@pytest.mark.parametrize("named", [False, True])
def test_damaged_lists_are_told_or_read_whole(tmp_path, survive, named):
    lines = [f'"v, {i}.mp4" "class {i % 3}"' if named else f"d/v {i}.mp4 {i % 3}" for i in range(12)]
    entry = kinetics(tmp_path, "\n".join(lines), "x.mp4 1\n" if not named else 'x.mp4 "class 1"\n')
    survive(tmp_path / "train.csv", lambda: len(entry.read().train), written_lines, 300)


def test_a_damaged_official_csv_is_told_or_read_whole(tmp_path, survive):
    for i in range(13):
        (tmp_path / f"id_{i:08d}_000010_000020.mp4").touch()
    lines = "".join(f'"sit, {i % 2}",id_{i:08d},10,20,train,0\n' for i in range(12))
    entry = kinetics(tmp_path, OFFICIAL + lines, f'{OFFICIAL}"sit, 1",id_00000012,10,20,val,0\n')
    survive(tmp_path / "train.csv", lambda: len(entry.read().train), lambda text: written_lines(text) - 1, 300)
