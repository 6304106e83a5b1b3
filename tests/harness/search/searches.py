"""The command line on a tiny search whose trainings a test can hold, for tests of what happens to searches."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from harness.files import read_progress
from harness.search.study import Shared
from models import registry
from tests.conftest import PROJECT
from tests.harness.search.stubs import begun

SUITE = """\
title: Tiny
question: Which?
base:
  model: {name: gated}
  data: {name: motion, fraction: 0.015}
  clip: {frames: 4, stride: 4, size: 16}
  recipe: {name: demo, epochs: 3, batch_size: 4}
  test: {clips: 1, crops: 1}
  resources: {gpus_per_node: 0, timeout_min: 30}
search:
  trials: TRIALS
  sampler: random
  pruner: none
  space:
    recipe.learning_rate: {float: [1.0e-5, 1.0e-2], log: true}
"""
MODELS = PROJECT / "tests" / "harness" / "gated.py"


class Searching:
    """A search in a folder of its own; `environment` is what its commands have beside their own."""

    def __init__(self, folder: Path, cache: Path, trials: int, url: str | None = None, **environment: str) -> None:
        self.suite, self.root, self.url = folder / "tiny.yaml", folder / "runs", url
        self.suite.write_text(SUITE.replace("TRIALS", str(trials)), encoding="utf-8")
        self.root.mkdir()
        (self.root / "data").symlink_to(cache)
        (cache / "costs").mkdir(exist_ok=True)
        (self.root / "costs").symlink_to(cache / "costs")
        self.gate = folder / "gate"
        self.gate.mkdir()
        self.environment = {
            **os.environ, "PYTHONPATH": str(PROJECT), "GATED": str(self.gate), "HARNESS_MODELS": str(MODELS),
            "OMP_NUM_THREADS": "1", **environment,
        }  # fmt: skip
        self.said = folder / "said.txt"
        self.commands: list[subprocess.Popen[bytes]] = []
        registry.use([MODELS])

    def start(self, *arguments: object) -> subprocess.Popen[bytes]:
        """The command, which goes on while the test does."""
        words = [sys.executable, "-m", "harness", "search", self.suite, "--root", self.root, *arguments]
        words += ["--storage", self.url] if self.url else []
        with self.said.open("ab") as out:
            command = subprocess.Popen(list(map(str, words)), cwd=PROJECT, env=self.environment, stdout=out, stderr=out)
        self.commands.append(command)
        return command

    def __enter__(self) -> "Searching":
        return self

    def __exit__(self, *_: object) -> None:
        for command in self.commands:
            command.kill()
            command.wait()

    def shared(self) -> Shared:
        """The study, as one who looks at it."""
        return begun(self.suite, self.root, self.url).joined()

    def told(self) -> str:
        """All that may say why a search does not go on."""
        logs = [*self.root.glob("studies/*/worker-*.log"), *self.root.glob("slurm/*_log.out"), self.said]
        logs += self.root.glob("jobs/*/log.txt")
        return "\n".join(f"{path}: {path.read_text(encoding='utf-8')[-1500:]}" for path in logs if path.exists())

    def slow(self, *, slow: bool = True) -> None:
        """Let every step of a training take half a second, or not any more."""
        (self.gate / "slow").touch() if slow else (self.gate / "slow").unlink()

    def wait(self, done: Callable[[], object], what: str, seconds: float = 120) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, f"{what}\n{self.told()}"
            time.sleep(0.2)

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text(encoding="utf-8")) for path in self.root.glob("jobs/*/record.json")]

    def job_pid(self, trial: FrozenTrial) -> int | None:
        """Of the process that trains a trial now; None where it has not begun."""
        folder = self.root / "jobs" / trial.user_attrs["jobs"][0]
        pid = int(read_progress(folder)["pid"])
        return pid if Path(f"/proc/{pid}").exists() else None


def running(shared: Shared, epochs: int = 1) -> list[FrozenTrial]:
    """Trials that are trained now and have so many epochs behind them."""
    every = [trial for trial in shared.trials() if trial.state == TrialState.RUNNING]
    return [trial for trial in every if len(trial.intermediate_values) >= epochs]
