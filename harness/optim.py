"""Optimiser and learning rate of a recipe."""

import math
from collections.abc import Iterable

import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from harness.spec import Recipe


def optimizer(recipe: Recipe, model: nn.Module) -> Optimizer:
    """SGD or AdamW over the model's trainable parameters, weight decay where the recipe wants it."""
    groups = list(_groups(recipe, model))
    if recipe.optimizer == "sgd":
        return SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=recipe.nesterov)
    return AdamW(groups, lr=recipe.learning_rate)


def _groups(recipe: Recipe, model: nn.Module) -> Iterable[dict[str, object]]:
    named = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    decayed = [parameter for name, parameter in named if recipe.weight_decay_on == "all" or _is_matrix(name, parameter)]
    kept = {id(parameter) for parameter in decayed}
    spared = [parameter for _, parameter in named if id(parameter) not in kept]
    yield {"params": decayed, "weight_decay": recipe.weight_decay}
    if spared:
        yield {"params": spared, "weight_decay": 0.0}


def _is_matrix(name: str, parameter: torch.Tensor) -> bool:
    return parameter.ndim >= 2 and not name.endswith(("_embed", "_token"))


def learning_rate(recipe: Recipe, progress: float) -> float:
    """The rate after `progress` epochs (3.5 is in the middle of the fourth), from 0 to `recipe.epochs`."""
    if progress >= recipe.warmup_epochs:
        return recipe.learning_rate * _factor(recipe, progress)
    risen = max(progress / recipe.warmup_epochs, 1e-3)
    peak = recipe.learning_rate * _factor(recipe, recipe.warmup_epochs)
    return recipe.warmup_start + (peak - recipe.warmup_start) * risen


def _factor(recipe: Recipe, progress: float) -> float:
    """The schedule without its warm-up."""
    if recipe.schedule == "steps":
        return recipe.gamma ** sum(progress >= milestone for milestone in recipe.milestones)
    if recipe.schedule == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * min(progress / recipe.epochs, 1.0)))
    return 1.0 - min((progress - recipe.warmup_epochs) / (recipe.epochs - recipe.warmup_epochs), 1.0)
