"""What a process that decodes is asked; the clips themselves are in test_clips.py, the views in test_views.py."""

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.data.datasets import open_dataset
from harness.data.tasks import ClipTask, Source, Undecodable, ViewsTask, test_views, train_clip
from tests.conftest import PROJECT


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


def test_a_lost_video_is_not_opened(source):
    task = ClipTask(replace(source, path=Path("nowhere.mp4")), (32, 40), (0,), lost="killed the decoder")
    assert train_clip(task) == Undecodable("killed the decoder")
