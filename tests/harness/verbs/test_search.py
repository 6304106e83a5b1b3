"""`search` as a person uses it, through all that may befall its processes."""

import os
import signal
from dataclasses import replace

import pytest
from optuna.trial import TrialState

from harness.search import storage
from harness.search.study import Shared
from harness.suite import load
from harness.verbs.report import render
from results.store import Store
from tests.harness.search.searches import Searching, running
from tests.harness.search.stubs import assert_ended
from tests.harness.search.studies import SPACE, session
from tests.harness.verbs.conftest import harness

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


def sought(folder):
    """A study of two trials that were told values, without a training."""
    here = session(folder, SPACE.replace("trials: 6", "trials: 2"))
    shared = Shared(here.search, here.about(), storage.opened(here.url, here.root, here.name), here.name)
    for value in (40.0, 90.0):
        turn = shared.ask()
        shared.note(turn.trial, epochs=4, jobs=["0123456789ab"])
        shared.tell(turn.trial, TrialState.COMPLETE, [value])
    return here


def test_report_renders_a_study_with_the_command_that_tries_its_best_again(tmp_path, capsys):
    here = sought(tmp_path)
    assert render(here.suite, Store(here.root), here.datasets) == []
    page = here.root / "reports" / "tiny" / "index.html"
    assert ">Trial 1<" in page.read_text(encoding="utf-8")
    recipe = here.folder / "tiny-best.yaml"
    assert len(load(recipe).jobs) == 6
    shown = capsys.readouterr().out
    assert "Best: trial 1, 90.0 % top-1 accuracy" in shown
    assert f"python -m harness run {recipe} --root {here.root}" in shown
    assert "tiny" in (here.root / "reports" / "index.html").read_text(encoding="utf-8")


def test_a_study_of_another_space_keeps_its_page(tmp_path):
    here = sought(tmp_path)
    render(here.suite, Store(here.root), here.datasets)
    page = here.root / "reports" / "tiny" / "index.html"
    before = page.read_bytes()
    changed = session(tmp_path, SPACE.replace("trials: 6", "trials: 2").replace("[0.8, 0.99]", "[0.5, 0.99]"))
    (problem,) = render(changed.suite, Store(here.root), here.datasets)
    assert "was begun otherwise: space.recipe.momentum" in problem
    assert page.read_bytes() == before


def test_a_study_that_a_person_named_has_a_page_of_its_own(tmp_path):
    here = session(tmp_path)
    assert replace(here, name="long_term").page == "search-long_term"
    assert here.page == "tiny"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("suites/xvit.yaml",), "suites/xvit.yaml: has no `search` at demo scale"),
        (("suites/scratch_search.yaml", "--launcher", "inline", "--workers", 3), "--launcher inline is one worker"),
        (("suites/scratch_search.yaml", "--study", "../x"), "--study ../x"),
        (("suites/scratch_search.yaml", "--storage", "README.md"), "README.md is no study's journal"),
    ],
)
def test_what_cannot_be_searched_is_told_in_a_line(tmp_path, arguments, told):
    ended = harness("search", *arguments, "--root", tmp_path / "runs")
    assert ended.returncode == 2
    assert told in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
