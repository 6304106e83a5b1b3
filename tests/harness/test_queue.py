import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import queue
from harness.queue import Queued
from tests.cluster import cluster
from tests.harness.sweeps import ONE, SUITE, Sweep, lacking

CODES = """
BOOT_FAIL CANCELLED COMPLETED CONFIGURING COMPLETING DEADLINE FAILED NODE_FAIL OUT_OF_MEMORY PENDING PREEMPTED RUNNING
RESV_DEL_HOLD REQUEUE_FED REQUEUE_HOLD REQUEUED RESIZING REVOKED SIGNALING SPECIAL_EXIT STAGE_OUT STOPPED SUSPENDED
TIMEOUT"""
"""squeue's manual, "JOB STATE CODES", SLURM 22.05."""


def sweep(root, token, jobs, submitted, number=""):
    (root / queue.SWEEPS).mkdir(exist_ok=True, parents=True)
    about = {"jobs": jobs, "submitted": submitted, **({"number": number} if number else {})}
    (root / queue.SWEEPS / f"{token}.json").write_text(json.dumps(about), encoding="utf-8")


def answered(monkeypatch, told):
    """As if a command of SLURM had printed this; what was asked is kept."""
    asked = []
    monkeypatch.setattr(queue.shutil, "which", lambda program: program)
    monkeypatch.setattr(queue, "_told", lambda *command: asked.append(command) or told)
    return asked


def test_every_state_of_slurm_is_waiting_running_or_ended():
    states = set(CODES.split())
    assert states >= queue.RUNNING | queue.HELD | queue.ENDED
    assert not queue.RUNNING & queue.ENDED
    assert states - queue.RUNNING - queue.HELD - queue.ENDED == {"PENDING", "REQUEUED", "REQUEUE_FED"}


def test_nothing_is_asked_where_nothing_was_submitted(tmp_path, monkeypatch):
    asked = answered(monkeypatch, "")
    assert queue.ask(tmp_path, {"aa"}) == {}
    assert queue.endings(tmp_path, {"aa"}) == {}
    assert asked == []


def test_a_job_is_told_by_what_is_alive_else_by_its_newest_submission(tmp_path, monkeypatch):
    sweep(tmp_path, "t1", ["aa", "bb", "cc"], 1.0, "7")
    sweep(tmp_path, "t2", ["bb"], 2.0, "9")
    sweep(tmp_path, "t3", ["cc", "dd"], 3.0)  # the submitting shell died before it knew the number
    (tmp_path / queue.SWEEPS / "t4.json").write_text("{", encoding="utf-8")  # its array is over, so nobody needs it
    rows = (
        "10|10|N/A|RUNNING|1700000000|n1|None|somebody|else's",
        "8|7|1|FAILED|1700000000|n1|NonZeroExitCode|harness-t1",
        "9|9|N/A|CANCELLED|1700000000|n2|None|harness-t2",
        "7|7|2|RUNNING|1700000000|n1|None|harness-t1",
        "12|12|0|FAILED|1700000000|n1|None|harness-t3",
        "13|12|1|PENDING|N/A||JobHeldUser|harness-t3",
        "14|12|2|PENDING|N/A||None|harness-t3",
        "15|15|N/A|COMPLETED|1700000000|n1|None|harness-t4",
    )
    answered(monkeypatch, "\n".join(rows))
    found = queue.ask(tmp_path, {"aa", "zz"})
    assert found == {
        "aa": Queued("7_0", queue.FORGOTTEN),
        "bb": Queued("9", "CANCELLED", "None", "n2", 1.7e9),
        "cc": Queued("7_2", "RUNNING", "None", "n1", 1.7e9),
        "dd": Queued("12_1", "PENDING", "JobHeldUser"),
    }
    assert [id_ for id_, each in found.items() if each.alive] == ["cc", "dd"]
    assert found["dd"].waits == "held (JobHeldUser); `scontrol release 12_1` lets it go"


def test_where_slurm_does_not_answer_no_job_counts_as_lost(tmp_path, monkeypatch):
    sweep(tmp_path, "t1", ["aa"], 1.0, "7")
    monkeypatch.setattr(queue.shutil, "which", lambda program: program)
    monkeypatch.setattr(queue, "_told", lambda *command: (_ for _ in ()).throw(OSError("no route")))
    found = queue.ask(tmp_path, {"aa", "zz"})
    assert (found["aa"].alive, found["aa"].waits) == (True, "SLURM does not answer (no route)")
    assert "zz" not in found
    assert queue.endings(tmp_path, {"aa"}) == {}
    (tmp_path / queue.SWEEPS / "t2.json").write_text("[]", encoding="utf-8")
    assert queue.ask(tmp_path, {"aa", "zz"})["zz"].state == queue.UNKNOWN


