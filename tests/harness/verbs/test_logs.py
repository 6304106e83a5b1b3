"""`logs`, once and following; of a job in a cluster's queue in `test_slurm.py`."""

import subprocess
import sys
import threading
import time

import pytest

from harness import standing
from harness.errors import HarnessError
from harness.files import Order
from harness.locks import hold
from harness.queue import Queued
from harness.standing import Standing
from harness.suite import load
from harness.verbs import logs
from tests.conftest import PROJECT
from tests.harness.verbs.conftest import harness


@pytest.fixture
def folder(small_suite, root):
    """The folder of a job that was ordered."""
    job = load(small_suite).jobs[0]
    return Order(job.spec, "demo", job.label, root, None).write()


def test_the_end_of_a_log_is_shown(folder, root):
    (folder / "log.txt").write_text("x" * 9000 + "\nthe end\n", encoding="utf-8")
    shown = harness("logs", folder.name[:6], "--root", root)
    assert shown.returncode == 0
    assert shown.stdout.endswith("\nthe end\n")
    assert len(shown.stdout) == logs.TAIL_BYTES


def test_a_job_that_does_not_exist_or_has_no_log_is_told(folder, root):
    ended = harness("logs", "nowhere", "--root", root)
    assert (ended.returncode, ended.stderr.startswith(f"nowhere: no job in {root} begins so; nearest: ")) == (2, True)
    ended = harness("logs", folder.name, "--follow", "--root", root)
    assert (ended.returncode, ended.stderr) == (2, f"{folder / 'log.txt'}: no log yet; the job is not run\n")
    (folder.parent / f"{folder.name}0").mkdir()
    ended = harness("logs", folder.name, "--root", root)
    assert "more than one job begins so" in ended.stderr


def test_a_running_jobs_log_is_followed_to_its_end(folder, root):
    log = folder / "log.txt"
    log.write_text("one\n", encoding="utf-8")
    command = [sys.executable, "-m", "harness", "logs", folder.name, "--follow", "--root", str(root)]
    with hold(folder / "lock", "x"):
        following = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
        assert following.stdout.readline() == "one\n"
        with log.open("ab") as file:
            file.write("zwei: ä\n".encode())
        assert following.stdout.readline() == "zwei: ä\n"
        assert following.poll() is None
    assert following.communicate(timeout=30) == ("", None)
    assert following.returncode == 0


def test_a_job_that_only_slurm_sees_is_followed_until_it_says_that_it_ended(folder, root, monkeypatch, capsys):
    """On another node the lock is held where nobody here sees it."""
    job = load_job(folder)
    states = ["queued", "running", "running", "done"]
    monkeypatch.setattr(logs.queue, "ASK_EVERY_S", 0.1)
    monkeypatch.setattr(logs, "READ_EVERY_S", 0.05)

    def of(jobs, store):
        state = states.pop(0)
        if state == "running":
            with (folder / "log.txt").open("a", encoding="utf-8") as file:
                file.write(f"{len(states)}\n")
        return [Standing(job, state, folder)]

    monkeypatch.setattr(standing, "of", of)
    logs.logs(folder.name, follow=True, root=root)
    assert capsys.readouterr().out == "2\n1\n"
    assert states == []


def test_a_letter_that_is_written_in_two_parts_is_one_letter(folder, root, monkeypatch, capsys):
    (folder / "log.txt").write_bytes("ä".encode()[:1])
    monkeypatch.setattr(logs, "READ_EVERY_S", 0.05)
    monkeypatch.setattr(logs, "is_held", lambda path: not path.with_name("log.txt").read_bytes().endswith(b"\xa4"))

    def later():
        time.sleep(0.3)
        with (folder / "log.txt").open("ab") as file:
            file.write("ä".encode()[1:])

    thread = threading.Thread(target=later)
    thread.start()
    logs.logs(folder.name, follow=True, root=root)
    thread.join()
    assert capsys.readouterr().out == "ä"


def test_a_job_that_ends_without_a_log_is_told(folder, root, monkeypatch):
    states = ["queued", "stopped"]
    monkeypatch.setattr(logs.queue, "ASK_EVERY_S", 0.1)
    monkeypatch.setattr(standing, "of", lambda jobs, store: [Standing(load_job(folder), states.pop(0), folder)])
    with pytest.raises(HarnessError, match="no log yet; the job is stopped"):
        logs.logs(folder.name, follow=True, root=root)


def load_job(folder):
    from harness.combination import Job

    return Job(Order.read(folder).spec, ())


def test_an_empty_log_is_told_with_what_goes_on_and_what_slurm_has(folder, root, monkeypatch, capsys):
    (folder / "log.txt").touch()
    (root / "slurm").mkdir()
    (root / "slurm" / "12_0_0_log.out").write_text("Starting with JobEnvironment\n", encoding="utf-8")
    now = Standing(load_job(folder), "running", folder, queued=Queued("12_0", "RUNNING", nodes="n1"))
    monkeypatch.setattr(standing, "of", lambda jobs, store: [now])
    logs.logs(folder.name, root=root)
    shown = capsys.readouterr()
    assert shown.out == "Starting with JobEnvironment\n"
    assert "log.txt is empty: a job that is well writes nothing there. It is running starting on n1" in shown.err
    assert f"{root / 'slurm' / '12_0_0_log.out'}:" in shown.err
