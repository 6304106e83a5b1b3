"""`data`: embedded sets, a person's own, and what is wrong with one."""

import json
import os
import subprocess
import sys

import pytest
from PIL import Image

from harness.data import embedded
from tests.conftest import PROJECT
from tests.harness.verbs.conftest import harness


@pytest.fixture
def mine(tmp_path, embedded_cache):
    """A folder of six videos in two classes, and the file that names it."""
    videos = sorted((embedded.ensure("motion", embedded_cache) / "videos").glob("*.mp4"))
    for number, video in enumerate(videos[:6]):
        path = tmp_path / "videos" / ("left", "right")[number % 2] / f"{number}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(video.read_bytes())
    file = tmp_path / "datasets.yaml"
    file.write_text("mine: {format: folder, root: videos, val_share: 0.34, seed: 0}\n", encoding="utf-8")
    return tmp_path


def check(folder, *arguments):
    return harness(
        "data", "check", "mine", "--datasets", folder / "datasets.yaml", "--root", folder / "runs", *arguments
    )


def test_a_set_without_faults(mine):
    told = check(mine)
    assert told.returncode == 0, told.stderr
    assert "Every video can be read, none is in both splits or has two labels." in told.stdout
    facts = json.loads(check(mine, "--json").stdout)
    assert sum(split["videos"] for split in facts["splits"]) == 6
    assert facts["usable"]


def test_faults_are_listed_and_are_the_exit_code(mine):
    (mine / "videos" / "left" / "0.mp4").write_bytes(b"")
    told = check(mine)
    assert told.returncode == 1
    assert "left/0.mp4: empty file" in told.stdout
    facts = json.loads(check(mine, "--json").stdout)
    assert [reason for split in facts["splits"] for _, reason in split["unreadable"]] == ["empty file"]


def test_what_is_cut_off_is_in_the_place_that_is_told(mine):
    for number in range(30):
        (mine / "videos" / "left" / f"bad{number}.mp4").write_bytes(b"")
    (mine / "datasets.yaml").write_text("mine: {format: folder, root: videos, val_share: 0.1, seed: 0}\n", "utf-8")
    told = check(mine)
    assert "more" in told.stdout
    assert "All of it: the same command with --json.\n" in told.stdout
    assert f"What each file is: {mine / 'runs' / 'index' / 'mine.jsonl'}\n" in told.stdout
    facts = json.loads(check(mine, "--json").stdout)
    assert sum(len(split["unreadable"]) for split in facts["splits"]) == 30


def listed(folder, rows, *names):
    """A table of rows (video, label, split, last); the videos are copies of one another where their names say so."""
    clips = sorted((folder / "videos").rglob("*.mp4"))
    for name in names:
        (folder / f"{name}.mp4").write_bytes(clips[int(name[0])].read_bytes())
    (folder / "list.csv").write_text("\n".join(["video,label,split,last", *rows]) + "\n", encoding="utf-8")
    (folder / "datasets.yaml").write_text(
        "mine: {format: table, root: ., list: list.csv, columns: {split: split, last: last}}\n", encoding="utf-8"
    )


def test_one_file_under_two_labels_is_named_with_both(mine):
    rows = ["0.mp4,left,train,", "0copy.mp4,right,train,", "1.mp4,left,val,", "2.mp4,right,val,"]
    listed(mine, rows, "0", "0copy", "1", "2")
    told = check(mine)
    assert told.returncode == 1
    assert "several labels (1):\n  train/0.mp4 (left) = train/0copy.mp4 (right)\n" in told.stdout
    assert "several names" not in told.stdout
    assert json.loads(check(mine, "--json").stdout)["contradictory"] == [
        [["train/0.mp4", "left"], ["train/0copy.mp4", "right"]]
    ]


def test_many_copies_of_one_file_are_told_on_a_line_that_ends(mine):
    rows = [f"0{number}.mp4,left,train," for number in range(30)]
    listed(mine, [*rows, "1.mp4,right,train,", "2.mp4,left,val,", "3.mp4,right,val,"],
           *(f"0{number}" for number in range(30)), "1", "2", "3")  # fmt: skip
    told = check(mine)
    assert told.returncode == 0, told.stderr
    assert "several names (1):\n  train/00.mp4 = " in told.stdout
    assert " = 20 more\n" in told.stdout


def test_a_part_that_ends_behind_its_file_is_named_and_is_no_fault(mine):
    listed(mine, ["0.mp4,left,train,400", "1.mp4,right,train,5", "2.mp4,left,val,", "3.mp4,right,val,"], *"0123")
    told = check(mine)
    assert told.returncode == 0, told.stdout
    assert (
        "train: shorter than its part, read to its end (1):\n  0.mp4:0-400: its part ends at frame 400 of"
        in told.stdout
    )


