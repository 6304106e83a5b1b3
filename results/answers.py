"""Which videos a job's model answers rightly in one test, from its score file: what variants are compared by."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from results import scores, summary
from results.record import Record, RecordError, Test


@dataclass(frozen=True)
class Answers:
    """The videos in their list's order, and which of them are answered rightly."""

    ids: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    """[v]"""
    right: npt.NDArray[np.bool_]
    """[v]; an undecodable video is not."""


def read(folder: Path, record: Record, test: Test) -> Answers:
    """The answers of `record`, whose folder this is, in one of its tests.

    Raises RecordError where there is no score file, or one of other weights, videos or tests than the record's.
    """
    path = folder / "scores" / scores.file_name(test.size)
    remedy = f'write "tests": [] into {folder / "record.json"} and `run` its suite: only the test is done again'
    if not path.is_file():
        raise RecordError(f"{path}: there is no such file of the scores of single videos; {remedy}")
    scored = scores.read(path)
    if scored is None:
        raise RecordError(f"{path}: is damaged; delete it, {remedy}")
    digest = record.splits.val.digest if record.splits else None
    if (scored.of["weights_sha256"], scored.of["videos_digest"]) != (record.weights_sha256, digest):
        raise RecordError(f"{path}: holds scores of other weights or videos than {folder / 'record.json'}; {remedy}")
    try:
        return Answers(scored.ids, scored.labels, summary.right(scored, test.clips, test.crops))
    except KeyError:
        name = scores.protocol_name(test.clips, test.crops)
        raise RecordError(f"{path}: holds no scores of the test {name}; {remedy}") from None
