"""What a process that decodes is asked; the clips themselves are in test_clips.py, the views in test_views.py."""

import pickle
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.data import tasks
from harness.data.datasets import open_dataset
from harness.data.decoders import file
from harness.data.tasks import ClipTask, Source, Undecodable, ViewsTask, test_views, train_clip
from tests.conftest import PROJECT
from tests.harness.data.counters import write


@pytest.fixture
def source(embedded_cache) -> Source:
    video = open_dataset("motion", cache=embedded_cache).train[0]
    return Source(video.path, 0, None, "decord", "dense", 4, 2, 32)


def test_a_process_that_decodes_needs_no_torch_and_no_suite():
    heavy = "('torch', 'pydantic', 'pandas', 'yaml')"
    code = f"import sys, harness.data.tasks; sys.exit(any(name in sys.modules for name in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0


def test_tasks_and_what_comes_of_them_are_plain_data(source):
    clip_task, views_task = ClipTask(source, (32, 40), (0, 1)), ViewsTask(source, ((2, 3),))
    for function, task in ((train_clip, clip_task), (test_views, views_task)):
        made = function(pickle.loads(pickle.dumps(task)))
        assert np.array_equal(pickle.loads(pickle.dumps(made)).frames, made.frames)


def test_a_clip_is_a_function_of_its_key(source):
    one, same, other = (train_clip(ClipTask(source, (32, 40), (0, key))) for key in (1, 1, 2))
    assert np.array_equal(one.frames, same.frames)
    assert one.mirrored == same.mirrored
    assert not np.array_equal(one.frames, other.frames)
    assert one.frames.flags.c_contiguous


@pytest.mark.parametrize("function", [train_clip, test_views])
def test_what_goes_wrong_with_a_file_is_a_value(source, function):
    gone = replace(source, path=Path("nowhere.mp4"))
    task = ClipTask(gone, (32, 40), (0,)) if function is train_clip else ViewsTask(gone, ((1, 1),))
    assert function(task) == Undecodable("no such file")


@pytest.mark.parametrize("decoder", ["decord", "pyav"])
@pytest.mark.parametrize("function", [train_clip, test_views])
def test_a_shape_that_would_take_gigabytes_is_refused_with_the_numbers(tmp_path, source, function, decoder):
    """A short side of 2 pixels scaled to 224, and the other with it: 4.9 GB for 8 frames."""
    wide = replace(source, path=write(tmp_path / "wide.mp4", 10, 2, 8192), decoder=decoder, size=224, frames=8)
    task = ClipTask(wide, (224, 224), (0,)) if function is train_clip else ViewsTask(wide, ((1, 1), (2, 1)))
    refused = function(task)
    assert isinstance(refused, Undecodable)
    said = r"\d frames, scaled to 917504 x 224 pixels, of a video of 8192 x 2: more than 536870912 in all"
    assert re.match(said, refused.reason)


def test_views_that_are_too_large_together_are_read_a_protocol_at_a_time(source, monkeypatch):
    protocols = (1, 1), (2, 1)
    together = test_views(ViewsTask(source, protocols))
    monkeypatch.setattr(file, "MAX_READ_PIXELS", (len(together.frames) - 1) * 32 * 38)
    apart = test_views(ViewsTask(source, protocols))
    assert (apart.positions, apart.failed) == (together.positions, {})
    one, other = ({view.key: found.crop(view).tobytes() for view in found.views} for found in (together, apart))
    assert one == other


@pytest.mark.parametrize("function", [train_clip, test_views])
def test_memory_that_is_not_there_is_a_value(source, function, monkeypatch):
    def full(*_):
        raise MemoryError

    monkeypatch.setattr(tasks, "short_side_size", full)
    task = ClipTask(source, (32, 40), (0,)) if function is train_clip else ViewsTask(source, ((1, 1),))
    assert function(task) == Undecodable("not enough memory for its frames")


def test_a_lost_video_is_not_opened(source):
    task = ClipTask(replace(source, path=Path("nowhere.mp4")), (32, 40), (0,), lost="killed the decoder")
    assert train_clip(task) == Undecodable("killed the decoder")
