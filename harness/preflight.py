"""What is checked before anything runs, so that nobody waits an hour for an error that was there from the start."""

import os
from collections.abc import Sequence
from pathlib import Path

from harness.combination import Job
from harness.data.datasets import class_count, require
from harness.errors import OutputError


def check_writable(root: Path) -> None:
    """Raise OutputError before anything is started where nothing could be kept."""
    probe = root / f".probe-{os.getpid()}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"0" * 65536)
    except OSError as error:
        raise OutputError(f"--root {root}: cannot be written: {error.strerror}; choose another with --root") from None
    finally:
        if os.access(root, os.W_OK):
            probe.unlink(missing_ok=True)


def check_inputs(jobs: Sequence[Job], root: Path, datasets: Path) -> None:
    """Raise DatasetError or ModelError now, for data and weights that the jobs would miss or refuse later."""
    for name in sorted({job.spec.data.name for job in jobs}):
        require(name, datasets)
    started = {job.spec.model: job.spec for job in jobs if getattr(job.spec.model, "weights", None)}
    if started:
        from models.registry import build
        from models.weights import load_pretrained

        for model, spec in started.items():
            classes = class_count(spec.data.name, datasets)
            load_pretrained(build(model, spec.clip.frames, spec.clip.size, classes), model, root / "weights")
