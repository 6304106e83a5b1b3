"""The parts that SlowFast and I3D share: 3D bottlenecks, non-local blocks, and a fully convolutional head.

    b clips   c channels   t frames   h, w rows and columns   s positions (t h w) of a map   k classes

Structure and initialisation are those of PySlowFast (facebookresearch/SlowFast, `resnet_helper.py`,
`nonlocal_helper.py`, `head_helper.py`), after He et al. 2016 (1512.03385) and Wang et al. 2018 (1711.07971).
"""

import math
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn


class FrameConv(nn.Conv3d):
    """A convolution padded by half its kernel and with a stride in space alone; on a CPU, of each frame as an image.

    It is the sum over the frames of its kernel of 2D convolutions, each moved in time. On a CPU these are up to four
    times as fast in training: for the kernels used here torch's 3D convolutions copy every neighbourhood (im2col),
    change the layout in memory, and have slow gradients for channels apart. With channels last no image is copied.
    On a GPU one 3D kernel of cuDNN does it all, so nothing is taken apart there. Measured in docs/performance.md.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: tuple[int, int, int],
        stride: int = 1,
        *,
        groups: int = 1,
        bias: bool = False,
    ) -> None:
        pads = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
        super().__init__(inputs, outputs, kernel, (1, stride, stride), pads, groups=groups, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """`b c t h w -> b outputs t h/stride w/stride`."""
        if x.device.type != "cpu":
            return super().forward(x)
        frames = x.shape[2]
        images = rearrange(x, "b c t h w -> (b t) c h w")
        conv = partial(F.conv2d, images, stride=self.stride[1:], padding=self.padding[1:], groups=self.groups)
        kernels = self.weight.unbind(2)
        middle = len(kernels) // 2
        out = conv(kernels[middle], self.bias)
        for index, kernel in enumerate(kernels):
            later = index - middle
            if later != 0 and abs(later) < frames:
                seen = rearrange(conv(kernel), "(b t) c h w -> b c t h w", t=frames)
                out += rearrange(F.pad(seen, (0, 0, 0, 0, -later, later)), "b c t h w -> (b t) c h w")
        return rearrange(out, "(b t) c h w -> b c t h w", t=frames)


class Stem(nn.Module):
    """A convolution over `kernel` frames and 7 x 7 pixels, then max pooling: each halves h and w."""

    def __init__(self, width: int, kernel: int, pool: bool) -> None:
        super().__init__()
        if kernel == 1:
            self.conv: nn.Conv3d = FrameConv(3, width, (1, 7, 7), 2)
        else:  # not frame by frame: for kernels this wide, torch has a fast 3D convolution on a CPU too
            self.conv = nn.Conv3d(3, width, (kernel, 7, 7), (1, 2, 2), (kernel // 2, 3, 3), bias=False)
        self.bn = nn.BatchNorm3d(width)
        self.pool = nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)) if pool else nn.Identity()

    def forward(self, clip: Tensor) -> Tensor:
        """`b 3 t h w -> b c t h/4 w/4` (h/2 and w/2 without pooling)."""
        pooled: Tensor = self.pool(F.relu(self.bn(self.conv(clip)), inplace=True))
        return pooled


class Bottleneck(nn.Module):
    """Three convolutions (`kernel` x 1 x 1, 1 x 3 x 3, 1 x 1 x 1) beside a shortcut; the stride is in the second."""

    def __init__(self, inputs: int, inner: int, outputs: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.a = FrameConv(inputs, inner, (kernel, 1, 1))
        self.a_bn = nn.BatchNorm3d(inner)
        self.b = FrameConv(inner, inner, (1, 3, 3), stride)
        self.b_bn = nn.BatchNorm3d(inner)
        self.c = FrameConv(inner, outputs, (1, 1, 1))
        self.c_bn = nn.BatchNorm3d(outputs)
        self.shortcut: FrameConv | None = None
        if inputs != outputs or stride != 1:
            self.shortcut = FrameConv(inputs, outputs, (1, 1, 1), stride)
            self.shortcut_bn = nn.BatchNorm3d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """`b c t h w -> b outputs t h/stride w/stride`."""
        branch = F.relu(self.a_bn(self.a(x)), inplace=True)
        branch = F.relu(self.b_bn(self.b(branch)), inplace=True)
        branch = self.c_bn(self.c(branch))
        short = x if self.shortcut is None else self.shortcut_bn(self.shortcut(x))
        branch += short  # neither norm needs its output for gradients
        return F.relu(branch, inplace=True)


class NonLocal(nn.Module):
    """Every position attends to all others, of maps at half the resolution; a residual branch that starts at zero.

    `softmax` scales the products by 1 / sqrt(width) and normalises them; else they are divided by their number.
    """

    def __init__(self, channels: int, softmax: bool) -> None:
        super().__init__()
        inner = channels // 2
        self.softmax = softmax
        self.conv_theta = FrameConv(channels, inner, (1, 1, 1), bias=True)
        self.conv_phi = FrameConv(channels, inner, (1, 1, 1), bias=True)
        self.conv_g = FrameConv(channels, inner, (1, 1, 1), bias=True)
        self.conv_out = FrameConv(inner, channels, (1, 1, 1), bias=True)
        self.bn = nn.BatchNorm3d(channels)
        self.pool = nn.MaxPool3d((1, 2, 2), stride=(1, 2, 2))

    def forward(self, x: Tensor) -> Tensor:
        """`b c t h w -> b c t h w`."""
        g = self.conv_g(self.pool(x)).flatten(2)
        mixed = torch.einsum("b c p, b s p -> b s c", g, self.affinity(x))
        _, _, t, h, _ = x.shape
        branch: Tensor = self.bn(self.conv_out(rearrange(mixed, "b (t h w) c -> b c t h w", t=t, h=h)))
        return x + branch

    def affinity(self, x: Tensor) -> Tensor:
        """How much each position s takes of each pooled position p: `b c t h w -> b s p`."""
        theta, phi = self.conv_theta(x).flatten(2), self.conv_phi(self.pool(x)).flatten(2)
        products = torch.einsum("b c s, b c p -> b s p", theta, phi)
        if self.softmax:
            scale: float = theta.shape[1] ** -0.5
            return (products * scale).softmax(dim=2)
        return products / products.shape[2]

    def weights(self, x: Tensor) -> Tensor:
        """The attention map, as one head: `b c t h w -> b 1 s p`."""
        return self.affinity(x).unsqueeze(1)


class StageSpec(NamedTuple):
    """One residual stage of one pathway."""

    inputs: int
    inner: int
    kernels: tuple[int, ...]
    """Frames that the first convolution of each block spans; as many blocks."""
    stride: int
    non_local: tuple[int, ...] = ()
    """The blocks that a non-local block follows."""
    softmax: bool = False


def stage(spec: StageSpec) -> nn.Sequential:
    """`res0`, `res1`, ..., each with `nonlocal<i>` behind it where asked; four times as many channels as `inner`."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for index, kernel in enumerate(spec.kernels):
        first = index == 0
        inputs, stride = (spec.inputs, spec.stride) if first else (4 * spec.inner, 1)
        layers[f"res{index}"] = Bottleneck(inputs, spec.inner, 4 * spec.inner, kernel, stride)
        if index in spec.non_local:
            layers[f"nonlocal{index}"] = NonLocal(4 * spec.inner, spec.softmax)
    return nn.Sequential(layers)


