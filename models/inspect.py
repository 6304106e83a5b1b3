"""What a model attends to, without a change to its `forward`."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def attention_maps(model: nn.Module, clip: Tensor) -> dict[str, Tensor]:
    """The attention map of every layer that attends, by the layer's name, in the order in which they run.

    `clip` is `b c t h w`. A map is `g n s s`: for each group of tokens and each head, what share each token (row) takes
    of each (column); the class token, where a group has one, comes first. Rows sum to 1 where there is a softmax.

    A map is computed beside the layer, from what the layer is given, by its method `weights`: so fused attention has
    maps too, and a user's own layer needs that method and no more. All are held at once: 118 MB for a layer of ViT-B
    that attends over 1569 tokens. In evaluation mode and without gradients; the model is left as it was.
    """
    maps: dict[str, Tensor] = {}
    modes = {module: module.training for module in model.modules()}
    handles = [
        module.register_forward_pre_hook(_keeper(maps, name, module.weights), with_kwargs=True)
        for name, module in model.named_modules()
        if callable(getattr(module, "weights", None))
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


def _keeper(maps: dict[str, Tensor], name: str, weights: Any) -> Callable[[nn.Module, Any, dict[str, Any]], None]:
    def keep(_: nn.Module, given: Any, options: dict[str, Any]) -> None:
        maps[name] = weights(*given, **options)

    return keep
