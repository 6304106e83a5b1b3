from collections.abc import Callable

import pandas as pd
import pytest

from reports.videos import by_data_set, of_job
from results.collect import DAMAGED, Unrecorded, frame
from results.record import Record, Split, Splits

Factory = Callable[..., Record]
SCHEMES = ("space", "joint", "divided", "axial")
NAMES = {f"{data}-{scheme}-0": scheme for data in ("motion", "appearance") for scheme in SCHEMES}


def jobs(record_of: Factory, **changes: dict) -> pd.DataFrame:
    """A job for each scheme; `changes` by scheme."""
    return frame([record_of(scheme, "motion", **changes.get(scheme, {})) for scheme in SCHEMES])


def test_a_job_tells_sizes_digests_and_what_did_not_decode(record_of: Factory) -> None:
    row = frame([record_of("space", "motion", skipped={"b.mp4": "cut", "a.mp4": "no frames"})]).iloc[0]
    assert of_job(row) == [
        "800 training and 200 validation videos (lists 0123456789abcdef and fedcba9876543210)",
        "2 of 800 training videos did not decode; the first is a.mp4: no frames",
    ]
    assert "(lists 0123 and fedc)" in of_job(row, 4)[0]


@pytest.mark.parametrize("damaged", [True, False])
def test_a_job_that_read_no_data_tells_nothing(record_of: Factory, damaged: bool) -> None:
    record = record_of("space", "motion", splits=None)
    records = frame([], [Unrecorded(record.id, DAMAGED, record.spec)]) if damaged else frame([record])
    assert of_job(records.iloc[0]) == []
    assert by_data_set(records, NAMES) == []


def test_where_all_agree_there_is_a_line_a_data_set(record_of: Factory) -> None:
    failed = record_of("joint", "motion", splits=None, tests=[], status="failed")
    both = [record_of("space", "motion"), failed, record_of("axial", "motion"), record_of("space", "appearance")]
    assert by_data_set(frame(both), NAMES) == [
        f"{data}: 800 training and 200 validation videos (lists 01234567 and fedcba98)"
        for data in ("motion", "appearance")
    ]


def test_several_tests_are_one_job(record_of: Factory) -> None:
    record = record_of("space", "motion")
    again = record.model_copy(update={"tests": [*record.tests, record.tests[0].model_copy(update={"clips": 10})]})
    assert len(by_data_set(frame([again]), NAMES)) == 1


def test_jobs_that_differ_are_named(record_of: Factory) -> None:
    lines = by_data_set(jobs(record_of, space={"skipped": {"a.mp4": "no frames"}}), NAMES)
    assert lines[0].startswith("motion, space: 800 training")
    assert lines[0].endswith(". 1 of 800 training videos did not decode; the first is a.mp4: no frames")
    assert lines[1].startswith("motion, joint, divided, axial: 800 training")


def test_of_many_jobs_their_number_is_told(record_of: Factory) -> None:
    other = frame([record_of("space", "motion", id="x", skipped={"a.mp4": "no frames"})])
    lines = by_data_set(pd.concat([jobs(record_of), other]), NAMES | {"x": "seed 1"})
    assert [line.partition(":")[0] for line in lines] == ["motion, 4 jobs", "motion, seed 1"]


def test_many_shares_of_the_training_videos_are_a_line(record_of: Factory) -> None:
    shares = [
        record_of("space", "motion", id=f"j{videos}", splits=Splits(
            train=Split(videos=videos, digest=f"{videos:016d}"), val=Split(videos=200, digest="fedcba9876543210"),
            sampling="dense", flip=True,
        ))
        for videos in (200, 400, 600, 800)
    ]  # fmt: skip
    (line,) = by_data_set(frame(shares), {each.id: each.id for each in shares})
    assert line == (
        "motion: 200 to 800 training videos (4 lists, which the jobs' pages tell) and 200 validation videos (list "
        "fedcba98)"
    )
    (_, *more) = by_data_set(frame(shares[:3]), {each.id: each.id for each in shares})
    assert len(more) == 2
