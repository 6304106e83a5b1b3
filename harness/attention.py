"""What a transformer's attention does, read off the model itself: neighbourhoods (Figure 2), rollouts (Figure 7).

b clips   t frames   h, w rows and columns of patches   d width   n heads   g groups that attend apart
s, k tokens of a group   m clips as the blocks take them: b, or b t where they take each frame apart
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from einops import rearrange, reduce, repeat
from torch import Tensor, nn

from harness.errors import HarnessError
from harness.spec import JobSpec
from harness.trained import Clip
from models.timesformer import SCHEMES, Block, Scheme, Step, TimeSformer
from models.transformer import Attention
from models.vit import ViT

Place = tuple[int, int, int]
"""Of a patch: frame, row, column."""

STEPS = {
    "space": ("space",),
    "joint": ("joint",),
    "divided": ("time", "space"),
    "sparse_local_global": ("local", "global"),
    "axial": ("time", "width", "height"),
}
"""What the attentions of a block are called, in their order."""


@dataclass(frozen=True)
class Neighbourhood:
    """The tokens from which one attention of a block takes what it adds to a query patch, that patch among them."""

    step: str
    patches: npt.NDArray[np.bool_]
    """[t h w]"""
    class_token: bool

    @property
    def keys(self) -> int:
        """How many tokens the query is compared with."""
        return int(self.patches.sum()) + self.class_token


def neighbourhoods(model: nn.Module, grid: Place, query: Place) -> list[Neighbourhood]:
    """Of each attention of the first block, for clips of `grid` (t, h, w) patches.

    Found out and not looked up: the tokens on which the query's output depends, by its gradient, for random tokens, in
    double precision and without the residual branch around the attention. Where no group holds two tokens the gradient
    is exactly zero. Raises HarnessError for a model that is no TimeSformer, whose attention is still zero (a new one
    with `init: released`), or a query outside the grid.
    """
    if not isinstance(model, TimeSformer):
        raise HarnessError(
            f"{type(model).__name__} has no schemes of attention over space and time; name a timesformer"
        )
    if not all(0 <= place < length for place, length in zip(query, grid, strict=True)):
        raise HarnessError(f"the query {_place(query)} is outside the grid of {_place(grid)} patches (t x h x w)")
    block = model.blocks[0].double().eval()
    assert isinstance(block, Block)
    found = []
    for name, step in zip(STEPS[model.options.attention], block.steps, strict=True):
        class_token, patches = _tokens(model, grid)
        _, mixed = block.attend(step, class_token, patches)
        clip, *place = (query[0], 0, *query[1:]) if _apart(model.scheme) else (0, *query)
        branch = (mixed - patches)[(clip, *place)]
        direction = torch.randn(branch.shape, generator=torch.Generator().manual_seed(1), dtype=branch.dtype)
        of_class, of_patches = torch.autograd.grad(branch @ direction, (class_token, patches), allow_unused=True)
        depends = rearrange(of_patches.ne(0).any(dim=-1), "m t h w -> (m t) h w").numpy()
        # What `mixed - patches` itself depends on is the branch alone: the residual's ones cancel exactly.
        if not depends.any():
            raise HarnessError(
                f"the attention over {name} adds nothing yet: train the model, or set model.init=scratch"
            )
        seen = of_class is not None and bool(of_class.ne(0).any())
        found.append(Neighbourhood(name, depends, seen))
    return found


def _place(place: Place) -> str:
    return " x ".join(map(str, place))


def _apart(scheme: Scheme) -> bool:
    """Whether the blocks take each frame for a clip."""
    return scheme.clip == "(b t) 1 h w d"


def _tokens(model: TimeSformer, grid: Place) -> tuple[Tensor, Tensor]:
    """Random tokens of one clip, as the blocks take them: class token `m 1 d` and patches `m t h w d`."""
    generator = torch.Generator().manual_seed(0)
    width = model.norm.normalized_shape[0]
    drawn = torch.randn(1, *grid, width, generator=generator, dtype=torch.float64)
    patches = rearrange(drawn, f"b t h w d -> {model.scheme.clip}").contiguous()
    class_token = torch.randn(len(patches), 1, width, generator=generator, dtype=torch.float64)
    return class_token.requires_grad_(), patches.requires_grad_()


@dataclass(frozen=True)
class Seen:
    """What a model takes a clip for, and where it looks."""

    clip: Clip
    shares: npt.NDArray[np.float32]
    """[t h w], of each patch: `rollout`."""
    predicted: int
    probability: float


def seen(model: nn.Module, spec: JobSpec, clips: Iterable[Clip]) -> Iterator[Seen]:
    """One clip after the other, in single precision whatever the job's. Raises HarnessError as `rollout` does."""
    from harness.data.augment import to_input  # with torchvision, seconds that neighbourhoods need not wait

    device = next(model.parameters()).device
    for clip in clips:
        frames = torch.from_numpy(clip.frames).to(device)[None]
        given = to_input(frames, spec.clip.mean, spec.clip.std, spec.clip.bgr)
        shares = rollout(model, given)[0].cpu().numpy()
        with torch.inference_mode():
            softmax = model(given)[0].softmax(dim=-1)
        yield Seen(clip, shares, int(softmax.argmax()), float(softmax.max()))


