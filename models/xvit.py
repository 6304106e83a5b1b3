"""X-ViT (Bulat et al., NeurIPS 2021, 2106.05968): attention in space at the cost of one frame, mixed over time.

    b clips   c colours   t frames   h, w rows and columns of patches   d width   n heads   e width of a head   s tokens

Every frame attends to itself, but in each block an eighth of the channels of its keys and values is the next frame's
and another eighth the previous one's. A temporal head attends over the class tokens of all frames. As released
(1adrianb/video-transformers), and so numerically:

- Channels are shifted over the flattened heads, class token included; beyond the ends of the clip they are zero.
- The temporal head has a class token of its own, one block whose q.k.v has no bias and whose layer norms have the
  default epsilon, and two layers behind it.
- At the start the temporal head is as torch makes it, its class token zero; all else as in TimeSformer's released
  code (with `init: scratch` the head too starts as TimeSformer's matrices do).
- `windows` says which of its frames the released code treats as a clip.
"""

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor, nn

from models.catalog import RELEASED_FRAMES, SIZES, XViTOptions
from models.registry import check, check_clip
from models.transformer import EPS, Attention, Block, PatchEmbed, initialise, resize_space, resize_time

HEAD_EPS = 1e-5


def shift(channels: Tensor, share: int) -> Tensor:
    """One part in `share` of the channels from the next frame, one from the previous, zeros at the ends: `b t s d`."""
    fold = channels.shape[-1] // share
    ahead, behind, rest = torch.split(channels, [fold, fold, channels.shape[-1] - 2 * fold], dim=-1)
    ahead = F.pad(ahead[:, 1:], (0, 0, 0, 0, 0, 1))
    behind = F.pad(behind[:, :-1], (0, 0, 0, 0, 1, 0))
    return torch.cat([ahead, behind, rest], dim=-1)


class MixingAttention(Attention):
    """Attention within each frame, whose keys and values hold channels of its neighbours."""

    def __init__(self, width: int, heads: int, fused: bool, shift_div: int) -> None:
        super().__init__(width, heads, fused)
        self.shift_div = shift_div

    def mix(self, channels: Tensor, frames: int) -> Tensor:
        """Keys or values with channels of neighbouring frames: `(b t) s d -> (b t) s d`, where t is `frames`."""
        return shift(rearrange(channels, "(b t) s d -> b t s d", t=frames), self.shift_div).flatten(0, 1)


class TemporalHead(nn.Module):
    """Attends over frames with a class token of its own, then classifies by two layers."""

    def __init__(self, width: int, heads: int, classes: int, dropout: float, fused: bool) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.block = Block(Attention(width, heads, fused, bias=False), width, 0.0, eps=HEAD_EPS)
        self.norm = nn.LayerNorm(width, eps=HEAD_EPS)
        self.fc = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(width, classes)

    def features(self, frames: Tensor) -> Tensor:
        """`b t d -> b d`: what the last layer sees."""
        tokens = torch.cat([self.cls_token.expand(len(frames), -1, -1), frames], dim=1)
        features: Tensor = F.gelu(self.fc(self.norm(self.block(tokens)[:, 0])))
        return features

    def forward(self, frames: Tensor) -> Tensor:
        """`b t d -> b k`, logits."""
        logits: Tensor = self.classifier(self.dropout(self.features(frames)))
        return logits


class XViT(nn.Module):
    """The model for `classes` classes, with embeddings for `frames` frames of `size` x `size` pixels.

    Clips of other lengths and sizes are accepted: the embeddings are resized to them.
    """

    def __init__(self, options: XViTOptions, frames: int, size: int, classes: int) -> None:
        super().__init__()
        check(options, frames, size)
        width, depth, heads, patch = SIZES[options.size]
        self.options = options
        embedded = frames if options.windows == "clip" else RELEASED_FRAMES
        self.patch_embed = PatchEmbed(width, patch)
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.pos_embed = nn.Parameter(torch.empty(1, 1 + (size // patch) ** 2, width))
        self.temp_embed = nn.Parameter(torch.zeros(1, embedded, 1, width))
        rates = [options.drop_path * index / (depth - 1) for index in range(depth)]
        self.blocks = nn.ModuleList(
            Block(MixingAttention(width, heads, options.fused, options.shift_div), width, rate) for rate in rates
        )
        self.norm = nn.LayerNorm(width, eps=EPS)
        self.dropout = nn.Dropout(options.dropout)
        initialise(self, width, options.init)
        self.head = TemporalHead(width, heads, classes, options.dropout, options.fused)  # starts as torch makes it
        if options.init == "scratch":
            initialise(self.head, width, options.init)

    def forward(self, clip: Tensor) -> Tensor:
        """`b c t h w -> b k`, logits. Raises ModelError for a clip that the patches or windows do not tile."""
        logits: Tensor = self.head(self.dropout(self.frame_features(clip)))
        return logits

    def features(self, clip: Tensor) -> Tensor:
        """`b c t h w -> b d`: what the last layer sees. Raises ModelError as `forward` does."""
        features: Tensor = self.head.features(self.frame_features(clip))
        return features

    def frame_features(self, clip: Tensor) -> Tensor:
        """`b c t h w -> b t d`: each frame's class token behind the blocks."""
        check_clip(self.options, clip)
        frames = clip.shape[2]
        tokens = self.embed(clip)
        mixed = RELEASED_FRAMES if self.options.windows == "released_kinetics" else frames
        for block in self.blocks:
            tokens = block(tokens, mixed)
        features: Tensor = rearrange(self.norm(tokens[:, 0]), "(b t) d -> b t d", t=frames)
        return features

    def embed(self, clip: Tensor) -> Tensor:
        """`b c t h w -> (b t) s d`: the class token first, then the patches, with all their embeddings."""
        patches = self.patch_embed(clip)
        t, h, w = patches.shape[1:4]
        of_class, of_space = torch.split(self.pos_embed, [1, self.pos_embed.shape[1] - 1], dim=1)
        of_space = resize_space(of_space, h, w, self.options.RESIZE)
        tokens = rearrange(patches, "b t h w d -> b t (h w) d") + of_space
        class_token = (self.cls_token + of_class).expand(len(tokens), t, -1, -1)
        tokens = torch.cat([class_token, tokens], dim=2) + self.time_embedding(t)
        return rearrange(tokens, "b t s d -> (b t) s d")

    def time_embedding(self, frames: int) -> Tensor:
        """`1 t 1 d` for this many frames: resized, or repeated as released."""
        if self.options.windows != "clip":
            return repeat(self.temp_embed, "1 t 1 d -> 1 (r t) 1 d", r=frames // RELEASED_FRAMES)
        return resize_time(self.temp_embed.squeeze(2), frames).unsqueeze(2)


def build(options: XViTOptions, frames: int, size: int, classes: int) -> XViT:
    """A freshly initialised X-ViT."""
    return XViT(options, frames, size, classes)
