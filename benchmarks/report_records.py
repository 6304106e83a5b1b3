"""How long `report` takes over many records, and its peak memory: first, and again when nothing has changed.

    python -m benchmarks.report_records [RECORDS]

Writes RECORDS (10,000) finished records of the attention schemes, a thousand seeds of each variant, into a temporary
output folder, from one made-up record, and runs `python -m harness report` on them twice as a person would.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness.suite import load
from results.record import parse
from results.store import Store

PROJECT = Path(__file__).parents[1]
SUITE = PROJECT / "suites" / "attention_schemes.yaml"
EXAMPLE = PROJECT / "tests" / "results" / "example_record.json"


def main(records: int = 10_000) -> None:
    seeds = f"seeds={list(range(records // 10))}"
    example = parse(EXAMPLE.read_bytes(), str(EXAMPLE))
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        jobs = load(SUITE, sets=[seeds]).jobs
        for place, job in enumerate(jobs):
            store.write(example.model_copy(update={"id": job.id, "spec": job.spec.content()}))
            if not place:  # as the first job's end does: counting takes torch, its seconds and its memory
                _report("one record, models of the paper counted", folder)
        for name in ("first", "again"):
            _report(f"{len(jobs)} records, {name}", folder, "--set", seeds)


def _report(name: str, root: str, *more: str) -> None:
    command = [sys.executable, "-m", "harness", "report", str(SUITE), "--root", root, *more]
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    print(f"{name}: {seconds:.1f} s, at most {used.ru_maxrss / 1024:.0f} MiB, exit code {process.returncode}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
