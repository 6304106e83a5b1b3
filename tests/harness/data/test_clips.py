import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.data.clips import TestViews, TrainClips, to_input
from harness.data.datasets import open_dataset
from harness.data.decode import DecodeError, open_video
from harness.spec import Clip, Protocol, Recipe

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


def same(one, other):
    return torch.equal(one.clips, other.clips) and torch.equal(one.labels, other.labels)


def test_an_epoch_holds_every_video_once(dataset):
    clips = clips_of(dataset)
    batches = list(clips.stream(0))
    assert [tuple(batch.clips.shape) for batch in batches] == [(6, 4, 32, 32, 3), (6, 4, 32, 32, 3), (4, 4, 32, 32, 3)]
    assert clips.batches_per_epoch == 3
    assert all(batch.clips.dtype == torch.uint8 and batch.labels.dtype == torch.int64 for batch in batches)
    labels = torch.cat([batch.labels for batch in batches])
    assert torch.bincount(labels).tolist() == [4, 4, 4, 4]


def test_a_clip_is_a_function_of_seed_epoch_and_position(dataset):
    first = clips_of(dataset).batch(3, 1)
    assert same(first, clips_of(dataset).batch(3, 1))
    assert not same(first, clips_of(dataset).batch(4, 1))
    assert not same(first, clips_of(dataset).batch(3, 0))
    assert not same(first, clips_of(dataset, seed=1).batch(3, 1))


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_change_neither_order_nor_content(dataset, workers):
    inline = list(clips_of(dataset).stream(2))
    ahead = list(clips_of(dataset).stream(2, workers=workers))
    assert len(inline) == len(ahead)
    assert all(map(same, inline, ahead))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stream_goes_on_from_any_position(dataset, workers):
    whole = list(clips_of(dataset).stream(1))
    for start in range(4):
        rest = list(clips_of(dataset).stream(1, start, workers))
        assert len(rest) == 3 - start
        assert all(map(same, whole[start:], rest))


def test_a_stream_left_early_stops_its_workers(dataset):
    stream = clips_of(dataset).stream(0, workers=2)
    next(stream)
    stream.close()
    with pytest.raises(StopIteration):
        next(stream)


def test_a_clip_does_not_depend_on_the_batch_size(dataset):
    large = clips_of(dataset, recipe=RECIPE.model_copy(update={"batch_size": 16})).batch(0, 0)
    small = torch.cat([batch.clips for batch in clips_of(dataset).stream(0)])
    assert torch.equal(large.clips, small)


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
        for clip in batch.clips.numpy()
    ]
    assert [True] * 4 in matches


def test_only_sets_without_left_and_right_are_mirrored(embedded_cache):
    recipe = RECIPE.model_copy(update={"jitter": (1.0, 1.0)})
    for name, mirrored in (("appearance", True), ("motion", False)):
        whole = open_dataset(name, cache=embedded_cache)
        dataset = replace(whole, train=whole.train[:1])
        flipping = clips_of(dataset, recipe=recipe)
        still = clips_of(dataset, recipe=recipe.model_copy(update={"flip": False}))
        pairs = [(flipping.batch(epoch, 0).clips, still.batch(epoch, 0).clips) for epoch in range(12)]
        assert all(torch.equal(a, b) or torch.equal(a, b.flip(3)) for a, b in pairs)
        assert any(not torch.equal(a, b) for a, b in pairs) == mirrored


@pytest.fixture
def damaged(dataset, tmp_path):
    """The data set with one training and one validation video cut short."""
    path = tmp_path / "cut.mp4"
    path.write_bytes(dataset.train[3].path.read_bytes()[:900])
    train = tuple(replace(video, path=path) if index == 3 else video for index, video in enumerate(dataset.train))
    return replace(dataset, train=train, val=(replace(dataset.val[0], path=path), *dataset.val[1:]))


