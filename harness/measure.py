"""What a job costs on this machine: peak memory, latency, throughput, and what the machine is."""

import importlib.metadata
import platform
import statistics
import subprocess
import time
from pathlib import Path

import torch
from torch import nn

from harness.spec import JobSpec
from harness.train import autocast
from models.registry import build

WARM_UP = 3
REPEATS = 15
BUDGET_S = 2.0
"""Seconds after which a measurement stops repeating, once it has three values."""


class PeakMemory:
    """The most memory held since this was made, in bytes.

    On a GPU, what torch allocated. On a CPU, how far the process's resident memory rose (Linux: the high-water mark in
    /proc, which is reset here); None where the system does not tell.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.base = 0
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            return
        try:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # resets VmHWM, see proc(5)
            self.base = _resident_bytes("VmRSS") or 0
        except OSError:
            self.base = 0

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
    times: list[float] = []
    with torch.inference_mode(), autocast(device, spec.precision):
        for _ in range(WARM_UP):
            model(clip)
        while len(times) < REPEATS and (len(times) < 3 or sum(times) < BUDGET_S):
            wait_for(device)
            began = time.perf_counter()
            model(clip)
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


def environment(device: torch.device) -> dict[str, str | int | bool | None]:
    """The machine, the libraries and the code that a record's numbers come from."""
    commit, dirty = _git()
    return {
        "device": device_name(device),
        "host": platform.node(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda if device.type == "cuda" else None,
        "timm": importlib.metadata.version("timm"),
        "decoder": f"decord2 {importlib.metadata.version('decord2')}",
        "threads": torch.get_num_threads(),
        "git_commit": commit,
        "git_dirty": dirty,
    }


def device_name(device: torch.device) -> str:
    """The GPU's name, or the CPU's as Linux gives it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "CPU"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _git() -> tuple[str | None, bool | None]:
    """The commit of this code and whether it was changed since; None outside a git checkout."""
    here = Path(__file__).parent
    try:
        commit = subprocess.run(
            ["git", "-C", here, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()
        changes = subprocess.run(
            ["git", "-C", here, "status", "--porcelain", "--untracked-files=no"],
            capture_output=True, text=True, timeout=10, check=True,
        ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None, None
    return commit, bool(changes.strip())


def profile(spec: JobSpec, classes: int) -> dict[str, str | int | float]:
    """Latency, throughput and memory of a fresh model on this machine's device; raises ModelError."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    memory = PeakMemory(device)
    model = build(spec.model, spec.clip.frames, spec.clip.size, classes).to(device)
    batch = spec.resources.micro_batch or spec.recipe.batch_size
    return {"device": device_name(device), **speed(model, spec, batch), "inference_memory_bytes": memory.bytes() or 0}


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
