"""`run`, and what it leaves behind."""

import os

import pytest
import torch
import typer

from harness import standing
from harness.errors import HarnessError
from harness.files import Order
from harness.locks import hold
from harness.queue import UNKNOWN, Queued
from harness.standing import Standing
from harness.suite import load
from harness.verbs import run
from results.store import Store
from tests.conftest import PROJECT
from tests.harness.verbs.conftest import REPORT, TABLE1, harness


def test_a_second_run_recomputes_nothing(finished):
    suite, root = finished
    before = {path: path.stat().st_mtime_ns for path in (root / "jobs").rglob("*") if path.name != "lock"}
    ended = harness("run", suite, "--root", root)
    assert ended.returncode == 0
    assert "2 jobs at demo scale, 0 to run" in ended.stdout
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_suite_without_a_report_compares_its_variants(finished, tmp_path):
    suite, root = finished
    plain = tmp_path / "plain.yaml"
    plain.write_text(suite.read_text(encoding="utf-8").replace(REPORT, ""), encoding="utf-8")
    ended = harness("run", plain, "--root", root)
    assert ended.returncode == 0
    assert "divided" in ended.stdout
    lines = (root / "reports" / "plain" / "comparison.csv").read_text(encoding="utf-8").splitlines()
    assert [line.partition(",")[0] for line in lines] == ["scheme", "space", "divided"]
    assert "K400" not in ended.stdout


def test_a_failed_job_is_told_kept_and_retried_when_asked(finished, tmp_path, embedded_cache):
    suite, _ = finished
    root = tmp_path / "runs"
    root.mkdir()
    (root / "data").symlink_to(embedded_cache)
    sets = ["recipe.learning_rate=1e30", "recipe.optimizer=sgd", "recipe.clip_grad_norm=null"]
    fail = [*(word for each in sets for word in ("--set", each)), "--only", "model.attention=space"]
    first = harness("run", suite, "--root", root, *fail)
    assert first.returncode == 1
    assert "space: diverged: the loss is" in first.stderr
    assert "to run them again: --retry diverged" in first.stderr
    assert "diverged" in first.stdout
    assert ", 0 to run" in harness("run", suite, "--root", root, *fail).stdout
    assert ", 1 to run" in harness("run", suite, "--root", root, *fail, "--retry", "diverged").stdout


def test_data_that_is_not_configured_says_what_to_write(tmp_path):
    only = ["--only", "data=k400", "--only", "model.attention=space"]
    ended = harness("run", PROJECT / TABLE1, "--scale", "paper", "--root", tmp_path / "runs", *only, cwd=tmp_path)
    assert ended.returncode == 2
    assert "`k400: {format: kinetics, root: /path/to/k400}`" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_weights_that_do_not_fit_are_told_before_anything_runs(finished, tmp_path):
    suite, root = finished
    foreign = tmp_path / "foreign.pt"
    torch.save({"conv1.weight": torch.zeros(2)}, foreign)
    ended = harness("run", suite, "--root", root, "--set", f"model.weights={foreign}")
    assert ended.returncode == 2
    assert "+ unexpected (1): conv1.weight" in ended.stderr
    assert "- missing (" in ended.stderr
    missing = harness("run", suite, "--root", root, "--set", "model.weights=/nowhere/x.pt")
    assert (missing.returncode, missing.stderr) == (2, "space: model.weights: no such checkpoint: /nowhere/x.pt\n")


def test_two_runs_on_one_output_folder_are_refused(finished):
    suite, root = finished
    with hold(root / "run.lock", "x"):
        ended = harness("run", suite, "--root", root)
    assert ended.returncode == 2
    assert f"is in use by process {os.getpid()} on " in ended.stderr


@pytest.fixture
def standings(small_suite, root, monkeypatch):
    """Let the suite's first job stand so, until it has a record."""
    suite, store = load(small_suite, only=["model.attention=space"]), Store(root)

    def so(**how):
        (job,) = suite.jobs
        Order(job.spec, "demo", job.label, root, None).write()

        def of(jobs, store):
            record = store.read(job.id)
            state = {"state": record.status, "record": record} if record else {"state": "not run"}
            return [Standing(job, folder=store.job_folder(job.id), **{**state, **how})]

        monkeypatch.setattr(standing, "of", of)
        return suite, store, job

    return so


@pytest.fixture
def submitted(monkeypatch):
    """What is submitted, instead of submitting it."""
    found = []
    monkeypatch.setattr(run, "_submit", lambda jobs, **_: found.append([job.id for job in jobs]))
    monkeypatch.setattr(run.preflight, "check_inputs", lambda *_: None)
    return found


def submit(suite, root, *retry):
    with pytest.raises(typer.Exit) as ended:
        run.run(suite.path, only=["model.attention=space"], launcher="slurm", retry=list(retry), root=root)
    return ended.value.exit_code


def test_what_slurm_killed_for_its_memory_is_recorded_and_runs_again_only_when_asked(
    standings, submitted, root, capsys
):
    suite, store, job = standings(ended=Queued("12", "OUT_OF_MEMORY"))
    assert submit(suite, root, run.Retry.failed) == 0
    assert (store.read(job.id).status, submitted) == ("oom", [])
    told = capsys.readouterr()
    assert (
        "SLURM says OUT_OF_MEMORY of job 12: it needs more than `resources.mem_gb` gave it; `--retry oom`" in told.err
    )
    assert told.out.endswith("0 to run\nNothing is queued or running; `report` renders what there is\n")
    assert submit(suite, root, run.Retry.oom) == 0
    assert submitted == [[job.id]]
    assert "the same command with --wait follows them" in capsys.readouterr().out


def test_what_was_killed_for_its_memory_and_never_recorded_runs_again_when_asked(standings, submitted, root):
    suite, store, job = standings(ended=Queued("12", "OUT_OF_MEMORY"))
    assert submit(suite, root, run.Retry.all) == 0
    assert (store.read(job.id), submitted) == (None, [[job.id]])


@pytest.mark.parametrize("state", ["queued", "running"])
def test_where_nobody_knows_what_slurm_has_nothing_is_submitted(standings, submitted, root, state):
    suite, *_ = standings(state=state, queued=Queued("", UNKNOWN, "slurm/x.json cannot be read"))
    with pytest.raises(HarnessError, match=r"so nothing was submitted: slurm/x.json cannot"):
        run.run(suite.path, only=["model.attention=space"], launcher="slurm", root=root)
    assert submitted == []


def test_what_is_done_needs_no_answer_of_slurm(standings, submitted, root):
    suite, *_ = standings(state="done", queued=Queued("", UNKNOWN, "slurm/x.json cannot be read"))
    assert submit(suite, root) == 0
    assert submitted == []
