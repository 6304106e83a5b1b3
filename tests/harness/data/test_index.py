"""What the index says of files that are good, missing, empty, damaged, copied, of both splits, or deadly."""

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from harness.data import index, sampling
from harness.data.pool import Pool
from harness.data.videos import Dataset, Video, digest


def film(path: Path, frames: int, seed: int) -> Path:
    generator = np.random.default_rng(seed)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(frames):
            picture = generator.integers(0, 256, (48, 64, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    train = [film(folder / f"{seed}.mp4", 10 + seed, seed) for seed in range(4)]
    val = [film(folder / f"{seed}.mp4", 10 + seed, seed) for seed in range(4, 6)]
    splits = (tuple(Video(path.stem, path, i % 2) for i, path in enumerate(paths)) for paths in (train, val))
    return Dataset("mine", ("a", "b"), "dense", True, *splits)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "index" / "mine.jsonl"


def learn(dataset, path, workers=1, **options):
    return index.update(path, dataset, workers, told=lambda *_: None, **options)


def test_good_files_are_what_they_are(dataset, path):
    facts = learn(dataset, path)
    found = index.report(dataset, facts, {"train": 8})
    assert [facts[str(video.path)].frames for video in dataset.train] == [10, 11, 12, 13]
    first = facts[str(dataset.train[0].path)]
    assert (first.height, first.width, first.fps, first.codec) == (48, 64, 25.0, "h264")
    assert found.usable
    assert [split.videos for split in found.splits] == [4, 2]
    assert [split.published for split in found.splits] == [8, None]
    assert found.splits[0].digest == digest(dataset.train)
    assert found.splits[0].seconds == pytest.approx(46 / 25)
    assert (found.copies, found.overlap, found.unlabelled) == ((), (), ())


def test_bad_files_are_named_with_their_reason(dataset, path):
    missing, empty, cut, foreign = (video.path for video in dataset.train)
    missing.unlink()
    empty.write_bytes(b"")
    cut.write_bytes(cut.read_bytes()[:700])
    foreign.write_text("not a video", encoding="utf-8")
    found = index.report(dataset, learn(dataset, path), {})
    reasons = dict(found.splits[0].unreadable)
    assert list(reasons) == ["0", "1", "2", "3"]
    assert reasons["0"] == "no such file"
    assert reasons["1"] == "empty file"
    assert all(reasons.values())
    assert not found.usable
    assert found.splits[1].unreadable == ()


def test_a_part_beyond_the_file_cannot_be_read(dataset, path):
    late = replace(dataset, train=(replace(dataset.train[0], first=10), *dataset.train[1:]))
    found = index.report(late, learn(late, path), {})
    assert found.splits[0].unreadable == (("0", "its part begins at frame 10 of 10"),)


def test_a_part_that_ends_behind_the_file_is_named_and_used_as_far_as_it_goes(dataset, path):
    ends = [replace(video, first=5, last=last) for video, last in zip(dataset.train, (11, 11, 400, None), strict=True)]
    late = replace(dataset, train=tuple(ends))
    found = index.report(late, learn(late, path), {})
    shortened = (("0", "its part ends at frame 11 of 10"), ("2", "its part ends at frame 400 of 12"))
    assert [split.shortened for split in found.splits] == [shortened, ()]
    assert found.splits[0].unreadable == ()
    assert found.usable
    assert sampling.part(12, 5, 400) == 7


def test_what_cannot_be_read_at_all_is_not_said_to_be_shorter(dataset, path):
    late = replace(dataset, train=tuple(replace(video, first=50, last=60) for video in dataset.train))
    late.train[1].path.write_bytes(b"")
    split = index.report(late, learn(late, path), {}).splits[0]
    assert [id_ for id_, _ in split.unreadable] == ["0", "1", "2", "3"]
    assert split.shortened == ()


def test_copies_overlap_and_unlisted_files_are_found(dataset, path):
    one, _, alike, _ = dataset.train
    shutil.copy(one.path, alike.path)
    shutil.copy(dataset.train[1].path, dataset.val[1].path)
    film(one.path.parent / "extra.mp4", 5, 99)
    (one.path.parent / "notes.txt").write_text("no video", encoding="utf-8")
    found = index.report(dataset, learn(dataset, path), {})
    assert found.copies == (("train/0", "train/2"),)
    assert found.overlap == (("train/1", "val/5"),)
    assert found.contradictory == ()
    assert found.unlabelled == (str(one.path.parent / "extra.mp4"),)
    assert not found.usable


def test_one_file_under_two_labels_is_a_contradiction_and_no_copy(dataset, path):
    shutil.copy(dataset.train[0].path, dataset.train[1].path)
    found = index.report(dataset, learn(dataset, path), {})
    assert found.contradictory == ((("train/0", "a"), ("train/1", "b")),)
    assert (found.copies, found.overlap) == ((), ())
    assert not found.usable


def test_one_file_in_both_splits_may_contradict_itself_as_well(dataset, path):
    shutil.copy(dataset.train[1].path, dataset.val[0].path)
    found = index.report(dataset, learn(dataset, path), {})
    assert found.contradictory == ((("train/1", "b"), ("val/4", "a")),)
    assert found.overlap == (("train/1", "val/4"),)


def test_parts_of_one_file_are_no_copies(dataset, path):
    whole = dataset.train[0]
    parts = (replace(whole, id="a", last=5), replace(whole, id="b", first=5))
    found = index.report(replace(dataset, train=parts), learn(replace(dataset, train=parts), path), {})
    assert (found.copies, found.overlap) == ((), ())


def test_only_what_changed_is_opened_again(dataset, path, monkeypatch):
    first = learn(dataset, path)
    changed = dataset.train[1].path
    film(changed, 20, 7)
    opened = []
    monkeypatch.setattr(index, "learn", lambda task: opened.append(task.path) or index.Facts(task.path))
    told = []
    again = index.update(path, dataset, 0, told=lambda *progress: told.append(progress))
    assert opened == [str(changed)]
    assert told == [(5, 6), (6, 6)]
    assert {name: facts for name, facts in again.items() if name != str(changed)} == {
        name: facts for name, facts in first.items() if name != str(changed)
    }


def test_what_was_wrong_is_looked_at_again_and_what_was_right_is_not(dataset, path, monkeypatch):
    """A disk that did not answer, or permissions: the file is the same, and what was said of it no longer holds."""
    sick = str(dataset.train[1].path)
    learnt = index.learn

    def denied(task):
        facts = learnt(task)
        return replace(facts, problem="Permission denied") if task.path == sick else facts

    monkeypatch.setattr(index, "learn", denied)
    assert learn(dataset, path, workers=0)[sick].problem == "Permission denied"
    opened = []
    monkeypatch.setattr(index, "learn", lambda task: opened.append(task.path) or learnt(task))
    assert learn(dataset, path, workers=0)[sick].problem == ""
    assert opened == [sick]
    learn(dataset, path, workers=0)
    assert opened == [sick]


def test_files_that_are_decoded_whole_have_the_time_for_it(dataset, path, monkeypatch):
    limits = []

    class Timed(Pool):
        def __init__(self, workers, timeout_s):
            limits.append(timeout_s)
            super().__init__(workers, timeout_s)

    monkeypatch.setattr(index, "Pool", Timed)
    learn(dataset, path, workers=0)
    learn(dataset, path, workers=0, whole=True)
    assert limits == [index.ENDS_LIMIT_S, index.WHOLE_LIMIT_S]
    assert index.WHOLE_LIMIT_S >= 10 * index.ENDS_LIMIT_S


def test_whole_files_are_decoded_when_asked(dataset, path):
    assert not any(facts.whole for facts in learn(dataset, path).values())
    assert all(facts.whole for facts in learn(dataset, path, whole=True).values())
    assert all(facts.whole for facts in learn(dataset, path).values())  # kept: it says more


def test_a_stopped_index_goes_on(dataset, path):
    whole = learn(dataset, path)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:3]) + lines[3][:40], encoding="utf-8")
    assert learn(dataset, path) == whole
    assert learn(dataset, path) == whole
    assert json.loads(path.read_text(encoding="utf-8").splitlines()[-1])


