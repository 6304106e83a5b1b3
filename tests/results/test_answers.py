import numpy as np
import pytest

from results import scores
from results.answers import comparing, read
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


def test_variants_are_compared_by_their_seeds_on_the_same_videos(tmp_path):
    suite = contenders.suite_of(tmp_path)
    worse, better = [True] * 10 + [False] * 30, [True] * 35 + [False] * 5
    records = {}
    for attention, right in (("space", worse), ("divided", better)):
        for seed in (0, 1):
            record = contenders.write(tmp_path, contenders.job_of(suite, attention, seed), right)
            records[record.id] = record
    a, b = list(records)[:2], list(records)[2:]
    compare = comparing(records, lambda id_: tmp_path / "jobs" / id_)
    found = compare([(id_, 1, 1, 16) for id_ in a], [(id_, 1, 1, 16) for id_ in b])
    assert found is not None
    assert (found.mean, found.videos, found.seeds) == (pytest.approx(25 / 40), 40, (2, 2))
    assert found.tells_apart
    assert compare([(a[0], 1, 1, 16)], [(b[0], 10, 3, 16)]) is None  # a test that was not made
    assert compare([(a[0], 1, 1, 16)], [("unknown", 1, 1, 16)]) is None
    assert compare([], [(b[0], 1, 1, 16)]) is None


def test_scores_that_lack_views_are_refused(record, tmp_path):
    test = record.tests[0]
    path = tmp_path / "jobs" / record.id / "scores" / scores.file_name(test.size)
    whole = scores.read(path)
    whole.taken[scores.protocol_name(test.clips, test.crops)][0] = (0.0, 99.0)
    whole.write(path)
    with pytest.raises(RecordError, match="some views are missing"):
        read(tmp_path / "jobs" / record.id, record, test)
    tested = (record.id, test.clips, test.crops, test.size)
    assert comparing({record.id: record}, lambda id_: tmp_path / "jobs" / id_)([tested], [tested]) is None
