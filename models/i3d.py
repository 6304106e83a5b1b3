"""I3D on ResNets: image networks whose kernels span several frames (Carreira and Zisserman 2017, 1705.07750).

As TimeSformer's Table 2 compares it: PySlowFast's "I3D 8x8", a ResNet with temporal kernels of 5 in the stem, 3 in the
second stage and in every other block of the last three, whose maps are halved in time once, after the second stage.
With non-local blocks as in Wang et al. 2018 (1711.07971), in softmax form.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.catalog import RESNETS, I3DOptions
from models.registry import check, check_clip
from models.resnet3d import Head, StageSpec, Stem, initialise, stage

STEM_KERNEL = 5
KERNELS = ((3,), (3, 1), (3, 1), (1, 3))
"""Temporal kernels of the four stages, repeated over their blocks (`video_model_builder.py`, `i3d`)."""
NON_LOCAL = ((), (1, 3), (1, 3, 5), ())
"""The blocks with a non-local block behind them (configs/Kinetics/I3D_NLN_8x8_R50.yaml and _R101.yaml)."""


class I3D(nn.Module):
    """The model for `classes` classes; its head averages over windows of the training `size` (pixels)."""

    def __init__(self, options: I3DOptions, frames: int, size: int, classes: int) -> None:
        super().__init__()
        check(options, frames, size)
        resnet = RESNETS[options.size]
        self.options = options
        self.stem = Stem(resnet.width, STEM_KERNEL, resnet.stem_pool)
        inputs = resnet.width
        for index, blocks in enumerate(resnet.blocks):
            inner = resnet.width * 2**index
            pattern = KERNELS[index]
            kernels = tuple(pattern[block % len(pattern)] for block in range(blocks))
            non_local = NON_LOCAL[index] if options.non_local else ()
            spec = StageSpec(inputs, inner, kernels, 1 if index == 0 else 2, non_local, softmax=True)
            self.add_module(f"res{index + 2}", stage(spec))
            inputs = 4 * inner
        self.head = Head(inputs, classes, size // resnet.stride, options.dropout)
        initialise(self)

    def forward(self, clip: Tensor) -> Tensor:
        """`b c t h w -> b k`, logits. Raises ModelError for a clip that is none."""
        logits: Tensor = self.head(self.windows(clip))
        return logits

    def features(self, clip: Tensor) -> Tensor:
        """`b c t h w -> b c`: what the head sees, averaged over its windows."""
        return self.windows(clip).mean(dim=(1, 2))

    def windows(self, clip: Tensor) -> Tensor:
        """`b c t h w -> b h w c`, a vector for each window of the training size."""
        check_clip(self.options, clip)
        # In this layout frames are images without a copy; see FrameConv.
        x = self.stem(clip.contiguous(memory_format=torch.channels_last_3d))
        x = self.get_submodule("res2")(x)
        x = F.max_pool3d(x, (2, 1, 1), stride=(2, 1, 1))
        for index in (3, 4, 5):
            x = self.get_submodule(f"res{index}")(x)
        return self.head.pool([x])


def build(options: I3DOptions, frames: int, size: int, classes: int) -> I3D:
    """A freshly initialised I3D."""
    return I3D(options, frames, size, classes)
