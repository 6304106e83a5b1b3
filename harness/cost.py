"""What a model costs before it is trained: parameters and multiply-adds, counted once and kept by content.

Of the whole (`count`), and of each module (`breakdown`). What it holds in memory is in `harness.memory`.

One multiply-add is one multiplication with its addition, as in the papers' "FLOPs". Matrix products count, those of
attention included; norms, activations and sums do not. A count is for one view in evaluation mode: times the views, it
is a paper's figure. It is taken on the meta device, where nothing is computed and no weight allocated; there, and not
on the CPU, torch's counter also sees fused attention.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.catalog import Options
from models.registry import ModelError, build, first_line
from results.record import Cost
from results.store import write_atomic

if TYPE_CHECKING:
    from torch import nn

COUNTER_VERSION = 1
"""Raised when the counter or a model changes what the same options cost; costs on disk then no longer match."""

ATTENTION_PRODUCTS = ("bmm", "baddbmm", "_scaled_dot_product")
"""How the operators of q.k and a.v are called, explicit and fused; all other products have weights in them."""


class Uncountable(ModelError):
    """A model that may well train, but does what tensors without values cannot."""


@dataclass(frozen=True)
class ModuleCost:
    """What one module costs in one view, with all inside it."""

    name: str
    """Dotted; empty for the whole model."""
    kind: str
    """The name of its class."""
    parameters: int
    multiply_adds: int
    attention_multiply_adds: int
    """Of the products q.k and a.v alone; part of `multiply_adds`."""
    operators: Mapping[str, int]
    """Multiply-adds by the operator that does them, as torch calls it: `addmm`, `convolution`, `bmm`. It tells how the
    model is written, not what it computes: one linear layer is an `addmm` or, with more axes, an `mm` or a `bmm`."""
    own_parameters: int
    """In it and in no module inside it."""
    own_multiply_adds: int
    """Done by itself and by no module inside it: what it holds is the sum over the modules inside and this."""


def count(options: Options, frames: int, size: int, classes: int, *, crop: int | None = None) -> Cost:
    """Count one view of `frames` x `crop` x `crop` pixels (without `crop`: `size`) by a model that is made for `size`.

    The two differ where a test's crop is not the training's: a head that averages over windows of the training crop
    has more of them to work on. Raises ModelError where the model cannot take such a view or gives no logits for it,
    and Uncountable.

    Wrong for what torch's counter does not know, of which it counts nothing: products written as elementwise
    multiplications and sums, and kernels of one's own. Views, decoding and the loss are not in it; a training step's
    backward pass costs about twice as much again.
    """
    (whole,) = breakdown(options, frames, size, classes, 0, crop=crop)
    return Cost(
        parameters=whole.parameters,
        multiply_adds=whole.multiply_adds,
        attention_multiply_adds=whole.attention_multiply_adds,
    )


def breakdown(
    options: Options, frames: int, size: int, classes: int, depth: int, *, crop: int | None = None
) -> list[ModuleCost]:
    """The cost of every module down to `depth` (0: the whole model), parents before what is inside them; as `count`.

    What is done by no module belongs to the one whose `forward` does it, such as the products of attention to the
    attention layer. A module that is reached by two names has its cost under the first. Raises ModelError.
    """
    import torch

    with torch.device("meta"):
        model = build(options, frames, size, classes).eval()
        clip = torch.empty(1, 3, frames, crop or size, crop or size)
    try:
        own, given = _own_flops(model, clip)
    except ModelError:
        raise
    except Exception as error:  # whatever a user's model does that tensors without values cannot
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise Uncountable(f"{options.name}: its cost cannot be counted: {reason}") from error
    if given != [1, classes]:
        raise ModelError(f"{options.name}: it gives {given} for one clip, not logits b k: [1, {classes}]")
    return [_module_cost(name, module, own) for name, module in model.named_modules() if _depth(name) <= depth]


def _depth(name: str) -> int:
    return name.count(".") + 1 if name else 0


def _module_cost(name: str, module: "nn.Module", own: Mapping[str, Counter[str]]) -> ModuleCost:
    inside = [flops for other, flops in own.items() if not name or f"{other}.".startswith(f"{name}.")]
    operators = {operator: flops // 2 for operator, flops in sorted(sum(inside, Counter[str]()).items())}
    attention = [n for operator, n in operators.items() if operator.startswith(ATTENTION_PRODUCTS)]
    return ModuleCost(
        name=name,
        kind=type(module).__name__,
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        multiply_adds=sum(operators.values()),
        attention_multiply_adds=sum(attention),
        operators=operators,
        own_parameters=sum(parameter.numel() for parameter in module.parameters(recurse=False)),
        own_multiply_adds=own[name].total() // 2,
    )


def _own_flops(model: "nn.Module", clip: Any) -> tuple[dict[str, Counter[str]], Any]:
    """Twice the multiply-adds of a forward pass by module and operator, each under the innermost module that runs.

    And the shape of what the model gives, or its type where it has none.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    own: dict[str, Counter[str]] = {name: Counter() for name, _ in model.named_modules()}
    running, seen = [""], Counter[str]()
    counter = FlopCounterMode(display=False)

    def settle() -> None:
        """Give what was counted since the last call to the module that ran meanwhile."""
        counted = counter.flop_counts["Global"]
        new = Counter({str(operator).removeprefix("aten."): n for operator, n in counted.items()}) - seen
        own[running[-1]].update(new)
        seen.update(new)

    def start(name: str) -> None:
        settle()
        running.append(name)

    def stop(*_: object) -> None:
        settle()
        running.pop()

    for name, module in model.named_modules():
        module.register_forward_pre_hook(lambda *_, name=name: start(name))
        module.register_forward_hook(stop)
    with counter, torch.no_grad():
        given = model(clip)
    return own, list(given.shape) if hasattr(given, "shape") else type(given).__name__


