"""Workers here and workers on a cluster, at one study at once, on real daemons."""

import os
import random
import signal
import time

import pytest
from optuna.trial import TrialState

from harness.search.cluster import name
from tests.harness.search.searches import Searching, running
from tests.harness.search.stubs import assert_ended, begun
from tests.harness.sweeps import SITE, lacking

pytestmark = pytest.mark.skipif(bool(lacking()), reason=f"no SLURM here: {lacking()}")
TRIALS = 10
KILLS = 4


@pytest.fixture
def search(slurm, tmp_path, embedded_cache):
    site = tmp_path / "site.yaml"
    site.write_text(SITE, encoding="utf-8")
    kept = {key: slurm.environment[key] for key in ("SLURM_CONF", "CLUSTER_FOLDER")}
    with Searching(tmp_path, embedded_cache, TRIALS, HARNESS_SITE=str(site), **kept) as made:
        yield made
    slurm.clear()


def test_workers_here_and_on_a_cluster_share_a_study(search, slurm):
    search.slow()
    cluster = search.start("--launcher", "slurm", "--workers", 2, "--wait")
    search.wait(lambda: "2 workers submitted as SLURM job" in search.said.read_text(encoding="utf-8"), "not submitted")
    local = search.start("--launcher", "local", "--workers", 2)
    shared = search.shared()
    search.wait(lambda: len(running(shared, 0)) == 4, "no four trials at once")

    called = name(begun(search.suite, search.root))
    numbers = slurm.run("squeue", "--noheader", "--array", "--states=R", f"--name={called}", "--format=%i").split()
    assert len(numbers) == 2, search.told()
    slurm.run("scontrol", "requeue", numbers[0])

    draw, killed = random.Random(0), set()
    while len(killed) < KILLS:
        search.wait(lambda: [pid for pid in workers(shared) if pid not in killed], "no worker")
        pid = draw.choice([pid for pid in workers(shared) if pid not in killed])
        os.kill(pid, signal.SIGKILL)
        killed.add(pid)
        time.sleep(draw.uniform(1, 3))
    search.slow(slow=False)
    assert local.wait(300) == 0, search.told()
    assert cluster.wait(120) == 0, search.told()

    found = assert_ended(shared, TRIALS)
    assert all(trial.state == TrialState.COMPLETE for trial in found), search.told()
    assert len(search.records()) == TRIALS
    assert sum("attempt" in trial.user_attrs for trial in shared.trials()) >= KILLS
    search.wait(lambda: not slurm.run("squeue", "--noheader"), "workers are left in the queue")


def workers(shared) -> list[int]:
    """Processes of those that train a trial now."""
    known = [trial.user_attrs.get("worker", {}).get("pid") for trial in running(shared, 0)]
    return [pid for pid in known if pid and os.path.exists(f"/proc/{pid}")]  # noqa: PTH110
