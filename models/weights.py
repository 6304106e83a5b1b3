"""Checkpoints: reading them safely, recognising whose they are, fitting them to a model.

Files are read with `weights_only=True`: one from elsewhere can hold numbers, never code.
"""

import re
import warnings
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from models.catalog import CHECKPOINT_SUFFIXES, Options
from models.formats import Format, State, recognise
from models.inflate import inflated
from models.registry import ModelError, first_line
from models.transformer import resize_space, resize_time

CONTAINERS = ("model_state", "state_dict", "model", "module")
"""Under which a training program keeps the parameters in its checkpoint."""

PREFIXES = ("module.", "model.")
"""What data-parallel and other wrappers put before each name."""

COMPILED = "_orig_mod."
"""What `torch.compile` puts before the names of each module that it compiles."""

TIME = ("time_embed", "temp_embed")

LISTED = 8  # names of each kind in a message; a model of the wrong depth has hundreds


class Checkpoint(NamedTuple):
    """What a file holds: its parameters under our names, and how it named them (none: unknown, names as they are)."""

    source: str
    format: Format | None
    state: State
    written: State
    """Under its own names."""

    @property
    def windowed(self) -> bool:
        """Whether its embeddings of time are of windows, of which a clip can have several."""
        return self.format is not None and self.format.windowed

    def for_model(self, name: str, own: Collection[str]) -> State:
        """The parameters for one architecture: under our names, or, for a user's own, under those that it shares."""
        if self.format and name in self.format.models:
            return self.state
        return max(self.written, self.state, key=lambda state: len(state.keys() & set(own)))


@dataclass(frozen=True)
class Misfits:
    """In what a checkpoint and a model differ."""

    missing: list[str]
    unexpected: list[str]
    shapes: list[str]
    """Names with both shapes."""
    types: list[str]
    """Names with both types of numbers."""

    @property
    def count(self) -> int:
        """How many names do not fit; 0: the checkpoint fits."""
        return sum(map(len, (self.missing, self.unexpected, self.shapes, self.types)))

    def lines(self) -> list[str]:
        """A line each for names that are missing (-), unexpected (+), of another shape or type (!)."""
        kinds = {
            "- missing": self.missing,
            "+ unexpected": self.unexpected,
            "! of another shape": self.shapes,
            "! of another type": self.types,
        }
        return [f"{kind} ({len(names)}): {_cut(names)}" for kind, names in kinds.items() if names]


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
    bare = {name.replace(COMPILED, ""): tensor for name, tensor in state.items()}
    while prefix := next((each for each in PREFIXES if bare and all(name.startswith(each) for name in bare)), None):
        bare = {name.removeprefix(prefix): tensor for name, tensor in bare.items()}
    found = recognise(bare)
    return Checkpoint(source, found, found.renamed(bare) if found else bare, state)


def load_into(model: nn.Module, options: Options, checkpoint: Checkpoint) -> None:
    """Load all of a checkpoint into all of a model of these options.

    Embeddings of other grids and lengths are resized, image weights are inflated (`models.inflate`). Where the last
    layer does not fit and `options.new_head` says so, the model keeps its own. Raises ModelError, with the model
    untouched, where names or shapes differ: it says what the checkpoint is, and what is missing (-), unexpected (+) or
    of another shape (!).
    """
    own = model.state_dict()
    state = fitted(checkpoint, own, options)
    anew = with_new_head(state, own, options.CLASSIFIER)
    wrong = misfits(anew if options.new_head else state, own)
    if wrong.count:
        hint = _hints(state, own, options, checkpoint.windowed)
        raise ModelError("\n  ".join([_headline(checkpoint, options), *wrong.lines(), *hint]))
    model.load_state_dict(anew if options.new_head else state)


def fitted(checkpoint: Checkpoint, own: State, options: Options) -> State:
    """A checkpoint's parameters as those of a model whose own these are: inflated, embeddings resized where allowed."""
    state = checkpoint.for_model(options.name, own)
    found = checkpoint.format
    if found and found.image and options.name in found.models:
        state = inflated(state, own, options)
    return _fit_embeddings(state, own, options, checkpoint.windowed)


