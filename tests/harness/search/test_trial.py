"""Training what a trial proposes, in a process of its own."""

import os
import signal

import pytest

from harness.control import Control
from harness.errors import Interrupted
from harness.files import Order, read_progress
from harness.search.trial import train
from results.store import Store
from tests.harness.search.searches import Searching


@pytest.fixture
def search(tmp_path, embedded_cache, monkeypatch):
    made = Searching(tmp_path, embedded_cache, 3)
    monkeypatch.setenv("GATED", str(made.gate))
    monkeypatch.setenv("HARNESS_MODELS", made.environment["HARNESS_MODELS"])
    return made


@pytest.fixture
def asked(search):
    from tests.harness.search.stubs import begun

    job = begun(search.suite, search.root).suite.jobs[0]
    return Order(job.spec, "demo", job.label, search.root, None, True), job


def test_every_epoch_is_told_and_the_record_comes_once(asked):
    told = []

    def epoch_told(epoch, percent):
        told.append(epoch)
        if told == [1]:  # a process that dies is begun again, and goes on
            os.kill(read_progress(Store(asked[0].root).job_folder(asked[1].id))["pid"], signal.SIGKILL)
        return False

    ended = train(*asked, epoch_told, lambda: None, Control(), None)
    assert (ended.how, ended.taken, ended.record.status) == ("recorded", False, "done")
    assert told == [1, 2, 3]
    assert ended.record.measured.attempts == 2
    again = train(*asked, epoch_told, lambda: None, Control(), None)
    assert again.taken
    assert told == [1, 2, 3] * 2  # of a record that was there before its epochs are told too


def test_a_pruned_training_leaves_no_checkpoint_and_begins_anew(asked, search):
    search.slow()
    ended = train(*asked, lambda epoch, percent: True, lambda: None, Control(), None)
    assert (ended.how, ended.record) == ("pruned", None)
    assert ended.device_hours > 0
    folder = Store(asked[0].root).job_folder(asked[1].id)
    assert not (folder / "checkpoints").exists()
    assert read_progress(folder) == {}


def test_who_is_stopped_leaves_a_checkpoint(asked, search):
    search.slow()
    control = Control()

    def told(epoch, percent):
        control.stop("by a person")
        return False

    with pytest.raises(Interrupted):
        train(*asked, told, lambda: None, control, None)
    folder = Store(asked[0].root).job_folder(asked[1].id)
    assert list((folder / "checkpoints").glob("*-*.pt"))
