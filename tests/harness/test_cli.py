"""The command line as a person uses it, in processes of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from harness.locks import hold
from tests.conftest import PROJECT, SMALL_SUITE

TABLE1 = "suites/attention_schemes.yaml"


def harness(*arguments: object, cwd: Path = PROJECT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    return subprocess.run(
        [sys.executable, "-m", "harness", *map(str, arguments)],
        cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, embedded_cache: Path) -> tuple[Path, Path]:
    """A small suite, run to its end with Table 1 as its report: (suite, root)."""
    folder = tmp_path_factory.mktemp("finished")
    suite, root = folder / "small.yaml", folder / "runs"
    suite.write_text(SMALL_SUITE.replace("base:\n", "reports: [table1]\nbase:\n", 1), encoding="utf-8")
    root.mkdir()
    (root / "data").symlink_to(embedded_cache)
    ended = harness("run", suite, "--root", root)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "2 jobs at demo scale, 2 to run" in ended.stdout
    assert "not run" in ended.stdout  # the three schemes that this suite leaves out
    return suite, root


def test_a_second_run_recomputes_nothing(finished):
    suite, root = finished
    before = {path: path.stat().st_mtime_ns for path in (root / "jobs").rglob("*") if path.name != "lock"}
    ended = harness("run", suite, "--root", root)
    assert ended.returncode == 0
    assert "2 jobs at demo scale, 0 to run" in ended.stdout
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_status_and_plan_say_the_same_as_json(finished):
    suite, root = finished
    (status,) = json.loads(harness("status", suite, "--root", root, "--json").stdout)
    plan = json.loads(harness("plan", suite, "--root", root, "--json").stdout)
    assert [job["state"] for job in status["jobs"]] == ["done", "done"]
    assert [job["id"] for job in status["jobs"]] == [job["id"] for job in plan["jobs"]]
    assert all(job["tests"][0]["videos"] == 200 for job in status["jobs"])
    assert all(job["multiply_adds"] > 0 and job["device_hours"] > 0 for job in plan["jobs"])
    shown = harness("status", suite, "--root", root)
    assert "divided  done   top-1 " in shown.stdout


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
    watching = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(3)
    watching.send_signal(signal.SIGINT)
    shown, told = watching.communicate(timeout=30)
    assert (watching.returncode, told) == (0, "")
    assert "divided" in shown


def test_a_suite_without_a_report_lists_its_jobs(finished, tmp_path):
    suite, root = finished
    plain = tmp_path / "plain.yaml"
    plain.write_text(suite.read_text(encoding="utf-8").replace("reports: [table1]\n", ""), encoding="utf-8")
    ended = harness("run", plain, "--root", root)
    assert ended.returncode == 0
    assert "divided  done   top-1 " in ended.stdout
    assert "K400" not in ended.stdout


def test_report_is_rendered_again_from_the_records(finished):
    suite, root = finished
    page = root / "reports" / "small" / "index.html"
    page.unlink()
    ended = harness("report", suite, "--root", root)
    assert ended.returncode == 0
    assert "Small" in page.read_text(encoding="utf-8")
    assert {path.name for path in page.parent.iterdir()} >= {"index.html", "table1.csv", "table1.md", "table1.tex"}


def test_a_damaged_record_is_named_and_the_others_still_load(finished, tmp_path):
    suite, root = finished
    copy = tmp_path / "runs"
    subprocess.run(["cp", "-r", root, copy], check=True)
    jobs = json.loads(harness("status", suite, "--root", copy, "--json").stdout)[0]["jobs"]
    record = copy / "jobs" / jobs[0]["id"] / "record.json"
    record.write_text(record.read_text(encoding="utf-8")[:200], encoding="utf-8")
    for command in ("status", "report", "run"):
        ended = harness(command, suite, "--root", copy)
        assert ended.returncode == 2, command
        assert str(record) in (ended.stdout + ended.stderr).replace("\n", "")
        assert "Traceback" not in ended.stderr
    states = [job["state"] for job in json.loads(harness("status", suite, "--root", copy, "--json").stdout)[0]["jobs"]]
    assert states == ["damaged", "done"]


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


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "suites/missing.yaml"], "suites/missing.yaml: no such file"),
        (["plan", TABLE1, "--set", "model.size=hug"], "model.size: 'hug' is not allowed"),
        (["status", TABLE1, "--only", "data=nothing"], "unknown value of data 'nothing'"),
        (["run", TABLE1, "--root", "/proc/nowhere"], "--root /proc/nowhere: cannot be written"),
        (["run", TABLE1, "--scale", "huge"], "huge"),
        (["profile", "timesforme"], "timesformer"),
        (["profile", "timesformer", "--set", "clip.size=225"], "225 is not a multiple of the 16-pixel patch"),
    ],
)
def test_wrong_input_is_told_without_a_traceback_and_exit_code_2(arguments, told, tmp_path):
    ended = harness(*arguments)
    assert ended.returncode == 2
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr


def test_two_runs_on_one_output_folder_are_refused(finished):
    suite, root = finished
    with hold(root / "run.lock", "x"):
        ended = harness("run", suite, "--root", root)
    assert ended.returncode == 2
    assert f"is in use by process {os.getpid()} on " in ended.stderr


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
    assert (missing.returncode, missing.stderr) == (2, "/nowhere/x.pt: no such checkpoint\n")


def test_profile_counts_the_papers_model():
    ended = harness("profile", "timesformer", "--set", "model.attention=joint", "--classes", 174, "--json")
    facts = json.loads(ended.stdout)
    assert round(facts["parameters"] / 1e6, 1) == 85.9
    assert facts["multiply_adds"] == pytest.approx(179.6e9, rel=1e-3)


def test_the_package_guard_refuses_a_stranger(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").write_text("", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{PROJECT}"}
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "harness.worker", str(tmp_path)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode != 0
    assert "is taken from" in ended.stderr or "models" in ended.stderr


def test_help_has_an_example_for_every_command():
    for command in ("run", "plan", "status", "report", "profile"):
        assert f"Example: python -m harness {command}" in harness(command, "--help").stdout.replace("\n", " ")
