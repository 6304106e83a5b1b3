"""Checkpoints: reading them safely, recognising whose they are, fitting them to a model.

Files are read with `weights_only=True`: one from elsewhere can hold numbers, never code.
"""

import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from models.catalog import CHECKPOINT_SUFFIXES, Options
from models.formats import Format, State, recognise
from models.inflate import inflated
from models.registry import ModelError
from models.transformer import resize_space, resize_time

CONTAINERS = ("model_state", "state_dict", "model", "module")
"""Under which a training program keeps the parameters in its checkpoint."""

PREFIXES = ("module.", "model.")
"""What data-parallel and other wrappers put before each name."""

LISTED = 8  # names of each kind in a message; a model of the wrong depth has hundreds


class Checkpoint(NamedTuple):
    """What a file holds: its parameters under our names, and how it named them (none: unknown, names as they are)."""

    source: str
    format: Format | None
    state: State


def load_checkpoint(path: Path) -> Checkpoint:
    """The parameters in a file.

    Reads safetensors and what `torch.save` wrote: a state dict, or one within a training checkpoint, with wrappers'
    prefixes, of any of `models.formats`. Raises ModelError for a file that is none of these, or that is not safe.
    """
    if path.is_dir():
        raise ModelError(f"{path}: a folder; name the file of parameters in it, such as {path / 'model.safetensors'}")
    if not path.exists():
        raise ModelError(f"{path}: no such checkpoint")
    state = _parameters(path, _read(path))
    broken = [name for name, tensor in state.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    if broken:
        raise ModelError(f"{path}: holds values that are not finite ({len(broken)} tensors): {_cut(broken)}")
    return understood(str(path), state)


def understood(source: str, state: State) -> Checkpoint:
    """Parameters under anyone's names as a checkpoint under ours; `source` names them in messages."""
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    found = recognise(state)
    return Checkpoint(source, found, found.renamed(state) if found else state)


def load_into(model: nn.Module, options: Options, checkpoint: Checkpoint) -> None:
    """Load all of a checkpoint into all of a model of these options.

    Embeddings of other grids and lengths are resized. Image weights are inflated (`models.inflate`), and their last
    layer is left out unless it has as many classes. A video checkpoint's last layer is left out where the classes
    differ and `options.new_head` says so. Raises ModelError, with the model untouched, where names or shapes differ: it
    says what the checkpoint is, and what is missing (-), unexpected (+) or of another shape (!).
    """
    own = model.state_dict()
    state = checkpoint.state
    image = checkpoint.format is not None and checkpoint.format.image
    if image:
        state = inflated(state, own, options)
    state = _fit_embeddings(state, own)
    if image or options.new_head:
        state = without_other_classes(state, own, options.CLASSIFIER)
    wrong = misfits(state, own)
    if wrong:
        hint = _hint(state, own, options) if checkpoint.format else []
        raise ModelError("\n  ".join([_headline(checkpoint, options), *wrong, *hint]))
    model.load_state_dict(state)


def load_pretrained(model: nn.Module, options: Options, folder: Path) -> None:
    """Start a model from `options.weights`: named image weights, or a checkpoint of images or of videos.

    Named ones are looked for in `folder`, then asked of timm, which keeps its own cache. Does nothing where the options
    name no weights. Raises ModelError, saying which file to place where.
    """
    if options.weights is None:
        return
    sizes = options.IMAGE_WEIGHTS.get(options.weights)
    if sizes is None:
        checkpoint = load_checkpoint(Path(options.weights))
    else:
        checkpoint = _image_weights(sizes[getattr(options, "size", "")], folder)
    load_into(model, options, checkpoint)


def _read(path: Path) -> Any:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old pickles: what is wrong with one is told below
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch and safetensors raise a dozen types for a damaged or foreign file
        raise ModelError(f"{path}: {_unreadable(error)}") from error


def _unreadable(error: Exception) -> str:
    text = str(error)
    objects = sorted(set(re.findall(r"(?:GLOBAL |class )(\w[\w.]+)", text)))
    if objects:
        return (
            f"refused: it holds pickled {', '.join(objects)}, and reading such a file can run code. Only plain "
            "tensors, numbers and text are read; where you trust the file, save its state dict anew with torch.save"
        )
    # torch's own text begins with the advice to read such a file unsafely: only its reason is passed on.
    reason = text.rpartition("WeightsUnpickler error: ")[2].strip().partition("\n")[0]
    told = reason if " " in reason else "neither a file of torch nor of safetensors"
    return f"not a checkpoint, or damaged or cut off: {told}"


def _parameters(path: Path, content: Any) -> State:
    while isinstance(content, dict) and (inner := next((key for key in CONTAINERS if key in content), None)):
        content = content[inner]
    if not isinstance(content, dict) or not content:
        raise ModelError(f"{path}: holds no parameters, neither by name nor under {', '.join(CONTAINERS)}")
    others = [str(name) for name, tensor in content.items() if not isinstance(tensor, Tensor)]
    if others:
        raise ModelError(f"{path}: holds other things than parameters: {_cut(others)}")
    return content


def _fit_embeddings(state: State, own: State) -> State:
    resizers = {"pos_embed": _resized_space, "time_embed": resize_time, "temp_embed": _resized_frames}
    fitted = dict(state)
    for name, resized in resizers.items():
        if name in state and name in own and _only_length_differs(state[name], own[name]):
            fitted[name] = resized(state[name], own[name].shape[1])
    return fitted


def _only_length_differs(given: Tensor, own: Tensor) -> bool:
    same_rest = given.ndim == own.ndim and given.shape[:1] + given.shape[2:] == own.shape[:1] + own.shape[2:]
    return same_rest and given.shape != own.shape


def _resized_space(given: Tensor, length: int) -> Tensor:
    """In the plane, as the model does at run time; the released loader stretches the flattened grid instead."""
    side, given_side = round((length - 1) ** 0.5), round((given.shape[1] - 1) ** 0.5)
    if given_side**2 + 1 != given.shape[1]:
        return given  # not one class token and a square grid: told as a wrong shape
    return torch.cat([given[:, :1], resize_space(given[:, 1:], side, side)], dim=1)


def _resized_frames(given: Tensor, length: int) -> Tensor:
    return resize_time(given.squeeze(2), length).unsqueeze(2)


def without_other_classes(state: State, own: State, classifier: str) -> State:
    """The state with the model's own last layer, where its own does not fit."""
    head = {name: tensor for name, tensor in own.items() if name.startswith(classifier)}
    fits = all(name in state and state[name].shape == tensor.shape for name, tensor in head.items())
    rest = {name: tensor for name, tensor in state.items() if not name.startswith(classifier)}
    return state if fits else {**rest, **head}


def _headline(checkpoint: Checkpoint, options: Options) -> str:
    if checkpoint.format is None:
        return f"{checkpoint.source} does not fit the model:"
    holds = f"{checkpoint.source} holds {checkpoint.format.title} weights"
    if options.name in checkpoint.format.models:
        return f"{holds}, which do not fit this {options.name}:"
    return f"{holds}, for {' or '.join(checkpoint.format.models)}, not {options.name}:"


def _hint(state: State, own: State, options: Options) -> list[str]:
    head = [name for name in own if name.startswith(options.CLASSIFIER)]
    if not head or options.new_head or state.keys() != own.keys():
        return []
    if any(state[name].shape != tensor.shape for name, tensor in own.items() if name not in head):
        return []
    classes = " and ".join(str(len(each[head[0]])) for each in (state, own))
    return [f"only the classes differ ({classes}): `new_head: true` beside `weights` starts the last layer anew"]


def misfits(state: State, own: State) -> list[str]:
    """A line each for the names that are missing (-), unexpected (+) and of another shape (!), with their number."""
    shapes = [
        f"{name} {list(state[name].shape)}, here {list(own[name].shape)}"
        for name in own
        if name in state and state[name].shape != own[name].shape
    ]
    types = [
        f"{name} {_type(state[name])}, here {_type(tensor)}"
        for name, tensor in own.items()
        if name in state and tensor.is_floating_point() and not state[name].is_floating_point()
    ]
    kinds = {
        "- missing": [name for name in own if name not in state],
        "+ unexpected": [name for name in state if name not in own],
        "! of another shape": shapes,
        "! of another type": types,
    }
    return [f"{kind} ({len(names)}): {_cut(names)}" for kind, names in kinds.items() if names]


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _cut(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def _image_weights(name: str, folder: Path) -> Checkpoint:
    files = [folder / f"{name}{suffix}" for suffix in CHECKPOINT_SUFFIXES]
    for file in files:
        if file.is_file():
            return load_checkpoint(file)
    import timm

    try:
        fetched: State = timm.create_model(name, pretrained=True).state_dict()
    except Exception as error:  # network, proxy, hub, disk: whatever it was, the file can be placed by hand
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(
            f"the weights {name} cannot be fetched ({reason}); download model.safetensors from "
            f"https://huggingface.co/timm/{name} and place it as {folder / name}.safetensors"
        ) from error
    return understood(name, fetched)
