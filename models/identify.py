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
from models.weights import Checkpoint, Misfits, fitted, misfits, with_new_head

POSITIONS = 3
"""Axes of an embedding of positions, `1 s d`."""

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
    """Of its last layer; none where it has none that the model could take, which then starts anew."""
    misfits: Misfits

    def settings(self) -> dict[str, Any]:
        """What of the options is not the default, and the name."""
        return {"name": self.options.name, **self.options.model_dump(mode="json", exclude_defaults=True)}


def fits(checkpoint: Checkpoint) -> list[Fit]:
    """The variants that a checkpoint fits, or else the one that comes nearest; none where no variant shares a name."""
    meta = checkpoint._replace(state=_meta(checkpoint.state), written=_meta(checkpoint.written))
    names = checkpoint.format.models if checkpoint.format else registry.names()
    kinds = [registry.options_type(name) for name in names]
    tried = [found for kind in kinds for options in variants(kind) if (found := _tried(meta, options))]
    exact = [each for each in tried if not each.misfits.count]
    some = [each for each in tried if len(each.misfits.unexpected) < len(checkpoint.state)]
    return exact or sorted(some, key=lambda each: each.misfits.count)[:1]


def _meta(state: State) -> State:
    return {name: tensor.to("meta") for name, tensor in state.items()}


def variants(kind: type[Options]) -> Iterator[Options]:
    """One architecture in all settings that change its parameters: named choices and switches."""
    fixed = {*kind.COSTLESS, "name", "weights", "new_head"}
    choices = {name: _choices(field.annotation) for name, field in kind.model_fields.items() if name not in fixed}
    varied = {name: values for name, values in choices.items() if values}
    for values in product(*varied.values()):
        yield kind.model_validate(dict(zip(varied, values, strict=True)))


def _choices(annotation: Any) -> tuple[Any, ...]:
    return (False, True) if annotation is bool else get_args(annotation) if get_origin(annotation) is Literal else ()


def _tried(checkpoint: Checkpoint, options: Options) -> Fit | None:
    """One variant beside a checkpoint; none where it takes neither the checkpoint's clips nor those of most models."""
    frames, size = _frames(checkpoint), _size(checkpoint.state, options)
    if options.clip_problems(frames or FRAMES, size or SIZE):
        frames, size = None, None
        if options.clip_problems(FRAMES, SIZE):
            return None
    classes = _classes(checkpoint.state, options)
    with torch.device("meta"):
        own = registry.build(options, frames or FRAMES, size or SIZE, classes or CLASSES).state_dict()
    state = fitted(checkpoint, own, options)
    found = misfits(state, own)
    anew = misfits(with_new_head(state, own, options.CLASSIFIER), own)
    if found.count and not anew.count:
        options, classes, found = options.model_copy(update={"new_head": True}), None, anew
    return Fit(options, frames, size, classes, found)


def _frames(checkpoint: Checkpoint) -> int | None:
    """Of a clip, from embeddings of time; windows tell none, as a clip can have several."""
    state = checkpoint.state
    if checkpoint.windowed:
        return None
    found = [state[name].shape for name, rank in (("time_embed", 3), ("temp_embed", 4)) if _rank(state, name) == rank]
    return found[0][1] if found else None


def _rank(state: State, name: str) -> int | None:
    return state[name].ndim if name in state else None


def _size(state: State, options: Options) -> int | None:
    """Pixels, from the square grid of patches."""
    name = getattr(options, "size", None)
    if _rank(state, "pos_embed") != POSITIONS or name not in SIZES:
        return None
    side: int = math.isqrt(max(state["pos_embed"].shape[1] - 1, 0))
    return side * SIZES[name].patch or None


def _classes(state: State, options: Options) -> int | None:
    found = [tensor for name, tensor in state.items() if name.startswith(options.CLASSIFIER) and tensor.ndim == 2]
    return int(found[0].shape[0]) if found else None
