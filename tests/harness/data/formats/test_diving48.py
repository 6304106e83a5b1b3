import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.formats.diving48 import Diving48
from harness.data.videos import DatasetError, Video
from tests.harness.data.formats.conftest import NAMES


def video(name: str, label: int = 0, first: int = 0, last: int = 9) -> dict[str, object]:
    return {"vid_name": name, "label": label, "start_frame": first, "end_frame": last}


def diving(folder: Path, train: object, val: object | None = None, vocabulary: object | None = None) -> Diving48:
    (folder / "rgb").mkdir(exist_ok=True)
    (folder / "Diving48_V2_train.json").write_text(json.dumps(train), encoding="utf-8")
    (folder / "Diving48_V2_test.json").write_text(json.dumps(val or [video("v_00000")]), encoding="utf-8")
    if vocabulary is not None:
        (folder / "Diving48_vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    return Diving48(format="diving48", root=folder)


def test_the_lists_are_read_with_their_frames(tmp_path):
    entry = diving(tmp_path, [video("-mmq0PT-u8k_00155", 47, 3, 48), video("absent_00000", 0)])
    (tmp_path / "rgb" / "-mmq0PT-u8k_00155.webm").touch()
    read = entry.read()
    assert read.train == (
        Video("-mmq0PT-u8k_00155", tmp_path / "rgb" / "-mmq0PT-u8k_00155.webm", 47, 3, 48),
        Video("absent_00000", tmp_path / "rgb" / "absent_00000.mp4", 0, 0, 9),
    )
    assert read.classes == tuple(map(str, range(48)))
    assert (Diving48.SAMPLING, Diving48.FLIP) == ("dense", False)


def test_classes_are_named_by_the_vocabulary(tmp_path):
    words = [["Back", "15som", "05Twis", "FREE"], ["Forward", "Dive", "NoTwis", "PIKE"]]
    entry = diving(tmp_path, [video("a", 1)], vocabulary=words)
    assert entry.read().classes == ("Back 15som 05Twis FREE", "Forward Dive NoTwis PIKE")
    with pytest.raises(DatasetError, match=r"vocab\.json:1: expected a list of lists of words"):
        diving(tmp_path, [video("a")], vocabulary=["Back"]).read()


def test_lists_and_videos_may_lie_elsewhere(tmp_path):
    entry = diving(tmp_path, [video("a")])
    (tmp_path / "annotations").mkdir()
    for path in tmp_path.glob("*.json"):
        path.rename(tmp_path / "annotations" / path.name)
    (tmp_path / "rgb").rename(tmp_path / "dives")
    read = entry.model_copy(update={"videos": Path("dives")}).read()
    assert read.train[0].path == tmp_path / "dives" / "a.mp4"
    assert entry.read().train[0].path == tmp_path / "a.mp4"


def test_every_mistake_is_told_at_once(tmp_path):
    wrong = [video("a", 48), video("a", True), video("", 0), video("b", 0, 9, 9), video("c", 0, -1, 4), {}, [],
             video("d"), video("d"), video("v_00000"), video("e", 0, 0, "9")]  # fmt: skip
    with pytest.raises(DatasetError) as caught:
        diving(tmp_path, wrong).read()
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[1].split(",")[0] for line in lines] == [
        "the label must be a whole number from 0 to 47",
        "the label must be a whole number from 0 to 47",
        "`vid_name` must be the name of a video",
        "`end_frame` must be greater than `start_frame`",
        "`end_frame` must be greater than `start_frame`",
        "expected an object with `vid_name`",
        "expected an object with `vid_name`",
        "`end_frame` must be greater than `start_frame`",
        f"the video d stands twice (first at {tmp_path}/Diving48_V2_train.json:1)",
        f"the video v_00000 is in the training split too ({tmp_path}/Diving48_V2_train.json:1)",
    ]


def test_a_name_that_can_be_several_files_is_told(tmp_path):
    entry = diving(tmp_path, [video("a")])
    for suffix in ("mp4", "webm"):
        (tmp_path / "rgb" / f"a.{suffix}").touch()
    with pytest.raises(DatasetError, match=r"train\.json:1: a can be each of a\.mp4, a\.webm"):
        entry.read()


def test_missing_lists_are_named(tmp_path):
    with pytest.raises(DatasetError, match=r"no file Diving48_V2_train\.json or annotations/Diving48_V2_train\.json"):
        Diving48(format="diving48", root=tmp_path).files()


PARTS = st.tuples(NAMES, st.integers(0, 47), st.integers(0, 50), st.integers(1, 500))


@given(st.lists(PARTS, min_size=2, unique_by=lambda part: part[0]))
def test_what_is_written_is_read_back(tmp_path_factory, parts):
    listed = [video(name, label, first, first + length) for name, label, first, length in parts]
    read = diving(tmp_path_factory.mktemp("diving"), listed[1:], listed[:1]).read()
    found = [(each.id, each.label, each.first, each.last) for each in (*read.val, *read.train)]
    assert found == [(name, label, first, first + length) for name, label, first, length in parts]


def test_damaged_lists_are_told_or_read_whole(tmp_path, survive):
    entry = diving(tmp_path, [])
    file = tmp_path / "Diving48_V2_train.json"
    file.write_text(json.dumps([video(f"a_{i:05d}", i) for i in range(10)], indent=0))
    survive(file, lambda: len(entry.read().train), lambda text: len(json.loads(text)), 400)
