"""Single steps of the loop; whole trainings are in test_job.py."""

import numpy as np
import pytest
import torch
from torch import nn

from harness.checkpoint import Checkpoints
from harness.control import Control
from harness.data.clips import Batch, Drawn
from harness.data.pool import Pool
from harness.train import Diverged, State, TooManyUndecodable, Training
from tests.harness.conftest import Mean, with_recipe


class Clips:
    """A training set of eight random clips in two batches, the same in every epoch."""

    videos = range(8)
    batches_per_epoch = 2

    def __init__(self) -> None:
        self.clips = np.random.default_rng(0).integers(0, 256, (8, 2, 4, 4, 3), np.uint8)
        self.skipped: list[tuple[str, str]] = []
        self.lost: dict[str, str] = {}

    def stream(self, epoch, start, epochs, pool):
        for done in range(2 * epoch + start, 2 * epochs):
            part = slice(4 * (done % 2), 4 * (done % 2) + 4)
            yield Batch(self.clips[part], np.array([0, 1, 0, 1]), self.skipped, drawn(4))


def drawn(count):
    return Drawn(np.zeros(count, np.bool_), np.zeros(count, np.int64))


def run(training):
    training.run(Control(), lambda state: None, Pool(0))


@pytest.fixture
def training(spec, tmp_path):
    torch.manual_seed(0)
    recipe = {"optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.0, "clip_grad_norm": None, "schedule": "cosine"}
    return Training(Mean(), Clips(), with_recipe(spec, **recipe), Checkpoints(tmp_path))


def test_an_epoch_is_closed_with_its_means(training):
    run(training)
    assert [row["clips"] for row in training.state.history] == [8, 8]
    assert all(0 <= row["accuracy"] <= 1 and row["loss"] > 0 for row in training.state.history)
    assert (training.state.epoch, training.state.batch, training.state.clips) == (2, 0, 0)


def test_a_batch_whose_videos_all_fail_is_passed_over(training):
    empty = Batch(np.empty((0, 2, 4, 4, 3), np.uint8), np.empty(0, np.int64), [], drawn(0))
    training.clips.stream = lambda *_: iter([empty] * 4)
    before = training.model.head.weight.clone()
    run(training)
    assert torch.equal(before, training.model.head.weight)
    assert [row["clips"] for row in training.state.history] == [0, 0]


def test_too_many_failures_stop_the_training(training):
    training.clips.skipped = [("v7", "damaged")]
    with pytest.raises(TooManyUndecodable, match=r"1 of 8 .* the first is v7: damaged"):
        run(training)


def test_a_loss_that_is_no_number_names_epoch_and_step(training):
    nn.init.constant_(training.model.head.weight, float("nan"))
    with pytest.raises(Diverged, match="the loss is nan in epoch 1, step 1"):
        run(training)


def test_a_restored_training_stands_where_it_was_saved(training, tmp_path):
    batch = next(training.clips.stream(0, 0, 1, Pool(0)))
    training._update(batch, len(batch.labels))
    training.state = State(epoch=1, batch=1, loss_sum=3.5, skipped={"v1": "why", "v2": "no"}, lost={"v2": "no"})
    torch.manual_seed(5)
    training.save()
    expected = torch.rand(3)
    again = Training(Mean(), Clips(), training.spec, Checkpoints(tmp_path))
    assert again.restore() == []
    assert again.clips.lost == {"v2": "no"}
    assert again.state == training.state
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(again.model.head.weight, training.model.head.weight)
