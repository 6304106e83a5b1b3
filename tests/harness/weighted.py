"""Jobs with weights that nobody trained, for `look`."""

from pathlib import Path

import torch

from harness.checkpoint import weights_digest
from harness.combination import Job
from harness.data.datasets import open_dataset
from harness.splits import splits_of
from models.registry import build
from tests.harness.contenders import CLASSES, job_of, suite_of, write


def trained(root: Path, attention: str, suite: Path | None = None) -> Job:
    """A job of 4 frames of 2 x 2 patches on `motion`, with its record, order and weights, as if it had been run."""
    job = job_of(suite or suite_of(root), attention, 0)
    torch.manual_seed(0)
    model = build(job.spec.model, job.spec.clip.frames, job.spec.clip.size, CLASSES)
    weights = model.state_dict()
    splits = splits_of(open_dataset("motion", cache=root / "data"), 1.0)
    write(root, job, [True] * 8, weights_sha256=weights_digest(weights), splits=splits, classes=CLASSES)
    torch.save(weights, root / "jobs" / job.id / "weights.pt")
    return job
