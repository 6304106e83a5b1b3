"""How long a sweep of 1,000 jobs takes to submit to a real cluster, by how many calls of sbatch, and `status` on it.

    python -m benchmarks.cluster_submit [JOBS]

Two nodes on this machine (`tests/cluster.py`), which run jobs of the sweep meanwhile.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.cluster import cluster
from tests.harness.sweeps import SUITE, Sweep


def main(jobs: int = 1000) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary, cluster() as slurm:
        (Path(temporary) / "cache").mkdir()
        suite = SUITE.replace("matrix:\n  model.width: [8, 16]", f"  seeds: {list(range(jobs))}")
        sweep = Sweep(slurm, Path(temporary), Path(temporary) / "cache", suite)
        began = time.perf_counter()
        told = sweep.submit()
        seconds = time.perf_counter() - began
        scripts = len(list(sweep.root.glob("slurm/*_submission.sh")))
        print(told.strip().splitlines()[-2])
        print(f"{jobs} jobs: {scripts} calls of sbatch, {seconds:.1f} s with Python's start")
        taken = []
        for _ in range(5):
            began = time.perf_counter()
            sweep.run("status", "--json")
            taken.append(time.perf_counter() - began)
        print(f"status: {statistics.median(taken):.1f} s (median of 5, {min(taken):.1f} to {max(taken):.1f})")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
