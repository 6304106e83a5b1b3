"""What each architecture accepts, so that a suite is checked and planned without torch."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

Problem = tuple[str, str]
"""The key of a suite at fault, such as `clip.size`, and what is wrong with its value and what would do."""


CHECKPOINT_SUFFIXES = (".bin", ".pt", ".pth", ".pyth", ".safetensors")


class Options(BaseModel):
    """The settings of one architecture; a subclass adds its own and names itself by the default of `name`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True, allow_inf_nan=False)

    COSTLESS: ClassVar[frozenset[str]] = frozenset()
    """Settings, beside `weights` and `new_head`, that change neither the parameters nor the multiply-adds."""
    CLASSIFIER: ClassVar[str] = "head."
    """How the names of the last layer's parameters begin."""
    IMAGE_WEIGHTS: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    """Named image weights that training can start from: our name -> model size -> timm's name."""
    BATCH_STATISTICS: ClassVar[bool] = False
    """Whether it normalises over the clips on a device together, so that how many these are changes its numbers."""
    RESIZE: ClassVar[Literal["nearest", "bicubic"]] = "nearest"
    """How position embeddings are fitted to other grids, at loading and at run time alike; of transformers."""
    REVISION: ClassVar[int] = 0
    """To be raised when the architecture's code changes its numbers: trainings and costs then no longer match."""

    name: str
    weights: str | None = None
    """Where training starts: image weights by name, the path of a checkpoint, or none: from scratch."""
    new_head: bool = False
    """Whether the last layer starts anew where the checkpoint's does not fit (that of named weights always does)."""

    def problems(self, frames: int, size: int) -> list[Problem]:
        """Why this model cannot take clips of `frames` frames of `size` x `size` pixels, or start; empty if it can."""
        return [*self.clip_problems(frames, size), *self.weights_problems()]

    def clip_problems(self, frames: int, size: int) -> list[Problem]:  # noqa: ARG002 (for subclasses to read)
        """Why this architecture cannot take such clips; for subclasses to say."""
        return []

    def embedding_problem(self, given: int, own: int, windowed: bool) -> str | None:  # noqa: ARG002 (for subclasses)
        """Why a time embedding of `given` frames cannot be resized to `own`, and what would do; for subclasses to say.

        `windowed`: the checkpoint's embeds the frames of a window, which can be fewer than its clips have.
        """
        return None

    def weights_problems(self) -> list[Problem]:
        """Weights that do not exist by name."""
        if self.weights is None or "/" in self.weights or self.weights.endswith(CHECKPOINT_SUFFIXES):
            return []
        known = self.IMAGE_WEIGHTS
        if self.weights not in known:
            meant = get_close_matches(self.weights, known, n=1)
            hint = f" (did you mean {meant[0]}?)" if meant else ""
            either = f"neither one of {', '.join(known)} nor the path" if known else "not the path"
            return [("model.weights", f"{self.weights!r} is {either} of a checkpoint{hint}")]
        size, sizes = getattr(self, "size", ""), known[self.weights]
        if size not in sizes:
            have = ", ".join(sizes)
            return [("model.weights", f"there are no {self.weights} weights of size {size}; sizes: {have}")]
        return []


class Size(NamedTuple):
    """The measures of a vision transformer."""

    width: int
    depth: int
    heads: int
    patch: int


SIZES = {
    "demo": Size(width=64, depth=3, heads=4, patch=8),  # ours: trains in minutes on two CPU cores
    "tiny": Size(width=192, depth=12, heads=3, patch=16),  # DeiT-Ti, Touvron et al. 2021 (2012.12877), Table 1
    "small": Size(width=384, depth=12, heads=6, patch=16),  # DeiT-S, the same table
    "base": Size(width=768, depth=12, heads=12, patch=16),  # ViT-B/16, Dosovitskiy et al. 2021 (2010.11929), Table 1
    "large": Size(width=1024, depth=24, heads=16, patch=16),  # ViT-L/16, the same table
}

VIT_WEIGHTS = {
    "imagenet21k": {size: f"vit_{size}_patch16_224.augreg_in21k" for size in ("tiny", "small", "base", "large")},
    "imagenet1k": {size: f"deit_{size}_patch16_224.fb_in1k" for size in ("tiny", "small", "base")},
}
"""Public image weights of vision transformers by our name and model size, under the names that timm gives them."""

