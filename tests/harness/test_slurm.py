"""Sweeps on a real cluster, SLURM's own daemons with two nodes (`tests/cluster.py`); refusals by pretended ones."""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness import queue, slurm
from harness.site import Site
from harness.snapshot import Snapshot
from tests.harness.sweeps import ONE, SUITE, Sweep, assert_same, inline_records


@pytest.fixture(scope="module")
def inline(slurm, tmp_path_factory, embedded_cache):
    """The records of the same suite run in one process: what every sweep must end with."""
    folder = tmp_path_factory.getbasetemp()
    shared = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    return inline_records(slurm, shared, embedded_cache)


def test_time_limits_are_gone_on_after_and_more_than_allowed_are_a_record(sweep, tmp_path, embedded_cache):
    """SLURM's shortest limit is a minute; it tells at some moment in the 90 s before. Nearly all of that is waiting."""
    long = SUITE.replace("timeout_min: 30", "timeout_min: 1").replace("epochs: 2", "epochs: 120")
    sweeps = {}
    for name, attempts in (("given up", 2), ("finished", 9), ("alone", 9)):
        (tmp_path / name).mkdir()
        sweeps[name] = Sweep(sweep.slurm, tmp_path / name, embedded_cache, long)
        sweeps[name].site.write_text(f"save_s: 45\nmax_attempts: {attempts}\n", encoding="utf-8")
    given_up, finished, alone = sweeps.values()
    for each in (given_up, finished):
        (each.gate / "slow").touch()
        each.submit(*ONE)
    ended = alone.run("run", "--launcher", "inline", *ONE, "--set", "resources.timeout_min=30")
    assert ended.returncode == 0, ended.stderr
    finished.wait(lambda: finished.progress()[0]["attempt"] == 3, "its limit did not come twice")
    (finished.gate / "slow").unlink()
    (record,) = given_up.wait_for_records(1).values()
    assert record["status"] == "timeout"
    assert record["measured"]["attempts"] == 2
    assert "its time limit passed" in record["error"]["message"]
    (record,) = finished.wait_for_records(1).values()
    assert record["measured"]["attempts"] >= 3
    assert_same(finished.records(), alone.records())


def test_jobs_share_a_nodes_gpus_and_end_with_the_records_of_one_process(sweep, inline):
    resources = "resources: {gpus_per_node: 1, timeout_min: 30, slurm: {nodelist: n1}}"
    sweep.suite.write_text(
        SUITE.replace("resources: {gpus_per_node: 0, timeout_min: 30}", resources), encoding="utf-8"
    )  # fmt: skip
    sweep.close()
    sweep.submit()
    sweep.submit()  # from a second terminal: nothing is submitted twice
    assert len(list((sweep.root / "slurm").glob("*_submission.sh"))) == 1
    sweep.wait(lambda: len([each for each in sweep.progress() if each.get("epoch")]) == 2, "they do not run at once")
    jobs = sweep.jobs()
    assert [(job["state"], job["slurm"]["nodes"]) for job in jobs] == [("running", "n1")] * 2
    assert {path.read_text().split("\n")[0] for path in sweep.root.glob("jobs/*/log.txt")} == {"GPUs 0", "GPUs 1"}
    sweep.open()
    assert_same(sweep.wait_for_records(2), inline)
    assert {job["state"] for job in sweep.jobs()} == {"done"}


def test_a_preempted_job_goes_on(sweep, inline):
    sweep.submit_closed()
    sweep.slurm.run("sbatch", "-p", "high", "-N", "2", "-n", "4", "-o", "/dev/null", "--wrap", "true")
    sweep.wait(lambda: "COMPLETING" in sweep.state(), "not preempted")
    sweep.open()
    (record,) = sweep.wait_for_records(1).values()
    assert record["measured"]["attempts"] == 2
    assert_same(sweep.records(), inline)


def test_what_was_killed_is_submitted_again_by_whoever_waits(sweep, inline):
    sweep.close()
    waiting = sweep.start(sweep.command("run", "--launcher", "slurm", "--wait", *ONE))
    sweep.wait_for_epoch()
    sweep.slurm.run("scancel", "--signal=KILL", "--full", "--user=root")
    sweep.open()
    told, _ = waiting.communicate(timeout=240)
    assert waiting.returncode == 0, told
    (record,) = sweep.records().values()
    assert record["measured"]["attempts"] == 2
    assert_same(sweep.records(), inline)


def test_the_submitting_shell_may_die(sweep, inline):
    submitting = sweep.start(sweep.command("run", "--launcher", "slurm", *ONE))
    sweep.wait(lambda: list((sweep.root / "slurm").glob("*.json")), "nothing submitted")
    submitting.send_signal(signal.SIGKILL)
    submitting.communicate()
    sweep.submit(*ONE)
    assert_same(sweep.wait_for_records(1), inline)


def test_a_partition_that_does_not_exist_is_told_and_nothing_queued(sweep):
    ended = sweep.run("run", "--launcher", "slurm", "--set", "resources.partition=gpu")
    assert ended.returncode == 2
    assert "invalid partition specified: gpu" in ended.stderr
    assert not sweep.state()
    assert {job["state"] for job in sweep.jobs()} == {"not run"}


