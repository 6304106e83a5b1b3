"""Public and own checkpoints: reading them, renaming their parameters, fitting them to a model.

Checkpoints are read with `weights_only=True`: a file from elsewhere can hold numbers, never code.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.catalog import CHECKPOINT_SUFFIXES, IMAGE_WEIGHTS, Options, TimeSformerOptions
from models.registry import ModelError
from models.timesformer import SCHEMES, TimeSformer, resize_space, resize_time

State = dict[str, Tensor]

CONTAINERS = ("model_state", "state_dict", "model", "module")
"""Under which a training program keeps the parameters in its checkpoint."""

PREFIXES = ("module.", "model.")
"""What data-parallel and other wrappers put before each name."""

HUGGING_FACE = (
    (r"^timesformer\.embeddings\.position_embeddings$", "pos_embed"),
    (r"^timesformer\.embeddings\.time_embeddings$", "time_embed"),
    (r"^timesformer\.embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^timesformer\.embeddings\.", ""),
    (r"^timesformer\.encoder\.layer\.", "blocks."),
    (r"^timesformer\.layernorm\.", "norm."),
    (r"^classifier\.", "head."),
    (r"\.temporal_attention\.attention\.qkv\.", ".temporal_attn.qkv."),
    (r"\.temporal_attention\.output\.dense\.", ".temporal_attn.proj."),
    (r"\.temporal_dense\.", ".temporal_fc."),
    (r"\.temporal_layernorm\.", ".temporal_norm1."),
    (r"\.attention\.attention\.qkv\.", ".attn.qkv."),
    (r"\.attention\.output\.dense\.", ".attn.proj."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"\.output\.dense\.", ".mlp.fc2."),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
)
"""Names of `transformers.TimesformerForVideoClassification` -> the released code's, in this order."""

LISTED = 8  # names of each kind in a message; a model of the wrong depth has hundreds


def load_checkpoint(path: Path) -> State:
    """The parameters in a file, under the released code's names.

    Reads safetensors and what `torch.save` wrote: a state dict, or one within a training checkpoint; with wrappers'
    prefixes; of the released code or of its Hugging Face port. Raises ModelError for a file that is none of these.
    """
    if not path.is_file():
        raise ModelError(f"{path}: no such checkpoint")
    state = _parameters(path, _read(path))
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return {_released_name(name): tensor for name, tensor in state.items()}


def load_into(model: nn.Module, state: State, *, source: str, replace_head: bool = False) -> None:
    """Load all of `state` into all of `model`; embeddings of other grids and lengths are resized.

    With `replace_head` a head for other classes, or none, leaves the model its own. Raises ModelError, with the model
    untouched, where names or shapes differ: it names `source`, and what is missing (-), unexpected (+) or of another
    shape (!).
    """
    own = model.state_dict()
    state = _fit_embeddings(state, own)
    if replace_head:
        state = _keep_head(state, own)
    misfits = _misfits(state, own)
    if misfits:
        raise ModelError("\n  ".join([f"{source} does not fit the model:", *misfits]))
    model.load_state_dict(state)


def load_pretrained(model: nn.Module, options: Options, folder: Path) -> None:
    """Start a model from `options.weights`: named image weights, or a checkpoint of images or of videos.

    Named ones are looked for in `folder`, then asked of timm, which keeps its own cache. Image weights have no steps
    beyond the last: these start as copies of it, their zero layers and the time embedding as they are. The head is kept
    where the classes are as many, and new where not. Does nothing for models whose options name no weights. Raises
    ModelError, saying which file to place where.
    """
    if not isinstance(model, TimeSformer) or not isinstance(options, TimeSformerOptions) or options.weights is None:
        return
    if options.weights in IMAGE_WEIGHTS:
        source = IMAGE_WEIGHTS[options.weights][options.size]
        state = _image_weights(source, folder)
    else:
        source, state = options.weights, load_checkpoint(Path(options.weights))
    load_into(model, inflate(state, model), source=source, replace_head=True)


def inflate(state: State, model: TimeSformer) -> State:
    """Image weights as weights of `model`; those that already have any extra step are left as they are."""
    prefixes = [step.prefix for step in SCHEMES[model.options.attention].steps[:-1]]
    if any(f".{prefix}" in name for prefix in prefixes for name in state):
        return state
    copies = {
        f"{block}{prefix}{part}": tensor
        for name, tensor in state.items()
        for block, part in re.findall(r"^(blocks\.\d+\.)((?:norm1|attn)\..*)$", name)
        for prefix in prefixes
    }
    own = model.state_dict()
    new = {
        name: own[name] for name in own if name == "time_embed" or any(f".{prefix}fc." in name for prefix in prefixes)
    }
    return {**new, **state, **copies}


def _read(path: Path) -> Any:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch and safetensors raise a dozen types for a damaged or foreign file
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{path}: not a checkpoint that can be read safely: {reason}") from error


def _parameters(path: Path, content: Any) -> State:
    while isinstance(content, dict) and (inner := next((key for key in CONTAINERS if key in content), None)):
        content = content[inner]
    if not isinstance(content, dict) or not content:
        raise ModelError(f"{path}: holds no parameters, neither by name nor under {', '.join(CONTAINERS)}")
    others = [str(name) for name, tensor in content.items() if not isinstance(tensor, Tensor)]
    if others:
        raise ModelError(f"{path}: holds other things than parameters: {_cut(others)}")
    return content


def _released_name(name: str) -> str:
    for pattern, replacement in HUGGING_FACE:
        name = re.sub(pattern, replacement, name)
    return name


def _fit_embeddings(state: State, own: State) -> State:
    fitted = dict(state)
    for name in ("pos_embed", "time_embed"):
        if name in state and name in own and _only_length_differs(state[name], own[name]):
            fitted[name] = _resized(name, state[name], own[name].shape[1])
    return fitted


def _only_length_differs(given: Tensor, own: Tensor) -> bool:
    return given.ndim == 3 and given.shape != own.shape and given.shape[::2] == own.shape[::2]


def _resized(name: str, given: Tensor, length: int) -> Tensor:
    """In the plane, as the model does at run time; the released loader stretches the flattened grid instead."""
    if name == "time_embed":
        return resize_time(given, length)
    side, given_side = round((length - 1) ** 0.5), round((given.shape[1] - 1) ** 0.5)
    if given_side**2 + 1 != given.shape[1]:
        return given  # not one class token and a square grid: told as a wrong shape
    return torch.cat([given[:, :1], resize_space(given[:, 1:], side, side)], dim=1)


def _keep_head(state: State, own: State) -> State:
    head = {name: tensor for name, tensor in own.items() if name.startswith("head.")}
    fits = all(name in state and state[name].shape == tensor.shape for name, tensor in head.items())
    rest = {name: tensor for name, tensor in state.items() if not name.startswith("head.")}
    return state if fits else {**rest, **head}


def _misfits(state: State, own: State) -> list[str]:
    shapes = [
        f"{name} {list(state[name].shape)}, here {list(own[name].shape)}"
        for name in own
        if name in state and state[name].shape != own[name].shape
    ]
    kinds = {
        "- missing": [name for name in own if name not in state],
        "+ unexpected": [name for name in state if name not in own],
        "! of another shape": shapes,
    }
    return [f"{kind} ({len(names)}): {_cut(names)}" for kind, names in kinds.items() if names]


def _cut(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def _image_weights(name: str, folder: Path) -> State:
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
    return fetched