RESNET_WEIGHTS = {"imagenet1k": {"r50": "resnet50.tv_in1k", "r101": "resnet101.tv_in1k"}}
"""The same of ResNets; these two are torchvision's first ones."""


class TimeSformerOptions(Options):
    """TimeSformer; `models/timesformer.py` says what the attention schemes are."""

    COSTLESS = frozenset({"drop_path", "init", "fused"})
    IMAGE_WEIGHTS = VIT_WEIGHTS

    name: Literal["timesformer"] = "timesformer"
    size: Literal["demo", "tiny", "small", "base", "large"] = "base"
    attention: Literal["space", "joint", "divided", "sparse_local_global", "axial"] = "divided"
    drop_path: float = Field(default=0.1, ge=0, lt=1)
    """Chance that a sample skips a residual branch in the last block; falls linearly to 0 in the first."""
    init: Literal["released", "scratch"] = "released"
    """How training starts without weights. `released`: as the released code, so that a new model is the image model of
    its last step. `scratch`: matrices at 1 / sqrt(width), last layers of steps too, embeddings of space and time at
    0.5, with which small models find motion within a few epochs (docs/demo_scale.md has the figures)."""
    fused: bool = True
    """One fused kernel for attention, or explicit products: the same numbers up to rounding."""

    def clip_problems(self, frames: int, size: int) -> list[Problem]:
        """Patches or windows that do not tile such clips."""
        patch, even = SIZES[self.size].patch, self.attention == "sparse_local_global"
        tiling = f"{size} is not a multiple of the {patch}-pixel patch"
        if not even:
            return [
                *least_problems("clip.frames", frames, 1, "a clip"),
                *multiple_problems("clip.size", size, patch, tiling),
            ]
        if size >= patch and size % patch == 0:
            grid = f"{size // patch} x {size // patch}"
            tiling = f"{self.attention} needs an even grid of patches, and {size} pixels make {grid}"
        halves = f"{self.attention} needs an even number of frames, not {frames}"
        return [
            *multiple_problems("clip.frames", frames, 2, halves),
            *multiple_problems("clip.size", size, 2 * patch, tiling),
        ]


def multiple_problems(key: str, value: int, step: int, fault: str) -> list[Problem]:
    """That a clip's frames or pixels are no positive multiple of `step`: the fault, and which are near."""
    return [] if value >= step and value % step == 0 else [(key, f"{fault}; nearest: {_nearest(value, step)}")]


def least_problems(key: str, value: int, least: int, why: str) -> list[Problem]:
    """That a clip has fewer frames or pixels than the architecture needs."""
    return [] if value >= least else [(key, f"{value} is too few for {why}; at least {least}")]


def _nearest(value: int, step: int) -> str:
    below = value // step * step
    return f"{below} or {below + step}" if below > 0 else str(step)


class ResNet(NamedTuple):
    """The measures of a ResNet of bottlenecks, inflated to video."""

    blocks: tuple[int, int, int, int]
    width: int
    stem_pool: bool = True

    @property
    def stride(self) -> int:
        """Pixels of the clip a position of the last maps stands for."""
        return 32 if self.stem_pool else 16


RESNETS = {
    "demo": ResNet((1, 1, 1, 1), 16, stem_pool=False),  # ours: trains in a minute or two on two CPU cores
    "r50": ResNet((3, 4, 6, 3), 64),  # He et al. 2016 (1512.03385), Table 1
    "r101": ResNet((3, 4, 23, 3), 64),  # the same table
}


class ConvOptions(Options):
    """What the convolutional networks have in common."""

    COSTLESS = frozenset({"dropout"})
    CLASSIFIER = "head.projection."
    REVISION = 1  # convolutions as sums over frames round otherwise on a CPU
    BATCH_STATISTICS = True

    dropout: float = Field(default=0.5, ge=0, lt=1)
    """Before the last layer, in training."""


class I3DOptions(ConvOptions):
    """I3D on ResNets, with and without non-local blocks; `models/i3d.py`."""

    IMAGE_WEIGHTS = RESNET_WEIGHTS

    name: Literal["i3d"] = "i3d"
    size: Literal["demo", "r50", "r101"] = "r50"
    non_local: bool = False

    def clip_problems(self, frames: int, size: int) -> list[Problem]:
        """Clips that its pooling leaves nothing of."""
        return [
            *least_problems("clip.frames", frames, 2, "I3D, which halves their number"),
            *least_problems("clip.size", size, RESNETS[self.size].stride, "its strides"),
        ]


