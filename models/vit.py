"""ViT (Dosovitskiy et al. 2021, 2010.11929) on each frame apart, averaged over frames: the image baseline of Figure 8.

    b clips   c colours   t frames   h, w rows and columns of patches   d width   s tokens   k classes

Numerically timm's ViT, under its names. TimeSformer's `space` averages class tokens before the last layer norm; this
one after it, so that its logits are the mean of what the image model says of each frame.
"""

import torch
from einops import rearrange, reduce
from torch import Tensor, nn

from models.catalog import SIZES, ViTOptions
from models.registry import check, check_clip
from models.transformer import EPS, Attention, DropPath, Mlp, PatchEmbed, initialise, resize_space


class Block(nn.Module):
    """Attention, then an MLP, each on a residual branch."""

    def __init__(self, width: int, heads: int, drop_path: float, fused: bool, eps: float = EPS) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=eps)
        self.attn = Attention(width, heads, fused)
        self.norm2 = nn.LayerNorm(width, eps=eps)
        self.mlp = Mlp(width)
        self.drop_path = DropPath(drop_path)

    def forward(self, tokens: Tensor) -> Tensor:
        """`b s d -> b s d`."""
        tokens = tokens + self.drop_path(self.attn(self.norm1(tokens)))
        mixed: Tensor = tokens + self.drop_path(self.mlp(self.norm2(tokens)))
        return mixed


class ViT(nn.Module):
    """The model for `classes` classes; other sizes than `size` (pixels) resize the position embeddings."""

    def __init__(self, options: ViTOptions, frames: int, size: int, classes: int) -> None:
        super().__init__()
        check(options, frames, size)
        width, depth, heads, patch = SIZES[options.size]
        self.options = options
        self.patch_embed = PatchEmbed(width, patch)
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.pos_embed = nn.Parameter(torch.empty(1, 1 + (size // patch) ** 2, width))
        rates = [options.drop_path * index / (depth - 1) for index in range(depth)]
        self.blocks = nn.ModuleList(Block(width, heads, rate, options.fused) for rate in rates)
        self.norm = nn.LayerNorm(width, eps=EPS)
        self.head = nn.Linear(width, classes)
        initialise(self, options.init)

    def forward(self, clip: Tensor) -> Tensor:
        """`b c t h w -> b k`, logits. Raises ModelError for a clip that the patches do not tile."""
        logits: Tensor = self.head(self.features(clip))
        return logits

    def features(self, clip: Tensor) -> Tensor:
        """`b c t h w -> b d`: what the head sees. Raises ModelError for a clip that the patches do not tile."""
        check_clip(self.options, clip)
        tokens = self.embed(clip)
        for block in self.blocks:
            tokens = block(tokens)
        features: Tensor = reduce(self.norm(tokens[:, 0]), "(b t) d -> b d", "mean", b=len(clip))
        return features

    def embed(self, clip: Tensor) -> Tensor:
        """`b c t h w -> (b t) s d`: the class token first, then the patches, each with its position."""
        patches = self.patch_embed(clip)
        of_class, of_space = torch.split(self.pos_embed, [1, self.pos_embed.shape[1] - 1], dim=1)
        tokens = rearrange(patches, "b t h w d -> (b t) (h w) d")
        tokens = tokens + resize_space(of_space, patches.shape[2], patches.shape[3], mode="bicubic")
        class_token = (self.cls_token + of_class).expand(len(tokens), -1, -1)
        return torch.cat([class_token, tokens], dim=1)


def build(options: ViTOptions, frames: int, size: int, classes: int) -> ViT:
    """A freshly initialised ViT."""
    return ViT(options, frames, size, classes)
