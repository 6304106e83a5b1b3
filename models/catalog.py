"""What each architecture accepts, so that a suite is checked and planned without torch."""

from difflib import get_close_matches
from typing import ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

Problem = tuple[str, str]
"""The key of a suite at fault, such as `clip.size`, and what is wrong with its value and what would do."""


class Options(BaseModel):
    """The settings of one architecture; a subclass adds its own and names itself by the default of `name`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    COSTLESS: ClassVar[frozenset[str]] = frozenset()
    """Settings that change neither the parameters nor the multiply-adds: costs are kept without them."""

    name: str

    def problems(self, frames: int, size: int) -> list[Problem]:  # noqa: ARG002 (for subclasses to read)
        """Why this model cannot take clips of `frames` frames of `size` x `size` pixels; empty if it can."""
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

IMAGE_WEIGHTS = {
    "imagenet21k": {size: f"vit_{size}_patch16_224.augreg_in21k" for size in ("tiny", "small", "base", "large")},
    "imagenet1k": {size: f"deit_{size}_patch16_224.fb_in1k" for size in ("tiny", "small", "base")},
}
"""Public image weights by our name and model size, under the names that timm gives them."""

CHECKPOINT_SUFFIXES = (".bin", ".pt", ".pth", ".pyth", ".safetensors")


class TimeSformerOptions(Options):
    """TimeSformer; `models/timesformer.py` says what the attention schemes are."""

    COSTLESS = frozenset({"drop_path", "init", "fused", "weights"})

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
    weights: str | None = None
    """Where training starts: `imagenet21k`, `imagenet1k`, the path of a checkpoint, or none: from scratch."""

    def problems(self, frames: int, size: int) -> list[Problem]:
        """Patches or windows that do not tile such clips, and weights that do not exist."""
        return self._frame_problems(frames) + self._size_problems(size) + self._weights_problems()

    def _frame_problems(self, frames: int) -> list[Problem]:
        if self.attention == "sparse_local_global" and (frames < 2 or frames % 2):
            odd = f"sparse_local_global needs an even number of frames, not {frames}"
            return [("clip.frames", f"{odd}; nearest: {_nearest(frames, 2)}")]
        return [] if frames >= 1 else [("clip.frames", f"{frames} is too few; at least 1")]

    def _size_problems(self, size: int) -> list[Problem]:
        patch = SIZES[self.size].patch
        even = self.attention == "sparse_local_global"
        near = _nearest(size, 2 * patch if even else patch)
        if size < patch or size % patch:
            return [("clip.size", f"{size} is not a multiple of the {patch}-pixel patch; nearest: {near}")]
        grid = size // patch
        if even and grid % 2:
            odd = f"sparse_local_global needs an even grid of patches, and {size} pixels make {grid} x {grid}"
            return [("clip.size", f"{odd}; nearest: {near}")]
        return []

    def _weights_problems(self) -> list[Problem]:
        if self.weights is None or _is_path(self.weights):
            return []
        if self.weights not in IMAGE_WEIGHTS:
            meant = get_close_matches(self.weights, IMAGE_WEIGHTS, n=1)
            hint = f" (did you mean {meant[0]}?)" if meant else ""
            known = ", ".join(IMAGE_WEIGHTS)
            return [("model.weights", f"{self.weights!r} is neither one of {known} nor the path of a checkpoint{hint}")]
        sizes = IMAGE_WEIGHTS[self.weights]
        if self.size not in sizes:
            have = ", ".join(sizes)
            return [("model.weights", f"there are no {self.weights} weights of size {self.size}; sizes: {have}")]
        return []


def _is_path(weights: str) -> bool:
    return "/" in weights or weights.endswith(CHECKPOINT_SUFFIXES)


def _nearest(value: int, step: int) -> str:
    below = value // step * step
    return f"{below} or {below + step}" if below > 0 else str(step)
