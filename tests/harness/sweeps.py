"""A small sweep and the command line on it, for tests of what happens to sweeps on a cluster."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests import warm
from tests.cluster import Cluster
from tests.conftest import PROJECT

SUITE = """\
title: Small
question: Does it run?
base:
  model: {name: gated}
  data: {name: motion, fraction: 0.015}
  clip: {frames: 4, stride: 4, size: 16}
  recipe: {name: demo, epochs: 2, batch_size: 4}
  test: {clips: 1, crops: 1}
  resources: {gpus_per_node: 0, timeout_min: 30}
matrix:
  model.width: [8, 16]
"""
SITE = "save_s: 30\nmax_attempts: 4\n"
ONE = ("--only", "model.width=8")
"""Of the suite's two jobs."""
LAUNCH = ("--launcher", "slurm")


class Sweep:
    """A suite in a folder of its own, and the command line on a cluster."""

    def __init__(self, slurm: Cluster, folder: Path, cache: Path, suite: str = SUITE) -> None:
        self.suite, self.root, self.slurm = folder / "small.yaml", folder / "runs", slurm
        self.suite.write_text(suite, encoding="utf-8")
        self.site = folder / "site.yaml"
        self.site.write_text(SITE, encoding="utf-8")
        self.root.mkdir()
        (self.root / "data").symlink_to(cache)
        (self.root / "costs").symlink_to(cache / "costs")  # counting them takes longer than all else of submitting
        self.gate = folder / "gate"
        self.gate.mkdir()
        self.environment = {
            **slurm.environment, "PYTHONPATH": str(PROJECT), "HARNESS_SITE": str(self.site), "GATED": str(self.gate),
            "HARNESS_MODELS": str(PROJECT / "tests" / "harness" / "gated.py"), "OMP_NUM_THREADS": "1",
        }  # fmt: skip

    def command(self, verb: str, *arguments: object) -> list[str]:
        """The command line of a verb on the suite."""
        return self.words(verb, self.suite, *arguments)

    def words(self, *arguments: object) -> list[str]:
        """A command line."""
        return warm.command("harness", *arguments, "--root", self.root)

    def run(self, verb: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        """A verb on the suite, to its end."""
        return subprocess.run(
            self.command(verb, *arguments), cwd=PROJECT, env=self.environment, capture_output=True, text=True,
            check=False, timeout=300,
        )  # fmt: skip

    def start(self, words: list[str]) -> subprocess.Popen[str]:
        """A command that goes on while the test does."""
        return subprocess.Popen(
            words, cwd=PROJECT, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def submit(self, *arguments: object) -> str:
        """Submit what is missing; what was told."""
        ended = self.run("run", *LAUNCH, *arguments)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def close(self) -> None:
        """Let trainings wait after their first epoch."""
        (self.gate / "closed").touch()

    def open(self) -> None:
        """Let trainings go on."""
        (self.gate / "closed").unlink()

    def submit_closed(self, *arguments: object) -> None:
        """Submit one job, and wait until its training waits."""
        self.close()
        self.submit(*ONE, *arguments)
        self.wait_for_epoch()

    def wait_for_epoch(self) -> None:
        """Wait until a training has its first epoch behind it."""
        self.wait(lambda: any(each.get("epoch") for each in self.progress()), "no epoch")

    def jobs(self) -> list[dict]:
        """What `status` says of the jobs."""
        return json.loads(self.run("status", "--json").stdout)[0]["jobs"]

    def records(self) -> dict[str, dict]:
        """The records by their jobs' ids."""
        return {path.parent.name: json.loads(path.read_text()) for path in self.root.glob("jobs/*/record.json")}

    def progress(self) -> list[dict]:
        """How far the jobs are."""
        return [json.loads(path.read_text()) for path in self.root.glob("jobs/*/progress.json")]

    def state(self) -> str:
        """squeue's word for what is in the queue."""
        return " ".join(sorted(set(self.slurm.run("squeue", "--array", "--noheader", "--format=%T").split())))

    def wait(self, done: Callable[[], object], what: str, seconds: float = 240) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, f"{what}; {self.told()}"
            time.sleep(0.2)

    def told(self) -> str:
        """All that may say why a sweep does not go on."""
        logs = [path.read_text()[-1000:] for path in self.root.glob("jobs/*/log.txt")]
        return f"{self.slurm.run('squeue', '--array')} {self.progress()} {logs}"

    def wait_for_records(self, count: int) -> dict[str, dict]:
        """Wait until there are so many and nothing is queued."""
        self.wait(lambda: len(self.records()) == count and not self.state(), "the sweep did not end")
        return self.records()


def assert_same(records: dict[str, dict], expected: dict[str, dict]) -> None:
    """Bit-identical weights, losses and scores, each job of `records` once."""
    assert records.keys() <= expected.keys()
    for id_, record in records.items():
        for key in ("status", "epochs", "tests", "weights_sha256", "spec"):
            assert record[key] == expected[id_][key], key


def inline_records(slurm: Cluster, folder: Path, cache: Path) -> dict[str, dict]:
    """The records of the suite run in one process, made once for all that share the folder."""
    from harness.locks import hold

    kept = folder / "inline.json"
    with hold(folder / "inline.lock", "the sweep in one process", 300):
        if not kept.exists():
            (folder / "inline").mkdir()
            alone = Sweep(slurm, folder / "inline", cache)
            ended = alone.run("run", "--launcher", "inline")
            assert ended.returncode == 0, ended.stdout + ended.stderr
            kept.write_text(json.dumps(alone.records()), encoding="utf-8")
    return json.loads(kept.read_text(encoding="utf-8"))


def lacking() -> str:
    """Why the tests on a cluster are skipped here; never in CI, where that is a failure."""
    from tests.cluster import missing

    return "" if "CI" in os.environ else ", ".join(missing(accounting=True))
