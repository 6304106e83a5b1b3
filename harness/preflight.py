"""What is checked before anything runs, so that nobody waits an hour for an error that was there from the start."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from harness import cost
from harness.combination import Job
from harness.data.datasets import class_count, require
from harness.data.videos import DatasetError
from harness.errors import HarnessError, OutputError
from models.registry import ModelError, build


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


def missing_inputs(jobs: Sequence[Job], datasets: Path) -> list[str]:
    """What is wrong with the data sets and the checkpoint files that the jobs name, told without opening any."""
    problems = []
    for name in sorted({job.spec.data.name for job in jobs}):
        try:
            require(name, datasets)
        except DatasetError as error:
            problems.append(str(error))
    for weights, job in _started_from(jobs).items():
        if weights not in job.spec.model.IMAGE_WEIGHTS and not Path(weights).is_file():
            problems.append(f"{job.label}: model.weights: no such checkpoint: {Path(weights).absolute()}")
    return problems


def check_inputs(jobs: Sequence[Job], root: Path, datasets: Path) -> None:
    """Raise HarnessError now, with all data and weights that the jobs would find missing or refuse later."""
    problems = missing_inputs(jobs, datasets)
    if not problems:
        for job in {_start(job): job for job in jobs}.values():
            problems += _model_problems(job, root, class_count(job.spec.data.name, datasets))
    if problems:
        raise HarnessError("\n".join(problems))


def _started_from(jobs: Sequence[Job]) -> dict[str, Job]:
    """Each checkpoint, and the first job that starts from it."""
    named = [job for job in jobs if job.spec.model.weights]
    return {str(job.spec.model.weights): job for job in reversed(named)}


def _start(job: Job) -> tuple[object, ...]:
    """What a model is built and loaded from."""
    spec = job.spec
    return spec.model, spec.clip.frames, spec.clip.size, spec.data.name


def _model_problems(job: Job, root: Path, classes: int) -> list[str]:
    spec = job.spec
    model, clip = spec.model, spec.clip
    try:
        with suppress(cost.Uncountable):  # it may train all the same
            cost.stored_cost(root, model, clip.frames, clip.size, classes)
        if model.weights:
            from models.weights import load_pretrained

            load_pretrained(build(model, clip.frames, clip.size, classes), model, root / "weights")
    except ModelError as error:
        return [f"{job.label}: {error}"]
    return []
