import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import recall_score

from results.scores import CROPS, Scores
from results.statistics import share_interval
from results.summary import right
from results.summary import test as summary


def scored(views: list, labels: list[int], crops: int = 1, **undecodable: dict[str, str]) -> Scores:
    """`views` [v n k]: n clips x crops of each video; the views of an undecodable one are left out."""
    ids = tuple(f"v{i}" for i in range(len(labels)))
    classes = len(next(filter(None, views))[0])
    made = Scores(ids, np.array(labels), classes, {"size": 32}, undecodable)
    clips = len(next(filter(None, views))) // crops
    taken = made.taken[f"{clips}x{crops}"] = {}
    for video, rows in enumerate(views):
        if rows:
            keys = [(float(clip), crop) for clip in range(clips) for crop in CROPS[crops]]
            made.add([video] * len(keys), keys, np.array(rows))
            taken[video] = tuple(map(float, range(clips)))
    return made


def test_softmax_is_averaged_over_views_and_not_voted() -> None:
    # Two of three views say class 1, but the one for class 0 is surer: the average decides.
    test = summary(scored([[[0.9, 0.1], [0.45, 0.55], [0.45, 0.55]]], [0], crops=3), 1, 3)
    assert (test.top1, test.answered, test.top5, test.size, test.clips_per_video) == (1.0, 1, None, 32, 1.0)
    assert test.loss == pytest.approx(-np.log(0.6), abs=1e-3)


def test_an_undecodable_video_counts_as_wrong() -> None:
    made = scored([[[1.0, 0.0]], []], [0, 0], **{"1x1": {"v1": "damaged"}})
    test = summary(made, 1, 1)
    assert (test.videos, test.answered, test.top1, test.undecodable) == (2, 1, 0.5, {"v1": "damaged"})
    assert test.per_class == [0.5, None]


def test_a_video_of_which_another_protocol_did_not_decode_is_answered() -> None:
    test = summary(scored([[[1.0, 0.0]]], [0], **{"3x1": {"v0": "damaged further on"}}), 1, 1)
    assert (test.answered, test.undecodable) == (1, {})


def test_where_nothing_decodes_nothing_is_right() -> None:
    made = Scores(("v0",), np.array([1]), 2, {"size": 32}, {"1x1": {"v0": "damaged"}}, taken={"1x1": {}})
    test = summary(made, 1, 1)
    assert (test.top1, test.answered, test.class_mean, test.clips_per_video) == (0.0, 0, 0.0, 0.0)
    assert np.isnan(test.loss)


@given(st.integers(6, 10), st.integers(1, 20), st.integers(0, 1000))
def test_accuracies_agree_with_counting_by_hand(classes: int, videos: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    views = generator.dirichlet(np.ones(classes), (videos, 3)).astype(np.float16)
    labels = generator.integers(0, classes, videos)
    made = scored(views.tolist(), labels.tolist(), crops=3)
    test = summary(made, 1, 3)
    averaged = views.astype(float).mean(axis=1)
    better = [int((row > row[label]).sum()) for row, label in zip(averaged, labels, strict=True)]
    right = [n < 1 for n in better]
    assert test.top1 == pytest.approx(np.mean(right))
    assert test.top5 == pytest.approx(sum(n < 5 for n in better) / videos)
    assert (test.top1_low, test.top1_high) == share_interval(right)
    chosen = averaged.argmax(axis=1)
    present = sorted(set(labels.tolist()))
    assert test.class_mean == pytest.approx(recall_score(labels, chosen, labels=present, average="macro"))
    shares = [
        np.mean([r for r, label in zip(right, labels, strict=True) if label == k] or [-1]) for k in range(classes)
    ]
    assert [-1 if share is None else share for share in test.per_class] == pytest.approx(shares)


def test_the_loss_of_a_sure_and_wrong_answer_is_a_number() -> None:
    assert summary(scored([[[0.0, 1.0]]], [0]), 1, 1).loss == pytest.approx(25 * np.log(2))


def test_which_videos_are_right_is_what_the_accuracy_counts() -> None:
    made = scored([[[0.9, 0.1]], [[0.2, 0.8]], []], [0, 0, 1], **{"1x1": {"v2": "damaged"}})
    assert right(made, 1, 1).tolist() == [True, False, False]
    assert summary(made, 1, 1).top1 == pytest.approx(1 / 3)
    with pytest.raises(KeyError):
        right(made, 2, 1)
