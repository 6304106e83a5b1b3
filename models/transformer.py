"""The parts that vision transformers share: attention, blocks, patches, embeddings fitted to other clips, the start.

    b clips   c colours   t frames   h, w rows and columns of patches   p, q rows and columns of pixels in a patch
    d width   n heads     e width of a head   g groups that attend apart   s tokens of a group

Numerically timm's ViT (layer norms at 1e-6, biases in q.k.v, exact GELU), under its parameter names.
"""

import math

import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

EPS = 1e-6  # of all layer norms, as in the released ViT


class Attention(nn.Module):
    """Self-attention of several heads, within each group."""

    def __init__(self, width: int, heads: int, fused: bool, bias: bool = True) -> None:
        super().__init__()
        self.heads = heads
        self.attend = F.scaled_dot_product_attention if fused else explicit_attention
        self.qkv = nn.Linear(width, 3 * width, bias=bias)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor, frames: int = 1) -> Tensor:
        """`g s d -> g s d`; `frames` is for attention that mixes neighbouring groups."""
        mixed: Tensor = self.proj(rearrange(self.attend(*self.split(tokens, frames)), "g n s e -> g s (n e)"))
        return mixed

    def weights(self, tokens: Tensor, frames: int = 1) -> Tensor:
        """The attention map, `g s d -> g n s s`: what share each token takes of each; fused attention never has it."""
        q, k, _ = self.split(tokens, frames)
        return attention_weights(q, k)

    def split(self, tokens: Tensor, frames: int) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values: `g s d` -> three of `g n s e`."""
        # Cut before they are turned: their gradients are then put together by one copy and not two.
        q, k, v = self.qkv(tokens).chunk(3, dim=-1)
        parts = q, self.mix(k, frames), self.mix(v, frames)
        q, k, v = (rearrange(x, "g s (n e) -> g n s e", n=self.heads) for x in parts)
        return q, k, v

    def mix(self, channels: Tensor, frames: int) -> Tensor:  # noqa: ARG002 (for subclasses)
        """What of its neighbours a group's keys or values hold, `g s d -> g s d`: nothing here."""
        return channels


def explicit_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """What the fused kernel computes, as two products and a softmax: each `g n s e`."""
    return attention_weights(q, k) @ v


def attention_weights(q: Tensor, k: Tensor) -> Tensor:
    """Two of `g n s e` -> `g n s s`, whose rows sum to 1."""
    scale: float = q.shape[-1] ** -0.5
    return (q * scale @ k.transpose(-2, -1)).softmax(dim=-1)


class DropPath(nn.Module):
    """In training, sets whole rows of the first axis to zero and scales up the rest (Huang et al. 2016, 1603.09382)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Tensor) -> Tensor:
        """`g s d -> g s d`."""
        if self.rate == 0 or not self.training:
            return branch
        keep = 1 - self.rate
        return branch * branch.new_empty(len(branch), 1, 1).bernoulli_(keep).div_(keep)


class Mlp(nn.Module):
    """Two layers, four times as wide between them, with the exact GELU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """`b s d -> b s d`."""
        mixed: Tensor = self.fc2(F.gelu(self.fc1(tokens)))
        return mixed


class Block(nn.Module):
    """An attention, then an MLP, each on a residual branch."""

    def __init__(self, attention: Attention, width: int, drop_path: float, eps: float = EPS) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=eps)
        self.attn = attention
        self.norm2 = nn.LayerNorm(width, eps=eps)
        self.mlp = Mlp(width)
        self.drop_path = DropPath(drop_path)

    def forward(self, tokens: Tensor, frames: int = 1) -> Tensor:
        """`g s d -> g s d`; `frames` is the attention's."""
        tokens = tokens + self.drop_path(self.attn(self.norm1(tokens), frames))
        mixed: Tensor = tokens + self.drop_path(self.mlp(self.norm2(tokens)))
        return mixed


class PatchEmbed(nn.Module):
    """Linear embedding of square patches."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.proj = nn.Conv2d(3, width, patch, stride=patch)  # for its parameters: their shape and initialisation

    def forward(self, clip: Tensor) -> Tensor:
        """`b c t (h p) (w q) -> b t h w d`."""
        pixels = rearrange(clip, "b c t (h p) (w q) -> b t h w (c p q)", p=self.patch, q=self.patch)
        return F.linear(pixels, self.proj.weight.flatten(1), self.proj.bias)


def resize_space(embedding: Tensor, h: int, w: int, mode: str) -> Tensor:
    """The embedding of a square grid for an h x w grid: `1 (side side) d -> 1 (h w) d`; `mode`: the options' RESIZE."""
    side = math.isqrt(embedding.shape[1])
    if (side, side) == (h, w):
        return embedding
    square = rearrange(embedding, "1 (h w) d -> 1 d h w", h=side)
    return rearrange(F.interpolate(square, size=(h, w), mode=mode), "1 d h w -> 1 (h w) d")


def resize_time(embedding: Tensor, t: int) -> Tensor:
    """The time embedding for t frames, by nearest neighbour: `1 frames d -> 1 t d`."""
    if embedding.shape[1] == t:
        return embedding
    return F.interpolate(embedding.mT, size=t, mode="nearest").mT


def initialise(model: nn.Module, width: int, init: str) -> None:
    """As the released code of TimeSformer, or as small models from scratch need it: `TimeSformerOptions.init`."""
    scratch = init == "scratch"
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=width**-0.5 if scratch else 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for name, parameter in model.named_parameters():
        last = name.rpartition(".")[2]
        if last == "cls_token":
            nn.init.trunc_normal_(parameter, std=0.02)
        elif last == "pos_embed":
            nn.init.trunc_normal_(parameter, std=0.5 if scratch else 0.02)
        elif last in ("time_embed", "temp_embed"):
            nn.init.normal_(parameter, std=0.5 if scratch else 0.0)
