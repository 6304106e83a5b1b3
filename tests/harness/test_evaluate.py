import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from harness.control import Control
from harness.data.clips import TestViews
from harness.data.datasets import open_dataset
from harness.evaluate import Scores, file_name, summary
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


def test_scores_that_are_no_numbers_are_a_divergence_and_not_unanswered_videos(spec, embedded_cache):
    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, clip):
            return torch.full((len(clip), 4), float("nan"))

    views = TestViews(open_dataset("motion", cache=embedded_cache), spec.clip, spec.tests[0])
    with pytest.raises(Diverged, match="are no numbers"):
        evaluate_scores(Broken(), views, spec, Control(), lambda done, videos: None)


def test_scores_are_written_whole(tmp_path):
    scored = scores([[[0.25, 0.75]]], [1])
    path = tmp_path / "scores" / file_name(Protocol(clips=1, crops=1, size=32))
    scored.write(path)
    assert path.name == "1x1-32.npz"
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    with np.load(path) as read:
        np.testing.assert_array_equal(read["views"], scored.views)
        assert read["ids"].tolist() == ["v0"]
