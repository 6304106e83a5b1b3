"""Where a record's numbers come from: the machine, the libraries, the code, and the files that its job started from."""

import importlib.metadata
import platform
from dataclasses import asdict
from pathlib import Path

import torch

from harness import packages
from harness.checkpoint import file_digest
from models.catalog import Options
from models.registry import code_of


def environment(device: torch.device, model: Options) -> dict[str, str | int | bool | None]:
    """The machine, the libraries and the code that a record's numbers come from."""
    return {
        "device": device_name(device),
        "host": platform.node(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda if device.type == "cuda" else None,
        "timm": importlib.metadata.version("timm"),
        "threads": torch.get_num_threads(),
        **asdict(packages.commit()),
        **_files(model),
    }


def _files(model: Options) -> dict[str, str]:
    """SHA-256 of files that a job's identity names and does not hold: its checkpoint, and a user's own model."""
    code = code_of(model.name)
    weights = Path(model.weights) if model.weights else None
    files = {"model_code_sha256": code, "start_weights_sha256": weights if weights and weights.is_file() else None}
    return {key: file_digest(path) for key, path in files.items() if path}


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
