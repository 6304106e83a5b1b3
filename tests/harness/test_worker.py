"""The worker process alone: its exit codes."""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from harness import worker
from harness.files import Order, read_progress
from harness.locks import hold
from results.store import Store
from tests import warm
from tests.conftest import PROJECT
from tests.harness.conftest import with_recipe


def start(folder: Path) -> subprocess.Popen[str]:
    command = warm.command("harness.worker", folder)
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


def test_a_job_in_use_has_its_own_exit_code(order: Order):
    folder = order.write()
    code = (
        "import sys; from pathlib import Path; from harness import job, worker; job.LOCK_WAIT_S = 0.1\n"
        "sys.exit(worker.main(Path(sys.argv[1])))"
    )
    with hold(folder / "lock", "x"):
        process = subprocess.Popen(warm.command("-c", code, folder), cwd=PROJECT, stderr=subprocess.PIPE, text=True)
        code, told = ended(process)
    assert code == worker.BUSY
    assert "is in use by process" in told


def test_a_worker_whose_launcher_is_already_gone_does_nothing(order: Order):
    folder = order.write()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    command = [sys.executable, "-m", "harness.worker", str(folder), str(gone.pid)]
    process = subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, text=True)
    assert ended(process) == (worker.STOPPED, f"stopped: process {gone.pid}, which launched this job, is gone\n")
    assert read_progress(folder) == {}


def test_what_cannot_be_written_is_one_line(order: Order):
    folder = order.write()
    (folder / "lock").mkdir()
    code, told = ended(start(folder))
    assert code == worker.WRONG
    assert told.count("\n") == 1
    assert "cannot be written" in told
