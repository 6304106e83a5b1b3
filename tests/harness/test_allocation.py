"""What happens inside an allocation of several tasks, and on a full disk, on a real cluster."""

import contextlib
import os
import shlex
import signal
import subprocess
from pathlib import Path

import pytest
from submitit.core.utils import JobPaths, temporary_save_path

from harness.allocation import HUNG, Allocation, _how, tidy
from harness.meeting import Seat
from harness.worker import RANK_LOST
from tests.cluster import NODES, cluster
from tests.harness.sweeps import LAUNCH, ONE, Sweep, assert_same, inline_records, lacking

SLEEPS = "import time\ntime.sleep(60)\n"
TWO = ("--set", "resources.nodes=2")


def workers_of(sweep: Sweep) -> list[int]:
    """Process numbers of the ranks at work on the sweep's jobs, by rank."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if "harness.worker" in words and any(str(sweep.root) in word for word in words):
            found[int(words[words.index("harness.worker") + 3])] = int(folder.name)
    return [found[rank] for rank in sorted(found)]


def test_two_nodes_train_and_test_as_one_and_a_rank_that_dies_costs_nothing(sweep, embedded_cache, tmp_path):
    """Dropout differs from rank to rank, so what is compared are two runs on two nodes, one of them disturbed."""
    sweep.submit(*ONE, *TWO)
    (record,) = sweep.wait_for_records(1).values()
    assert record["measured"]["devices"] == 2
    assert (record["tests"][0]["videos"], record["tests"][0]["answered"]) == (200, 200)
    (tmp_path / "again").mkdir()
    disturbed = Sweep(sweep.slurm, tmp_path / "again", embedded_cache)
    disturbed.submit_closed(*TWO)
    os.kill(workers_of(disturbed)[1], signal.SIGKILL)
    disturbed.wait(lambda: disturbed.progress()[0]["attempt"] == 2, "not begun again")
    disturbed.open()
    (after,) = disturbed.wait_for_records(1).values()
    assert_same({record["id"]: after}, {record["id"]: record})
    assert after["measured"]["attempts"] == 2
    assert "killed by SIGKILL" in "".join(path.read_text() for path in disturbed.root.glob("slurm/*_log.out"))


def test_a_full_disk_is_waited_for(sweep, embedded_cache):
    expected = inline_records(sweep.slurm, embedded_cache, embedded_cache)
    (sweep.root / "data").unlink()
    (sweep.root / "costs").unlink()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(sweep.root)], check=True)
    try:
        (sweep.root / "data").symlink_to(embedded_cache)
        (sweep.root / "costs").symlink_to(embedded_cache / "costs")
        sweep.site.write_text("save_s: 30\nmax_attempts: 9\nagain_s: 1\n", encoding="utf-8")
        sweep.submit_closed()
        filler = sweep.root / "filler"
        _fill(filler)
        (first,) = workers_of(sweep)
        sweep.open()
        sweep.wait(lambda: workers_of(sweep) not in ([first], []), "not begun again")
        filler.unlink()
        assert_same(sweep.wait_for_records(1), expected)
    finally:
        sweep.slurm.clear()
        subprocess.run(["umount", "--lazy", str(sweep.root)], check=True)


def _fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(2**12))


def test_a_bug_is_recorded_once_and_not_tried_for_ever(sweep):
    sweep.close()
    (sweep.gate / "memory").touch()
    sweep.submit(*ONE, *TWO)
    sweep.wait_for_epoch()
    sweep.open()
    (record,) = sweep.wait_for_records(1).values()
    assert (record["status"], record["measured"]["attempts"]) == ("oom", 1)
    assert "as a test wants it" in record["error"]["message"]


@pytest.fixture
def blind(tmp_path):
    """A cluster whose nodes have an empty folder where the tests have theirs."""
    if lacking():
        pytest.skip(f"no SLURM here: {lacking()}")
    with cluster() as running:
        for node in NODES:
            running.kill(node)
            hide = f"mount -t tmpfs none {shlex.quote(str(tmp_path))} && exec slurmd -D -N {node}"
            running._daemon(node, "unshare", "--mount", "sh", "-c", hide)
        running.wait_until_idle()
        yield running


def test_a_node_that_does_not_see_the_folder_is_told_and_nothing_is_queued(blind, tmp_path, embedded_cache):
    sweep = Sweep(blind, tmp_path, embedded_cache)
    ended = sweep.run("run", *LAUNCH)
    assert ended.returncode == 2
    assert f"does not see {sweep.root}, " in ended.stderr
    assert "must lie on a disk that all nodes share; nothing was submitted" in ended.stderr
    assert not sweep.state()


@pytest.fixture
def allocation(tmp_path):
    return Allocation(str(tmp_path), attempts=2, save_s=1, again_s=1)


def test_a_rank_that_does_not_notice_anothers_end_is_ended_and_not_blamed(allocation, tmp_path, monkeypatch):
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "worker.py").write_text(SLEEPS, encoding="utf-8")
    monkeypatch.setattr("harness.allocation.packages.ROOT", tmp_path)
    monkeypatch.setattr("harness.allocation.NOTICE_S", 0.3)
    seat = Seat(0, 2, 0, "first")
    seat.at(tmp_path).tell_end(1, RANK_LOST)
    assert allocation._run(seat) == HUNG


@pytest.mark.parametrize(
    ("codes", "how"),
    [
        ({0: -11}, "killed by SIGSEGV"),
        ({0: RANK_LOST, 1: 3, 2: HUNG}, "rank 1 exit code 3; rank 2 did not notice that within 30 s and was ended by"),
        ({0: RANK_LOST, 1: RANK_LOST}, "ranks lost each other, and none said why"),
    ],
)
def test_who_died_is_told_and_who_was_lost_by_that_is_not_blamed(codes, how):
    assert _how(codes).startswith(how)


def test_what_submitit_left_half_written_does_not_stop_the_next_attempt(tmp_path):
    paths = JobPaths(tmp_path, "12_3", 1)
    left = [paths.submitted_pickle.with_suffix(".pkl.save_tmp"), paths.result_pickle.with_suffix(".pkl.save_tmp")]
    for path in left:
        path.touch()
    tidy(paths)
    assert not any(path.exists() for path in left)
    for path in (paths.submitted_pickle, paths.result_pickle):
        with temporary_save_path(path) as temporary:  # which refuses where one is left
            temporary.touch()
    assert paths.submitted_pickle.exists()
    tidy(paths)
    assert paths.submitted_pickle.exists()
