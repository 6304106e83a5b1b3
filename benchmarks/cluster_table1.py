"""Table 1's demo suite through SLURM and in one process: the same records, but for times and host.

    python -m benchmarks.cluster_table1 [EPOCHS]        default 2; 0: as the suite says

A real cluster of two nodes on this machine (`tests/cluster.py`; as root, with Debian's SLURM packages).
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results.record import Record
from results.store import Store
from tests.cluster import cluster

SUITE = "suites/attention_schemes.yaml"


def facts(record: Record) -> dict[str, object]:
    """What is not about times, the machine or the commit."""
    return record.model_dump(include={"id", "status", "spec", "cost", "epochs", "tests", "splits", "weights_sha256"})


def main(epochs: int = 2) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary, cluster() as slurm:
        found = {}
        for launcher in ("slurm", "inline"):
            root, began = Path(temporary) / launcher, time.monotonic()
            command = [sys.executable, "-m", "harness", "run", SUITE, "--launcher", launcher, "--root", str(root)]
            command += ["--wait"] if launcher == "slurm" else []
            command += ["--set", "resources.gpus_per_node=0", *(["--set", f"recipe.epochs={epochs}"] if epochs else [])]
            subprocess.run(command, env=slurm.environment, stdout=subprocess.DEVNULL, check=True)
            records, damaged = Store(root).load()
            found[launcher] = {record.id: facts(record) for record in records}
            print(f"{launcher}: {len(records)} records, {len(damaged)} damaged, {time.monotonic() - began:.0f} s")
        print("the same" if found["slurm"] == found["inline"] else "NOT the same")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
