from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

from harness.data.augment import to_input
from harness.data.clips import Drawn
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


def drawn(mix: float = 1.0) -> Drawn:
    return Drawn(np.array([True, False] * 3), np.arange(6), mix)


def stepped(spec, at_once: int, model: nn.Module, drawn: Drawn | None = None) -> tuple[nn.Module, float, int]:
    """A copy of the model after one step."""
    step = Step(deepcopy(model), spec)
    told = step.accumulate(CLIPS, LABELS, at_once, drawn)
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


@pytest.mark.parametrize("mix", [0.3, 0.8])
def test_mixup_is_cross_entropy_with_soft_labels(plain, mix):
    model, spec = Mean(), with_recipe(plain, label_smoothing=0.1)
    trained, loss, correct = stepped(spec, 6, model, drawn(mix))
    own = torch.where(torch.tensor([True, False] * 3)[:, None, None, None, None], CLIPS.flip(3), CLIPS)
    inputs, hard = to_input(own, spec.clip.mean, spec.clip.std), nn.functional.one_hot(LABELS, 2).float()
    mixed, soft = (mix * each + (1 - mix) * each.flip(0) for each in (inputs, hard))
    logits = model(mixed)
    expected = nn.functional.cross_entropy(logits, soft, label_smoothing=0.1)
    expected.backward()
    assert loss == pytest.approx(expected.item())
    larger = LABELS if mix > 0.5 else LABELS.flip(0)
    assert correct == int((logits.argmax(dim=1) == larger).sum())
    for mine, its in zip(trained.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(mine, its - spec.recipe.learning_rate * its.grad)


@pytest.mark.parametrize("at_once", [1, 4])
def test_parts_of_a_mixed_and_augmented_batch_add_up_to_the_whole(plain, at_once):
    model, spec = Mean(), with_recipe(plain, augment="rand", random_erasing=0.5)
    whole, loss, correct = stepped(spec, 6, model, drawn(0.7))
    parts, loss_of_parts, correct_of_parts = stepped(spec, at_once, model, drawn(0.7))
    assert (loss_of_parts, correct_of_parts) == (pytest.approx(loss), correct)
    for mine, its in zip(parts.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(mine, its)


def test_what_was_drawn_for_nothing_changes_nothing(plain):
    model, still = Mean(), Drawn(np.zeros(6, np.bool_), np.arange(6))
    one, other = stepped(plain, 4, model), stepped(plain, 4, model, still)
    assert one[1:] == other[1:]
    assert all(map(torch.equal, one[0].parameters(), other[0].parameters()))


def test_long_gradients_are_cut(plain):
    model = Mean()
    trained, *_ = stepped(with_recipe(plain, clip_grad_norm=1e-4, learning_rate=1.0), 6, model)
    moved = sum((mine - its).square().sum() for mine, its in zip(trained.parameters(), model.parameters(), strict=True))
    assert moved.sqrt().item() == pytest.approx(1e-4, rel=1e-2)


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bf16", torch.bfloat16)])
def test_precision_is_that_of_the_matrix_products(precision, dtype):
    with autocast(torch.device("cpu"), precision):
        assert nn.functional.linear(torch.ones(2, 2), torch.ones(2, 2)).dtype == dtype
