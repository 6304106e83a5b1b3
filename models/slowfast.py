"""SlowFast (Feichtenhofer, Fan, Malik, He, ICCV 2019, 1812.03982), as PySlowFast builds and releases it.

A slow pathway sees every alpha-th frame with full width, a fast one sees all frames with an eighth of the width. After
the stem and each of the first three stages the slow maps are joined by the fast ones, brought to the slow rate by a
convolution. The clip that the model takes is the fast one; the slow frames are picked from it inside.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.catalog import SLOWFASTS, SlowFastOptions
from models.catalog import SlowFast as Size
from models.registry import check, check_clip
from models.resnet3d import Head, StageSpec, Stem, initialise, stage

SLOW_STEM, FAST_STEM = 1, 5
SLOW_KERNELS, FAST_KERNELS = (1, 1, 3, 3), (3, 3, 3, 3)
"""Temporal kernels of the four stages (`video_model_builder.py`, `slowfast`)."""
FUSION_RATIO = 2
"""Channels that a fast map gives to the slow one, in multiples of its own (FUSION_CONV_CHANNEL_RATIO)."""


class Fusion(nn.Module):
    """Brings fast maps to the slow rate."""

    def __init__(self, channels: int, kernel: int, alpha: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(
            channels, FUSION_RATIO * channels, (kernel, 1, 1), (alpha, 1, 1), (kernel // 2, 0, 0), bias=False
        )
        self.bn = nn.BatchNorm3d(FUSION_RATIO * channels)

    def forward(self, slow: Tensor, fast: Tensor) -> Tensor:
        """Slow `b c t h w` and fast `b f (t alpha) h w` -> `b (c + 2 f) t h w`."""
        given = F.relu(self.bn(self.conv(fast)), inplace=True)
        # Of small maps, torch's convolution leaves this layout on a CPU, and the slow pathway would with it.
        return torch.cat([slow, given.contiguous(memory_format=torch.channels_last_3d)], dim=1)


class SlowFast(nn.Module):
    """The model for `classes` classes; its head averages over windows of the training `size` (pixels)."""

    def __init__(self, options: SlowFastOptions, frames: int, size: int, classes: int) -> None:
        super().__init__()
        check(options, frames, size)
        shape = SLOWFASTS[options.size]
        self.options, self.alpha = options, shape.alpha
        slow, fast = shape.resnet.width, shape.resnet.width // shape.beta
        kernel = shape.fusion_kernel_non_local if options.non_local else shape.fusion_kernel
        self.slow = Pathway(shape, options.non_local, slow, FUSION_RATIO * fast, SLOW_STEM, SLOW_KERNELS)
        self.fast = Pathway(shape, False, fast, 0, FAST_STEM, FAST_KERNELS)
        widths = (fast, 4 * fast, 8 * fast, 16 * fast)
        self.fuse = nn.ModuleList(Fusion(width, kernel, shape.alpha) for width in widths)
        self.head = Head(32 * (slow + fast), classes, size // shape.resnet.stride, options.dropout)
        initialise(self)

    def forward(self, clip: Tensor) -> Tensor:
        """`b c t h w -> b k`, logits. Raises ModelError for frames that alpha does not divide, or no clip."""
        logits: Tensor = self.head(self.windows(clip))
        return logits

    def features(self, clip: Tensor) -> Tensor:
        """`b c t h w -> b c`: what the head sees, averaged over its windows."""
        return self.windows(clip).mean(dim=(1, 2))

    def windows(self, clip: Tensor) -> Tensor:
        """`b c t h w -> b h w c`, a vector for each window of the training size."""
        check_clip(self.options, clip)
        slow, fast = self.stems(clip)
        for index, fuse in enumerate(self.fuse):
            slow = self.slow.stages[index](fuse(slow, fast))
            fast = self.fast.stages[index](fast)
        return self.head.pool([slow, fast])

    def stems(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        """What enters the stages, slow and fast: `b c t h w -> b s t/alpha h/4 w/4, b f t h/4 w/4`."""
        clip = clip.contiguous(memory_format=torch.channels_last_3d)  # as in I3D: faster on a CPU
        picked = torch.stack([clip[:, :, index] for index in slow_frames(clip.shape[2], self.alpha)], dim=2)
        return self.slow.stem(picked.contiguous(memory_format=torch.channels_last_3d)), self.fast.stem(clip)


class Pathway(nn.Module):
    """One of the two: a stem and four stages; `extra` channels join each stage's input, in multiples of the width."""

    def __init__(
        self, shape: Size, non_local: bool, width: int, extra: int, stem: int, kernels: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.stem = Stem(width, stem, shape.resnet.stem_pool)
        specs = []
        inputs = width
        for index, blocks in enumerate(shape.resnet.blocks):
            temporal = min(shape.temporal_blocks[index], blocks)
            spans = (kernels[index],) * temporal + (1,) * (blocks - temporal)
            places = shape.non_local[index] if non_local else ()
            joined = extra * (1 if index == 0 else 2 ** (index + 1))
            inner = width * 2**index
            specs.append(StageSpec(inputs + joined, inner, spans, 1 if index == 0 else 2, places))
            inputs = 4 * inner
        self.stages = nn.ModuleList(stage(spec) for spec in specs)


def slow_frames(frames: int, alpha: int) -> list[int]:
    """The frames of the slow pathway, evenly from the first to the last: `frames / alpha` indices.

    In whole numbers; PySlowFast's, in float32, are one lower at one place of clips of 160, 400, 512 and 544 frames.
    """
    picked = frames // alpha
    return [index * (frames - 1) // max(picked - 1, 1) for index in range(picked)]


def build(options: SlowFastOptions, frames: int, size: int, classes: int) -> SlowFast:
    """A freshly initialised SlowFast."""
    return SlowFast(options, frames, size, classes)