class SlowFast(NamedTuple):
    """The measures of a SlowFast network: its ResNet, and how the two pathways differ and join."""

    resnet: ResNet
    alpha: int
    """Fast frames for each slow one."""
    beta: int
    """Slow channels for each fast one."""
    fusion_kernel: int
    fusion_kernel_non_local: int
    temporal_blocks: tuple[int, int, int, int]
    """How many blocks of each stage have a temporal kernel, from the first on."""
    non_local: tuple[tuple[int, ...], ...]
    """The slow pathway's blocks with a non-local block behind them, in each stage."""


_R50, _R101 = RESNETS["r50"], RESNETS["r101"]
_EARLY, _LATE = ((), (1, 3), (1, 3, 5), ()), ((), (), (6, 13, 20), ())
SLOWFASTS = {
    # ours: trains in a minute or two on two CPU cores
    "demo": SlowFast(ResNet((1, 1, 1, 1), 16, stem_pool=False), 4, 4, 5, 5, (1, 1, 1, 1), ((), (0,), (0,), ())),
    # facebookresearch/SlowFast, configs/Kinetics: SLOWFAST_4x16_R50, SLOWFAST_NLN_4x16_R50
    "r50_4x16": SlowFast(_R50, 8, 8, 5, 5, (3, 4, 6, 3), _EARLY),
    # SLOWFAST_8x8_R50, SLOWFAST_NLN_8x8_R50: the latter joins with a kernel of 5
    "r50_8x8": SlowFast(_R50, 4, 8, 7, 5, (3, 4, 6, 3), _EARLY),
    # c2/SLOWFAST_8x8_R101_101_101 (PyTorchVideo's slowfast_r101); no non-local one is public: places of the next
    "r101_8x8": SlowFast(_R101, 4, 8, 5, 5, (3, 4, 23, 3), _LATE),
    # c2/SLOWFAST_16x8_R101_50_50, c2/SLOWFAST_NLN_16x8_R101_50_50: temporal kernels in 6 of the fourth stage's 23
    "r101_16x8": SlowFast(_R101, 4, 8, 5, 5, (3, 4, 6, 3), _LATE),
}


SLOWFAST_WEIGHTS = {
    name: {size: sizes[size.partition("_")[0]] for size in SLOWFASTS if size != "demo"}
    for name, sizes in RESNET_WEIGHTS.items()
}
"""The slow pathway's."""


class SlowFastOptions(ConvOptions):
    """SlowFast, with and without non-local blocks in the slow pathway; `models/slowfast.py`."""

    IMAGE_WEIGHTS = SLOWFAST_WEIGHTS

    name: Literal["slowfast"] = "slowfast"
    size: Literal["demo", "r50_4x16", "r50_8x8", "r101_8x8", "r101_16x8"] = "r50_8x8"
    non_local: bool = False

    def clip_problems(self, frames: int, size: int) -> list[Problem]:
        """Frames that the slow pathway cannot be picked from, too few pixels."""
        shape = SLOWFASTS[self.size]
        return [
            *multiple_problems(
                "clip.frames",
                frames,
                shape.alpha,
                f"{frames} is not a multiple of the {shape.alpha} fast frames for each slow one",
            ),
            *least_problems("clip.size", size, shape.resnet.stride, "its strides"),
        ]


class X3D(NamedTuple):
    """How X3D is expanded from X2D: factors of width and depth (gamma_w, gamma_d), and the first width."""

    width: float
    depth: float
    first: int = 12


X3DS = {
    "demo": X3D(1.0, 0.5, first=16),  # ours: trains in a minute or two on two CPU cores
    # facebookresearch/SlowFast, configs/Kinetics/X3D_XS.yaml, X3D_S.yaml, X3D_M.yaml, X3D_L.yaml
    "xs": X3D(2.0, 2.2),
    "s": X3D(2.0, 2.2),
    "m": X3D(2.0, 2.2),
    "l": X3D(2.0, 5.0),
    "xl": X3D(2.9, 5.0),  # not public: see models/x3d.py
    "xxl": X3D(2.9, 10.1),  # the same
}


