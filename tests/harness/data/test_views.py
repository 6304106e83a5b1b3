from dataclasses import replace

import numpy as np
import pytest

from harness.data.datasets import open_dataset
from harness.data.decode import DecodeError, open_video
from harness.data.pool import Pool
from harness.data.tasks import Undecodable
from harness.data.views import TestViews
from harness.spec import Clip, Protocol

CLIP = Clip(frames=4, stride=2, size=32)


@pytest.fixture(params=["motion", "appearance"])
def dataset(request, embedded_cache):
    whole = open_dataset(request.param, cache=embedded_cache)
    return replace(whole, val=whole.val[:4])


def read(views, scored=None, workers=0):
    with Pool(workers) as pool:
        return list(views.read(range(len(views)), scored or {}, pool))


@pytest.mark.parametrize(("clips", "crops"), [(1, 1), (1, 3), (3, 1), (2, 3)])
def test_views_are_clips_times_crops(dataset, clips, crops):
    views = TestViews(dataset, CLIP, [Protocol(clips=clips, crops=crops)])
    view = views.views(0)
    assert view.shape == (clips * crops, 4, 32, 32, 3)
    assert view.dtype == np.uint8
    assert np.array_equal(view, views.views(0))
    assert not np.array_equal(view, views.views(1))


def test_the_views_of_a_clip_are_left_centre_and_right_of_its_middle_frames(embedded_cache):
    dataset = open_dataset("motion", cache=embedded_cache)
    views = TestViews(dataset, CLIP, [Protocol(clips=1, crops=3)]).views(0)
    frames = open_video(dataset.val[0].path).read(np.array([2, 6, 10, 14]), 32, 38)
    for view, left in zip(views, (0, 3, 6), strict=True):
        assert np.array_equal(view, frames[:, :, left : left + 32])


def test_protocols_of_one_size_share_their_views(dataset):
    """One decode for all, and the views of each protocol are those that it has alone."""
    asked = [Protocol(clips=1, crops=3), Protocol(clips=3, crops=1), Protocol(clips=10, crops=3)]
    together = read(TestViews(dataset, CLIP, asked))
    for place, protocol in enumerate(asked):
        alone = read(TestViews(dataset, CLIP, [protocol]))
        for one, other in zip(together, alone, strict=True):
            shown = {view.key: one.crop(view) for view in one.views}
            assert one.positions[place] == other.positions[0]
            for view in other.views:
                assert np.array_equal(shown[view.key], other.crop(view))
    assert all(len({view.key for view in each.views}) == len(each.views) for each in together)


def test_frames_that_clips_share_are_read_once(dataset):
    (first, *_) = read(TestViews(dataset, CLIP, [Protocol(clips=10, crops=3)]))
    assert len(first.frames) <= open_video(dataset.val[0].path).frames
    assert first.frames.shape[1:] == (32, 38, 3)


def test_what_is_scored_is_not_read_again(dataset):
    views = TestViews(dataset, CLIP, [Protocol(clips=3, crops=3)])
    whole = read(views)[2]
    half = {view.key for view in whole.views[::2]}
    rest = read(views, {2: half})[2]
    assert {view.key for view in rest.views} == {view.key for view in whole.views} - half
    assert rest.positions == whole.positions
    nothing = read(views, {2: {view.key for view in whole.views}})[2]
    assert (nothing.views, len(nothing.frames), nothing.positions) == ((), 0, whole.positions)


def test_as_many_clips_as_cover_the_video(embedded_cache):
    dataset = open_dataset("appearance", cache=embedded_cache)
    views = TestViews(replace(dataset, val=dataset.val[:1]), CLIP, [Protocol(clips="cover", crops=1)])
    (found,) = read(views)
    file = open_video(dataset.val[0].path)
    assert (file.frames, file.fps) == (20, 15)  # two frames at 30 fps are one of these: a clip spans four
    assert found.positions == ((0, 4, 8, 12, 16),)
    cut = replace(dataset, val=(replace(dataset.val[0], first=3, last=7),))
    assert read(TestViews(cut, CLIP, [Protocol(clips="cover", crops=1)]))[0].positions == ((0.0,),)


def test_only_the_annotated_part_is_tested(dataset):
    cut = replace(dataset, val=(replace(dataset.val[0], first=7, last=8),))
    view, *_ = TestViews(cut, CLIP, [Protocol(clips=2, crops=1)]).views(0)
    frame = open_video(dataset.val[0].path).read(np.array([7]), 32, 38)[:, :, 3:35]
    assert np.array_equal(view, np.repeat(frame, 4, axis=0))


def test_views_have_the_protocols_size(dataset):
    assert TestViews(dataset, CLIP, [Protocol(crops=1, size=40)]).views(0).shape == (1, 4, 40, 40, 3)


def test_two_sizes_are_two_decodes(dataset):
    with pytest.raises(ValueError, match=r"not of \[32, 40\]"):
        TestViews(dataset, CLIP, [Protocol(), Protocol(size=40)])


def test_processes_read_the_same(dataset):
    views = TestViews(dataset, CLIP, [Protocol(clips=2)])
    for one, other in zip(read(views), read(views, workers=1), strict=True):
        assert np.array_equal(one.frames, other.frames)
        assert [view.key for view in one.views] == [view.key for view in other.views]


def test_an_undecodable_video_is_a_value_and_to_who_looks_an_error(dataset, tmp_path):
    path = tmp_path / "cut.mp4"
    path.write_bytes(dataset.val[0].path.read_bytes()[:900])
    views = TestViews(replace(dataset, val=(replace(dataset.val[0], path=path), *dataset.val[1:])), CLIP, [Protocol()])
    found = read(views)
    assert isinstance(found[0], Undecodable)
    assert not any(isinstance(each, Undecodable) for each in found[1:])
    with pytest.raises(DecodeError, match=r"cut\.mp4"):
        views.views(0)
