"""`data`: embedded sets, a person's own, and what is wrong with one."""

import json

import pytest
from PIL import Image

from harness.data import embedded
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
    assert "Every video can be read, none is in both splits." in told.stdout
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


def test_what_is_there_is_listed(mine):
    told = harness("data", "list", "--datasets", mine / "datasets.yaml").stdout
    assert "motion" in told
    assert "not configured" in told
    assert "mine" in told


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