class Head(nn.Module):
    """Averages over all frames and over windows of the training size, then classifies each window.

    A larger crop than the training one gives several windows; their class probabilities are averaged, as the
    originals do in testing.
    """

    def __init__(self, channels: int, classes: int, window: int, dropout: float) -> None:
        super().__init__()
        self.window = window
        self.dropout = nn.Dropout(dropout)
        self.projection = nn.Linear(channels, classes)

    def pool(self, maps: Sequence[Tensor]) -> Tensor:
        """Pathways' `b c t h w` of one h and w -> `b h' w' c`, a vector for each window."""
        return torch.cat([pool_windows(x, self.window) for x in maps], dim=-1)

    def forward(self, windows: Tensor) -> Tensor:
        """`b h w c -> b k`, logits."""
        return mean_prediction(self.projection(self.dropout(windows)))


def pool_windows(x: Tensor, window: int) -> Tensor:
    """Means over all frames and over each `window` x `window` positions, or what there is: `b c t h w -> b h' w' c`."""
    _, _, t, h, w = x.shape
    pooled = F.avg_pool3d(x, (t, min(window, h), min(window, w)), stride=1)
    return rearrange(pooled, "b c 1 h w -> b h w c")


def mean_prediction(logits: Tensor) -> Tensor:
    """Logits whose softmax is the mean over positions of the softmax: `b h w k -> b k`; of one position, its own."""
    positions = logits.flatten(1, 2).float()  # mixed precision would round the sum of probabilities
    if positions.shape[1] == 1:
        return positions.squeeze(1)
    return positions.log_softmax(dim=-1).logsumexp(dim=1) - math.log(positions.shape[1])


def initialise(model: nn.Module) -> None:
    """As PySlowFast trains from scratch: He et al. 2015 for convolutions, last norms of branches at zero."""
    for module in model.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01)
            nn.init.zeros_(module.bias)
        elif isinstance(module, Bottleneck):
            nn.init.zeros_(module.c_bn.weight)
        elif isinstance(module, NonLocal):
            nn.init.zeros_(module.bn.weight)
