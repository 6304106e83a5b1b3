"""What is done to clips on their device, in batches: mirroring, augmentation, normalising, colour order, erasing.

    b t h w c   batch, frames, height, width, colours: clips as they are decoded, uint8
    b c t h w   clips as models read them, float32

Nothing is random here but through the seeds that `harness.data.clips` drew, and torch's own random state is left as it
was: a training that augments its clips draws the same drop-outs as one that does not.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from harness.data.clips import Drawn
from harness.spec import Clip, Recipe

ERASED_AREA, ERASED_ASPECT = (0.02, 1 / 3), (0.3, 3.3)
"""Random Erasing's range of areas and aspects (Zhong et al., arXiv 1708.04896), as in torchvision and timm."""


def to_input(clips: Tensor, mean: float, std: float, bgr: bool = False) -> Tensor:
    """uint8 [b t h w c] as the float32 [b c t h w] that models read, (x / 255 - mean) / std, on its own device."""
    clips = clips.flip(-1) if bgr else clips
    return clips.permute(0, 4, 1, 2, 3).float().mul(1 / (255 * std)).sub(mean / std)


def prepared(clips: Tensor, drawn: Drawn | None, clip: Clip, recipe: Recipe) -> Tensor:
    """Training clips, uint8 [b t h w c], as a model gets them: float32 [b c t h w], all on their device."""
    if drawn is None:
        return to_input(clips, clip.mean, clip.std, clip.bgr)
    made = to_input(shown(clips, drawn, clip, recipe), clip.mean, clip.std, clip.bgr)
    return erased(made, drawn, recipe.random_erasing) if recipe.random_erasing else made


def shown(clips: Tensor, drawn: Drawn, clip: Clip, recipe: Recipe) -> Tensor:
    """Training clips, uint8 [b t h w c], mirrored and augmented: what there is to see of `prepared`."""
    clips = mirrored(clips, drawn)
    return clips if recipe.augment == "none" else augmented(clips, drawn, _augmentation(recipe, clip))


def mirrored(clips: Tensor, drawn: Drawn) -> Tensor:
    """[b t h w c] with left and right exchanged in the clips that were drawn for it."""
    if not drawn.mirrored.any():
        return clips
    flags = torch.from_numpy(drawn.mirrored.copy()).to(clips.device)
    return torch.where(flags[:, None, None, None, None], clips.flip(3), clips)


def augmented(clips: Tensor, drawn: Drawn, augmentation: Callable[[Tensor], Tensor]) -> Tensor:
    """uint8 [b t h w c]; a clip's seed decides what is done to it, and that is done to all its frames."""
    made = []
    for frames, seed in zip(clips.permute(0, 1, 4, 2, 3), drawn.seeds.tolist(), strict=True):
        with _random_from(seed):
            made.append(augmentation(frames))
    return torch.stack(made).permute(0, 1, 3, 4, 2)


def erased(clips: Tensor, drawn: Drawn, probability: float) -> Tensor:
    """[b c t h w] in which some clips lost a rectangle, the same of all their frames, to 0, the colour of the mean."""
    height, width = clips.shape[-2:]
    for frames, seed in zip(clips, drawn.seeds.tolist(), strict=True):
        top, left, bottom, right = _rectangle(height, width, probability, np.random.default_rng([seed]))
        frames[..., top:bottom, left:right] = 0
    return clips


def _rectangle(
    height: int, width: int, probability: float, generator: np.random.Generator
) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) of what is erased; empty with the probability of keeping all, or where none fits."""
    if generator.random() >= probability:
        return 0, 0, 0, 0
    for _ in range(10):
        area = height * width * generator.uniform(*ERASED_AREA)
        aspect = np.exp(generator.uniform(*np.log(ERASED_ASPECT)))
        down, across = round(np.sqrt(area * aspect)), round(np.sqrt(area / aspect))
        if 0 < down < height and 0 < across < width:
            top, left = int(generator.integers(height - down + 1)), int(generator.integers(width - across + 1))
            return top, left, top + down, left + across
    return 0, 0, 0, 0


def _augmentation(recipe: Recipe, clip: Clip) -> Callable[[Tensor], Tensor]:
    """uint8 [t c h w] to the same; what moves in from outside a frame has the colour of the mean.

    RandAugment does 2 operations of magnitude 9 of 30 (Cubuk et al., arXiv 1909.13719), AutoAugment those of the
    policy found on ImageNet (arXiv 1805.09501): torchvision's defaults.
    """
    from torchvision.transforms import v2  # as much again as importing torch, for recipes that augment

    fill = round(255 * min(max(clip.mean, 0.0), 1.0))
    made: Callable[[Tensor], Tensor] = (
        v2.RandAugment(fill=fill) if recipe.augment == "rand" else v2.AutoAugment(fill=fill)
    )
    return made


@contextmanager
def _random_from(seed: int) -> Iterator[None]:
    """Torch's numbers on the CPU, from which torchvision draws on every device, begin at the seed and go back after."""
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(before)
