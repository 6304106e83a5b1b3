import numpy as np
import pytest
import torch

from harness import features
from harness.data.augment import to_input
from harness.data.videos import Video
from harness.errors import HarnessError
from harness.trained import Clip
from models.registry import build
from tests.harness.conftest import Mean
from tests.harness.contenders import CLASSES, job_of, suite_of

RANDOM = np.random.default_rng(0)


@pytest.fixture
def spec(tmp_path):
    return job_of(suite_of(tmp_path), "divided").spec


def clips(count):
    return [Clip(place, RANDOM.integers(0, 255, (4, 16, 16, 3), np.uint8)) for place in range(count)]


def blobs(apart):
    """Twelve videos of two classes, whose features lie `apart`."""
    labels = np.arange(12) % 2
    return (RANDOM.normal(size=(12, 5)) + apart * labels[:, None]).astype(np.float32), labels


def test_features_are_what_the_head_sees_batch_or_not(spec):
    model, given = build(spec.model, 4, 16, CLASSES).eval(), clips(spec.device_batch + 1)
    found, places = features.of(model, spec, iter(given))
    assert (found.shape, places) == ((len(given), 64), list(range(len(given))))
    alone, _ = features.of(model, spec, given[-1:])
    assert np.allclose(found[-1:], alone, atol=1e-5)
    frames = torch.from_numpy(np.stack([clip.frames for clip in given]))
    with torch.inference_mode():
        whole = model(to_input(frames, spec.clip.mean, spec.clip.std, spec.clip.bgr))
        logits = model.head(torch.from_numpy(found))
    assert torch.allclose(logits, whole, atol=1e-5)


def test_a_model_without_features_is_told(spec):
    with pytest.raises(HarnessError, match=r"give its module a method `features"):
        features.of(Mean(), spec, clips(1))


def test_all_videos_of_classes_spread_over_those_there_are():
    videos = [Video(f"v{place}", None, label) for place, label in enumerate([0, 0, 2, 4, 6, 8, 8, 0])]
    assert features.chosen(videos, 3) == [0, 1, 3, 5, 6, 7]
    assert features.chosen(videos, 99) == list(range(8))


def test_the_plane_is_the_same_every_time_also_for_few_videos():
    made, _ = blobs(9.0)
    first = features.plane(made[:8])
    assert first.shape == (8, 2)
    assert np.array_equal(first, features.plane(made[:8]))


def test_far_blobs_stay_apart_in_the_plane_and_in_figures():
    made, labels = blobs(20.0)
    parted = features.separation(made, labels)
    assert (parted.accuracy, parted.neighbours, parted.chance) == (1.0, 5, 0.5)
    assert parted.silhouette > 0.8
    assert features.separation(features.plane(made), labels).accuracy == 1.0
    mixed = features.separation(*blobs(0.0))
    assert mixed.silhouette < 0.3


def test_a_video_is_not_its_own_neighbour():
    made = np.repeat(np.arange(3, dtype=np.float32), 2)[:, None]
    assert features.separation(made, np.array([0, 1, 0, 1, 0, 1])).accuracy < 0.5


def test_what_has_no_picture_is_told():
    made, labels = blobs(1.0)
    for call, told in (
        (lambda: features.plane(made[:7]), "7 videos are too few"),
        (lambda: features.plane(np.ones((12, 5), np.float32)), "are equal"),
        (lambda: features.separation(made, 0 * labels), "of one class"),
    ):
        with pytest.raises(HarnessError, match=told):
            call()
