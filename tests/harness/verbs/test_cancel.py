"""`cancel` where there is nothing to cancel or nobody to ask; with a cluster it is in `test_slurm.py`."""

from types import SimpleNamespace

import pytest
import typer

from harness import standing
from harness.errors import HarnessError
from harness.queue import UNKNOWN, Queued
from harness.standing import CANCELLED, Standing
from harness.suite import load
from harness.verbs import cancel
from results.store import Store
from tests.harness.verbs.conftest import harness


@pytest.fixture
def standings(small_suite, root, monkeypatch):
    """Let the suite's two jobs stand so."""

    def so(*each):
        jobs, store = load(small_suite).jobs, Store(root)
        found = [Standing(job, folder=store.job_folder(job.id), **how) for job, how in zip(jobs, each, strict=True)]
        monkeypatch.setattr(standing, "of", lambda jobs, store: found)
        return found

    return so


def cancelled(suite, root, monkeypatch):
    """The numbers that scancel was called with."""
    called = []
    run = SimpleNamespace(run=lambda command, **_: called.append(command[1:]))
    monkeypatch.setattr(cancel, "subprocess", run)
    with pytest.raises(typer.Exit) as ended:
        cancel.cancel(suite, root=root)
    assert ended.value.exit_code == 0
    return called


def test_without_a_cluster_there_is_nothing_to_cancel(small_suite, root):
    ended = harness("cancel", small_suite, "--root", root)
    assert (ended.returncode, ended.stdout) == (0, "SLURM has none of these jobs\n")


def test_what_slurm_has_is_cancelled_and_noted_so(standings, small_suite, root, monkeypatch):
    one, other = standings(
        {"state": "queued", "queued": Queued("7_0", "PENDING")},
        {"state": "running", "queued": Queued("7_1", "RUNNING")},
    )
    monkeypatch.setattr(cancel, "AT_ONCE", 1)
    assert cancelled(small_suite, root, monkeypatch) == [["7_0"], ["7_1"]]
    assert [(each.folder / CANCELLED).read_text() for each in (one, other)] == ["7_0", "7_1"]


def test_what_is_done_or_has_no_number_is_left_alone(standings, small_suite, root, monkeypatch):
    standings({"state": "done", "queued": Queued("7_0", UNKNOWN)}, {"state": "queued", "queued": Queued("", UNKNOWN)})
    assert cancelled(small_suite, root, monkeypatch) == []


def test_what_nobody_knows_is_told(standings, small_suite, root, monkeypatch, capsys):
    standings(*[{"state": "queued", "queued": Queued("", UNKNOWN, "slurm/x.json cannot be read")}] * 2)
    assert cancelled(small_suite, root, monkeypatch) == []
    assert capsys.readouterr().err == "nobody knows which jobs SLURM has: slurm/x.json cannot be read\n"


def test_what_scancel_says_is_told(tmp_path, monkeypatch):
    program = tmp_path / "scancel"
    program.write_text("#!/bin/sh\necho 'scancel: error: Access denied' >&2; exit 1\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(HarnessError, match="scancel: scancel: error: Access denied"):
        cancel._scancel(["7"])
    program.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HarnessError, match="No such file"):
        cancel._scancel(["7"])