def test_a_node_and_the_controller_may_fail(sweep, inline):
    sweep.submit_closed()
    sweep.slurm.kill("slurmctld")
    (job, _) = sweep.jobs()
    assert (job["state"], job["slurm"]["state"]) == ("running", "UNKNOWN")
    sweep.slurm.slurmctld()
    sweep.wait(lambda: sweep.state() == "RUNNING", "no controller")
    node = sweep.slurm.run("squeue", "--noheader", "--format=%N").strip()
    sweep.slurm.kill_node(node)
    sweep.open()
    assert_same(sweep.wait_for_records(1), inline)  # on the other node, once SLURM has noticed
    sweep.slurm.slurmd(node)


def test_cancelled_jobs_are_left_so_until_they_run_again(sweep):
    sweep.close()
    waiting = sweep.start(sweep.command("run", "--launcher", "slurm", "--wait", *ONE))
    sweep.wait_for_epoch()
    cancelled = sweep.run("cancel")
    assert cancelled.stdout.count("cancelled") == 1
    sweep.open()
    told, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == 1, told
    job, other = sweep.jobs()
    assert (job["state"], other["state"]) == ("stopped", "not run")
    assert job["detail"] == f"after 1 of 2 epochs; cancelled as SLURM job {job['slurm']['job']}"


def test_what_ran_out_of_memory_is_retried_once(sweep):
    (sweep.gate / "memory").touch()
    sweep.submit(*ONE)
    (record,) = sweep.wait_for_records(1).values()
    assert record["status"] == "oom"
    assert "0 to run" in sweep.submit(*ONE)
    (sweep.gate / "memory").unlink()
    assert "1 to run" in sweep.submit(*ONE, "--retry", "oom")
    assert "0 to run" in sweep.submit(*ONE, "--retry", "oom")
    sweep.wait(lambda: [each["status"] for each in sweep.records().values()] == ["done"], "not retried")


def test_the_log_of_a_held_job_is_followed_from_its_release_to_its_end(sweep):
    sweep.submit(*ONE, "--set", "resources.slurm.hold=true")
    (job, _) = sweep.jobs()
    number = job["slurm"]["job"]
    assert job["detail"] == f"SLURM job {number}: held (JobHeldUser); `scontrol release {number}` lets it go"
    assert job["state"] == "queued"
    following = sweep.start(sweep.words("logs", job["id"], "--follow"))
    assert "no log yet; the job is queued" in following.stdout.readline()
    sweep.slurm.run("scontrol", "release", number)
    told, _ = following.communicate(timeout=120)
    assert (following.returncode, "GPUs None" in told) == (0, True), told


def test_without_slurm_that_is_told(sweep):
    sweep.environment["PATH"] = str(Path(sys.executable).parent)
    ended = sweep.run("run", "--launcher", "slurm")
    assert ended.returncode == 2
    assert "this machine has no SLURM" in ended.stderr


@pytest.fixture
def array(order):
    """One job that is to be submitted."""
    resources = order.spec.resources.model_copy(update={"gpus_per_node": 0})
    snapshot = Snapshot(order.root / "code", ())
    (found,) = slurm.arrays([replace(order, spec=replace(order.spec, resources=resources))], Site(), snapshot, 10)
    return found


def says(error: str) -> str:
    """A program that fails."""
    return f"echo '{error}' >&2; exit 1"


INVALID = "sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified"
TIMED_OUT = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"


@pytest.mark.parametrize(
    ("sbatch", "squeue", "told", "kept"),
    [
        (says(INVALID), "", "sbatch refused: Batch job submission failed: Invalid account", 0),
        (says(TIMED_OUT), "", "sbatch refused: .*timed out", 1),  # it may still come through
        (says(TIMED_OUT), "echo 77", "timed out.*; SLURM had queued the jobs nevertheless, and gave up job 77", 1),
        ("echo what", "echo 77", "gave up job 77", 1),
        (says(TIMED_OUT), says("no route"), "SLURM does not answer whether it took the jobs, so ask `status`", 1),
    ],
)
def test_what_sbatch_may_have_queued_although_it_failed_is_given_up(array, order, programs, sbatch, squeue, told, kept):
    called = programs(sbatch=sbatch, squeue=squeue)
    with pytest.raises(slurm.SlurmError, match=told):
        slurm.submit(array, order.root, Site())
    lists = list((order.root / queue.SWEEPS).glob("*.json"))
    assert len(lists) == kept
    given_up = [line for line in called.read_text().splitlines() if line.startswith("scancel")]
    assert len(given_up) == (squeue == "echo 77")
    assert all(f"--name={queue.NAME}{path.stem}" in line for path in lists for line in given_up)


def test_a_root_whose_name_slurm_would_change_is_refused(tmp_path):
    slurm.check_root(tmp_path)
    with pytest.raises(slurm.SlurmError, match=r"--root .*50%: SLURM reads % in a file's name"):
        slurm.check_root(tmp_path / "50%")


@pytest.mark.parametrize(("conf", "told"), [(None, "SLURM_CONF is not set"), ("/x", "SLURM_CONF is /x")])
def test_commands_without_a_cluster_are_told(programs, monkeypatch, conf, told):
    monkeypatch.delenv("SLURM_CONF", raising=False)
    if conf:
        monkeypatch.setenv("SLURM_CONF", conf)
    programs(scontrol=says("scontrol: fatal: Could not establish a configuration source"))
    with pytest.raises(slurm.SlurmError, match=f"{told}, see whether `sinfo` works. scontrol show config: .*Could not"):
        slurm.largest_array()
    programs(scontrol="echo MaxArraySize = 1001")
    assert slurm.largest_array() == 1000
