from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from harness.control import Control
from harness.data.clips import TestViews
from harness.data.datasets import open_dataset
from harness.data.decode import DecodeError
from harness.errors import Interrupted
from harness.evaluate import Scores, file_name, read, summary
from harness.evaluate import scores as evaluate_scores
from harness.spec import Protocol
from harness.train import Diverged


def scores(views: list, labels: list[int], undecodable: dict[str, str] | None = None) -> Scores:
    ids = tuple(f"v{i}" for i in range(len(labels)))
    return Scores(ids, np.array(labels), np.array(views, np.float32), undecodable or {})


def test_softmax_is_averaged_over_views_and_not_voted():
    # Two of three views say class 1, but the one for class 0 is surer: the average decides.
    scored = scores([[[0.9, 0.1], [0.45, 0.55], [0.45, 0.55]]], [0])
    test = summary(scored, Protocol(clips=1, crops=3, size=32))
    assert (test.top1, test.answered, test.top5) == (1.0, 1, None)
    assert test.loss == pytest.approx(-np.log(0.6))


def test_an_undecodable_video_counts_as_wrong():
    nan = float("nan")
    scored = scores([[[1.0, 0.0]], [[nan, nan]]], [0, 0], {"v1": "damaged"})
    test = summary(scored, Protocol(clips=1, crops=1, size=32))
    assert (test.videos, test.answered, test.top1, test.undecodable) == (2, 1, 0.5, ["v1"])


@given(st.integers(6, 10), st.integers(1, 20), st.integers(0, 1000))
def test_top_1_and_top_5_agree_with_counting_by_hand(classes, videos, seed):
    generator = np.random.default_rng(seed)
    views = generator.dirichlet(np.ones(classes), (videos, 3)).astype(np.float32)
    labels = generator.integers(0, classes, videos)
    test = summary(scores(views.tolist(), labels.tolist()), Protocol(size=32))
    better = [(row > row[label]).sum() for row, label in zip(views.mean(axis=1), labels, strict=True)]
    assert test.top1 == pytest.approx(sum(n < 1 for n in better) / videos)
    assert test.top5 == pytest.approx(sum(n < 5 for n in better) / videos)


def test_scores_that_are_no_numbers_are_a_divergence_and_not_unanswered_videos(spec, embedded_cache, tmp_path):
    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, clip):
            return torch.full((len(clip), 4), float("nan"))

    views = TestViews(open_dataset("motion", cache=embedded_cache), spec.clip, spec.tests[0])
    with pytest.raises(Diverged, match="are no numbers"):
        evaluate_scores(Broken(), "abc", views, spec, tmp_path, Control(), lambda scored: None)


class Sums(nn.Module):
    """Four scores of a clip, and a count of the clips that it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.arange(4.0))
        self.clips = 0

    def forward(self, clip):
        self.clips += len(clip)
        return clip.mean(dim=(1, 2, 3, 4))[:, None] * self.weight


class StopAfter(Control):
    def __init__(self, batches: int) -> None:
        super().__init__()
        self.left = batches

    def check(self) -> None:
        self.left -= 1
        if self.left <= 0:
            raise Interrupted("the test")


@pytest.fixture
def views(spec, embedded_cache) -> TestViews:
    dataset = open_dataset("motion", cache=embedded_cache)
    return TestViews(replace(dataset, val=dataset.val[:10]), spec.clip, spec.tests[0])


def test_a_test_that_was_stopped_goes_on_and_ends_bit_identical(views, spec, tmp_path):
    whole = evaluate_scores(Sums(), "abc", views, spec, tmp_path / "whole", Control(), lambda scored: None)
    model, folder = Sums(), tmp_path / "stopped"
    for _ in range(2):  # batches of 4, 4 and 2 videos
        with pytest.raises(Interrupted):
            evaluate_scores(model, "abc", views, spec, folder, StopAfter(1), lambda scored: None)
    assert [path.name for path in folder.iterdir()] == ["1x1-16.npz.part"]
    scored = evaluate_scores(model, "abc", views, spec, folder, Control(), lambda scored: None)
    np.testing.assert_array_equal(scored.views, whole.views)
    assert np.isfinite(scored.views).all()
    assert model.clips == 10
    assert [path.name for path in folder.iterdir()] == ["1x1-16.npz"]


def test_what_an_earlier_attempt_scored_survives_its_being_killed(views, spec, tmp_path):
    spec = replace(spec, resources=spec.resources.model_copy(update={"checkpoint_s": 1e-9}))

    class Killed(Control):
        def check(self) -> None:
            if (tmp_path / "1x1-16.npz.part").exists():
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_scores(Sums(), "abc", views, spec, tmp_path, Killed(), lambda scored: None)
    model = Sums()
    evaluate_scores(model, "abc", views, spec, tmp_path, Control(), lambda scored: None)
    assert model.clips == 6


def test_videos_that_did_not_decode_are_remembered(views, spec, tmp_path, monkeypatch):
    decoded = views.views

    def damaged(index):
        if index in (1, 9):
            raise DecodeError(views.dataset.val[index].path, "damaged")
        return decoded(index)

    monkeypatch.setattr(views, "views", damaged)
    with pytest.raises(Interrupted):
        evaluate_scores(Sums(), "abc", views, spec, tmp_path, StopAfter(1), lambda scored: None)
    for _ in range(2):
        scored = evaluate_scores(Sums(), "abc", views, spec, tmp_path, Control(), lambda scored: None)
        assert scored.undecodable == {views.dataset.val[1].id: "damaged", views.dataset.val[9].id: "damaged"}
        assert np.isnan(scored.views[[1, 9]]).all()


@pytest.mark.parametrize("change", ["nothing", "weights", "videos", "half a file", "a byte", "no file"])
def test_scores_are_taken_up_only_whole_and_of_these_weights_and_videos(views, spec, tmp_path, change):
    first = evaluate_scores(Sums(), "abc", views, spec, tmp_path, Control(), lambda scored: None)
    path = tmp_path / file_name(spec.tests[0])
    content = bytearray(path.read_bytes())
    if change == "videos":
        views.dataset = replace(views.dataset, val=(*views.dataset.val[1:], views.dataset.val[0]))
    elif change == "half a file":
        path.write_bytes(content[: len(content) // 2])
    elif change == "a byte":
        content[content.index(b"views.npy") + 200] ^= 1
        path.write_bytes(content)
    elif change == "no file":
        path.unlink()
    model = Sums()
    again = evaluate_scores(
        model, "def" if change == "weights" else "abc", views, spec, tmp_path, Control(), lambda scored: None
    )
    assert model.clips == (0 if change == "nothing" else 10)
    assert again.seconds > 0
    if change != "videos":
        np.testing.assert_array_equal(again.views, first.views)


def test_scores_are_written_whole_and_read_back(views, tmp_path):
    scored = Scores.empty(views)
    scored.views[:] = 0.25
    scored.done, scored.seconds, scored.undecodable = 10, 3.5, {"x": "damaged"}
    path = tmp_path / "scores" / file_name(views.protocol)
    scored.write(path, "abc")
    assert path.name == "1x1-16.npz"
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    found = read(path, "abc", views)
    np.testing.assert_array_equal(found.views, scored.views)
    assert (found.done, found.seconds, found.undecodable) == (10, 3.5, {"x": "damaged"})
    with np.load(path) as plain:
        assert plain["ids"].tolist() == [video.id for video in views.dataset.val]
