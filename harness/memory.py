"""How much memory a model will need on a device, from its shapes alone: before anything is queued, on any machine.

Predicted by a step in which nothing is computed (`harness.dry_run`), in seconds at any scale, and kept by
content, so that it is answered at once and without torch the next time.

What a prediction leaves out, and a device needs on top: its driver's context, the workspaces of cuBLAS and cuDNN, and
what the caching allocator holds in pieces too small to use. On a GPU it was not checked against measurement yet.

On a CPU it is within 5 % of what a process takes, where glibc gives freed blocks back at once. As glibc is by default
it keeps freed blocks for later, and a process takes 10 to 30 % more than predicted in training, and up to twice as much
in small tests. Compiled models hold less in training. `benchmarks/predict_memory.py` prints both beside predictions.
"""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypedDict, Unpack

from pydantic import BaseModel, ConfigDict, Field

from harness.spec import Precision
from models.catalog import Options
from models.registry import ModelError, build, first_line
from results.store import write_atomic

PREDICTOR_VERSION = 2
"""Raised when the same options come to need other memory: the predictor changed, or a model."""

OVERHEAD_BYTES = 2**30
"""What a GPU holds beside tensors, roughly: the driver's context (0.3 to 0.5 GiB), workspaces, and the part of its
nominal memory that it does not offer (a V100 of 32 GB offers 31.75 GiB)."""

TOLERANCE = 1.15
"""How far measurements were found from predictions, at most, where freed memory is free; docs/costs.md."""

Verdict = Literal["fits", "may not fit", "will not fit"]
Optimizer = Literal["sgd", "adamw"]
DeviceType = Literal["cuda", "cpu"]
Bytes = Annotated[int, Field(ge=0)]


class Memory(BaseModel):
    """What one batch needs on a device, in bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    parameters_bytes: Bytes
    """Weights and buffers; float32, also in mixed precision."""
    gradients_bytes: Bytes
    """Of all weights, in full. They are made in the backward pass and dropped before the next forward pass, so that
    most of them are not there yet when training is at its peak."""
    optimizer_bytes: Bytes
    """Momentum (SGD), or two moments (AdamW), from the second step on."""
    input_bytes: Bytes
    """Training: clips as uint8, and labels. Inference: clips as float32."""
    saved_bytes: Bytes
    """What the forward pass keeps for the backward pass: activations, and in mixed precision cast weights."""
    activations_bytes: Bytes
    """All else at the peak: activations, their gradients, cast weights, and what an operator needs for a moment."""
    peak_bytes: Bytes
    """The most held at one moment: parameters, optimiser, input, activations, and such gradients as there are then."""


def predict(
    options: Options,
    frames: int,
    size: int,
    classes: int,
    *,
    batch: int,
    precision: Precision,
    training: bool,
    optimizer: Optimizer = "sgd",
    device_type: DeviceType = "cuda",
    accumulating: bool = False,
) -> Memory:
    """What `batch` clips on one device at once need: a forward pass in evaluation mode, or a training step.

    `accumulating`: a step takes several such batches, so that in all but the first there are gradients from the start.
    Eager, with the attention that `options` say, fused or explicit. Raises ModelError where the model cannot take such
    clips, or where what it does depends on the values it sees.
    """
    import torch

    from harness import dry_run

    with torch.device("meta"):
        model = build(options, frames, size, classes)
    shape = (batch, 3, frames, size, size)
    try:
        if training:
            held = dry_run.training(model, shape, precision, device_type, optimizer, accumulating=accumulating)
        else:
            held = dry_run.inference(model, shape, precision, device_type)
    except ModelError:
        raise
    except Exception as error:  # whatever a user's model does that tensors without values cannot
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise ModelError(f"{options.name}: its memory cannot be predicted: {reason}") from error
    lasting = held.parameters + held.optimizer + held.input
    return Memory(
        parameters_bytes=held.parameters,
        gradients_bytes=held.gradients,
        optimizer_bytes=held.optimizer,
        input_bytes=held.input,
        saved_bytes=held.saved,
        activations_bytes=held.peak - lasting - held.gradients_at_peak,
        peak_bytes=held.peak,
    )


def verdict(memory: Memory, device_memory_gb: float) -> Verdict:
    """Whether it fits a GPU of so many GB, which as vendors say it of memory are GiB.

    What will not fit by this will not run: its tensors alone are too many. What may not fit comes within `TOLERANCE` of
    the device, and runs or not by how the allocator's pieces fall.
    """
    limit = device_memory_gb * 2**30 - OVERHEAD_BYTES
    if memory.peak_bytes > limit:
        return "will not fit"
    return "fits" if memory.peak_bytes * TOLERANCE <= limit else "may not fit"


class How(TypedDict):
    """How a model is used, as `predict` takes it."""

    batch: int
    precision: Precision
    training: bool
    optimizer: NotRequired[Optimizer]
    device_type: NotRequired[DeviceType]
    accumulating: NotRequired[bool]


def memory_key(options: Options, frames: int, size: int, classes: int, **how: Unpack[How]) -> str:
    """A short hash of all that a prediction depends on."""
    content = _description(options, frames, size, classes, how)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def stored_memory(root: Path, options: Options, frames: int, size: int, classes: int, **how: Unpack[How]) -> Memory:
    """The prediction kept as `<root>/memory/<key>.json`, or a fresh one, which is then kept.

    Raises ModelError, and OSError where it cannot be written.
    """
    memory = known_memory(root, options, frames, size, classes, **how)
    if memory is None:
        memory = predict(options, frames, size, classes, **how)
        content = {**_description(options, frames, size, classes, how), "memory": memory.model_dump()}
        key = memory_key(options, frames, size, classes, **how)
        write_atomic(_path(root, key), json.dumps(content, indent=1) + "\n")
    return memory


def known_memory(
    root: Path, options: Options, frames: int, size: int, classes: int, **how: Unpack[How]
) -> Memory | None:
    """The prediction kept under `root`, without torch; None where there is none yet or its file is damaged."""
    try:
        content = json.loads(_path(root, memory_key(options, frames, size, classes, **how)).read_text(encoding="utf-8"))
        return Memory.model_validate(content["memory"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _path(root: Path, key: str) -> Path:
    return root / "memory" / f"{key}.json"


def _description(options: Options, frames: int, size: int, classes: int, how: How) -> dict[str, Any]:
    model = options.model_dump(mode="json", exclude={"weights", "new_head"})  # fused or not, and drop path, are memory
    versions = {"predictor": PREDICTOR_VERSION, "revision": options.REVISION}
    clip = {"frames": frames, "size": size, "classes": classes}
    usual = {"optimizer": "sgd", "device_type": "cuda", "accumulating": False}
    return {**versions, "model": model, **clip, **usual, **how}
