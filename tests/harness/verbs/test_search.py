"""`search` as a person uses it, through all that may befall its processes."""

import os
import signal

import pytest
from optuna.trial import TrialState

from tests.harness.search.searches import Searching, running
from tests.harness.search.stubs import assert_ended

TRIALS = 3
LOCAL = ("--launcher", "local", "--workers", 2)


@pytest.fixture
def search(tmp_path, embedded_cache):
    with Searching(tmp_path, embedded_cache, TRIALS) as made:
        yield made


def test_a_search_goes_on_whatever_is_killed(search):
    search.slow()
    command = search.start(*LOCAL)
    search.wait(lambda: list(search.root.glob("studies/*/journal.log")), "no study")
    shared = search.shared()
    search.wait(lambda: len(running(shared)) == 2, "no two trials with an epoch")
    reached = {trial.user_attrs["jobs"][0]: max(trial.intermediate_values) for trial in running(shared)}

    command.kill()
    command.wait()
    given = lambda: [trial for trial in shared.trials() if trial.user_attrs.get("attempt")]  # noqa: E731
    search.wait(lambda: len(given()) == 2 and not running(shared, 0), "workers did not give their trials back")

    command = search.start(*LOCAL)
    search.wait(lambda: len(running(shared)) == 2, "given back, and nobody goes on")
    assert {trial.user_attrs["jobs"][0] for trial in running(shared)} == reached.keys()
    command.send_signal(signal.SIGINT)
    assert command.wait(120) == 130, search.told()
    assert "the same command goes on from there" in search.said.read_text(encoding="utf-8")
    assert not running(shared, 0)

    command = search.start(*LOCAL)
    search.wait(lambda: len(running(shared)) == 2, "stopped, and nobody goes on")
    search.wait(lambda: all(map(search.job_pid, running(shared))), "no job")
    one, other = running(shared)
    os.kill(one.user_attrs["worker"]["pid"], signal.SIGKILL)
    os.kill(search.job_pid(other), signal.SIGKILL)
    search.slow(slow=False)
    assert command.wait(240) == 0, search.told()

    found = assert_ended(shared, TRIALS)
    assert all(trial.state == TrialState.COMPLETE for trial in found), search.told()
    attempts = {record["id"]: record["measured"]["attempts"] for record in search.records()}
    assert all(attempts[job] > 1 for job in reached)
    assert len(attempts) == TRIALS
    assert f"{TRIALS} of {TRIALS} trials: {TRIALS} complete" in search.said.read_text(encoding="utf-8")
    again = search.start(*LOCAL)
    assert again.wait(120) == 0, search.told()
    assert len(shared.counted()) == TRIALS
