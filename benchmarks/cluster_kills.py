"""A sweep of 12 short jobs on a cluster while things are killed at random: every job must end with its right record.

    python -m benchmarks.cluster_kills [KILLS] [SEED]        default 20 and 0

A real cluster of two nodes on this machine (`tests/cluster.py`; as root, with Debian's SLURM packages). What is killed,
drawn at random, one every few seconds: a worker (SIGKILL), a job (scancel --signal=KILL), a node with all that runs on
it (it comes back), the controller (it comes back), a job's place (a job of higher priority preempts it for 2 s), and
the command that follows the sweep (it is started again). The records are compared with those of one process: weights,
losses and scores bit for bit.
"""

import collections
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.cluster import NODES, Cluster, cluster
from tests.harness.sweeps import LAUNCH, SITE, SUITE, Sweep, assert_same

JOBS = 12
PAUSE_S = (1.0, 6.0)
LONGER = SUITE.replace("epochs: 2", "epochs: 12").replace("[8, 16]", str([8 + n for n in range(JOBS)]))


def workers(sweep: Sweep) -> list[int]:
    """Process numbers of the sweep's workers."""
    told = subprocess.run(["pgrep", "-f", f"harness.worker {sweep.root}"], capture_output=True, text=True, check=False)
    return [int(word) for word in told.stdout.split()]


class Kills:
    """The ways to disturb a sweep; each says whether it met something."""

    def __init__(self, sweep: Sweep, slurm: Cluster, draw: random.Random) -> None:
        self.sweep, self.slurm, self.draw = sweep, slurm, draw
        self.following = self.follow()

    def follow(self) -> "subprocess.Popen[str]":
        return self.sweep.start(self.sweep.command("run", *LAUNCH, "--wait"))

    def worker(self) -> bool:
        found = workers(self.sweep)
        if found:
            os.kill(self.draw.choice(found), signal.SIGKILL)
        return bool(found)

    def job(self) -> bool:
        found = self.slurm.run("squeue", "--array", "--noheader", "--states=RUNNING", "--format=%i").split()
        if found:
            self.slurm.run("scancel", "--signal=KILL", "--full", self.draw.choice(found), check=False)
        return bool(found)

    def node(self) -> bool:
        node = self.draw.choice(NODES)
        self.slurm.kill_node(node)
        self.slurm.slurmd(node)
        return True

    def controller(self) -> bool:
        self.slurm.kill("slurmctld")
        self.slurm.slurmctld()
        return True

    def place(self) -> bool:
        wrapped = ["--ntasks=2", "--output=/dev/null", "--wrap=sleep 2"]
        self.slurm.run("sbatch", "--partition=high", "--nodes=1", *wrapped, check=False)
        return True

    def follower(self) -> bool:
        self.following.kill()
        self.following.communicate()
        self.following = self.follow()
        return True


def main(kills: int = 20, seed: int = 0) -> None:
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary, cluster() as slurm:
        folder = Path(temporary)
        for name in ("alone", "swept", "cache"):
            (folder / name).mkdir()
        alone, sweep = (Sweep(slurm, folder / name, folder / "cache", LONGER) for name in ("alone", "swept"))
        began = time.monotonic()
        ended = alone.run("run", "--launcher", "inline")
        assert ended.returncode == 0, ended.stderr
        print(f"{JOBS} jobs in one process: {time.monotonic() - began:.0f} s", flush=True)
        for each in (sweep.gate / "slow",):
            each.touch()
        sweep.site.write_text(SITE.replace("max_attempts: 4", "max_attempts: 40\nsilent_s: 60"), encoding="utf-8")
        ways, began = Kills(sweep, slurm, draw), time.monotonic()
        done: collections.Counter[str] = collections.Counter()
        while done.total() < kills and len(sweep.records()) < JOBS:
            time.sleep(draw.uniform(*PAUSE_S))
            way = draw.choice(("worker", "worker", "job", "node", "controller", "place", "follower"))
            if getattr(ways, way)():
                done[way] += 1
                print(f"  {time.monotonic() - began:5.0f} s: {way}, {len(sweep.records())} records", flush=True)
        (sweep.gate / "slow").unlink()
        told, _ = ways.following.communicate()
        records, expected = sweep.records(), alone.records()
        if ways.following.returncode != 0 or records.keys() != expected.keys():
            print(told)
            sys.exit(f"{len(records)} records of {JOBS}; the command that followed: {ways.following.returncode}")
        assert_same(records, expected)
        attempts = [record["measured"]["attempts"] for record in records.values()]
        print(f"{done.total()} kills ({json.dumps(done)}) in {time.monotonic() - began:.0f} s:")
        print(f"{len(records)} records, all as in one process; attempts {sorted(attempts)}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
