import numpy as np
import pytest

from results.answers import read
from results.record import RecordError
from tests.harness import contenders

RIGHT = [True, False, True, True, False]


@pytest.fixture
def record(tmp_path):
    job = contenders.job_of(contenders.suite_of(tmp_path), "space")
    return contenders.write(tmp_path, job, RIGHT)


def test_answers_are_those_that_the_record_counts(record, tmp_path):
    found = read(tmp_path / "jobs" / record.id, record, record.tests[0])
    assert found.right.tolist() == RIGHT
    assert found.right.mean() == record.tests[0].top1
    assert found.ids == ("v0", "v1", "v2", "v3", "v4")
    assert np.array_equal(found.labels, [0, 1, 2, 3, 0])


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda path, record: (path.unlink(), record)[1], "no such file of the scores"),
        (lambda path, record: (path.write_bytes(b"PK"), record)[1], "is damaged"),
        (lambda path, record: record.model_copy(update={"weights_sha256": "other"}), "other weights or videos"),
        (lambda path, record: record.model_copy(update={"splits": None}), "other weights or videos"),
    ],
)
def test_scores_that_are_not_the_records_are_refused(record, tmp_path, spoil, told):
    folder = tmp_path / "jobs" / record.id
    record = spoil(folder / "scores" / "16.npz", record)
    with pytest.raises(RecordError, match=told) as error:
        read(folder, record, record.tests[0])
    assert '"tests": []' in str(error.value)


def test_a_test_that_the_file_lacks_is_named(record, tmp_path):
    test = record.tests[0].model_copy(update={"clips": 10, "crops": 3})
    with pytest.raises(RecordError, match="no scores of the test 10x3"):
        read(tmp_path / "jobs" / record.id, record, test)
