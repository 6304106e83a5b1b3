"""Which videos a job's model answers rightly in one test, from its score file: what variants are compared by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from results import paired, scores, summary
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
    except ValueError as error:
        raise RecordError(f"{path}: {error}; {remedy}") from error


Tested = tuple[str, int | Literal["cover"], int, int]
"""A job's id and one of its tests: clips, crops, size."""
Compare = Callable[[Sequence[Tested], Sequence[Tested]], paired.Difference | None]
"""The difference of two variants, given by their seeds; None where they did not answer the same videos."""


def comparing(records: Mapping[str, Record], folder: Callable[[str], Path]) -> Compare:
    """Compares variants among these records, by id; `folder` says where a job's files are. Reads a file once."""

    @cache
    def answers(tested: Tested) -> Answers | None:
        id_, *asked = tested
        record = records.get(id_)
        test = (
            next((each for each in record.tests if [each.clips, each.crops, each.size] == asked), None)
            if record
            else None
        )
        try:
            return read(folder(id_), record, test) if record and test else None
        except RecordError:
            return None

    def compare(a: Sequence[Tested], b: Sequence[Tested]) -> paired.Difference | None:
        first, second = [answers(each) for each in a], [answers(each) for each in b]
        known = [each for each in (*first, *second) if each]
        if not first or not second or len(known) < len(first) + len(second) or len({each.ids for each in known}) > 1:
            return None
        return paired.difference([each.right for each in first if each], [each.right for each in second if each])

    return compare
