"""The worker process alone: its exit codes."""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from harness import worker
from harness.files import Order, read_progress
from results.store import Store
from tests.conftest import PROJECT
from tests.harness.conftest import with_recipe


def start(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "harness.worker", str(folder)]
    return subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, told = process.communicate(timeout=120)
    return process.returncode, told


def test_a_job_that_fails_is_recorded_all_the_same_and_its_traceback_is_in_the_log(order: Order):
    spec = with_recipe(order.spec, learning_rate=1e30, optimizer="sgd", clip_grad_norm=None)
    folder = replace(order, spec=spec).write()
    code, told = ended(start(folder))
    assert code == worker.RECORDED
    assert "harness.train.Diverged: the loss is" in told
    assert Store(order.root).read(folder.name).status == "diverged"


def test_asked_to_stop_it_saves_and_says_so(order: Order):
    folder = replace(order, spec=with_recipe(order.spec, epochs=400)).write()
    process = start(folder)
    deadline = time.monotonic() + 60
    while read_progress(folder).get("state") != "training" and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert ended(process) == (worker.STOPPED, "stopped: asked to stop by a signal\n")
    assert list((folder / "checkpoints").glob("*.pt"))


def test_what_cannot_be_written_is_one_line(order: Order):
    folder = order.write()
    (folder / "lock").mkdir()
    code, told = ended(start(folder))
    assert code == worker.WRONG
    assert told.count("\n") == 1
    assert "cannot be written" in told