def test_a_job_that_may_be_in_a_list_that_cannot_be_read_is_not_submitted_again(tmp_path, monkeypatch):
    sweep(tmp_path, "t1", ["aa", "bb"], 1.0, "7")
    (tmp_path / queue.SWEEPS / "t2.json").mkdir()
    rows = (
        "8|7|0|RUNNING|1700000000|n1|None|harness-t1",
        "9|7|1|TIMEOUT|1700000000|n1|None|harness-t1",
        "12|12|0|PENDING|N/A||Priority|harness-t2",
    )
    answered(monkeypatch, "\n".join(rows))
    found = queue.ask(tmp_path, {"aa", "bb", "cc"})
    assert {id_: each.state for id_, each in found.items()} == {
        "aa": "RUNNING", "bb": queue.UNKNOWN, "cc": queue.UNKNOWN,
    }  # fmt: skip
    assert all(each.alive for each in found.values())
    assert "t2.json cannot be read ([Errno 21] Is a directory" in found["cc"].waits
    assert found["cc"].waits.endswith("the list of what SLURM's job 12 is; `scancel 12` ends that")


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("QOSMaxCpuPerUserLimit", "QOSMaxCpuPerUserLimit: a limit of its quality of service; `sacctmgr show qos`"),
        ("AssocGrpGRES", "AssocGrpGRES: a limit that all jobs of your account share"),
        ("ReqNodeNotAvail, UnavailableNodes:n[1-2]", "ReqNodeNotAvail, UnavailableNodes:n[1-2]: nodes that it asks"),
        ("PartitionConfig", "PartitionConfig: the partition cannot have such jobs"),
        ("Priority", "Priority: others come before it"),
        ("SomethingNew", "SomethingNew"),
    ],
)
def test_a_reason_is_told_with_what_it_means(reason, told):
    assert Queued("7", "PENDING", reason).waits.startswith(told)


@pytest.mark.parametrize(
    ("answers", "number", "asked"),
    [(["12\n12\n", ""], "12", 2), ([""], "", 1), ([OSError("no route")], None, 1),
     (["12\n", OSError("no route")], None, 2)],
)  # fmt: skip
def test_an_array_that_was_queued_although_sbatch_failed_is_given_up(monkeypatch, answers, number, asked):
    commands, left = [], list(answers)

    def told(*command):
        commands.append(command)
        answer = left.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setattr(queue, "_told", told)
    assert queue.withdraw("t1") == number
    assert [command[0] for command in commands] == ["squeue", "scancel"][:asked]
    assert all("--name=harness-t1" in command for command in commands)


def test_sacct_is_asked_once_for_the_newest_arrays_of_the_lost(tmp_path, monkeypatch):
    sweep(tmp_path, "t1", ["aa", "bb", "cc"], 1.0, "7")
    sweep(tmp_path, "t2", ["bb", "dd", "ee"], 2.0, "9")
    asked = answered(
        monkeypatch, "7_0|TIMEOUT|n1\n7_1|FAILED|n1\n9_[0-1]|CANCELLED by 0|None assigned\n9_2|PENDING|None assigned"
    )
    found = queue.endings(tmp_path, {"aa", "bb", "dd", "ee"})
    assert {id_: (each.number, each.state) for id_, each in found.items()} == {
        "aa": ("7_0", "TIMEOUT"), "bb": ("9_0", "CANCELLED"), "dd": ("9_1", "CANCELLED"),
    }  # fmt: skip
    (command,) = asked
    assert "--jobs=7,9" in command


@given(st.sets(st.integers(0, 200), min_size=1), st.integers(1, 10**7))
def test_a_collapsed_array_is_all_its_jobs(places, array):
    ranges, left = [], sorted(places)
    while left:
        first = last = left.pop(0)
        while left and left[0] == last + 1:
            last = left.pop(0)
        ranges.append(f"{first}-{last}" if last > first else str(first))
    assert set(queue._numbers(f"{array}_[{','.join(ranges)}%4]")) == {f"{array}_{place}" for place in places}
    assert list(queue._numbers(f"{array}_{first}")) == [f"{array}_{first}"]


@pytest.fixture
def accounted(tmp_path, embedded_cache):
    with cluster(accounting=True) as running:
        yield Sweep(running, tmp_path, embedded_cache)


@pytest.mark.skipif(bool(lacking()), reason=f"no SLURM here: {lacking()}")
def test_how_jobs_ended_is_known_after_squeue_has_forgotten_them(accounted):
    accounted.suite.write_text(SUITE.replace("[8, 16]", "[8, 16, 32]"), encoding="utf-8")
    accounted.site.write_text("setup: [exit 3]\n", encoding="utf-8")
    accounted.submit(*ONE)
    accounted.wait(lambda: not accounted.state(), "it does not fail")
    job = accounted.jobs()[0]
    number = job["slurm"]["job"]
    log = accounted.root / "slurm" / f"{number}_0_log.out"
    assert (job["state"], job["detail"]) == ("not run", f"SLURM says FAILED of job {number} ({log})")
    accounted.submit("--only", "model.width=16,32", "--set", "resources.slurm.hold=true")
    array = accounted.jobs()[1]["slurm"]["job"].partition("_")[0]
    accounted.slurm.run("scancel", array)
    accounts = ("sacct", "--noheader", "--parsable2", "--allocations", f"--jobs={number},{array}", "--format=State")
    ended = {"FAILED", "CANCELLED by 0"}
    accounted.wait(lambda: set(accounted.slurm.run(*accounts).splitlines()) == ended, "sacct is not told")
    accounted.slurm.forget()
    assert [job["slurm"]["state"] for job in accounted.jobs()] == ["FAILED", "CANCELLED", "CANCELLED"]
    # Without cgroups SLURM calls no job OUT_OF_MEMORY, so the accounts are told so.
    accounted.slurm.correct(f"UPDATE trial_job_table SET state = 11 WHERE id_job = {number}")
    assert accounted.jobs()[0]["detail"] == f"SLURM says OUT_OF_MEMORY of job {number} ({log})"
    accounted.slurm.kill("slurmdbd")
    assert [job["detail"] for job in accounted.jobs()] == ["", "", ""]


def test_times_are_asked_for_as_seconds(monkeypatch):
    monkeypatch.setenv("SLURM_TIME_FORMAT", "relative")
    assert queue._told("sh", "-c", "echo $SLURM_TIME_FORMAT") == "%s\n"
    assert os.environ["SLURM_TIME_FORMAT"] == "relative"