@torch.inference_mode()
def rollout(model: nn.Module, clips: Tensor) -> Tensor:
    """The share that each patch has in the class token behind the last block: `b c t h w -> b t h w`, which sums to 1.

    Attention rollout (Abnar and Zuidema, ACL 2020, 2005.00928): each attention is a matrix A over all tokens, averaged
    over heads; with the residual branch around it half of a token is its own, (A + 1) / 2; and the matrices of all
    layers are multiplied. The share that the class token keeps for itself is left out. Of several attentions in a
    block each is a layer of its own, in their order: of divided attention the temporal matrix, then the spatial one.

    - An attention acts within its groups, and A is zero between them.
    - An attention without the class token leaves it as it is: its row is the identity's.
    - Where each group has a copy of the class token, its row is the mean of the copies' rows, as the model averages
      what they give; as a key it is each group's own copy, so that all shares of it are the one token's.
    - Models that take each frame apart (`space`, ViT) average the frames' class tokens at the end: so are the shares.

    Raises HarnessError for models that are neither a TimeSformer nor a ViT.
    """
    scheme, layers = _layers(model)
    with _read([attention for _, attention in layers]) as maps:
        assert isinstance(model, TimeSformer | ViT)
        model.eval().features(clips)
    patch = model.patch_embed.patch
    b, t, h, w = len(clips), clips.shape[2], clips.shape[3] // patch, clips.shape[4] // patch
    of_patches = rearrange(clips.new_zeros(b, t, h, w, 1), f"b t h w d -> {scheme.clip}")
    of_class = clips.new_full((len(of_patches),), b / len(of_patches))
    for (step, _), weights in zip(reversed(layers), reversed(maps), strict=True):
        of_class, of_patches = _back(step, weights, of_class, of_patches)
    shares = of_patches.reshape(b, t, h, w)
    return shares / shares.sum(dim=(1, 2, 3), keepdim=True)


def _layers(model: nn.Module) -> tuple[Scheme, list[tuple[Step, Attention]]]:
    """A model's attentions in their order, each with its regrouping; ViT's blocks are those of `space`."""
    if not isinstance(model, TimeSformer | ViT):
        raise HarnessError(
            f"{type(model).__name__} has no class token whose attention could be followed through its layers; name a "
            "job of timesformer or vit"
        )
    scheme = model.scheme if isinstance(model, TimeSformer) else SCHEMES["space"]
    return scheme, [(step, getattr(block, f"{step.prefix}attn")) for block in model.blocks for step in scheme.steps]


@contextmanager
def _read(attentions: list[Attention]) -> Iterator[list[Tensor]]:
    """The attention maps, `g s k` averaged over heads, of what passes through these meanwhile.

    Fused attention never has a map: it is made beside it, from the same queries and keys by explicit products.
    """
    maps: list[Tensor] = []

    def keep(attention: nn.Module, given: Any) -> None:
        assert isinstance(attention, Attention)
        maps.append(attention.weights(*given).float().mean(dim=1))

    hooks = [attention.register_forward_pre_hook(keep) for attention in attentions]
    try:
        yield maps
    finally:
        for hook in hooks:
            hook.remove()


def _back(step: Step, weights: Tensor, of_class: Tensor, of_patches: Tensor) -> tuple[Tensor, Tensor]:
    """Shares in a layer's outputs as shares in its inputs: `m` and `m t h w 1`, the same."""
    grid = of_patches.shape[1], of_patches.shape[2], of_patches.shape[3]
    shares = step.group(of_patches)[..., 0]
    groups = len(shares) // len(of_class)
    if not step.class_token:
        mixed = torch.einsum("g s, g s k -> g k", shares, weights)
        return of_class, (of_patches + step.ungroup(mixed[..., None], grid)) / 2
    shares = torch.cat([repeat(of_class / groups, "m -> (m g) 1", g=groups), shares], dim=1)
    mixed = torch.einsum("g s, g s k -> g k", shares, weights)
    to_class = reduce(mixed[:, 0], "(m g) -> m", "sum", g=groups)
    return (of_class + to_class) / 2, (of_patches + step.ungroup(mixed[:, 1:, None], grid)) / 2
