import shutil
from dataclasses import replace

import numpy as np
import pytest

from harness.data.clips import TrainClips
from harness.data.datasets import open_dataset
from harness.data.decode import open_video
from harness.data.pool import Lost, Pool
from harness.spec import Clip, Recipe

CLIP = Clip(frames=4, stride=4, size=32)
RECIPE = Recipe(
    name="test",
    optimizer="sgd",
    learning_rate=0.1,
    weight_decay=0.0,
    schedule="cosine",
    epochs=1,
    batch_size=6,
    jitter=(1.0, 1.2),
)


@pytest.fixture(params=["motion", "appearance"])
def dataset(request, embedded_cache):
    whole = open_dataset(request.param, cache=embedded_cache)
    return replace(whole, train=whole.train[:16], val=whole.val[:8])


def clips_of(dataset, *, seed=0, fraction=1.0, recipe=RECIPE):
    return TrainClips(dataset, CLIP, recipe, fraction, seed)


def streamed(clips, epoch=0, start=0, epochs=None, workers=0):
    with Pool(workers) as pool:
        return list(clips.stream(epoch, start, epoch + 1 if epochs is None else epochs, pool))


def same(one, other):
    arrays = ((batch.clips, batch.labels, batch.drawn.mirrored, batch.drawn.seeds) for batch in (one, other))
    return one.drawn.mix == other.drawn.mix and all(map(np.array_equal, *arrays))


def test_an_epoch_holds_every_video_once(dataset):
    clips = clips_of(dataset)
    batches = streamed(clips)
    assert [batch.clips.shape for batch in batches] == [(6, 4, 32, 32, 3), (6, 4, 32, 32, 3), (4, 4, 32, 32, 3)]
    assert clips.batches_per_epoch == 3
    assert all(batch.clips.dtype == np.uint8 and batch.labels.dtype == np.int64 for batch in batches)
    assert np.bincount(np.concatenate([batch.labels for batch in batches])).tolist() == [4, 4, 4, 4]


def test_a_clip_is_a_function_of_seed_epoch_and_position(dataset):
    first = clips_of(dataset).batch(3, 1)
    assert same(first, clips_of(dataset).batch(3, 1))
    assert not same(first, clips_of(dataset).batch(4, 1))
    assert not same(first, clips_of(dataset).batch(3, 0))
    assert not same(first, clips_of(dataset, seed=1).batch(3, 1))


def test_what_is_not_asked_for_changes_nothing_of_what_is(dataset):
    plain = clips_of(dataset).batch(0, 0)
    more = {"mixup": 0.4, "augment": "rand", "random_erasing": 0.5}
    full = clips_of(dataset, recipe=RECIPE.model_copy(update=more)).batch(0, 0)
    assert 0 < full.drawn.mix < 1 == plain.drawn.mix
    assert same(plain, replace(full, drawn=replace(full.drawn, mix=1.0)))


def test_batches_differ_in_their_mix_and_clips_in_their_seeds(dataset):
    batches = streamed(clips_of(dataset, recipe=RECIPE.model_copy(update={"mixup": 0.4})), 0, 0, 2)
    assert len({batch.drawn.mix for batch in batches}) == 6
    assert len({seed for batch in batches for seed in batch.drawn.seeds.tolist()}) == 32


def test_processes_change_neither_order_nor_content(dataset):
    inline = streamed(clips_of(dataset), 2, 0, 4)
    ahead = streamed(clips_of(dataset), 2, 0, 4, workers=2)
    assert len(inline) == len(ahead) == 6
    assert all(map(same, inline, ahead))


