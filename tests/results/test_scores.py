from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.scores import CROPS, Scores, file_name, protocol_name, read

OF = {"weights_sha256": "abc", "size": 32}


def made(videos: int = 5, clips: int = 3, classes: int = 4, seed: int = 0, repeats: bool = False) -> Scores:
    """Scores of `clips` x 3 views; with repeats, in videos so short that the last two clips are the same."""
    generator = np.random.default_rng(seed)
    scored = Scores(tuple(f"v{i}" for i in range(videos)), np.arange(videos) % classes, classes, OF)
    positions = (*range(clips - 1), clips - 2) if repeats else tuple(range(clips))
    taken = scored.taken[protocol_name(clips, 3)] = {}
    for video in range(videos):
        keys = [(float(position), crop) for position in sorted(set(positions)) for crop in CROPS[3]]
        scored.add([video] * len(keys), keys, generator.dirichlet(np.ones(classes), len(keys)))
        taken[video] = tuple(map(float, positions))
    return scored


def by_hand(scored: Scores, clips: int, crops: int, video: int) -> np.ndarray:
    videos, positions, places, softmax = scored.rows()
    views = [
        softmax[(videos == video) & (positions == position) & (places == place)].astype(float)
        for position in scored.taken[protocol_name(clips, crops)][video]
        for place in CROPS[crops]
    ]
    return np.concatenate(views).mean(axis=0)


@given(st.integers(1, 6), st.integers(2, 4), st.booleans(), st.integers(0, 100))
def test_an_average_is_over_a_protocols_views_repeats_included(
    videos: int, clips: int, repeats: bool, seed: int
) -> None:
    scored = made(videos, clips, seed=seed, repeats=repeats)
    averaged = scored.averaged(clips, 3)
    for video in range(videos):
        np.testing.assert_allclose(averaged[video], by_hand(scored, clips, 3, video))


def test_protocols_share_views() -> None:
    scored = made()
    scored.taken["1x1"] = dict.fromkeys(range(5), (1.0,))
    _, position, crop, softmax = scored.rows()
    np.testing.assert_allclose(scored.averaged(1, 1), softmax[(position == 1) & (crop == 1)])


def test_a_video_without_views_has_no_average() -> None:
    scored = made()
    del scored.taken["3x3"][2]
    assert np.flatnonzero(np.isnan(scored.averaged(3, 3)).all(axis=1)).tolist() == [2]
    assert np.isfinite(scored.averaged(3, 3)[[0, 1, 3, 4]]).all()
    scored.taken["5x3"] = {}
    assert np.isnan(scored.averaged(5, 3)).all()


def test_views_that_are_missing_are_told_and_not_guessed() -> None:
    scored = made()
    scored.taken["3x3"][2] = (0.0, 1.0, 17.0)
    with pytest.raises(ValueError, match="some views are missing"):
        scored.averaged(3, 3)
    with pytest.raises(KeyError):
        scored.averaged(7, 3)


def test_keys_are_those_of_the_rows() -> None:
    assert made(2, 2).keys() == {video: {(float(p), c) for p in range(2) for c in range(3)} for video in range(2)}
    assert Scores(("a",), np.array([0]), 4, OF).keys() == {}


@pytest.mark.parametrize("compressed", [True, False])
def test_scores_are_written_whole_and_read_back(tmp_path: Path, compressed: bool) -> None:
    scored = made(repeats=True)
    scored.undecodable, scored.seconds = {"10x3": {"v3": "damaged"}}, 3.5
    scored.taken["coverx1"] = {0: (0.0, 1.0), 4: (1.0,)}
    path = tmp_path / "scores" / file_name(32)
    scored.write(path, compressed=compressed)
    assert [file.name for file in path.parent.iterdir()] == ["32.npz"]
    found = read(path)
    assert found is not None
    assert (found.ids, found.classes, found.of) == (scored.ids, scored.classes, scored.of)
    assert (found.undecodable, found.seconds, found.taken) == (scored.undecodable, scored.seconds, scored.taken)
    for mine, its in zip(found.rows(), scored.rows(), strict=True):
        np.testing.assert_array_equal(mine, its)
        assert mine.dtype == its.dtype
    found.add([1], [(9.0, 1)], np.ones((1, 4)))
    assert len(found.rows()[0]) == len(scored.rows()[0]) + 1


def test_anyone_can_read_the_file_with_numpy_alone(tmp_path: Path) -> None:
    made().write(tmp_path / "32.npz")
    with np.load(tmp_path / "32.npz") as plain:
        assert plain["ids"].tolist() == ["v0", "v1", "v2", "v3", "v4"]
        assert plain["softmax"].shape == (45, 4)
        assert plain["softmax"].dtype == np.float16
        assert plain["3x3.position"].tolist() == [0, 1, 2] * 5


def test_a_file_that_is_absent_or_damaged_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "32.npz"
    assert read(path) is None
    made().write(path)
    content = path.read_bytes()
    for damaged in (b"", b"text", content[:-100], content[: len(content) // 2]):
        path.write_bytes(damaged)
        assert read(path) is None


def test_a_disk_that_is_full_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "32.npz"
    made().write(path)
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OSError, match="No space"):
        made(seed=1).write(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["32.npz"]


def test_views_of_a_crop_that_was_never_scored_are_missing_too() -> None:
    scored = Scores(("a",), np.zeros(1, int), 4, OF)
    scored.add([0], [(0.0, 0)], np.full((1, 4), 0.25))
    scored.taken["1x1"] = {0: (0.0,)}
    with pytest.raises(ValueError, match="some views are missing"):
        scored.averaged(1, 1)
