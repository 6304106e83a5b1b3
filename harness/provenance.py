"""Where a record's numbers come from: the machine, the libraries, the code, and the files that its job started from."""

import importlib.metadata
import platform
import subprocess
from pathlib import Path

import torch

from harness.checkpoint import file_digest
from models.catalog import Options
from models.registry import code_of


def environment(device: torch.device, model: Options) -> dict[str, str | int | bool | None]:
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
        "threads": torch.get_num_threads(),
        "git_commit": commit,
        "git_dirty": dirty,
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