def load_pretrained(model: nn.Module, options: Options, folder: Path) -> None:
    """Start a model from `options.weights`: named image weights, or a checkpoint of images or of videos.

    Named ones are looked for in `folder`, then asked of timm, which keeps its own cache; their last layer is kept only
    where it fits. Does nothing where the options name no weights. Raises ModelError, saying which file to place where.
    """
    if options.weights is None:
        return
    sizes = options.IMAGE_WEIGHTS.get(options.weights)
    if sizes is None:
        load_into(model, options, load_checkpoint(Path(options.weights)))
    else:
        named = _image_weights(sizes[getattr(options, "size", "")], folder)
        load_into(model, options.model_copy(update={"new_head": True}), named)


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
    nameless = [repr(name) for name in content if not isinstance(name, str)]
    if nameless:
        raise ModelError(f"{path}: names its parameters by other things than text: {_cut(nameless)}")
    others = [str(name) for name, tensor in content.items() if not isinstance(tensor, Tensor)]
    if others:
        raise ModelError(f"{path}: holds other things than parameters: {_cut(others)}")
    return content


def _fit_embeddings(state: State, own: State, options: Options, windowed: bool) -> State:
    """The state with the embeddings of other lengths resized, but for those that the options refuse to resize."""
    done = dict(state)
    for name in ("pos_embed", *TIME):
        if name not in state or name not in own or not _only_length_differs(state[name], own[name]):
            continue
        length = own[name].shape[1]
        if name == "pos_embed":
            done[name] = _resized_space(state[name], length, options.RESIZE)
        elif not options.embedding_problem(state[name].shape[1], length, windowed):
            done[name] = _resized_time(state[name], length)
    return done


def _only_length_differs(given: Tensor, own: Tensor) -> bool:
    same_rest = given.ndim == own.ndim and given.shape[:1] + given.shape[2:] == own.shape[:1] + own.shape[2:]
    return same_rest and given.shape != own.shape and given.numel() > 0


def _resized_space(given: Tensor, length: int, mode: str) -> Tensor:
    """In the plane, as the model does at run time; TimeSformer's released loader stretches the flattened grid."""
    side, given_side = round((length - 1) ** 0.5), round((given.shape[1] - 1) ** 0.5)
    if given_side == 0 or given_side**2 + 1 != given.shape[1]:
        return given  # not one class token and a square grid: told as a wrong shape
    return torch.cat([given[:, :1], resize_space(given[:, 1:], side, side, mode)], dim=1)


def _resized_time(given: Tensor, length: int) -> Tensor:
    """`1 frames d -> 1 length d`; X-ViT's have an axis of length 1 before the last."""
    return resize_time(given.flatten(1, -2), length).reshape(1, length, *given.shape[2:])


def with_new_head(state: State, own: State, classifier: str) -> State:
    """The state with the model's own last layer, where its own does not fit or is missing."""
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


def _hints(state: State, own: State, options: Options, windowed: bool) -> list[str]:
    """What would make it fit: other windows of time, a new last layer."""
    unequal = [name for name in TIME if name in state and name in own and _only_length_differs(state[name], own[name])]
    told = [options.embedding_problem(state[name].shape[1], own[name].shape[1], windowed) for name in unequal]
    found = [each for each in told if each]
    anew = with_new_head(state, own, options.CLASSIFIER)
    if not options.new_head and not misfits(anew, own).count:
        why = _why_anew(state, own, options.CLASSIFIER)
        found.append(f"only {why}: it fits with `new_head: true` beside `weights`, which starts that layer anew")
    return found


def _why_anew(state: State, own: State, classifier: str) -> str:
    head = next(name for name in own if name.startswith(classifier))
    if head not in state:
        return "the last layer is missing"
    given, ours = state[head].shape, own[head].shape
    if given[:1] != ours[:1]:
        return f"the classes differ ({', '.join(map(str, given[:1])) or 'none'} and {ours[0]})"
    return f"the last layer is of another shape ({list(given)} and {list(ours)})"


def misfits(state: State, own: State) -> Misfits:
    """In what a checkpoint's parameters and a model's differ."""
    shared = [name for name in own if name in state]
    return Misfits(
        missing=[name for name in own if name not in state],
        unexpected=[name for name in state if name not in own],
        shapes=[
            f"{name} {list(state[name].shape)}, here {list(own[name].shape)}"
            for name in shared
            if state[name].shape != own[name].shape
        ],
        types=[
            f"{name} {_type(state[name])}, here {_type(own[name])}"
            for name in shared
            if own[name].is_floating_point() and not state[name].is_floating_point()
        ],
    )


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
        raise ModelError(
            f"the weights {name} cannot be fetched ({first_line(error)}); download model.safetensors from "
            f"https://huggingface.co/timm/{name} and place it as {folder / name}.safetensors"
        ) from error
    return understood(name, fetched)
