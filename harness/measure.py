"""What a model costs on this machine: peak memory, latency, throughput, time by module, and what the machine is.

Measured on random clips that already lie on the device: decoding and copying are not in it. `harness.timing` says what
its times are.
"""

import ctypes
import gc
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from harness import memory
from harness.provenance import device_name
from harness.spec import JobSpec
from harness.step import Step, autocast
from harness.timing import ModuleTime, median_and_spread, module_times, timed
from models.registry import build

WORTHWHILE = 1.03
"""A batch twice as large is better where it brings at least so many times the throughput."""

LONGEST_PASS_S = 1.0
"""Batches that take longer are not doubled: what is to be gained by them is little, and measuring takes minutes."""

CPU_SHARE = 0.8
"""Of the memory that the system says is available, what a measurement on a CPU may take."""


@dataclass(frozen=True)
class Speed:
    """What a model does on this machine. Where no batch fits the device, what needs it is None."""

    device: str
    precision: str
    compiled: bool
    latency_s: float
    """Of one clip alone through the model in evaluation mode, median. Without reading and normalising the clip."""
    latency_spread_s: float
    """Distance of its quartiles."""
    throughput_batch: int
    """The batch of the best throughput found by doubling; not the best of all batches, and not the largest."""
    throughput_clips_per_s: float
    """At that batch; at batch 1 it is 1 / `latency_s`."""
    inference_memory_bytes: int | None
    """Peak for one clip, weights included; on a CPU with what the allocator and the kernels keep for themselves."""
    training_batch: int | None
    """Clips on the device at once: the job's own number, halved until it was predicted to fit."""
    training_step_s: float | None
    """From uint8 clips on the device to updated weights, median."""
    training_step_spread_s: float | None
    training_clips_per_s: float | None
    training_memory_bytes: int | None
    """Peak of a step at `training_batch` after the first."""


class PeakMemory:
    """The most memory held since this was made, in bytes.

    On a GPU, what torch allocated: neither the driver's context nor what the caching allocator holds in reserve. On a
    CPU, how far the process's resident memory rose (Linux: the high-water mark in /proc, which is reset here): all of
    the process, libraries loaded meanwhile included. What earlier work freed is handed back to the system first, since
    it would be used again unseen; not without glibc. None where the system does not tell.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        if device.type == "cpu":
            gc.collect()
            with suppress(AttributeError, OSError):
                ctypes.CDLL(None).malloc_trim(0)
        self.base = (_resident_bytes("VmRSS") or 0) if self.restart() else 0

    def restart(self) -> bool:
        """Forget the peak so far, but not what was held at the beginning; False where the system cannot."""
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            return False
        try:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # resets VmHWM, see proc(5)
        except OSError:
            return False
        return True

    def bytes(self) -> int | None:
        """The peak so far."""
        if self.device.type == "cuda":
            return int(torch.cuda.max_memory_allocated(self.device))
        peak = _resident_bytes("VmHWM")
        return max(peak - self.base, 0) if peak and self.base else None


def _resident_bytes(key: str) -> int | None:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:")]
    return found[0] if found else None


def forward_times(model: nn.Module, spec: JobSpec, batch: int) -> list[float]:
    """Seconds of single forward passes on random clips in evaluation mode, warmed up, the device waited for."""
    device = next(model.parameters()).device
    clip = torch.randn(batch, 3, spec.clip.frames, spec.clip.size, spec.clip.size).to(device)
    model.eval()
    with torch.inference_mode(), autocast(device, spec.precision):
        return timed(lambda: model(clip), device)


def training_times(model: nn.Module, spec: JobSpec, batch: int, classes: int) -> list[float]:
    """Seconds of single training steps on random clips, warmed up, the device waited for; changes the weights."""
    device = next(model.parameters()).device
    clips = torch.randint(256, (batch, spec.clip.frames, spec.clip.size, spec.clip.size, 3), dtype=torch.uint8)
    step = Step(model.train(), spec)
    on_device, labels = clips.to(device), torch.randint(classes, (batch,)).to(device)
    return timed(lambda: _one(step, on_device, labels), device)


def _one(step: Step, clips: Tensor, labels: Tensor) -> None:
    step.accumulate(clips, labels, len(labels))
    step.update()


def peak_bytes(spec: JobSpec, classes: int, batch: int, *, training: bool, warm_up: JobSpec) -> int | None:
    """Peak memory of a fresh model's second step on `batch` clips, weights included; None where the system tells none.

    `warm_up` is a small job of the same kind, which runs first, so that what libraries allocate once is not in it. To
    be called once in a process. On a CPU it depends on the allocator: glibc keeps what is freed for later unless blocks
    are mapped one by one (MALLOC_MMAP_THRESHOLD_=65536 in the environment), and the peak is up to half higher.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    _two_steps(warm_up, classes, 1, device, training)
    peak = PeakMemory(device)
    _two_steps(spec, classes, batch, device, training)
    return peak.bytes()