class X3DOptions(ConvOptions):
    """X3D (Feichtenhofer, CVPR 2020, 2004.04730); `models/x3d.py` has what is not public of XL and XXL."""

    name: Literal["x3d"] = "x3d"
    size: Literal["demo", "xs", "s", "m", "l", "xl", "xxl"] = "m"

    def clip_problems(self, frames: int, size: int) -> list[Problem]:
        """Too few frames or pixels."""
        return [
            *least_problems("clip.frames", frames, 1, "a clip"),
            *least_problems("clip.size", size, 32, "its strides"),
        ]


class ViTOptions(Options):
    """The image transformer on each frame, features averaged over frames; `models/vit.py`."""

    COSTLESS = frozenset({"drop_path", "init", "fused"})
    IMAGE_WEIGHTS = VIT_WEIGHTS
    RESIZE = "bicubic"  # as timm does
    REVISION = 1  # it starts by TimeSformer's rule, in its order

    name: Literal["vit"] = "vit"
    size: Literal["demo", "tiny", "small", "base", "large"] = "base"
    drop_path: float = Field(default=0.0, ge=0, lt=1)
    init: Literal["released", "scratch"] = "released"
    """As TimeSformer's."""
    fused: bool = True

    def clip_problems(self, frames: int, size: int) -> list[Problem]:
        """Patches that do not tile the frames."""
        patch = SIZES[self.size].patch
        return [
            *least_problems("clip.frames", frames, 1, "a clip"),
            *multiple_problems("clip.size", size, patch, f"{size} is not a multiple of the {patch}-pixel patch"),
        ]


RELEASED_FRAMES = 8
"""Frames of an embedding or of a mixing window where X-ViT's released code does not pass their number on."""


class XViTOptions(Options):
    """X-ViT: space-time mixing attention and a temporal head; `models/xvit.py`."""

    COSTLESS = frozenset({"drop_path", "dropout", "init", "fused", "shift_div"})
    CLASSIFIER = "head.classifier."
    IMAGE_WEIGHTS = VIT_WEIGHTS
    RESIZE = "bicubic"  # as the released code does at run time
    REVISION = 1  # its temporal head starts as released, the rest by TimeSformer's rule, in its order

    name: Literal["xvit"] = "xvit"
    size: Literal["demo", "tiny", "small", "base", "large"] = "base"
    shift_div: int = Field(default=8, ge=2)
    """Which share of the channels of keys and of values comes from the next frame, and from the previous one: 1/8 in
    the released Kinetics configurations, 1/4 for Something-Something."""
    windows: Literal["clip", "released_kinetics", "released_ssv2"] = "clip"
    """Over which frames time embeddings and mixing reach. `clip`: the whole clip, as in the paper. The released code
    never passes the number of frames on: embeddings repeat every 8 frames (both), and on Kinetics frames are mixed
    within each 8 alone."""
    drop_path: float = Field(default=0.0, ge=0, lt=1)
    dropout: float = Field(default=0.5, ge=0, lt=1)
    """On each frame's features and before the last layer, in training."""
    init: Literal["released", "scratch"] = "released"
    """As TimeSformer's."""
    fused: bool = True

    def clip_problems(self, frames: int, size: int) -> list[Problem]:
        """Patches that do not tile the frames, released windows that do not tile the clip."""
        patch = SIZES[self.size].patch
        window = 1 if self.windows == "clip" else RELEASED_FRAMES
        whole = f"{frames} is not a multiple of the {window} frames of {self.windows} windows"
        return [
            *self._shift_problems(),
            *multiple_problems("clip.frames", frames, window, whole),
            *multiple_problems("clip.size", size, patch, f"{size} is not a multiple of the {patch}-pixel patch"),
        ]

    def embedding_problem(self, given: int, own: int, windowed: bool) -> str | None:
        """Windows other than the checkpoint's: `clip` embeds every frame of a clip, the released ones 8 of them."""
        released = "`windows: released_kinetics`, or `windows: released_ssv2` for Something-Something"
        if self.windows == "clip" and windowed:
            return f"released weights embed windows of {given} frames, not the clip's {own}: they need {released}"
        if self.windows != "clip":
            return f"its clips have {given} frames, each embedded: it needs `windows: clip`, not {self.windows}"
        return None

    def _shift_problems(self) -> list[Problem]:
        width = SIZES[self.size].width
        if self.shift_div <= width:
            return []
        return [("model.shift_div", f"{self.shift_div} is more than the {width} channels to be mixed; at most {width}")]
