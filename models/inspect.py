"""What a model attends to, without a change to its `forward`."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def attention_maps(model: nn.Module, clip: Tensor) -> dict[str, Tensor]:
    """The attention map of every layer that attends, by the layer's name, in the order in which they run.

    `clip` is `b c t h w`. A map is `g n s s`: for each group of tokens and each head, what share each token (row) takes
    of each (column); the rows of a softmax sum to 1. Where tokens hold a class token it comes first. Each map is computed
    beside the layer, from the layer's own input, by its method `weights`: so fused attention has maps too, and the layer
    that a user adds needs no more than that method. They are all held at once: 12 heads of ViT-B on 1569 tokens take
    118 MB a layer. In evaluation mode, without gradients; the model is left as it was.
    """
    maps: dict[str, Tensor] = {}
    modes = {module: module.training for module in model.modules()}
    attending = {name: module for name, module in model.named_modules() if callable(getattr(module, "weights", None))}
    handles = [
        module.register_forward_pre_hook(_keeper(maps, name), with_kwargs=True) for name, module in attending.items()
    ]
    try:
        with torch.no_grad():
            model.eval()(clip)
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes.items():
            module.training = training
    return maps


def _keeper(maps: dict[str, Tensor], name: str) -> Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], None]:
    def keep(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        maps[name] = module.weights(*args, **kwargs)

    return keep