def _two_steps(spec: JobSpec, classes: int, batch: int, device: torch.device, training: bool) -> None:
    clip = spec.clip
    model = build(spec.model, clip.frames, clip.size, classes).to(device).eval()
    if training:
        step = Step(model.train(), spec)
        clips = torch.ones((batch, clip.frames, clip.size, clip.size, 3), dtype=torch.uint8, device=device)
        for _ in range(2):
            _one(step, clips, torch.zeros(batch, dtype=torch.int64, device=device))
        return
    ready = torch.ones((batch, 3, clip.frames, clip.size, clip.size), device=device)
    with torch.inference_mode(), autocast(device, spec.precision):
        for _ in range(2):
            model(ready)


def profile(spec: JobSpec, classes: int, *, compiled: bool = False, best_batch: bool = True) -> Speed:
    """Latency, throughput and memory of a fresh model on this machine's device; raises ModelError.

    In a process of its own, on a CPU: memory that was freed before is used again, and is then not seen. Compiled, the
    memory is that of compiling too. Without `best_batch` the throughput is that of batch 1.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    peak = PeakMemory(device)
    model = build(spec.model, spec.clip.frames, spec.clip.size, classes).to(device)
    ready = _ready(model, compiled)
    latency, spread = median_and_spread(forward_times(ready, spec, 1))
    inference_bytes = peak.bytes()
    batch, throughput = 1, 1 / latency
    peak.restart()
    trained = _training(model, spec, classes, compiled, peak)
    if best_batch:
        batch, throughput = _best_batch(model, spec, classes, compiled, throughput)
    return Speed(
        device=device_name(device),
        precision=spec.precision,
        compiled=compiled,
        latency_s=latency,
        latency_spread_s=spread,
        throughput_batch=batch,
        throughput_clips_per_s=throughput,
        inference_memory_bytes=inference_bytes,
        **trained,
    )


def _ready(model: nn.Module, compiled: bool) -> nn.Module:
    """The model, or the model compiled for the shape that it is called with next."""
    if not compiled:
        return model
    torch.compiler.reset()  # each batch is a shape of its own, and torch gives up after eight
    return cast("nn.Module", torch.compile(model, dynamic=False))


def _best_batch(model: nn.Module, spec: JobSpec, classes: int, compiled: bool, throughput: float) -> tuple[int, float]:
    """The batch, doubled from 1, after which throughput rises no more, a pass takes longer than `LONGEST_PASS_S`, or
    memory would run out; and its throughput."""
    device, best = next(model.parameters()).device, 1
    while best / throughput < LONGEST_PASS_S and fits_here(spec, classes, 2 * best, device, training=False):
        try:
            seconds, _ = median_and_spread(forward_times(_ready(model, compiled), spec, 2 * best))
        except torch.OutOfMemoryError:
            break
        if 2 * best / seconds < WORTHWHILE * throughput:
            break
        best, throughput = 2 * best, 2 * best / seconds
    return best, throughput


def _training(model: nn.Module, spec: JobSpec, classes: int, compiled: bool, peak: PeakMemory) -> dict[str, Any]:
    """What `Speed` says of training; all None where not even one clip fits."""
    device = next(model.parameters()).device
    batch = spec.device_batch
    while batch and not fits_here(spec, classes, batch, device, training=True):
        batch //= 2
    while batch:
        try:
            seconds, spread = median_and_spread(training_times(_ready(model, compiled), spec, batch, classes))
        except torch.OutOfMemoryError:
            batch //= 2
            model.zero_grad(set_to_none=True)
            peak.restart()
            continue
        step = {"training_step_s": seconds, "training_step_spread_s": spread, "training_clips_per_s": batch / seconds}
        model.zero_grad(set_to_none=True)
        return {"training_batch": batch, **step, "training_memory_bytes": peak.bytes()}
    names = ("batch", "step_s", "step_spread_s", "clips_per_s", "memory_bytes")
    return {f"training_{name}": None for name in names}


def fits_here(spec: JobSpec, classes: int, batch: int, device: torch.device, *, training: bool) -> bool:
    """Whether this machine has the memory for a batch, as predicted; True where the system does not tell."""
    kind: Literal["cuda", "cpu"] = "cuda" if device.type == "cuda" else "cpu"
    predicted = memory.predict(
        spec.model, spec.clip.frames, spec.clip.size, classes, batch=batch, precision=spec.precision,
        training=training, optimizer=spec.recipe.optimizer, device_type=kind,
    )  # fmt: skip
    available = _available_bytes(device)
    return available is None or predicted.peak_bytes <= available


def _available_bytes(device: torch.device) -> int | None:
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device)
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return int(CPU_SHARE * found[0]) if found else None


def times_by_module(spec: JobSpec, classes: int, depth: int) -> list[ModuleTime]:
    """`module_times` of a fresh model on one clip, on this machine's device, in the job's precision; eager."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    clip = spec.clip
    model = build(spec.model, clip.frames, clip.size, classes).to(device)
    with autocast(device, spec.precision):
        return module_times(model, torch.randn(1, 3, clip.frames, clip.size, clip.size).to(device), depth)


def speed(model: nn.Module, spec: JobSpec, batch: int) -> dict[str, float]:
    """Latency of one clip (median and distance of quartiles) and throughput of `batch` clips, in evaluation mode."""
    latency, spread = median_and_spread(forward_times(model, spec, 1))
    whole, _ = median_and_spread(forward_times(model, spec, batch))
    return {
        "latency_s": latency,
        "latency_spread_s": spread,
        "throughput_clips_per_s": batch / whole,
        "throughput_batch": batch,
    }
