"""How long something takes, and each module of a model within a forward pass.

All times are of a clock on the wall, with the device waited for. They are right for this machine, its threads and its
load alone; on a shared machine the spread says how far to trust a median.
"""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

WARM_UP = 3
REPEATS = 15
BUDGET_S = 2.0
"""Seconds after which a measurement stops repeating, once it has three values, and after which warming up ends."""


def timed(run: Callable[[], object], device: torch.device) -> list[float]:
    """Seconds of each of three to `REPEATS` runs, after up to `WARM_UP` that do not count."""
    began = time.perf_counter()
    for _ in range(WARM_UP):
        run()
        wait_for(device)
        if time.perf_counter() - began > BUDGET_S:
            break
    times: list[float] = []
    while len(times) < REPEATS and (len(times) < 3 or sum(times) < BUDGET_S):
        wait_for(device)
        began = time.perf_counter()
        run()
        wait_for(device)
        times.append(time.perf_counter() - began)
    return times


def wait_for(device: torch.device) -> None:
    """Let a GPU finish what it was given, so that a clock read now means something."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def median_and_spread(times: list[float]) -> tuple[float, float]:
    """The median, and the distance between the quartiles."""
    low, middle, high = statistics.quantiles(times, n=4)
    return middle, high - low


@dataclass(frozen=True)
class ModuleTime:
    """The time of one module within a forward pass."""

    name: str
    """Dotted; empty for the whole model."""
    calls: int
    """In one pass."""
    seconds: float
    """Of all its calls together, with all inside it: median over passes."""


def module_times(model: nn.Module, clip: Tensor, depth: int) -> list[ModuleTime]:
    """Forward times of the modules down to `depth` (0: the whole), in evaluation mode; autocast is the caller's affair.

    Children are less than their parent, by what it does outside of modules: sums, regroupings, attention products. On a
    GPU the device is waited for at every module, which takes away what it does while Python goes on: the whole is then
    slower than `forward_times` says, and small modules more so than large ones. Not of a compiled model.
    """
    watch = _ModuleWatch(clip.device)
    handles = [
        handle
        for name, module in model.named_modules()
        if (name.count(".") + 1 if name else 0) <= depth
        for handle in watch.hook(name, module)
    ]
    model.eval()
    try:
        with torch.inference_mode():
            times = timed(lambda: watch.run(model, clip), clip.device)
    finally:
        for handle in handles:
            handle.remove()
    counted = watch.passes[-len(times) :]  # without those that warmed up
    return [
        ModuleTime(name, len(calls), statistics.median(sum(each[name]) for each in counted))
        for name, calls in counted[-1].items()
    ]


class _ModuleWatch:
    """Clocks on modules: what each call took, by name, pass by pass."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.passes: list[dict[str, list[float]]] = []
        self.began: list[float] = []

    def run(self, model: nn.Module, clip: Tensor) -> None:
        """One pass, told apart from the others."""
        self.passes.append(defaultdict(list))
        model(clip)

    def hook(self, name: str, module: nn.Module) -> list[Any]:
        """Put a clock on a module; returns what takes it off."""

        def start(*_: object) -> None:
            self.passes[-1][name]  # the order in which modules begin is the order told
            wait_for(self.device)
            self.began.append(time.perf_counter())

        def stop(*_: object) -> None:
            wait_for(self.device)
            self.passes[-1][name].append(time.perf_counter() - self.began.pop())

        return [module.register_forward_pre_hook(start), module.register_forward_hook(stop)]