STOPPED = """
import os, signal, sys
from harness import cli
from harness.data import index

update = index.update

def stopped(*arguments, told, **options):
    def third(done, of):
        told(done, of)
        if done == 3:
            os.kill(os.getpid(), signal.SIGINT)
    return update(*arguments, told=third, **options)

index.update = stopped
cli.main()
"""


def test_who_stops_the_check_is_told_that_it_goes_on(mine):
    index = mine / "runs" / "index" / "mine.jsonl"
    arguments = "data", "check", "mine", "--datasets", mine / "datasets.yaml", "--root", mine / "runs"
    told = subprocess.run(
        [sys.executable, "-c", STOPPED, *map(str, arguments)],
        cwd=PROJECT, env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert told.returncode == 130
    where = f"what was learnt of mine is kept in {index.parent}"
    assert told.stderr == f"stopped; {where}, and the same command goes on from there\n"
    assert len(index.read_text(encoding="utf-8").splitlines()) == 3
    assert check(mine).returncode == 0
    assert len(list(filter(None, index.read_text(encoding="utf-8").splitlines()))) == 6


@pytest.mark.parametrize("verb", ["check", "show"])
@pytest.mark.parametrize("name", ["../evil", "a/b", ".hidden", "/evil"])
def test_a_name_that_is_a_path_is_written_nowhere(tmp_path, embedded_cache, verb, name):
    folder = tmp_path / "a"
    (folder / "videos" / "sit").mkdir(parents=True)
    (folder / "datasets.yaml").write_text(
        f"{name}: {{format: folder, root: videos, val_share: 0.3, seed: 0}}\n", "utf-8"
    )
    before = sorted(tmp_path.rglob("*"))
    told = harness("data", verb, name, "--datasets", folder / "datasets.yaml", "--root", folder / "runs")
    assert told.returncode == 2
    assert "cannot name a data set" in told.stderr
    assert [path for path in sorted(tmp_path.rglob("*")) if path.name != "runs"] == before


def test_what_is_there_is_listed(mine):
    place = mine / "datasets.yaml"
    place.write_text(
        place.read_text("utf-8") + "k400: {root: '/data/[old]/k400'}\nbare: {format: table, root: /b, list: b.csv}\n",
        encoding="utf-8",
    )
    told = harness("data", "list", "--datasets", place)
    assert told.returncode == 0, told.stderr
    rows = {line.split()[0]: line.strip().split(maxsplit=3)[1:] for line in told.stdout.splitlines()[1:]}
    assert rows["mine"] == ["folder", "2", "videos"]
    assert rows["k400"] == ["kinetics", "400", "/data/[old]/k400"]
    assert rows["bare"] == ["table", "as", "in its lists  /b"]
    assert rows["motion"] == ["something-something", "4", "embedded, made when first needed"]
    assert rows["ssv2"] == ["something-something", "174", "not configured"]


@pytest.mark.parametrize("setting", ["data=motion", "data.name=motion", "data={name: motion, fraction: 0.5}"])
def test_show_is_of_the_set_that_it_names(root, setting):
    told = harness("data", "show", "appearance", "--root", root, "--set", setting)
    assert told.returncode == 2
    assert "data show appearance: --set names another data set" in told.stderr
    assert not (root / "sheets").exists()


def test_show_takes_what_else_is_said_of_the_data_and_any_name(root, mine):
    (mine / "datasets.yaml").write_text("on: {format: folder, root: videos, val_share: 0.34, seed: 0}\n", "utf-8")
    to = mine / "[new] sheet.png"
    sets = [word for each in ("data.fraction=0.5", "clip.size=32", "clip.frames=2") for word in ("--set", each)]
    files = "--root", root, "--datasets", mine / "datasets.yaml", "--to", to
    told = harness("data", "show", "on", "--split", "train", *files, *sets)
    assert told.returncode == 0, told.stderr
    assert told.stdout == f"2 views of 2 videos: {to}\n"
    assert to.is_file()


def test_a_set_that_is_not_configured_is_told_what_to_write(tmp_path):
    told = harness("data", "check", "k400", "--datasets", tmp_path / "datasets.yaml", "--root", tmp_path / "runs")
    assert told.returncode == 2
    assert "write `k400: {" in told.stderr


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_contact_sheet_is_a_picture_of_all_views(root, split):
    settings = "clip.frames=4", "clip.size=32", "test.clips=2", "test.crops=3"
    sets = [word for each in settings for word in ("--set", each)]
    told = harness("data", "show", "motion", "--root", root, "--split", split, "--videos", 2, *sets)
    assert told.returncode == 0, told.stderr
    with Image.open(root / "sheets" / f"motion-{split}.png") as sheet:
        views = 2 if split == "train" else 2 * 2 * 3
        assert sheet.height == views * (96 + 4) + 4
    assert f"{views} views of 2 videos" in told.stdout
