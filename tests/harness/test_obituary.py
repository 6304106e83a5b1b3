import json

import numpy as np

from harness import job, obituary
from harness.control import Control
from results.scores import Scores
from results.store import Store


def test_how_a_process_ended():
    assert obituary.how(3) == "exit code 3"
    assert obituary.how(-11) == "killed by SIGSEGV"
    assert obituary.how(-9) == "killed by SIGKILL (the kernel kills with SIGKILL when memory runs out)"


def test_a_job_without_a_record_gets_one_with_the_end_of_its_log_and_its_account(order):
    folder = order.write()
    (folder / "log.txt").write_text("x" * 9000 + "\nthe last words\n", encoding="utf-8")
    told = {"attempt": 3, "elapsed_s": 7200.0, "device_s": 10800.0, "devices": 1}
    (folder / "progress.json").write_text(json.dumps(told), encoding="utf-8")
    written = obituary.write(order, "timeout", "too slow")
    record = Store(order.root).read(folder.name)
    assert record == written
    assert (record.status, record.error.message) == ("timeout", "too slow")
    assert record.error.traceback.endswith("the last words")
    assert len(record.error.traceback) <= obituary.LOG_TAIL_BYTES
    assert (record.measured.attempts, record.measured.wall_s, record.measured.device_hours) == (3, 7200.0, 3.0)
    assert record.spec == order.spec.content()


def test_what_an_earlier_record_says_is_kept(order):
    done = job.run(order, Control())
    record = obituary.write(order, "failed", "died")
    assert (record.status, record.error.message) == ("failed", "died")
    assert (record.epochs, record.tests, record.weights_sha256) == (done.epochs, done.tests, done.weights_sha256)


def test_the_end_of_a_log(tmp_path):
    assert "No such file" in obituary.tail(tmp_path)
    (tmp_path / "log.txt").write_text(" \n", encoding="utf-8")
    assert obituary.tail(tmp_path) == "the log is empty"
    (tmp_path / "log.txt").write_bytes("ä".encode() * 4000)  # cut within a letter or not, it can be read
    assert set(obituary.tail(tmp_path)) <= {"ä", "\ufffd"}


def test_deaths_are_counted_anew_when_the_job_came_further(tmp_path):
    deaths = obituary.Deaths()
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()
    assert [deaths.add(tmp_path), deaths.add(tmp_path)] == [1, 2]
    (checkpoints / "00000003-0123456789ab.pt").touch()
    assert [deaths.add(tmp_path), deaths.add(tmp_path / "another"), deaths.add(tmp_path)] == [1, 1, 2]


def test_a_test_that_came_further_counts_too(tmp_path):
    deaths = obituary.Deaths()
    scored = Scores(("a", "b"), np.zeros(2, np.int64), 2, {})
    path = tmp_path / "scores" / "16.rank1.npz"

    def add(video):
        scored.add([video], [(0.0, 1)], np.zeros((1, 2)))
        scored.write(path)

    assert deaths.add(tmp_path) == 1
    add(0)
    assert [deaths.add(tmp_path), deaths.add(tmp_path)] == [1, 2]
    scored.write(path, compressed=False)  # the same views once more are no progress
    assert deaths.add(tmp_path) == 3
    add(1)
    assert deaths.add(tmp_path) == 1
    path.write_bytes(b"damaged")
    assert [deaths.add(tmp_path), deaths.add(tmp_path)] == [1, 2]
