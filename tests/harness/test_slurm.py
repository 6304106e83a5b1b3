"""Sweeps on a real cluster: SLURM's own daemons, two nodes on this machine (`tests/cluster.py`)."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cluster import Cluster, cluster, missing
from tests.conftest import PROJECT

LACKING = missing()
pytestmark = [
    pytest.mark.skipif(bool(LACKING) and "CI" not in os.environ, reason=f"no SLURM here: {', '.join(LACKING)}"),
    pytest.mark.xdist_group("slurm"),
]

SUITE = """\
title: Small
question: Does it run?
base:
  model: {name: timesformer, size: demo, init: scratch, drop_path: 0.1}
  data: {name: motion, fraction: 0.2}
  clip: {frames: 8, stride: 2, size: 32}
  recipe: {name: demo, epochs: 3}
  test: {clips: 1, crops: 1}
  resources: {gpus_per_node: 0, timeout_min: 30}
matrix:
  model.attention: [divided, space]
"""
SITE = "save_s: 30\nmax_attempts: 4\n"


@pytest.fixture(scope="module")
def slurm():
    with cluster() as running:
        yield running


class Sweep:
    """A suite in a folder, and the command line on the cluster."""

    def __init__(self, slurm: Cluster, folder: Path, cache: Path, suite: str = SUITE) -> None:
        self.suite, self.root, self.slurm = folder / "small.yaml", folder / "runs", slurm
        self.suite.write_text(suite, encoding="utf-8")
        (folder / "site.yaml").write_text(SITE, encoding="utf-8")
        self.root.mkdir()
        (self.root / "data").symlink_to(cache)
        self.environment = {
            **slurm.environment, "PYTHONPATH": str(PROJECT), "HARNESS_SITE": str(folder / "site.yaml"),
        }  # fmt: skip

    def command(self, verb: str, *arguments: object) -> list[str]:
        words = [sys.executable, "-m", "harness", verb, str(self.suite), "--root", str(self.root)]
        return [*words, *map(str, arguments)]

    def run(self, verb: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(verb, *arguments), cwd=PROJECT, env=self.environment, capture_output=True, text=True,
            check=False, timeout=300,
        )  # fmt: skip

    def submit(self, *arguments: object) -> None:
        ended = self.run("run", "--launcher", "slurm", *arguments)
        assert ended.returncode == 0, ended.stdout + ended.stderr

    def jobs(self) -> list[dict]:
        return json.loads(self.run("status", "--json").stdout)[0]["jobs"]

    def records(self) -> dict[str, dict]:
        return {path.parent.name: json.loads(path.read_text()) for path in self.root.glob("jobs/*/record.json")}

    def progress(self) -> list[dict]:
        return [json.loads(path.read_text()) for path in self.root.glob("jobs/*/progress.json")]

    def wait(self, done, what: str, seconds: float = 240) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, f"{what}; {self.slurm.run('squeue', '--array')} {self.progress()}"
            time.sleep(0.3)

    def ended(self, count: int) -> bool:
        return len(self.records()) == count and not self.slurm.run("squeue", "--noheader")


@pytest.fixture
def sweep(slurm, tmp_path, embedded_cache):
    yield Sweep(slurm, tmp_path, embedded_cache)
    slurm.run("scancel", "--user=root", check=False)
    slurm.wait_until_idle()


@pytest.fixture(scope="module")
def inline(slurm, tmp_path_factory, embedded_cache):
    """The records of the same suite run in one process: what every sweep must end with."""
    alone = Sweep(slurm, tmp_path_factory.mktemp("inline"), embedded_cache)
    ended = alone.run("run", "--launcher", "inline")
    assert ended.returncode == 0, ended.stderr
    return alone.records()


def assert_same(records: dict[str, dict], expected: dict[str, dict]) -> None:
    """Bit-identical weights, losses and scores, each job once."""
    assert records.keys() == expected.keys()
    for id_, record in records.items():
        for key in ("status", "epochs", "tests", "weights_sha256", "spec"):
            assert record[key] == expected[id_][key], key


def test_a_sweep_ends_with_the_records_of_one_process(sweep, inline):
    sweep.submit()
    sweep.submit()  # from a second terminal: nothing is submitted twice
    assert len(list((sweep.root / "slurm").glob("*_submission.sh"))) == 1
    assert {job["state"] for job in sweep.jobs()} <= {"queued", "running"}
    sweep.wait(lambda: sweep.ended(2), "the sweep did not end")
    assert_same(sweep.records(), inline)
    assert {job["state"] for job in sweep.jobs()} == {"done"}


def test_a_preempted_job_goes_on(sweep, inline):
    sweep.submit("--only", "model.attention=divided")
    sweep.wait(lambda: any(each.get("epoch") for each in sweep.progress()), "no epoch")
    sweep.slurm.run("sbatch", "-p", "high", "-N", "2", "-n", "4", "-o", "/dev/null", "--wrap", "sleep 2")
    sweep.wait(lambda: sweep.ended(1), "the preempted job did not end")
    (record,) = sweep.records().values()
    assert record["measured"]["attempts"] == 2
    assert_same(sweep.records(), {id_: each for id_, each in inline.items() if id_ in sweep.records()})


def test_what_was_killed_is_submitted_again_by_whoever_waits(sweep, inline):
    waiting = subprocess.Popen(
        sweep.command("run", "--launcher", "slurm", "--wait", "--only", "model.attention=divided"),
        cwd=PROJECT, env=sweep.environment, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    sweep.wait(lambda: any(each.get("epoch") for each in sweep.progress()), "no epoch")
    sweep.slurm.run("scancel", "--signal=KILL", "--full", "--user=root")
    assert waiting.wait(240) == 0
    (record,) = sweep.records().values()
    assert record["measured"]["attempts"] == 2
    assert_same(sweep.records(), {id_: each for id_, each in inline.items() if id_ in sweep.records()})


def test_the_submitting_shell_may_die(sweep, inline):
    process = subprocess.Popen(
        sweep.command("run", "--launcher", "slurm"), cwd=PROJECT, env=sweep.environment, stdout=subprocess.DEVNULL
    )
    sweep.wait(lambda: list((sweep.root / "slurm").glob("*.json")), "nothing submitted")
    process.send_signal(signal.SIGKILL)
    process.wait()
    sweep.submit()
    sweep.wait(lambda: sweep.ended(2), "the sweep did not end")
    assert_same(sweep.records(), inline)


def test_a_partition_that_does_not_exist_is_told_and_nothing_queued(sweep):
    ended = sweep.run("run", "--launcher", "slurm", "--set", "resources.partition=gpu")
    assert ended.returncode == 2
    assert "invalid partition specified: gpu" in ended.stderr
    assert not sweep.slurm.run("squeue", "--noheader")
    assert {job["state"] for job in sweep.jobs()} == {"not run"}


def test_a_node_and_the_controller_may_fail(sweep, inline):
    sweep.submit("--only", "model.attention=divided")
    sweep.wait(lambda: any(each.get("epoch") for each in sweep.progress()), "no epoch")
    sweep.slurm.kill("slurmctld")
    sweep.slurm.slurmctld()
    (node,) = {line for line in sweep.slurm.run("squeue", "--noheader", "--format=%N").split()}
    sweep.slurm.kill(node)
    subprocess.run(["pkill", "-KILL", "-f", "harness.worker"], check=False)
    sweep.slurm.slurmd(node)
    sweep.wait(lambda: sweep.ended(1), "the job did not end")
    assert_same(sweep.records(), {id_: each for id_, each in inline.items() if id_ in sweep.records()})


def test_more_time_limits_than_allowed_are_a_record(sweep):
    """SLURM's shortest limit is a minute; it tells at some moment in the 90 s before."""
    long = SUITE.replace("timeout_min: 30", "timeout_min: 1").replace("epochs: 3", "epochs: 300")
    sweep.suite.write_text(long, encoding="utf-8")
    (sweep.suite.parent / "site.yaml").write_text("save_s: 50\nmax_attempts: 2\n", encoding="utf-8")
    sweep.submit("--only", "model.attention=divided")
    sweep.wait(lambda: sweep.ended(1), "no record")
    (record,) = sweep.records().values()
    assert record["status"] == "timeout"
    assert record["measured"]["attempts"] == 2
    assert "its time limit passed" in record["error"]["message"]


def test_cancelled_jobs_stay_what_they_are_until_they_run_again(sweep):
    sweep.submit()
    sweep.wait(lambda: any(each.get("epoch") for each in sweep.progress()), "no epoch")
    told = sweep.run("cancel")
    assert told.stdout.count("cancelled") == 2
    sweep.wait(lambda: not sweep.slurm.run("squeue", "--noheader"), "still queued")
    assert {job["state"] for job in sweep.jobs()} <= {"stopped", "not run"}


def test_without_slurm_that_is_told(sweep):
    sweep.environment["PATH"] = os.path.dirname(sys.executable)
    ended = sweep.run("run", "--launcher", "slurm")
    assert ended.returncode == 2
    assert "this machine has no SLURM" in ended.stderr
