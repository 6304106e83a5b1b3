"""The process of one worker of a search: how it ends, in an exit code and a last line."""

import time

import pytest

from harness.control import Control
from harness.errors import Interrupted
from harness.search import process, worker
from harness.worker import RECORDED, STOPPED, WRONG
from tests.harness.search.stubs import assert_ended, begun, joined, suite, training


@pytest.fixture
def here(tmp_path):
    return begun(suite(tmp_path), tmp_path / "runs")


@pytest.fixture(autouse=True)
def no_signals(monkeypatch):
    monkeypatch.setattr(process.signal, "signal", lambda *_: None)


def told(here, until=None, **changes):
    return {**here.arguments(until), "alone": True, "gpu": None, **changes}


def test_it_works_until_nothing_is_left(here, monkeypatch):
    monkeypatch.setattr(worker, "train", training())
    assert process.main(told(here)) == RECORDED
    assert_ended(joined(here), 6)


def test_it_begins_nothing_when_the_time_is_up(here):
    assert process.main(told(here, until=time.time() - 1)) == RECORDED
    assert not joined(here).ended()


def test_a_mistake_is_its_last_line(here, capsys):
    assert process.main(told(here, suite="/nowhere.yaml")) == WRONG
    assert "nowhere.yaml" in capsys.readouterr().err.splitlines()[-1]


def test_stopped_it_says_so_and_gives_back(here, monkeypatch, capsys):
    monkeypatch.setattr(worker, "train", training(at=stop))
    assert process.main(told(here)) == STOPPED
    assert capsys.readouterr().err == "stopped: by a person\n"
    assert sum(bool(trial.user_attrs.get("attempt")) for trial in joined(here).trials()) == 1


def stop(job, epoch):
    control = Control()
    control.stop("by a person")
    with pytest.raises(Interrupted):
        control.check()
    raise Interrupted("by a person")
