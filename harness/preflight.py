"""What is checked before anything runs, so that nobody waits an hour for an error that was there from the start."""

import os
from collections.abc import Sequence
from pathlib import Path

from harness.combination import Job
from harness.data.datasets import class_count, require
from harness.errors import HarnessError, OutputError
from harness.suite import Suite


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


def check_reports(suite: Suite) -> None:
    """Raise HarnessError now for jobs that the suite's report could not tell apart later."""
    seen: dict[tuple[str, str, int], Job] = {}
    for job in suite.jobs if "table1" in suite.reports else ():
        scheme = getattr(job.spec.model, "attention", None)
        first = seen.setdefault((str(scheme), job.spec.data.name, job.spec.seed), job)
        if scheme and first is not job:
            raise HarnessError(
                f"{suite.path}: reports: table1 has one cell for a scheme, a data set and a seed, and two jobs would "
                f"share one: {first.label} and {job.label}; leave table1 out, or keep one of them with --only"
            )
