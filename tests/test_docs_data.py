"""What docs/data.md shows can be written as shown, and does what it says."""

import re
from pathlib import Path

import pytest
import yaml

from harness.data.datasets import FORMATS, KNOWN, PUBLISHED_SIZES, open_dataset, require
from harness.data.videos import DatasetError
from tests.conftest import PROJECT

PAGE = (PROJECT / "docs/data.md").read_text("utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
LISTS = re.findall(r"```csv\n(.*?)```", PAGE, re.S)
ENTRIES = {name: entry for block in BLOCKS for name, entry in yaml.safe_load(block).items()}


def write(folder: Path, name: str, **files: str) -> Path:
    """The entry as the page has it, its root moved below the folder and holding the files."""
    root = folder / name
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content, encoding="utf-8")
    (line,) = re.findall(rf"^{name}: .*$", "\n".join(BLOCKS), re.M)
    (folder / "datasets.yaml").write_text(re.sub(r"root: [^,}]*", f"root: {root}", line), encoding="utf-8")
    return folder / "datasets.yaml"


@pytest.mark.parametrize("name", ENTRIES)
def test_every_entry_is_accepted(name, tmp_path):
    file = write(tmp_path, name)
    with pytest.raises(DatasetError, match=rf":1: {name}: there is no folder"):
        require(name, file)


def test_the_five_minutes_work(tmp_path):
    names = [
        f"{name}/{index}.{suffix}"
        for name, suffix in (("sitting", "mp4"), ("standing up", "webm"))
        for index in range(10)
    ]
    dataset = open_dataset("mine", cache=tmp_path, datasets_file=write(tmp_path, "mine", **dict.fromkeys(names, "")))
    assert dataset.classes == ("sitting", "standing up")
    assert (len(dataset.train), [video.label for video in dataset.val]) == (16, [0, 0, 1, 1])


def test_the_list_of_ones_own_is_read(tmp_path):
    dataset = open_dataset("gym", cache=tmp_path, datasets_file=write(tmp_path, "gym", **{"gym.csv": LISTS[0]}))
    assert dataset.train[0].path == tmp_path / "gym" / "vault, men" / "001.mp4"
    assert [video.label for video in (*dataset.train, *dataset.val)] == [1, 0, 1, 0]


def test_both_forms_of_kinetics_are_read(tmp_path):
    names = "\n".join([*(f"class {number}" for number in range(399)), "air drumming"])
    files = {"train.csv": LISTS[1], "val.csv": LISTS[2], "classes.txt": names}
    files |= {"x/-3B32lodo2N_000001_000011.mp4": "", "y/-0h8qQzSRfI_000040_000050.mp4": ""}
    dataset = open_dataset("k400", cache=tmp_path, datasets_file=write(tmp_path, "k400", **files))
    assert [video.path.relative_to(tmp_path / "k400").as_posix() for video in (*dataset.train, *dataset.val)] == [
        "videos/abseiling/-3B32lodo2M_000059_000069.mp4", "my video.mp4", "x/-3B32lodo2N_000001_000011.mp4",
        "y/-0h8qQzSRfI_000040_000050.mp4",
    ]  # fmt: skip
    assert [video.label for video in (*dataset.train, *dataset.val)] == [0, 1, 1, 399]


def test_the_table_of_known_sets_is_the_code(tmp_path):
    for name, known in KNOWN.items():
        if known.embedded:
            continue
        sizes = " / ".join(f"{size // 1000}K" for size in PUBLISHED_SIZES[name].values())
        mirrored = "yes" if known.flip else "no"
        assert f"| `{name}` | {known.format} | {known.classes} | {known.sampling} | {mirrored} | {sizes} |" in PAGE


@pytest.mark.parametrize("name", FORMATS)
def test_every_key_of_every_format_is_named(name):
    missing = [key for key in FORMATS[name].model_fields if f"`{key}" not in PAGE and f"{key}:" not in PAGE]
    assert missing == []
