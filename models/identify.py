"""Which model a checkpoint fits, found by comparing shapes with every variant that there is.

Models are built on the meta device, so that nothing is allocated or drawn.
"""

import math
from collections.abc import Iterator
from itertools import product
from typing import Any, Literal, NamedTuple, get_args, get_origin

import torch

from models import registry
from models.catalog import SIZES, Options
from models.formats import State
from models.inflate import inflated
from models.weights import Checkpoint, misfits, without_other_classes

FRAMES, SIZE, CLASSES = 32, 224, 400
"""Of a clip, and of the last layer, where the parameters depend on none: all architectures take these."""


class Fit(NamedTuple):
    """One variant beside a checkpoint."""

    options: Options
    frames: int | None
    """Of a clip, where the checkpoint tells."""
    size: int | None
    """Pixels of a clip's sides, where the checkpoint tells."""
    classes: int | None
    """Of its last layer; none of image weights, whose last layer starts anew."""
    misfits: list[str]
    """What is missing, unexpected or of another shape; empty if it fits."""

    def settings(self) -> dict[str, Any]:
        """What of the options is not the default, and the name."""
        return {"name": self.options.name, **self.options.model_dump(mode="json", exclude_defaults=True)}


def fits(checkpoint: Checkpoint) -> list[Fit]:
    """The variants that a checkpoint fits, or else the one that comes nearest; none where no variant shares a name."""
    state = {name: tensor.to("meta") for name, tensor in checkpoint.state.items()}
    names = checkpoint.format.models if checkpoint.format else registry.names()
    image = checkpoint.format is not None and checkpoint.format.image
    tried = [
        _tried(state, options, image)
        for name in names
        for options in variants(registry.options_type(name))
        if not options.clip_problems(_frames(state) or FRAMES, _size(state, options) or SIZE)
    ]
    exact = [each for each in tried if not each.misfits]
    return exact or sorted((each for each in tried if _shares(state, each)), key=lambda each: _count(each))[:1]


def variants(kind: type[Options]) -> Iterator[Options]:
    """One architecture in all settings that change its parameters: named choices and switches."""
    fixed = {*kind.COSTLESS, "name", "weights", "new_head"}
    choices = {name: _choices(field.annotation) for name, field in kind.model_fields.items() if name not in fixed}
    varied = {name: values for name, values in choices.items() if values}
    for values in product(*varied.values()):
        yield kind.model_validate(dict(zip(varied, values, strict=True)))


def _choices(annotation: Any) -> tuple[Any, ...]:
    return (False, True) if annotation is bool else get_args(annotation) if get_origin(annotation) is Literal else ()


def _tried(state: State, options: Options, image: bool) -> Fit:
    frames, size, classes = _frames(state), _size(state, options), _classes(state, options)
    with torch.device("meta"):
        model = registry.build(options, frames or FRAMES, size or SIZE, classes or CLASSES)
    own = model.state_dict()
    if image:
        state = without_other_classes(inflated(state, own, options), own, options.CLASSIFIER)
    return Fit(options, frames, size, None if image else classes, misfits(state, own))


def _frames(state: State) -> int | None:
    embedding = next((state[name] for name in ("time_embed", "temp_embed") if name in state), None)
    return None if embedding is None else int(embedding.shape[1])


def _size(state: State, options: Options) -> int | None:
    """Pixels, from the square grid of patches."""
    name = getattr(options, "size", None)
    if "pos_embed" not in state or name not in SIZES:
        return None
    side: int = math.isqrt(state["pos_embed"].shape[1] - 1)
    return side * SIZES[name].patch


def _classes(state: State, options: Options) -> int | None:
    found = [tensor for name, tensor in state.items() if name.startswith(options.CLASSIFIER) and tensor.ndim == 2]
    return int(found[0].shape[0]) if found else None


def _shares(state: State, fit: Fit) -> bool:
    return _count(fit) < len(state)


def _count(fit: Fit) -> int:
    """How many names do not fit: the numbers in brackets."""
    return sum(int(line.partition("(")[2].partition(")")[0]) for line in fit.misfits)
