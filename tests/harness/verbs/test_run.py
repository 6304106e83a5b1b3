"""`run`, and what it leaves behind."""

import os

import torch

from harness.locks import hold
from tests.conftest import PROJECT
from tests.harness.verbs.conftest import TABLE1, harness


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
    plain.write_text(suite.read_text(encoding="utf-8").replace("reports: [table1]\n", ""), encoding="utf-8")
    ended = harness("run", plain, "--root", root)
    assert ended.returncode == 0
    assert "attention divided" in ended.stdout
    lines = (root / "reports" / "plain" / "comparison.csv").read_text(encoding="utf-8").splitlines()
    assert [line.partition(",")[0] for line in lines] == ["scheme", "attention space", "attention divided"]
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
