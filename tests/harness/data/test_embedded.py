"""What the embedded sets promise, checked on the decoded videos."""

import hashlib
import multiprocessing
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from harness.data import embedded
from harness.data.datasets import open_dataset
from harness.data.decode import open_video

SMALL = {"train": 3, "val": 2}


def decoded(path: Path) -> np.ndarray:
    video = open_video(path)
    return video.read(np.arange(video.frames), video.height, video.width)


def test_the_cached_set_is_complete(embedded_cache):
    for name in embedded.SETS:
        folder = embedded.ensure(name, embedded_cache)
        for line in (folder / embedded.COMPLETE).read_text().splitlines():
            digest, path = line.split("  ")
            assert hashlib.sha256((folder / path).read_bytes()).hexdigest() == digest
    size = sum(path.stat().st_size for path in embedded_cache.rglob("*") if path.is_file())
    assert size < 20e6


@pytest.mark.parametrize("name", embedded.SETS)
def test_ordinary_readers_read_both_splits(name, embedded_cache):
    dataset = open_dataset(name, cache=embedded_cache)
    scenes, classes = embedded.SETS[name].scenes, len(embedded.SETS[name].classes)
    assert (len(dataset.train), len(dataset.val)) == (classes * scenes["train"], classes * scenes["val"])
    for split in (dataset.train, dataset.val):
        assert np.bincount([video.label for video in split]).tolist() == [len(split) // classes] * classes
        assert all(video.path.is_file() for video in split)
    assert [name.replace("[something]", "something") for name in embedded.SETS[name].classes] == list(dataset.classes)


@pytest.mark.parametrize("name", embedded.SETS)
def test_training_and_validation_share_no_video_and_no_frame(name, embedded_cache):
    dataset = open_dataset(name, cache=embedded_cache)
    train, val = (
        {frame.tobytes() for video in split[:40] for frame in decoded(video.path)}
        for split in (dataset.train, dataset.val)
    )
    assert not train & val
    digests = [
        {hashlib.sha256(video.path.read_bytes()).digest() for video in split} for split in (dataset.train, dataset.val)
    ]
    assert not digests[0] & digests[1]


@pytest.mark.parametrize("name", embedded.SETS)
def test_the_same_seed_gives_the_same_bytes(name, tmp_path):
    digests = []
    for attempt in ("one", "two"):
        folder = tmp_path / attempt
        folder.mkdir()
        embedded.write(embedded.SETS[name], folder, SMALL)
        digests.append((folder / embedded.COMPLETE).read_text())
    assert digests[0] == digests[1]
    videos = [line.split()[0] for line in digests[0].splitlines() if "videos/" in line]
    assert len(set(videos)) == len(videos) == 5 * len(embedded.SETS[name].classes)


def test_another_seed_gives_other_bytes(tmp_path, monkeypatch):
    for attempt in ("one", "two"):
        (tmp_path / attempt).mkdir()
        embedded.write(embedded.SETS["motion"], tmp_path / attempt, SMALL)
        monkeypatch.setattr(embedded, "SEED", embedded.SEED + 1)
    assert (tmp_path / "one/videos/1.mp4").read_bytes() != (tmp_path / "two/videos/1.mp4").read_bytes()


def start_at_once(cache, barrier, queue):
    written = []
    write = embedded.write
    embedded.write = lambda chosen, folder: (written.append(chosen.name), write(chosen, folder))
    barrier.wait()
    queue.put((str(embedded.ensure("motion", cache)), len(written)))


def test_of_two_processes_that_start_at_once_one_makes_the_set(tmp_path, monkeypatch):
    small = {**embedded.SETS, "motion": embedded.EmbeddedSet(**{**vars(embedded.SETS["motion"]), "scenes": SMALL})}
    monkeypatch.setattr(embedded, "SETS", small)
    context = multiprocessing.get_context("fork")  # the workers take the small set with them
    barrier, queue = context.Barrier(2), context.Queue()
    workers = [context.Process(target=start_at_once, args=(tmp_path, barrier, queue)) for _ in range(2)]
    for worker in workers:
        worker.start()
    folders, written = zip(*(queue.get(timeout=60) for _ in workers), strict=True)
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert set(folders) == {str(tmp_path / f"motion-r{embedded.REVISION}")}
    assert sorted(written) == [0, 1]
    assert left_in(tmp_path) == [f"motion-r{embedded.REVISION}"]


def left_in(cache: Path) -> list[str]:
    """All but the lock, which no process may delete: another may be about to take it."""
    return sorted(path.name for path in cache.iterdir() if path.name != ".motion.lock")


def test_where_locks_do_not_reach_the_first_to_finish_is_taken(tmp_path, monkeypatch):
    def write_while_another_finishes(chosen, folder):
        (folder / "ours").touch()
        winner = tmp_path / f"{chosen.name}-r{embedded.REVISION}"
        winner.mkdir()
        (winner / embedded.COMPLETE).write_text("theirs")

    monkeypatch.setattr(embedded, "write", write_while_another_finishes)
    folder = embedded.ensure("motion", tmp_path)
    assert (folder / embedded.COMPLETE).read_text() == "theirs"
    assert left_in(tmp_path) == [folder.name]


def test_a_generator_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    def fill_the_disk(chosen, folder):
        (folder / "half").touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(embedded, "write", fill_the_disk)
    with pytest.raises(OSError, match="No space left"):
        embedded.ensure("motion", tmp_path)
    assert left_in(tmp_path) == []


def test_a_folder_that_is_not_complete_is_named(tmp_path):
    (tmp_path / f"motion-r{embedded.REVISION}").mkdir()
    with pytest.raises(FileExistsError, match="delete the folder"):
        embedded.ensure("motion", tmp_path)


# motion: decided by order alone


@pytest.fixture(scope="module")
def motion(embedded_cache):
    return open_dataset("motion", cache=embedded_cache)


def scenes(videos, classes=4):
    return [videos[first : first + classes] for first in range(0, len(videos), classes)]


def test_the_four_videos_of_a_motion_scene_hold_the_same_frames(motion):
    """Bit for bit after decoding, so any single frame, and any unordered bag of frames, is no clue."""
    for scene in scenes(motion.train)[:20] + scenes(motion.val):
        assert [video.label for video in scene] == [0, 1, 2, 3]
        orders = [[frame.tobytes() for frame in decoded(video.path)] for video in scene]
        assert len({tuple(sorted(order)) for order in orders}) == 1
        assert len({tuple(order) for order in orders}) == 4


def test_a_motion_class_is_the_order_of_each_half(motion):
    for scene in scenes(motion.val)[:10]:
        right_down, right_up, left_down, left_up = (decoded(video.path) for video in scene)
        assert np.array_equal(right_down[:8], right_up[:8])
        assert np.array_equal(right_down[:8][::-1], left_down[:8])
        assert np.array_equal(right_down[8:], left_down[8:])
        assert np.array_equal(right_down[8:][::-1], left_up[8:])


def centres(frames: np.ndarray) -> np.ndarray:
    """(y, x) of the object in each frame: the centre of what differs from the video's median picture."""
    apart = np.abs(frames.astype(int) - np.median(frames, 0)).sum(-1) > 90
    return np.array([np.argwhere(frame).mean(0) for frame in apart])


def test_an_object_moves_as_its_class_says(motion):
    for video in motion.val[:40]:
        path = centres(decoded(video.path))
        name = motion.classes[video.label]
        assert ("right" in name) == (path[7, 1] > path[0, 1])
        assert ("down" in name) == (path[15, 0] > path[8, 0])
        assert abs(path[7, 1] - path[0, 1]) > 10
        assert abs(path[15, 0] - path[8, 0]) > 10


def bags(videos) -> tuple[np.ndarray, np.ndarray]:
    """Per video: mean, spread, smallest and largest of each pixel over its frames, order forgotten; and its label."""
    frames = [decoded(video.path)[:, ::4, ::4].astype(float) / 255 for video in videos]
    bag = [np.concatenate([f.mean(0), f.std(0), f.min(0), f.max(0)]).ravel() for f in frames]
    return np.array(bag), np.array([video.label for video in videos])


def accuracy(train, val, of) -> float:
    (x, y), (x_val, y_val) = of(train), of(val)
    scale = x.std(0) + 1e-6
    model = LogisticRegression(max_iter=300).fit((x - x.mean(0)) / scale, y)
    return float((model.predict((x_val - x.mean(0)) / scale) == y_val).mean())


def test_a_bag_of_frames_classifies_motion_at_chance(motion):
    """Exactly at chance: the four videos of a scene have one and the same features, so one in four is right."""
    assert accuracy(motion.train[:200], motion.val, bags) == 0.25


def test_a_single_frame_classifies_motion_at_chance(motion):
    def frames(videos):
        stacked = np.concatenate([decoded(video.path)[:, ::3, ::3] for video in videos])
        return stacked.reshape(len(stacked), -1) / 255, np.repeat([video.label for video in videos], 16)

    assert accuracy(motion.train[:80], motion.val[:80], frames) == 0.25


def test_the_order_of_frames_decides_motion(motion):
    """The same simple classifier, told the order, is right: the set is learnable."""

    def ordered(videos):
        return np.array([centres(decoded(video.path)).ravel() for video in videos]), [video.label for video in videos]

    assert accuracy(motion.train[:200], motion.val, lambda videos: tuple(map(np.array, ordered(videos)))) > 0.9


# long: decided by which of three steps comes first


@pytest.fixture(scope="module")
def long(embedded_cache):
    return open_dataset("long", cache=embedded_cache)


def steps(video) -> list[np.ndarray]:
    return np.split(decoded(video.path), 3)


def test_the_videos_of_a_long_scene_hold_the_same_frames(long):
    """Bit for bit after decoding, so any single frame, and any unordered bag of frames, is no clue."""
    for scene in scenes(long.train, 3)[:8] + scenes(long.val, 3)[:8]:
        assert [video.label for video in scene] == [0, 1, 2]
        orders = [[frame.tobytes() for frame in decoded(video.path)] for video in scene]
        assert {len(order) for order in orders} == {81}
        assert len({tuple(sorted(order)) for order in orders}) == 1
        assert len({tuple(order) for order in orders}) == 3


def test_each_of_a_scenes_three_steps_comes_first_in_one_of_its_videos(long):
    for scene in scenes(long.val, 3)[:8]:
        whole = [[step.tobytes() for step in steps(video)] for video in scene]
        assert len({step for video in whole for step in video}) == 3
        assert len({video[0] for video in whole}) == 3


def areas(videos) -> tuple[np.ndarray, np.ndarray]:
    """Per video: how many pixels the object covers in each step; and its label."""

    def area(step):
        return (np.abs(step.astype(int) - step[:, :1, :1]).sum(-1) > 90).mean()

    found = [[area(step) for step in steps(video)] for video in videos]
    return np.array(found), np.array([video.label for video in videos])


def test_a_long_class_is_the_step_that_comes_first(long):
    found, labels = areas(long.val[:60])
    assert [list(embedded.STEPS)[order] for order in np.argsort(np.argsort(found))[:, 0]] == [
        long.classes[label].removeprefix("first ") for label in labels
    ]


def test_a_bag_of_frames_classifies_long_videos_at_chance(long):
    """Exactly at chance: the videos of a scene have one and the same features, so one in three is right."""

    def rounded(videos):
        """Sums of floats depend on the order of frames in their last bits."""
        x, y = bags(videos)
        return x.round(9), y

    assert accuracy(long.train[:120], long.val[:120], rounded) == pytest.approx(1 / 3)


def test_a_step_whose_place_is_not_known_classifies_long_videos_at_chance(long):
    """What a clip shows that lies within a step: each video's three steps, as three samples of its class."""

    def alone(videos):
        x, y = areas(videos)
        return x.reshape(-1, 1).round(9), np.repeat(y, 3)

    assert accuracy(long.train[:180], long.val[:120], alone) == pytest.approx(1 / 3, abs=0.01)


def test_a_later_step_leaves_two_of_three_classes(long):
    def middle(videos):
        x, y = areas(videos)
        return x[:, 1:2], y

    assert accuracy(long.train[:180], long.val, middle) < 0.6


def test_the_order_of_steps_decides_long_videos(long):
    """The same simple classifier, told the order, is right: the set is learnable."""
    assert accuracy(long.train[:180], long.val, areas) > 0.9


# appearance: motion is no clue


def test_the_four_videos_of_an_appearance_scene_share_path_and_background(embedded_cache):
    """Where the plain object never comes, no other object comes either; there all four show one background."""
    drawn = embedded.SETS["appearance"].draw(np.random.default_rng(5))
    plain = drawn[0].astype(int)
    outside = (np.abs(plain - plain[:, :1, :1]).sum(-1) < 90).all(0)  # near the colour of the corner throughout
    assert outside.sum() > 100
    for other in drawn[1:]:
        apart = np.abs(other.astype(int) - plain)
        assert apart[:, outside].sum(-1).max() < 150  # the object's soft edge
        assert apart[:, ~outside].sum(-1).max() > 180


def test_appearance_videos_are_ordinary_h264_with_predicted_frames(embedded_cache):
    import av

    dataset = open_dataset("appearance", cache=embedded_cache)
    with av.open(str(dataset.train[0].path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        kinds = {av.video.frame.PictureType(frame.pict_type).name for frame in container.decode(video=0)}
    assert kinds == {"I", "P", "B"}