def test_a_stream_goes_on_from_any_position_of_any_epoch(dataset):
    whole = streamed(clips_of(dataset), 0, 0, 2)
    for done in range(7):
        rest = streamed(clips_of(dataset), done // 3, done % 3, 2)
        assert len(rest) == 6 - done
        assert all(map(same, whole[done:], rest))


def test_a_clip_does_not_depend_on_the_batch_size(dataset):
    large = clips_of(dataset, recipe=RECIPE.model_copy(update={"batch_size": 16})).batch(0, 0)
    small = streamed(clips_of(dataset))
    assert np.array_equal(large.clips, np.concatenate([batch.clips for batch in small]))
    assert np.array_equal(large.drawn.seeds, np.concatenate([batch.drawn.seeds for batch in small]))


def test_the_clip_of_a_video_is_the_one_that_its_batch_holds(dataset):
    clips = clips_of(dataset, recipe=RECIPE.model_copy(update={"mixup": 0.4}))
    for epoch in (0, 3):
        order = np.random.default_rng([0, epoch, 0]).permutation(16).tolist()
        batches = streamed(clips, epoch)
        for place, index in enumerate(order):
            alone, (batch, row) = clips.alone(epoch, index), divmod(place, 6)
            assert np.array_equal(alone.clips[0], batches[batch].clips[row])
            assert alone.labels.tolist() == [clips.videos[index].label]
            assert alone.drawn.mirrored.tolist() == [batches[batch].drawn.mirrored[row]]
            assert alone.drawn.seeds.tolist() == [batches[batch].drawn.seeds[row]]
            assert alone.drawn.mix == 1.0


def test_the_clip_of_a_video_that_does_not_decode_says_why(damaged):
    clips = clips_of(damaged)
    alone = clips.alone(0, 3)
    assert len(alone.clips) == 0
    assert [alone.skipped] == [batch.skipped for batch in streamed(clips) if batch.skipped]


def test_a_fraction_takes_fewer_videos(dataset):
    assert len(clips_of(dataset, fraction=0.5).videos) == 8
    assert clips_of(dataset, fraction=0.5).batches_per_epoch == 2


def test_without_jitter_and_flip_motion_clips_are_crops_of_the_decoded_video(embedded_cache):
    whole = open_dataset("motion", cache=embedded_cache)
    dataset = replace(whole, train=whole.train[:1])
    batch = clips_of(dataset, recipe=RECIPE.model_copy(update={"jitter": (1.0, 1.0)})).batch(0, 0)
    frames = open_video(dataset.train[0].path).read(np.arange(16), 32, 38)
    windows = [frames[:, :, left : left + 32] for left in range(7)]
    matches = [
        [any(np.array_equal(window[index], frame) for index in range(4 * k, 4 * k + 4)) for k, frame in enumerate(clip)]
        for window in windows
        for clip in batch.clips
    ]
    assert [True] * 4 in matches


def test_only_sets_without_left_and_right_are_mirrored(embedded_cache):
    for name, mirrored in (("appearance", True), ("motion", False)):
        whole = open_dataset(name, cache=embedded_cache)
        dataset = replace(whole, train=whole.train[:6])
        drawn = np.concatenate([clips_of(dataset).batch(epoch, 0).drawn.mirrored for epoch in range(12)])
        assert drawn.any() == mirrored
        assert not drawn.all()
        still = clips_of(dataset, recipe=RECIPE.model_copy(update={"flip": False})).batch(0, 0)
        assert not still.drawn.mirrored.any()
        assert np.array_equal(still.clips, clips_of(dataset).batch(0, 0).clips)


def test_only_the_annotated_part_of_a_file_is_read(dataset):
    cut = replace(dataset, train=(replace(dataset.train[0], first=5, last=9),))
    recipe = RECIPE.model_copy(update={"jitter": (1.0, 1.0)})
    file = open_video(cut.train[0].path)
    frames = file.read(np.arange(file.frames), 32, 38)
    inside = {frames[i, :, left : left + 32].tobytes() for i in range(5, 9) for left in range(7)}
    for epoch in range(8):
        (clip,) = clips_of(cut, recipe=recipe).batch(epoch, 0).clips
        assert {frame.tobytes() for frame in clip} <= inside


def test_a_part_that_the_file_does_not_have_is_told(dataset):
    cut = replace(dataset, train=(replace(dataset.train[0], first=500, last=520),))
    ((_, reason),) = clips_of(cut).batch(0, 0).skipped
    frames = open_video(dataset.train[0].path).frames
    assert reason == f"the annotated part is from frame 500 to frame 520, the file has {frames} frames"


@pytest.fixture
def damaged(dataset, tmp_path):
    """The data set with one training and one validation video cut short."""
    path = tmp_path / "cut.mp4"
    path.write_bytes(dataset.train[3].path.read_bytes()[:900])
    train = tuple(replace(video, path=path) if index == 3 else video for index, video in enumerate(dataset.train))
    return replace(dataset, train=train, val=(replace(dataset.val[0], path=path), *dataset.val[1:]))


@pytest.mark.parametrize("workers", [0, 2])
def test_an_undecodable_training_video_is_left_out_and_named(damaged, workers):
    batches = streamed(clips_of(damaged), workers=workers)
    ((name, reason),) = [skipped for batch in batches for skipped in batch.skipped]
    assert name == damaged.train[3].id
    assert reason
    assert sum(len(batch.labels) for batch in batches) == 15
    assert all(len(batch.clips) == len(batch.labels) == len(batch.drawn.seeds) for batch in batches)


def test_the_other_clips_are_the_same_with_and_without_a_damaged_one(dataset, damaged):
    clean, spoilt = (np.concatenate([b.clips for b in streamed(clips_of(d))]) for d in (dataset, damaged))
    order = np.random.default_rng([0, 0, 0]).permutation(16).tolist()
    kept = [position for position, index in enumerate(order) if index != 3]
    assert np.array_equal(clean[kept], spoilt)


def test_a_batch_of_nothing_but_damage_is_empty(damaged):
    alone = replace(damaged, train=(damaged.train[3],))
    batch = clips_of(alone).batch(0, 0)
    assert batch.clips.shape == (0, 4, 32, 32, 3)
    assert batch.labels.shape == batch.drawn.seeds.shape == (0,)
    assert len(batch.skipped) == 1


class Deadly(Pool):
    """A pool in which each video of the given ids kills its process."""

    def __init__(self, paths):
        super().__init__(0)
        self.paths, self.asked = paths, []

    def map(self, function, tasks, ahead=None):
        for task in tasks:
            if task.source.path in self.paths and not task.lost:
                self.asked.append(task.source.path)
                yield Lost(task, "killed the decoder, signal 11")
            else:
                yield function(task)


def test_a_video_that_kills_the_decoder_is_named_in_every_epoch_and_asked_once(dataset):
    clips, pool = clips_of(dataset), Deadly({dataset.train[5].path})
    batches = list(clips.stream(0, 0, 3, pool))
    said = [skipped for batch in batches for skipped in batch.skipped]
    assert said == [(dataset.train[5].id, "killed the decoder, signal 11")] * 3
    assert pool.asked == [dataset.train[5].path]
    assert clips.lost == dict(said)


def test_a_video_shorter_than_the_clip_still_gives_one(dataset):
    long = Clip(frames=64, stride=32, size=32)
    assert TrainClips(dataset, long, RECIPE, 1.0, 0).batch(0, 0).clips.shape == (6, 64, 32, 32, 3)


def test_files_are_opened_where_they_lie(dataset, tmp_path):
    """A copy elsewhere gives the same clip: nothing hangs on the path."""
    for video in dataset.train:
        shutil.copy(video.path, tmp_path)
    moved = replace(dataset, train=tuple(replace(v, path=tmp_path / v.path.name) for v in dataset.train))
    assert same(clips_of(dataset).batch(0, 0), clips_of(moved).batch(0, 0))