NOTED = {"frames": "many", "fps": "Infinity", "bytes": None, "codec": 4, "whole": 1, "problem": None, "path": ["a"]}


@pytest.mark.parametrize(
    "damage",
    [
        b"\xff\xfe", b"[" * 100_000, b"null", b"{}", b'{"frames": 4', b"1" * 5000,
        *(json.dumps({field: value}).encode() for field, value in NOTED.items()),
        b'{"frames": 0}', b'{"fps": -1.0}', b'{"fps": Infinity}', b'{"fps": NaN}', b'{"another": 1}',
    ],
    ids=lambda damage: damage[:20].decode(errors="replace"),
)  # fmt: skip
@pytest.mark.parametrize("last", [True, False])
def test_a_damaged_line_is_learnt_again_and_the_others_are_kept(dataset, path, monkeypatch, damage, last):
    """A line whose fields are damaged is a good one but for these."""
    whole = learn(dataset, path, workers=0)
    lines = path.read_bytes().splitlines()
    place, sick = (-1, 5) if last else (0, 0)
    try:
        lines[place] = json.dumps({**json.loads(lines[place]), **json.loads(damage)}).encode()
    except (ValueError, TypeError, RecursionError):
        lines[place] = damage
    path.write_bytes(b"\n".join(lines))
    opened, learnt = [], index.learn
    monkeypatch.setattr(index, "learn", lambda task: opened.append(task.path) or learnt(task))
    for _ in range(2):  # and the second time nothing is
        assert learn(dataset, path, workers=0) == whole
    assert opened == ([] if damage == b"{}" else [list(whole)[sick]])


@pytest.mark.parametrize("pieces", [4, 5, 100])
def test_every_frame_of_a_whole_file_is_read_once(pieces, monkeypatch):
    monkeypatch.setattr(index, "PIECE_FRAMES", pieces)
    asked = []
    index._decode(lambda indices, *_: asked.append(indices.tolist()), 13, True)
    assert [index for piece in asked for index in piece] == list(range(13))
    assert max(map(len, asked)) <= pieces
    assert len(asked) == -(-13 // pieces)


def gone(task: index.Task) -> index.Facts:
    if task.path.endswith("2.mp4"):
        Path(task.path).unlink(missing_ok=True)
        os.kill(os.getpid(), signal.SIGSEGV)
    return index.Facts(task.path, frames=10, codec="h264")


def test_a_file_that_is_lost_and_gone_is_missing_and_ends_nothing(dataset, path, monkeypatch):
    monkeypatch.setattr(index, "learn", gone)
    facts = learn(dataset, path)
    assert [(Path(name).stem, each.problem) for name, each in facts.items() if each.problem] == [("2", "no such file")]
    assert len(facts) == 6


def kill(task: index.Task) -> index.Facts:
    if task.path.endswith("2.mp4"):
        os.kill(os.getpid(), signal.SIGSEGV)
    return index.Facts(task.path, frames=10, codec="h264")


def test_a_file_that_kills_its_process_is_named(dataset, path, monkeypatch):
    monkeypatch.setattr(index, "learn", kill)
    facts = learn(dataset, path, workers=2)
    problems = {Path(name).stem: each.problem for name, each in facts.items() if each.problem}
    assert list(problems) == ["2"]
    assert "killed" in problems["2"]
