"""Small records and score files of jobs that nobody trained, for `compare`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.combination import Job
from harness.files import Order
from harness.suite import load
from results.record import Record, Split, Test, parse
from results.scores import CROPS, Scores, file_name, protocol_name
from results.store import Store
from results.summary import test as summary

EXAMPLE = Path(__file__).parents[1] / "results" / "example_record.json"
CLASSES = 4
SUITE = """\
title: Pair
base:
  model: {name: timesformer, size: demo, init: scratch}
  data: motion
  clip: {frames: 4, stride: 4, size: 16}
  recipe: {name: demo, epochs: 2}
  test: {clips: 1, crops: 1}
  seeds: [0, 1]
matrix:
  model.attention: [space, divided]
"""


def suite_of(folder: Path) -> Path:
    path = folder / "pair.yaml"
    path.write_text(SUITE, encoding="utf-8")
    return path


def job_of(suite: Path, attention: str, seed: int = 0, *sets: str) -> Job:
    (job,) = load(suite, sets=sets, only=[f"model.attention={attention}", f"seeds={seed}"]).jobs
    return job


def scores_of(right: Sequence[bool], digest: str, weights: str, size: int, protocols: Sequence[tuple]) -> Scores:
    """One score for all views: video v is of class v % 4, and taken for it where `right`."""
    labels = np.arange(len(right)) % CLASSES
    of = {"weights_sha256": weights, "videos_digest": digest, "size": size}
    made = Scores(tuple(f"v{i}" for i in range(len(right))), labels, CLASSES, of)
    softmax = np.eye(CLASSES)[np.where(right, labels, (labels + 1) % CLASSES)]
    held: set[tuple[float, int]] = set()
    for clips, crops in protocols:
        keys = [(float(clip), crop) for clip in range(clips) for crop in CROPS[crops]]
        for key in [key for key in keys if key not in held]:
            made.add(range(len(right)), [key] * len(right), softmax)
        held |= set(keys)
        made.taken[protocol_name(clips, crops)] = {i: tuple(map(float, range(clips))) for i in range(len(right))}
    return made


def write(
    root: Path,
    job: Job,
    right: Sequence[bool],
    *,
    protocols: Sequence[tuple[int, int]] = ((1, 1),),
    digest: str = "0011",
    size: int | None = None,
    **changes: object,
) -> Record:
    """The job's order, score file and record, as if it had been run."""
    store, size = Store(root), size or job.spec.clip.size
    scored = scores_of(right, digest, job.id, size, protocols)
    scored.write(store.job_folder(job.id) / "scores" / file_name(size))
    Order(job.spec, "demo", job.label, root, None).write()
    example = parse(EXAMPLE.read_text(encoding="utf-8"), EXAMPLE.name)
    tests: list[Test] = [summary(scored, clips, crops) for clips, crops in protocols]
    splits = example.splits.model_copy(update={"val": Split(videos=len(right), digest=digest)})
    known = {"id": job.id, "spec": job.spec.content(), "weights_sha256": job.id, "tests": tests, "splits": splits}
    record = example.model_copy(update=known | changes)
    store.write(record)
    return record
