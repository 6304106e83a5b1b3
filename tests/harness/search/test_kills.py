"""A study through all that may befall its workers: no finished trial is lost, none is counted twice."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from optuna.trial import TrialState

from tests.conftest import PROJECT
from tests.harness.search import stub_worker
from tests.harness.search.stubs import assert_ended, begun, joined, suite

TRIALS = 40
WORKERS = 4


class Crew:
    """Workers in processes of their own, begun again as often as one ends before its time."""

    def __init__(self, path: Path, root: Path, *arguments: object) -> None:
        self.log = path.parent / "told.txt"
        words = [sys.executable, stub_worker.__file__, path, root, self.log, *arguments]
        self.words = list(map(str, words))
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(self.words, env=environment)
        self.running.append(process)
        return process

    def lines(self, word: str) -> list[list[str]]:
        """What was told in the log."""
        found = (
            [line.split() for line in self.log.read_text(encoding="utf-8").splitlines()] if self.log.exists() else []
        )
        return [line[1:] for line in found if line and line[0] == word]

    def end(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()


def test_a_study_bears_the_death_of_any_worker_at_any_moment(tmp_path):
    path = suite(tmp_path, ("trials: 6", f"trials: {TRIALS}"))
    crew = Crew(path, tmp_path / "runs", 300, 0.2, WORKERS)
    try:
        assert crew.start().wait(240) == 0
    finally:
        crew.end()
    shared = joined(begun(path, tmp_path / "runs"))
    found = assert_ended(shared, TRIALS)
    kills = len(crew.lines("began")) - len(crew.lines("left"))
    assert kills > 5
    states = {trial.number: trial.state for trial in shared.trials()}
    told = [(int(number), state) for number, state in crew.lines("told")]
    assert len(told) == len(set(told)) > 10
    assert all(states[number] == TrialState[state] for number, state in told)
    assert {number for number, _ in told} <= {trial.number for trial in found}
    died = [trial.user_attrs["why"] for trial in found if trial.state == TrialState.FAIL]
    assert all(why == "its worker died 3 times without coming further" for why in died)


def test_a_worker_that_slept_too_long_notices_and_goes_on(tmp_path):
    path = suite(tmp_path)
    crew = Crew(path, tmp_path / "runs", 2.0, 0.3)
    try:
        sleeper = crew.start()
        wait_for(lambda: (tmp_path / "runs").exists() and crew.lines("began"))
        shared = joined(begun(path, tmp_path / "runs"), silent_s=2.0)
        wait_for(lambda: any(trial.intermediate_values for trial in shared.trials()))
        sleeper.send_signal(signal.SIGSTOP)
        other = crew.start()
        wait_for(lambda: any(trial.user_attrs.get("slot") == "again 0" for trial in shared.trials()))
        sleeper.send_signal(signal.SIGCONT)
        assert [process.wait(120) for process in (sleeper, other)] == [0, 0]
        found = assert_ended(shared, 6)
        said = [" ".join(words) for words in crew.lines("said")]
        assert f"{sleeper.pid} trial 0 goes on elsewhere: nothing was heard of this worker for long" in said
        workers = {trial.user_attrs["worker"]["pid"] for trial in found}
        assert workers == {sleeper.pid, other.pid}
    finally:
        crew.end()


def wait_for(done, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.1)
