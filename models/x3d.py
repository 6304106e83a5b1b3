"""X3D (Feichtenhofer, CVPR 2020, 2004.04730): a small 2D network expanded along space, time, width and depth.

    b clips   c channels   t frames   h, w rows and columns   k classes

XS, S, M and L are PySlowFast's released configurations (facebookresearch/SlowFast, `X3D` in `video_model_builder.py`),
with depthwise 3 x 3 x 3 convolutions, squeeze-and-excitation in every other block, and SiLU behind them. PyTorchVideo's
port lacks one norm, that of the first shortcut (`models/weights.py` fills it in).

No configuration of XL and XXL is public. Their factors here are those that reproduce the multiply-adds that the paper
prints, in training and in testing: XL with 16 frames 35.84 and 48.41 G (paper: 35.84, 48.4), XXL with 32 frames 143.5
and 194.1 G (143.5, 194.1), at crops of 312 and 356. Parameters are 0.9 % more than printed, as for all sizes (M: 3.79
M here and in PySlowFast's model zoo, 3.76 M in the paper).
"""

import math

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from models.catalog import X3DS, X3DOptions
from models.registry import check, check_clip
from models.resnet3d import FrameConv, initialise, mean_prediction, pool_windows

BLOCKS = (1, 2, 5, 3)  # of X2D's four stages
INNER = 2.25  # times a stage's width: channels of its depthwise convolutions (gamma_b)
HEAD_WIDTH = 2048
STEM_KERNEL = 5
SQUEEZE = 0.0625
STRIDE = 32


