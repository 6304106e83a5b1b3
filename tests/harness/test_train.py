"""Single steps of the loop; whole trainings are in test_job.py."""

import pytest
import torch
from torch import nn

from harness.checkpoint import Checkpoints
from harness.control import Control
from harness.data.clips import Batch
from harness.train import Diverged, State, TooManyUndecodable, Training
from tests.harness.conftest import with_recipe


class Clips:
    """A training set of eight random clips in two batches, the same in every epoch."""

    videos = range(8)
    batches_per_epoch = 2

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.clips = torch.randint(0, 256, (8, 2, 4, 4, 3), dtype=torch.uint8, generator=generator)
        self.skipped: list[tuple[str, str]] = []

    def stream(self, epoch, start, workers):
        for position in range(start, 2):
            part = slice(4 * position, 4 * position + 4)
            yield Batch(self.clips[part], torch.tensor([0, 1, 0, 1]), self.skipped)


class Mean(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 2)

    def forward(self, clip):
        return self.head(clip.mean(dim=(2, 3, 4)))


@pytest.fixture
def training(spec, tmp_path):
    torch.manual_seed(0)
    recipe = {"optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.0, "clip_grad_norm": None, "schedule": "cosine"}
    return Training(Mean(), Clips(), with_recipe(spec, **recipe), Checkpoints(tmp_path))


def test_an_epoch_is_closed_with_its_means(training):
    training.run(Control(), lambda state: None)
    assert [row["clips"] for row in training.state.history] == [8, 8]
    assert all(0 <= row["accuracy"] <= 1 and row["loss"] > 0 for row in training.state.history)
    assert (training.state.epoch, training.state.batch, training.state.clips) == (2, 0, 0)


def test_a_batch_whose_videos_all_fail_is_passed_over(training):
    empty = Batch(torch.empty(0, 2, 4, 4, 3, dtype=torch.uint8), torch.empty(0, dtype=torch.int64), [])
    training.clips.stream = lambda *_: iter([empty, empty])
    before = training.model.head.weight.clone()
    training.run(Control(), lambda state: None)
    assert torch.equal(before, training.model.head.weight)
    assert [row["clips"] for row in training.state.history] == [0, 0]


def test_too_many_failures_stop_the_training(training):
    training.clips.skipped = [("v7", "damaged")]
    with pytest.raises(TooManyUndecodable, match=r"1 of 8 .* the first is v7: damaged"):
        training.run(Control(), lambda state: None)


def test_a_loss_that_is_no_number_names_epoch_and_step(training):
    nn.init.constant_(training.model.head.weight, float("nan"))
    with pytest.raises(Diverged, match="the loss is nan in epoch 1, step 1"):
        training.run(Control(), lambda state: None)


def test_a_restored_training_stands_where_it_was_saved(training, tmp_path):
    training._update(next(training.clips.stream(0, 0, 0)))
    training.state = State(epoch=1, batch=1, loss_sum=3.5, skipped={"v1": "why"})
    torch.manual_seed(5)
    training.save()
    expected = torch.rand(3)
    again = Training(Mean(), Clips(), training.spec, Checkpoints(tmp_path))
    assert again.restore() == []
    assert again.state == training.state
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(again.model.head.weight, training.model.head.weight)
