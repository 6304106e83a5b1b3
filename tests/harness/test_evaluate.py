from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from harness.control import Control
from harness.data.datasets import open_dataset
from harness.data.pool import Lost, Pool
from harness.data.tasks import Undecodable, test_views
from harness.data.videos import TooManyUndecodable
from harness.data.views import TestViews
from harness.errors import Interrupted
from harness.evaluate import scores, started
from harness.spec import Protocol
from harness.train import Diverged
from models.registry import build
from results.scores import read
from results.summary import test as summary


class Sums(nn.Module):
    """Four scores of a clip, and a count of the clips that it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.arange(4.0))
        self.clips = 0
        self.batches: list[int] = []

    def forward(self, clip):
        self.clips += len(clip)
        self.batches.append(len(clip))
        return clip.mean(dim=(1, 2, 3, 4))[:, None] * self.weight


class StopAfter(Control):
    def __init__(self, batches: int) -> None:
        super().__init__()
        self.left = batches

    def check(self) -> None:
        self.left -= 1
        if self.left <= 0:
            raise Interrupted("the test")


ONE, THREE = Protocol(clips=1, crops=1), Protocol(clips=3, crops=3)


@pytest.fixture
def dataset(embedded_cache):
    whole = open_dataset("motion", cache=embedded_cache)
    return replace(whole, val=whole.val[:10])


def views_of(dataset, spec, *protocols):
    return TestViews(dataset, spec.clip, protocols or (THREE,))


def evaluated(model, views, spec, folder, *, control=None, pool=None, weights="abc", watch=None):
    scored = started(weights, views, folder)
    return scores(model, scored, views, spec, folder, control or Control(), watch or (lambda *_: None), pool or Pool(0))


def at_once(spec, clips):
    """The same job with so many clips on its device in training."""
    return replace(spec, resources=spec.resources.model_copy(update={"micro_batch": clips}))


def table(scored):
    """Every view's key with its scores."""
    video, position, crop, softmax = scored.rows()
    keys = zip(video.tolist(), position.tolist(), crop.tolist(), strict=True)
    return dict(zip(keys, softmax.astype(float).tolist(), strict=True))


def test_every_view_is_scored_once_whatever_protocols_ask_for_it(dataset, spec, tmp_path):
    model, protocols = Sums(), (ONE, THREE, Protocol(clips=5, crops=1))
    scored = evaluated(model, views_of(dataset, spec, *protocols), spec, tmp_path)
    assert model.clips == 10 * (3 * 3 + 4)  # of the five clips' middle crops, the middle one is among the three clips'
    assert len(table(scored)) == model.clips
    for protocol in protocols:
        alone = evaluated(Sums(), views_of(dataset, spec, protocol), spec, tmp_path / f"{protocol.clips}")
        mine, its = (each.averaged(protocol.clips, protocol.crops) for each in (scored, alone))
        np.testing.assert_allclose(mine, its, atol=1e-3)
        assert (
            summary(scored, protocol.clips, protocol.crops).top1 == summary(alone, protocol.clips, protocol.crops).top1
        )


@pytest.mark.parametrize("clips", [7, 64])
def test_any_batch_size_gives_the_same_scores(dataset, spec, tmp_path, clips, monkeypatch):
    monkeypatch.setattr("harness.evaluate.VIEWS_PER_TRAINING_CLIP", 1)
    torch.manual_seed(0)
    model = build(spec.model, spec.clip.frames, spec.clip.size, 4)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))  # no weights at 0, and the classes differ
    views = views_of(dataset, spec, THREE)
    one, many = (evaluated(model, views, at_once(spec, n), tmp_path / str(n)) for n in (1, clips))
    np.testing.assert_allclose(one.averaged(3, 3), many.averaged(3, 3), atol=1e-3)
    assert one.averaged(3, 3).argmax(axis=1).tolist() == many.averaged(3, 3).argmax(axis=1).tolist()
    assert table(one).keys() == table(many).keys()


def test_batches_are_full_but_for_the_last(dataset, spec, tmp_path):
    model = Sums()
    evaluated(model, views_of(dataset, spec, THREE), at_once(spec, 4), tmp_path)
    assert model.batches == [16] * 5 + [10]


