"""Workers as processes here: one that dies is begun again, one that cannot work ends them all with its words."""

import pytest

from harness.control import Control
from harness.errors import HarnessError, Interrupted
from harness.search import launch
from harness.search.launch import Crew
from tests.harness.search.stubs import begun, suite


@pytest.fixture
def crew(tmp_path):
    here = begun(suite(tmp_path), tmp_path / "runs")
    return Crew(here.folder, here.arguments(None), workers=2, gpus=0)


def standing_in(monkeypatch, code):
    """Let workers be processes that run this code."""
    start = launch.subprocess.Popen

    def popen(words, **named):
        return start([words[0], "-c", code], **named)

    monkeypatch.setattr(launch.subprocess, "Popen", popen)
    monkeypatch.setattr(launch, "LOOK_EVERY_S", 0.05)


def test_all_leave_when_nothing_is_left_to_begin(crew, monkeypatch):
    standing_in(monkeypatch, "")
    looks = []
    crew.run(lambda: looks.append(1), Control())
    assert looks
    assert sorted(path.name for path in crew.folder.glob("*.log")) == ["worker-0.log", "worker-1.log"]


def test_one_that_dies_again_and_again_is_told(crew, monkeypatch):
    standing_in(monkeypatch, "import os; os.abort()")
    with pytest.raises(HarnessError, match=r"worker 0 dies again and again \(killed by SIGABRT\); see .*worker-0.log"):
        crew.run(lambda: None, Control())


def test_what_a_person_must_put_right_is_told(crew, monkeypatch):
    standing_in(monkeypatch, "import sys; print('the disk is full', file=sys.stderr); sys.exit(2)")
    with pytest.raises(HarnessError, match=r"^the disk is full$"):
        crew.run(lambda: None, Control())


def test_stopping_the_command_stops_its_workers(crew, monkeypatch):
    standing_in(monkeypatch, "import time; time.sleep(60)")
    control = Control()

    def look():
        control.stop("by a person")

    with pytest.raises(Interrupted, match="by a person"):
        crew.run(look, control)
    assert all(seat.process.poll() is not None for seat in crew.seats)


def test_a_worker_without_its_suite_says_so(crew):
    crew.arguments["suite"] = "/nowhere.yaml"
    with pytest.raises(HarnessError, match=r"nowhere\.yaml"):
        crew.run(lambda: None, Control())