def test_an_undecodable_training_video_is_left_out_and_named(damaged):
    batches = list(clips_of(damaged).stream(0, workers=2))
    assert [skipped for batch in batches for skipped in batch.skipped] == [
        (damaged.train[3].id, "not a video, or cut short")
    ]
    assert sum(len(batch.labels) for batch in batches) == 15
    assert all(len(batch.clips) == len(batch.labels) for batch in batches)


def test_the_other_clips_are_the_same_with_and_without_a_damaged_one(dataset, damaged):
    clean, spoilt = (torch.cat([b.clips for b in clips_of(d).stream(0)]) for d in (dataset, damaged))
    order = np.random.default_rng([0, 0, 0]).permutation(16).tolist()
    kept = [position for position, index in enumerate(order) if index != 3]
    assert torch.equal(clean[kept], spoilt)


def test_a_batch_of_nothing_but_damage_is_empty(damaged):
    alone = replace(damaged, train=(damaged.train[3],))
    batch = clips_of(alone).batch(0, 0)
    assert batch.clips.shape == (0, 4, 32, 32, 3)
    assert batch.labels.shape == (0,)
    assert len(batch.skipped) == 1


@pytest.mark.parametrize(("clips", "crops"), [(1, 1), (1, 3), (3, 1), (2, 3)])
def test_views_are_clips_times_crops(dataset, clips, crops):
    views = TestViews(dataset, CLIP, Protocol(clips=clips, crops=crops))
    assert len(views) == 8
    view = views.views(0)
    assert view.shape == (clips * crops, 4, 32, 32, 3)
    assert view.dtype == np.uint8
    assert np.array_equal(view, views.views(0))
    assert not np.array_equal(view, views.views(1))


def test_the_views_of_a_clip_are_left_centre_and_right_of_its_middle_frames(embedded_cache):
    dataset = open_dataset("motion", cache=embedded_cache)
    views = TestViews(dataset, CLIP, Protocol(clips=1, crops=3)).views(0)
    frames = open_video(dataset.val[0].path).read(np.array([2, 6, 10, 14]), 32, 38)
    for view, left in zip(views, (0, 3, 6), strict=True):
        assert np.array_equal(view, frames[:, :, left : left + 32])


def test_views_have_the_protocols_size(dataset):
    assert TestViews(dataset, CLIP, Protocol(crops=1, size=40)).views(0).shape == (1, 4, 40, 40, 3)


def test_an_undecodable_validation_video_raises(damaged):
    with pytest.raises(DecodeError, match=r"cut\.mp4"):
        TestViews(damaged, CLIP, Protocol()).views(0)


def test_a_video_shorter_than_the_clip_still_gives_one(dataset):
    long = Clip(frames=64, stride=32, size=32)
    assert TrainClips(dataset, long, RECIPE, 1.0, 0).batch(0, 0).clips.shape == (6, 64, 32, 32, 3)
    assert TestViews(dataset, long, Protocol(clips=2, crops=1)).views(0).shape == (2, 64, 32, 32, 3)


def test_input_is_normalised_and_channels_first():
    clips = torch.randint(0, 256, (2, 3, 4, 5, 3), dtype=torch.uint8)
    made = to_input(clips, 0.45, 0.225)
    assert made.shape == (2, 3, 3, 4, 5)
    assert made.dtype == torch.float32
    assert torch.allclose(made, (clips.permute(0, 4, 1, 2, 3) / 255 - 0.45) / 0.225, atol=1e-6)


def test_files_are_opened_where_they_lie(dataset, tmp_path):
    """A copy elsewhere gives the same clip: nothing hangs on the path."""
    for video in dataset.train:
        shutil.copy(video.path, tmp_path)
    moved = replace(dataset, train=tuple(replace(v, path=tmp_path / v.path.name) for v in dataset.train))
    assert same(clips_of(dataset).batch(0, 0), clips_of(moved).batch(0, 0))