def test_a_protocol_that_comes_later_adds_only_what_is_not_scored(dataset, spec, tmp_path):
    first = evaluated(Sums(), views_of(dataset, spec, Protocol(clips=1, crops=3)), spec, tmp_path)
    model = Sums()
    scored = evaluated(model, views_of(dataset, spec, THREE), spec, tmp_path)
    assert model.clips == 10 * 2 * 3
    assert scored.seconds > first.seconds
    np.testing.assert_array_equal(scored.averaged(1, 3), first.averaged(1, 3))
    for protocol in (ONE, Protocol(clips=3, crops=1)):  # all of whose views are there
        evaluated(model, views_of(dataset, spec, protocol), spec, tmp_path)
    assert model.clips == 10 * 2 * 3
    assert read(tmp_path / "16.npz").taken.keys() == {"1x3", "3x3", "1x1", "3x1"}


def test_a_test_that_was_stopped_anywhere_goes_on_and_ends_bit_identical(dataset, spec, tmp_path):
    spec, views = at_once(spec, 1), views_of(dataset, spec, THREE)
    whole = evaluated(Sums(), views, spec, tmp_path / "whole")
    model, stops = Sums(), 0
    while True:  # after every batch of four views, in the middle of a video
        try:
            scored = evaluated(model, views, spec, tmp_path / "stopped", control=StopAfter(1))
            break
        except Interrupted:
            stops += 1
    assert stops == 23
    assert (model.clips, model.batches) == (90, [4] * 22 + [2])
    assert table(scored) == table(whole)
    np.testing.assert_array_equal(scored.averaged(3, 3), whole.averaged(3, 3))
    assert [path.name for path in (tmp_path / "stopped").iterdir()] == ["16.npz"]


def test_what_an_earlier_attempt_scored_survives_its_being_killed(dataset, spec, tmp_path):
    spec = at_once(spec, 1)
    spec = replace(spec, resources=spec.resources.model_copy(update={"checkpoint_s": 1e-9}))

    class Killed(Control):
        def check(self) -> None:
            if (tmp_path / "16.npz").exists():
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluated(Sums(), views_of(dataset, spec), spec, tmp_path, control=Killed())
    model = Sums()
    evaluated(model, views_of(dataset, spec), spec, tmp_path)
    assert model.clips == 90 - 4


class Failing(Pool):
    """A pool in which some videos do not decode, and some kill the process that tries."""

    def __init__(self, damaged, deadly):
        super().__init__(0)
        self.damaged, self.deadly, self.asked = damaged, deadly, []

    def map(self, function, tasks, ahead=None):
        for task in tasks:
            self.asked.append(task.source.path)
            if task.source.path in self.deadly:
                yield Lost(task, "killed the decoder, signal 11")
            else:
                yield Undecodable("damaged") if task.source.path in self.damaged else test_views(task)


def allowing(spec, share):
    return replace(at_once(spec, 1), data=spec.data.model_copy(update={"max_undecodable": share}))


def test_videos_that_did_not_decode_are_named_and_tried_again_by_the_next_test(dataset, spec, tmp_path):
    spec = allowing(spec, 0.3)
    paths, ids = [video.path for video in dataset.val], [video.id for video in dataset.val]
    pool = Failing({paths[1], paths[9]}, {paths[4]})
    with pytest.raises(Interrupted):
        evaluated(Sums(), views_of(dataset, spec), spec, tmp_path, control=StopAfter(11), pool=pool)
    scored = evaluated(Sums(), views_of(dataset, spec, THREE, Protocol(clips=5)), spec, tmp_path, pool=pool)
    reasons = {ids[1]: "damaged", ids[4]: "killed the decoder, signal 11", ids[9]: "damaged"}
    assert scored.undecodable == {"3x3": reasons, "5x3": reasons}
    assert np.flatnonzero(np.isnan(scored.averaged(3, 3)[:, 0])).tolist() == [1, 4, 9]
    test = summary(scored, 5, 3)
    assert (test.videos, test.answered, test.undecodable) == (10, 7, reasons)
    model = Sums()
    mended = evaluated(model, views_of(dataset, spec), spec, tmp_path)
    assert (mended.undecodable["3x3"], model.clips) == ({}, 3 * 9)
    assert summary(mended, 3, 3).answered == 10


def test_more_undecodable_videos_than_allowed_are_a_failure_and_no_accuracy(dataset, spec, tmp_path):
    pool = Failing({video.path for video in dataset.val[4:6]}, set())
    with pytest.raises(
        TooManyUndecodable, match=rf"2 of 10 validation videos .* the first is {dataset.val[4].id}: dam"
    ):
        evaluated(Sums(), views_of(dataset, spec), allowing(spec, 0.1), tmp_path, pool=pool)
    model = Sums()
    assert evaluated(model, views_of(dataset, spec), allowing(spec, 0.1), tmp_path).undecodable == {"3x3": {}}
    assert model.clips == 6 * 9  # the first four videos' views were kept


