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
from models.transformer import EPS, Attention, Block, PatchEmbed, initialise, resize_space


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
        self.blocks = nn.ModuleList(Block(Attention(width, heads, options.fused), width, rate) for rate in rates)
        self.norm = nn.LayerNorm(width, eps=EPS)
        self.head = nn.Linear(width, classes)
        initialise(self, width, options.init)

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
        tokens = tokens + resize_space(of_space, patches.shape[2], patches.shape[3], self.options.RESIZE)
        class_token = (self.cls_token + of_class).expand(len(tokens), -1, -1)
        return torch.cat([class_token, tokens], dim=1)


def build(options: ViTOptions, frames: int, size: int, classes: int) -> ViT:
    """A freshly initialised ViT."""
    return ViT(options, frames, size, classes)
