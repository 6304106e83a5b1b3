"""What happens inside an allocation of several tasks, and on a full disk, on a real cluster."""

import contextlib
import os
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cluster import NODES, cluster
from tests.harness.sweeps import LAUNCH, ONE, Sweep, assert_same, inline_records, lacking

LACKING = lacking()
pytestmark = pytest.mark.skipif(bool(LACKING), reason=f"no SLURM here: {LACKING}")

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