def cost_key(options: Options, frames: int, size: int, classes: int, *, crop: int | None = None) -> str:
    """A short hash of all that a cost depends on, and of nothing else."""
    versions = {"counter": COUNTER_VERSION, "revision": options.REVISION}
    content = {**versions, **_description(options, frames, size, classes, crop)}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def stored_cost(root: Path, options: Options, frames: int, size: int, classes: int, *, crop: int | None = None) -> Cost:
    """The cost kept under `root`, or a fresh count, which is then kept. Raises ModelError, and OSError."""
    cost = known_cost(root, options, frames, size, classes, crop=crop)
    if cost is None:
        cost = count(options, frames, size, classes, crop=crop)
        kept = {"counter": COUNTER_VERSION, "cost": cost.model_dump()}
        content = {"crop": crop or size, **_description(options, frames, size, classes, crop), **kept}
        key = cost_key(options, frames, size, classes, crop=crop)
        write_atomic(_path(root, key), json.dumps(content, indent=1) + "\n")
    return cost


def known_cost(
    root: Path, options: Options, frames: int, size: int, classes: int, *, crop: int | None = None
) -> Cost | None:
    """The cost kept under `root`, without torch.

    None where it was not counted yet, by another version of the counter, or where its file is damaged.
    """
    try:
        key = cost_key(options, frames, size, classes, crop=crop)
        content = json.loads(_path(root, key).read_text(encoding="utf-8"))
        return Cost.model_validate(content["cost"]) if content["counter"] == COUNTER_VERSION else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _path(root: Path, key: str) -> Path:
    return root / "costs" / f"{key}.json"


def _description(options: Options, frames: int, size: int, classes: int, crop: int | None) -> dict[str, Any]:
    model = options.model_dump(mode="json", exclude={*options.COSTLESS, "weights", "new_head"})
    seen = {} if crop in (None, size) else {"crop": crop}
    return {"model": model, "frames": frames, "size": size, "classes": classes, **seen}
