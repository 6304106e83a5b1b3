"""`status`, once and watching."""

import os
import signal
import subprocess
import sys

import pytest

from harness import queue
from harness.locks import hold
from harness.standing import Standing
from harness.suite import load
from harness.verbs import status
from results.store import Store
from tests.conftest import PROJECT
from tests.harness.verbs.conftest import harness


def test_without_a_suite_all_of_the_folder_are_shown(finished, tmp_path):
    suite, root = finished
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "small.yaml").write_text(suite.read_text(encoding="utf-8"), encoding="utf-8")
    assert "divided  done" in harness("status", "--root", root, cwd=tmp_path).stdout
    assert "Report: " in harness("report", "--root", root, cwd=tmp_path).stdout
    nowhere = harness("status", "--root", root, cwd=tmp_path / "suites")
    assert (nowhere.returncode, nowhere.stderr) == (2, "no suite was named and there are none in ./suites\n")


def test_watching_ends_cleanly_with_ctrl_c(finished):
    suite, root = finished
    command = [sys.executable, "-m", "harness", "status", str(suite), "--root", str(root), "--watch"]
    with hold(Store(root).job_folder(load(suite).jobs[0].id) / "lock", "x"):
        watching = subprocess.Popen(
            command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "FORCE_COLOR": "1"},
        )  # fmt: skip
        first = watching.stdout.readline()  # as on a terminal, where it shows at once
        watching.send_signal(signal.SIGINT)
        shown, told = watching.communicate(timeout=30)
    assert (watching.returncode, told) == (0, "")
    assert "divided" in first + shown


def test_watching_ends_by_itself_when_nothing_runs_or_waits(small_suite, root, monkeypatch):
    suite, states = load(small_suite), ["queued", "running", "done"]
    monkeypatch.setattr(status.time, "sleep", lambda seconds: None)
    job = suite.jobs[0]
    monkeypatch.setattr(status, "standings", lambda *_: [(suite, [Standing(job, states.pop(0), root)])])
    status._watch([suite], Store(root))
    assert states == []


@pytest.mark.parametrize("submitted", [True, False])
def test_slurm_is_asked_less_often_than_files(small_suite, root, monkeypatch, submitted):
    if submitted:
        (root / queue.SWEEPS).mkdir()
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        raise KeyboardInterrupt

    monkeypatch.setattr(status.time, "sleep", sleep)
    suite = load(small_suite)
    with hold(Store(root).job_folder(suite.jobs[0].id) / "lock", "x"):
        status._watch([suite], Store(root))
    assert slept == [queue.ASK_EVERY_S if submitted else status.WATCH_EVERY_S]
