from copy import deepcopy

import pytest
import torch
from torch import nn

from harness.step import Step, autocast
from tests.harness.conftest import with_recipe


class Mean(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 2)

    def forward(self, clip):
        return self.head(clip.mean(dim=(2, 3, 4)))


@pytest.fixture
def plain(spec):
    recipe = {"optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.0, "clip_grad_norm": None, "label_smoothing": 0.0}
    return with_recipe(spec, **recipe)


CLIPS = torch.arange(6 * 2 * 4 * 4 * 3).mul(37).remainder(256).to(torch.uint8).reshape(6, 2, 4, 4, 3)
LABELS = torch.tensor([0, 1, 0, 1, 1, 0])


def stepped(spec, at_once: int, model: nn.Module) -> tuple[nn.Module, float, int]:
    """A copy of the model after one step."""
    step = Step(deepcopy(model), spec)
    told = step.accumulate(CLIPS, LABELS, at_once)
    step.update()
    return step.model, *told


def test_a_step_is_plain_gradient_descent(plain):
    model = Mean()
    trained, loss, correct = stepped(plain, 6, model)
    inputs = (CLIPS.permute(0, 4, 1, 2, 3).float() / 255 - plain.clip.mean) / plain.clip.std
    logits = model(inputs)
    expected = nn.functional.cross_entropy(logits, LABELS)
    expected.backward()
    assert loss == pytest.approx(expected.item())
    assert correct == int((logits.argmax(dim=1) == LABELS).sum())
    for mine, its in zip(trained.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(mine, its - plain.recipe.learning_rate * its.grad)


@pytest.mark.parametrize("at_once", [1, 4])
def test_parts_add_up_to_the_whole_batch(plain, at_once):
    model = Mean()
    whole, loss, correct = stepped(plain, 6, model)
    parts, loss_of_parts, correct_of_parts = stepped(plain, at_once, model)
    assert (loss_of_parts, correct_of_parts) == (pytest.approx(loss), correct)
    for mine, its in zip(parts.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(mine, its)


def test_long_gradients_are_cut(plain):
    model = Mean()
    trained, *_ = stepped(with_recipe(plain, clip_grad_norm=1e-4, learning_rate=1.0), 6, model)
    moved = sum((mine - its).square().sum() for mine, its in zip(trained.parameters(), model.parameters(), strict=True))
    assert moved.sqrt().item() == pytest.approx(1e-4, rel=1e-2)


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bf16", torch.bfloat16)])
def test_precision_is_that_of_the_matrix_products(precision, dtype):
    with autocast(torch.device("cpu"), precision):
        assert nn.functional.linear(torch.ones(2, 2), torch.ones(2, 2)).dtype == dtype