def test_a_protocol_whose_frames_are_good_does_not_depend_on_one_whose_are_not(dataset, spec, tmp_path):
    class PartlyDamaged(Failing):
        def map(self, function, tasks, ahead=None):
            for views in super().map(function, tasks):
                yield replace(views, positions=(views.positions[0], ()), failed={1: "frame 97: damaged"})

    spec = allowing(spec, 1.0)
    scored = evaluated(Sums(), views_of(dataset, spec, ONE, THREE), spec, tmp_path, pool=PartlyDamaged(set(), set()))
    one, three = summary(scored, 1, 1), summary(scored, 3, 3)
    assert (one.answered, one.undecodable) == (10, {})
    assert (three.answered, set(three.undecodable.values())) == (0, {"frame 97: damaged"})


def test_a_stop_is_heard_also_where_no_video_decodes(dataset, spec, tmp_path):
    pool = Failing({video.path for video in dataset.val}, set())
    with pytest.raises(Interrupted):
        evaluated(Sums(), views_of(dataset, spec), allowing(spec, 1.0), tmp_path, control=StopAfter(1), pool=pool)
    assert len(pool.asked) == 1


@pytest.mark.parametrize("change", ["nothing", "weights", "videos", "decoder", "half a file", "a byte", "no file"])
def test_scores_are_taken_up_only_whole_and_of_these_weights_and_videos(dataset, spec, tmp_path, change):
    first = evaluated(Sums(), views_of(dataset, spec), spec, tmp_path)
    path = tmp_path / "16.npz"
    content = bytearray(path.read_bytes())
    if change == "videos":
        dataset = replace(dataset, val=(*dataset.val[1:], dataset.val[0]))
    elif change == "decoder":
        dataset = replace(dataset, decoder="pyav")
    elif change == "half a file":
        path.write_bytes(content[: len(content) // 2])
    elif change == "a byte":
        content[content.index(b"softmax.npy") + 60] ^= 1
        path.write_bytes(content)
    elif change == "no file":
        path.unlink()
    model = Sums()
    weights = "def" if change == "weights" else "abc"
    again = evaluated(model, views_of(dataset, spec), spec, tmp_path, weights=weights)
    assert model.clips == (0 if change == "nothing" else 90)
    assert again.seconds > 0
    if change not in ("videos", "decoder"):
        np.testing.assert_array_equal(again.averaged(3, 3), first.averaged(3, 3))


def test_progress_counts_videos_to_the_last(dataset, spec, tmp_path):
    told, spec = [], at_once(spec, 1)
    views = views_of(dataset, spec)
    with pytest.raises(Interrupted):
        evaluated(Sums(), views, spec, tmp_path, control=StopAfter(5), watch=lambda *each: told.append(each))
    evaluated(Sums(), views, spec, tmp_path, watch=lambda *each: told.append(each))
    done, videos, seconds = zip(*told, strict=True)
    assert done == tuple(4 * batch // 9 if batch < 23 else 10 for batch in range(1, 24))
    assert set(videos) == {10}
    assert list(seconds) == sorted(seconds)


def test_scores_that_are_no_numbers_are_a_divergence_and_not_unanswered_videos(dataset, spec, tmp_path):
    class Broken(Sums):
        def forward(self, clip):
            return super().forward(clip) * float("nan")

    with pytest.raises(Diverged, match="are no numbers"):
        evaluated(Broken(), views_of(dataset, spec), spec, tmp_path)


def test_a_model_gets_blue_first_where_the_clip_says_so(dataset, spec, tmp_path):
    class Blue(Sums):
        def forward(self, clip):
            return clip[:, 2].mean(dim=(1, 2, 3))[:, None] * self.weight

    class Red(Sums):
        def forward(self, clip):
            return clip[:, 0].mean(dim=(1, 2, 3))[:, None] * self.weight

    bgr = replace(spec, clip=spec.clip.model_copy(update={"bgr": True}))
    one = evaluated(Blue(), views_of(dataset, spec), spec, tmp_path / "rgb")
    other = evaluated(Red(), views_of(dataset, bgr), bgr, tmp_path / "bgr")
    assert table(one) == table(other)