def rounded(width: float) -> int:
    """The nearest multiple of 8, at least 8 and at least nine tenths of `width`."""
    multiple = max(8, int(width + 4) // 8 * 8)
    return multiple + 8 if multiple < 0.9 * width else multiple


class Stem(nn.Module):
    """A spatial convolution, then a depthwise temporal one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_xy = FrameConv(3, width, (1, 3, 3), stride=2)
        self.conv = FrameConv(width, width, (STEM_KERNEL, 1, 1), groups=width)
        self.bn = nn.BatchNorm3d(width)

    def forward(self, clip: Tensor) -> Tensor:
        """`b 3 t h w -> b c t h/2 w/2`."""
        if clip.device.type == "cpu":  # as in I3D; on a GPU torch takes channels apart in 3D only without this layout
            clip = clip.contiguous(memory_format=torch.channels_last_3d)
        return F.relu(self.bn(self.conv(self.conv_xy(clip))), inplace=True)


class SqueezeExcitation(nn.Module):
    """Scales each channel by a function of all channels' means (Hu et al. 2018, 1709.01507)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = rounded(channels * SQUEEZE)
        self.fc1 = nn.Conv3d(channels, inner, 1)
        self.fc2 = nn.Conv3d(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`b c t h w -> b c t h w`."""
        means = x.mean(dim=(2, 3, 4), keepdim=True)
        scale: Tensor = self.fc2(F.relu(self.fc1(means))).sigmoid()
        return x * scale


class Block(nn.Module):
    """An inverted bottleneck: widen, filter each channel apart, narrow; beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, squeeze: bool) -> None:
        super().__init__()
        inner = int(INNER * outputs)
        self.a = FrameConv(inputs, inner, (1, 1, 1))
        self.a_bn = nn.BatchNorm3d(inner)
        self.b = FrameConv(inner, inner, (3, 3, 3), stride, groups=inner)
        self.b_bn = nn.BatchNorm3d(inner)
        self.se = SqueezeExcitation(inner) if squeeze else nn.Identity()
        self.c = FrameConv(inner, outputs, (1, 1, 1))
        self.c_bn = nn.BatchNorm3d(outputs)
        self.shortcut: FrameConv | None = None
        if inputs != outputs or stride != 1:
            self.shortcut = FrameConv(inputs, outputs, (1, 1, 1), stride)
            self.shortcut_bn = nn.BatchNorm3d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """`b c t h w -> b outputs t h/stride w/stride`."""
        branch = F.relu(self.a_bn(self.a(x)), inplace=True)
        branch = F.silu(self.se(self.b_bn(self.b(branch))), inplace=True)
        branch = self.c_bn(self.c(branch))
        short = x if self.shortcut is None else self.shortcut_bn(self.shortcut(x))
        branch += short  # neither norm needs its output for gradients
        return F.relu(branch, inplace=True)


def stage(inputs: int, outputs: int, blocks: int) -> nn.Sequential:
    """Halves h and w in its first block; every other block, from the first on, squeezes and excites."""
    return nn.Sequential(
        *(
            Block(inputs if index == 0 else outputs, outputs, 2 if index == 0 else 1, squeeze=index % 2 == 0)
            for index in range(blocks)
        )
    )


class Head(nn.Module):
    """Widens, averages over all frames and over windows of the training size, widens again, classifies each window."""

    def __init__(self, channels: int, classes: int, window: int, dropout: float) -> None:
        super().__init__()
        inner = int(INNER * channels)
        self.window = window
        self.conv_5 = FrameConv(channels, inner, (1, 1, 1))
        self.conv_5_bn = nn.BatchNorm3d(inner)
        self.lin_5 = FrameConv(inner, HEAD_WIDTH, (1, 1, 1))
        self.dropout = nn.Dropout(dropout)
        self.projection = nn.Linear(HEAD_WIDTH, classes)

    def windows(self, x: Tensor) -> Tensor:
        """`b c t h w -> b h' w' d`, a vector for each window."""
        pooled = pool_windows(F.relu(self.conv_5_bn(self.conv_5(x)), inplace=True), self.window)
        wide: Tensor = self.lin_5(rearrange(pooled, "b h w c -> b c 1 h w"))
        return F.relu(rearrange(wide, "b d 1 h w -> b h w d"))

    def forward(self, windows: Tensor) -> Tensor:
        """`b h w d -> b k`, logits."""
        return mean_prediction(self.projection(self.dropout(windows)))


class X3D(nn.Module):
    """The model for `classes` classes; its head averages over windows of the training `size` (pixels)."""

    def __init__(self, options: X3DOptions, frames: int, size: int, classes: int) -> None:
        super().__init__()
        check(options, frames, size)
        factors = X3DS[options.size]
        self.options = options
        widths = [rounded(rounded(factors.first * 2**index) * factors.width) for index in range(4)]
        widths[0] = rounded(factors.first * factors.width)
        self.stem = Stem(widths[0])
        inputs = [widths[0], *widths[:3]]
        self.stages = nn.Sequential(
            *(stage(i, o, math.ceil(factors.depth * n)) for i, o, n in zip(inputs, widths, BLOCKS, strict=True))
        )
        self.head = Head(widths[-1], classes, math.ceil(size / STRIDE), options.dropout)
        initialise(self)
        for module in self.modules():
            if isinstance(module, Block):
                nn.init.zeros_(module.c_bn.weight)

    def forward(self, clip: Tensor) -> Tensor:
        """`b c t h w -> b k`, logits. Raises ModelError for a clip that is none."""
        logits: Tensor = self.head(self.windows(clip))
        return logits

    def features(self, clip: Tensor) -> Tensor:
        """`b c t h w -> b d`: what the last layer sees, averaged over its windows."""
        return self.windows(clip).mean(dim=(1, 2))

    def windows(self, clip: Tensor) -> Tensor:
        """`b c t h w -> b h w d`, a vector for each window of the training size."""
        check_clip(self.options, clip)
        return self.head.windows(self.stages(self.stem(clip)))


def build(options: X3DOptions, frames: int, size: int, classes: int) -> X3D:
    """A freshly initialised X3D."""
    return X3D(options, frames, size, classes)
