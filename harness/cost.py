"""What a model costs before it is trained: parameters and multiply-adds, counted once and kept by content.

One multiply-add is one multiplication with its addition, as in the papers' "FLOPs". Matrix products count, those of
attention included; norms, activations and sums do not. A count is for one view in evaluation mode: times the views, it
is a paper's figure. It is taken on the meta device, where nothing is computed and no weight allocated; there, and not
on the CPU, torch's counter also sees fused attention.
"""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.catalog import Options
from models.registry import build
from results.record import Cost
from results.store import write_atomic

if TYPE_CHECKING:
    from torch import nn

COUNTER_VERSION = 1
"""Raised when the counter or a model changes what the same options cost; costs on disk then no longer match."""

ATTENTION_PRODUCTS = ("bmm", "baddbmm", "_scaled_dot_product")
"""How the operators of q.k and a.v are called, explicit and fused; all other products have weights in them."""


def count(options: Options, frames: int, size: int, classes: int) -> Cost:
    """Count one view of `frames` x `size` x `size` pixels; raises ModelError where the model cannot take it."""
    import torch

    with torch.device("meta"):
        model = build(options, frames, size, classes).eval()
        clip = torch.empty(1, 3, frames, size, size)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return Cost(parameters=parameters, **_multiply_adds(model, clip))


def _multiply_adds(model: "nn.Module", clip: Any) -> dict[str, int]:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(clip)
    flops = {str(operator).removeprefix("aten."): n for operator, n in counter.get_flop_counts()["Global"].items()}
    attention = sum(n for operator, n in flops.items() if operator.startswith(ATTENTION_PRODUCTS))
    return {"multiply_adds": sum(flops.values()) // 2, "attention_multiply_adds": attention // 2}


def cost_key(options: Options, frames: int, size: int, classes: int) -> str:
    """A short hash of all that a cost depends on, and of nothing else."""
    content = {"counter": COUNTER_VERSION, **_description(options, frames, size, classes)}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def stored_cost(root: Path, options: Options, frames: int, size: int, classes: int) -> Cost:
    """The cost kept under `root`, or a fresh count, which is then kept. Raises ModelError, and OSError."""
    cost = known_cost(root, options, frames, size, classes)
    if cost is None:
        cost = count(options, frames, size, classes)
        content = {**_description(options, frames, size, classes), "cost": cost.model_dump()}
        write_atomic(_path(root, options, frames, size, classes), json.dumps(content, indent=1) + "\n")
    return cost


def known_cost(root: Path, options: Options, frames: int, size: int, classes: int) -> Cost | None:
    """The cost kept under `root`, without torch; none where it was not counted yet or its file is damaged."""
    try:
        content = json.loads(_path(root, options, frames, size, classes).read_text(encoding="utf-8"))
        return Cost.model_validate(content["cost"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _path(root: Path, options: Options, frames: int, size: int, classes: int) -> Path:
    return root / "costs" / f"{cost_key(options, frames, size, classes)}.json"


def _description(options: Options, frames: int, size: int, classes: int) -> dict[str, Any]:
    model = options.model_dump(mode="json", exclude=set(options.COSTLESS))
    return {"model": model, "frames": frames, "size": size, "classes": classes}
