"""Image weights as the start of video models.

- ResNets (Carreira and Zisserman 2017, 1705.07750): each kernel is repeated over the frames that it spans and divided
  by their number, so that a still clip gives the image's features. SlowFast's slow pathway starts so; the channels
  that the fast one joins to it start at zero, the fast one from scratch.
- Vision transformers: attention steps beyond the image's own start as copies of it, with their zero layers and time
  embeddings as the model made them. X-ViT's temporal head starts from scratch, but for its last layer: whether that
  starts anew is asked of the options, as for every model.
"""

import re

import torch
from torch import Tensor

from models.catalog import Options
from models.formats import State

FRESH = ("time_embed", "temp_embed")
"""What no image model has."""


def inflated(state: State, own: State, options: Options) -> State:
    """Image weights, under the names of `models.formats`, for the model whose parameters are `own`."""
    if options.name == "slowfast":
        slow = {name if name.startswith("head.") else f"slow.{name}": tensor for name, tensor in state.items()}
        new = {name: tensor for name, tensor in own.items() if name.startswith(("fast.", "fuse."))}
        return {**new, **_spread(slow, own)}
    if options.name == "i3d":
        named = {re.sub(r"^stages\.(\d)", lambda m: f"res{int(m[1]) + 2}", name): x for name, x in state.items()}
        return _spread(named, own)
    return _transformer(state, own, options.CLASSIFIER)


def _spread(state: State, own: State) -> State:
    """Kernels over frames, non-local blocks as they are; what does not match even so is left for the loader to tell."""
    new = {name: tensor for name, tensor in own.items() if ".nonlocal" in name}
    return {**new, **{name: _kernel(tensor, own.get(name)) for name, tensor in state.items()}}


def _kernel(given: Tensor, own: Tensor | None) -> Tensor:
    """`o i h w -> o i t h w`, further inputs at zero."""
    if own is None or given.ndim != 4 or own.ndim != 5:
        return given
    frames = own.shape[2]
    kernel = given.unsqueeze(2).repeat(1, 1, frames, 1, 1) / frames
    missing = own.shape[1] - given.shape[1]
    if missing <= 0:
        return kernel
    return torch.cat([kernel, kernel.new_zeros(len(kernel), missing, *kernel.shape[2:])], dim=1)


def _transformer(state: State, own: State, classifier: str) -> State:
    """Copies of `norm1` and `attn` for every step whose names have a prefix, in each block."""
    steps = sorted({match[1] for name in own if (match := re.match(r"blocks\.0\.(\w+_)attn\.qkv\.", name))})
    copies = {
        f"{block}{step}{part}": tensor
        for name, tensor in state.items()
        for block, part in re.findall(r"^(blocks\.\d+\.)((?:norm1|attn)\..*)$", name)
        for step in steps
    }
    fresh = {name: x for name, x in own.items() if name in FRESH or any(f".{step}fc." in name for step in steps)}
    temporal = classifier != "head."  # X-ViT's head, of which no image model has any part
    head = {name: x for name, x in own.items() if name.startswith("head.") and not name.startswith(classifier)}
    given = {name: x for name, x in state.items() if not (temporal and name.startswith("head."))}
    return {**fresh, **given, **head, **copies}
