from dataclasses import replace

import av
import numpy as np
import pytest

from harness.data.datasets import open_dataset
from harness.data.decode import open_video
from harness.data.pool import Pool
from harness.data.tasks import Undecodable
from harness.data.videos import Dataset, Video
from harness.data.views import TestViews
from harness.spec import Clip, Protocol
from tests.harness.data.counters import write

CLIP = Clip(frames=4, stride=2, size=32)


@pytest.fixture(params=["motion", "appearance"])
def dataset(request, embedded_cache):
    whole = open_dataset(request.param, cache=embedded_cache)
    return replace(whole, val=whole.val[:4])


def read(views, scored=None, workers=0):
    with Pool(workers) as pool:
        return list(views.read(range(len(views.dataset.val)), scored or {}, pool))


def crops(found):
    """uint8 [v t h w c], every view."""
    return np.stack([found.crop(view) for view in found.views])


@pytest.mark.parametrize(("clips", "places"), [(1, 1), (1, 3), (3, 1), (2, 3)])
def test_views_are_clips_times_crops(dataset, clips, places):
    views = TestViews(dataset, CLIP, [Protocol(clips=clips, crops=places)])
    (one, other, *_), (again, *_) = read(views), read(views)
    assert crops(one).shape == (clips * places, 4, 32, 32, 3)
    assert one.frames.dtype == np.uint8
    assert np.array_equal(crops(one), crops(again))
    assert not np.array_equal(crops(one), crops(other))


def test_the_views_of_a_clip_are_left_centre_and_right_of_its_middle_frames(embedded_cache):
    dataset = open_dataset("motion", cache=embedded_cache)
    found, *_ = read(TestViews(dataset, CLIP, [Protocol(clips=1, crops=3)]))
    frames = open_video(dataset.val[0].path).read(np.array([2, 6, 10, 14]), 32, 38)
    for crop, left in zip(crops(found), (0, 3, 6), strict=True):
        assert np.array_equal(crop, frames[:, :, left : left + 32])


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
    (found,) = read(TestViews(cut, CLIP, [Protocol(clips=2, crops=1)]))
    frame = open_video(dataset.val[0].path).read(np.array([7]), 32, 38)[:, :, 3:35]
    assert np.array_equal(crops(found)[0], np.repeat(frame, 4, axis=0))


def test_views_have_the_protocols_size(dataset):
    found, *_ = read(TestViews(dataset, CLIP, [Protocol(crops=1, size=40)]))
    assert crops(found).shape == (1, 4, 40, 40, 3)


def test_two_sizes_are_two_decodes(dataset):
    with pytest.raises(ValueError, match=r"not of \[32, 40\]"):
        TestViews(dataset, CLIP, [Protocol(), Protocol(size=40)])


def test_processes_read_the_same(dataset):
    views = TestViews(dataset, CLIP, [Protocol(clips=2)])
    for one, other in zip(read(views), read(views, workers=1), strict=True):
        assert np.array_equal(one.frames, other.frames)
        assert [view.key for view in one.views] == [view.key for view in other.views]


def test_an_undecodable_video_is_a_value(dataset, tmp_path):
    path = tmp_path / "cut.mp4"
    path.write_bytes(dataset.val[0].path.read_bytes()[:900])
    views = TestViews(replace(dataset, val=(replace(dataset.val[0], path=path), *dataset.val[1:])), CLIP, [Protocol()])
    found = read(views)
    assert isinstance(found[0], Undecodable)
    assert not any(isinstance(each, Undecodable) for each in found[1:])


@pytest.fixture
def holed(tmp_path):
    """A video of 100 frames, of which frame 97 is damaged."""
    path = write(tmp_path / "hole.mkv", 100, bf="0", g="10")
    with av.open(str(path)) as container:
        hole = next(bytes(packet) for packet in container.demux(video=0) if packet.pts == 97 * 40)
    path.write_bytes(path.read_bytes().replace(hole, b"\xff" * len(hole)))
    return path


ONE, THREE, FIVE = (Protocol(clips=clips, crops=1) for clips in (1, 3, 5))


def views_of(path, decoder, *protocols, scored=None):
    dataset = Dataset("mine", ("a",), "dense", True, (), (Video("v", path, 0),), decoder)
    (found,) = read(TestViews(dataset, CLIP, protocols), scored)
    return found


@pytest.mark.parametrize("decoder", ["decord", "pyav"])
@pytest.mark.parametrize("order", [(ONE, THREE), (THREE, ONE), (FIVE, ONE, THREE)])
def test_a_damaged_frame_fails_the_protocols_that_need_it_and_no_other(holed, decoder, order):
    good, bad = views_of(holed, decoder, ONE), views_of(holed, decoder, THREE)
    assert isinstance(bad, Undecodable)
    assert "frame 97" in bad.reason
    together = views_of(holed, decoder, *order)
    assert together.failed == {place: bad.reason for place, protocol in enumerate(order) if protocol is not ONE}
    assert together.positions == tuple(good.positions[0] if protocol is ONE else () for protocol in order)
    assert [view.key for view in together.views] == [view.key for view in good.views]
    assert np.array_equal(crops(together), crops(good))


def test_protocols_read_alone_share_what_they_have_in_common(holed):
    """Two that can be read beside one that cannot: every view once, those scored not again."""
    sides = Protocol(clips=1, crops=3)
    together = views_of(holed, "decord", ONE, THREE, sides)
    alone = views_of(holed, "decord", sides)
    assert together.positions == (alone.positions[0], (), alone.positions[0])
    both, wanted = ({view.key: found.crop(view).tobytes() for view in found.views} for found in (together, alone))
    assert both == wanted
    assert len(together.views) == 3
    known = {view.key for view in together.views}
    rest = views_of(holed, "decord", ONE, THREE, sides, scored={0: known})
    assert (rest.views, rest.positions, rest.failed) == ((), together.positions, together.failed)


def test_a_video_of_which_no_protocol_gets_anything_says_why_for_all(holed):
    found = views_of(holed, "pyav", THREE, FIVE)
    assert isinstance(found, Undecodable)
    assert found.reason == views_of(holed, "pyav", THREE).reason
