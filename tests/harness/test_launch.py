"""Sweeps on this machine with real worker processes: bounded, surviving crashes, stopping cleanly."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from harness import job, launch
from harness.errors import Interrupted, OutputError
from harness.files import Order, Progress, read_progress
from harness.locks import hold
from harness.progress import Display
from harness.spec import Protocol
from harness.suite import load
from results.store import Store
from tests.conftest import PROJECT


@pytest.fixture
def orders(small_suite: Path, root: Path) -> list[Order]:
    jobs = load(small_suite).jobs
    return [Order(job.spec, "demo", job.label, root, None) for job in jobs]


@pytest.fixture
def told() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def display(told: io.StringIO) -> Display:
    return Display(Console(file=told, width=200), slots=2)


def test_a_local_sweep_brings_every_job_to_the_record_that_inline_gives(orders, root, display, told, tmp_path):
    store = Store(root)
    launch.local(orders, store, display, slots=2, gpus=0)
    local = {record.id: record for record in store.load()[0]}
    assert len(local) == 2
    assert "divided: done in " in told.getvalue()
    assert "[2 of 2 jobs]" in told.getvalue()
    other = tmp_path / "inline"
    other.mkdir()
    (other / "data").symlink_to((root / "data").resolve())
    launch.inline([replace(order, root=other) for order in orders], display)
    for record in Store(other).load()[0]:
        assert record.weights_sha256 == local[record.id].weights_sha256
        assert record.tests == local[record.id].tests


def crashing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str) -> None:
    """Let every worker process run `code` first, as a crash deep in a library would come."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(code, encoding="utf-8")
    monkeypatch.setattr(launch.packages, "ROOT", f"{tmp_path / 'site'}{os.pathsep}{PROJECT}")


DIES_TWICE = """
import os, pathlib, signal, sys
counter = pathlib.Path({path!r})
if "harness.worker" in " ".join(sys.orig_argv):
    deaths = len(counter.read_text()) if counter.exists() else 0
    if deaths < {times}:
        counter.write_text("x" * (deaths + 1))
        os.kill(os.getpid(), signal.SIGKILL)
"""

CANNOT_WRITE = """
import os, sys
if "harness.worker" in " ".join(sys.orig_argv):
    print("no space", file=sys.stderr, flush=True)
    os._exit(2)
"""


IN_USE = """
import os, sys
if "harness.worker" in " ".join(sys.orig_argv) and {id!r} in " ".join(sys.orig_argv):
    print("the job is in use by process 1", file=sys.stderr, flush=True)
    os._exit(69)
"""


def test_a_job_that_another_process_runs_is_told_and_the_others_go_on(
    orders, root, display, told, monkeypatch, tmp_path
):
    crashing(monkeypatch, tmp_path, IN_USE.format(id=orders[0].spec.identity()))
    launch.local(orders, Store(root), display, slots=1, gpus=0)
    assert [record.id for record in Store(root).load()[0]] == [orders[1].spec.identity()]
    assert "space: busy: the job is in use by process 1" in told.getvalue()


def test_inline_too(orders, root, display, told, monkeypatch):
    monkeypatch.setattr(job, "LOCK_WAIT_S", 0.1)
    with hold(root / "jobs" / orders[0].spec.identity() / "lock", "x"):
        launch.inline(orders, display)
    assert [record.id for record in Store(root).load()[0]] == [orders[1].spec.identity()]
    assert "space: busy: the job space (" in told.getvalue()


def test_a_job_that_goes_on_does_not_show_where_its_last_attempt_ended(orders, root, display, told, monkeypatch):
    folder = orders[0].write()
    Progress(folder, epochs=2).tell("an old state", at_once=True)
    monkeypatch.setattr("harness.progress.PLAIN_EVERY_S", 0.0)
    launch.local(orders[:1], Store(root), display, slots=1, gpus=0)
    assert "an old state" not in told.getvalue()


def test_a_worker_that_dies_is_started_again(orders, root, display, monkeypatch, tmp_path):
    crashing(monkeypatch, tmp_path, DIES_TWICE.format(path=str(tmp_path / "deaths"), times=2))
    launch.local(orders[:1], Store(root), display, slots=1, gpus=0)
    (record,), _ = Store(root).load()
    assert record.status == "done"


def test_a_worker_that_dies_too_often_gets_a_record_and_the_sweep_goes_on(
    orders, root, display, told, monkeypatch, tmp_path
):
    crashing(monkeypatch, tmp_path, DIES_TWICE.format(path=str(tmp_path / "deaths"), times=3))
    launch.local(orders, Store(root), display, slots=1, gpus=0)
    records = {record.status: record for record in Store(root).load()[0]}
    assert set(records) == {"failed", "done"}
    assert "died 3 times, last killed by SIGKILL" in records["failed"].error.message
    assert "the kernel kills with SIGKILL when memory runs out" in told.getvalue()


def test_a_worker_that_dies_in_a_later_test_loses_no_earlier_result(orders, root, display, monkeypatch, tmp_path):
    store = Store(root)
    launch.local(orders[:1], store, display, slots=1, gpus=0)
    (before,), _ = store.load()
    spec = replace(orders[0].spec, tests=(*orders[0].spec.tests, Protocol(clips=2, crops=1, size=16)))
    crashing(monkeypatch, tmp_path, DIES_TWICE.format(path=str(tmp_path / "deaths"), times=3))
    launch.local([replace(orders[0], spec=spec)], store, display, slots=1, gpus=0)
    (after,), _ = store.load()
    assert (after.status, after.tests, after.weights_sha256) == ("failed", before.tests, before.weights_sha256)
    launch.local([replace(orders[0], spec=spec)], store, display, slots=1, gpus=0)
    (again,), _ = store.load()
    assert (again.status, len(again.tests), again.epochs) == ("done", 2, before.epochs)


def test_a_worker_that_cannot_write_stops_the_sweep_with_its_reason(orders, root, display, monkeypatch, tmp_path):
    crashing(monkeypatch, tmp_path, CANNOT_WRITE)
    with pytest.raises(OutputError, match="no space"):
        launch.local(orders, Store(root), display, slots=1, gpus=0)
    assert Store(root).load() == ([], [])


def test_ctrl_c_saves_and_a_later_sweep_goes_on(orders, root, display):
    long = [replace(order, spec=replace(order.spec, recipe=order.spec.recipe.model_copy(update={"epochs": 400})))
            for order in orders[1:]]  # fmt: skip
    folder = root / "jobs" / long[0].spec.identity()

    def interrupt() -> None:
        deadline = time.monotonic() + 60
        while read_progress(folder).get("epoch", 0) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(Interrupted, match="Ctrl-C"):
        launch.local(long, Store(root), display, slots=1, gpus=0)
    thread.join()
    assert read_progress(folder)["state"] == "stopped"
    assert list((folder / "checkpoints").glob("*.pt"))
    assert Store(root).load() == ([], [])


def test_a_worker_ends_when_its_launcher_is_killed(orders, root):
    code = (
        "import sys; from pathlib import Path; from rich.console import Console; from harness import launch\n"
        "from harness.files import Order; from harness.progress import Display; from results.store import Store\n"
        "root, folder = map(Path, sys.argv[1:])\n"
        "launch.local([Order.read(folder)], Store(root), Display(Console(), 1), 1, 0)"
    )
    recipe = orders[0].spec.recipe.model_copy(update={"epochs": 400})
    order = replace(orders[0], spec=replace(orders[0].spec, recipe=recipe))
    folder = order.write()
    launcher = subprocess.Popen(
        [sys.executable, "-c", code, str(root), str(folder)], cwd=PROJECT, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while read_progress(folder).get("state") != "training" and time.monotonic() < deadline:
        time.sleep(0.1)
    launcher.kill()
    launcher.wait()
    while read_progress(folder).get("state") != "stopped" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert read_progress(folder)["state"] == "stopped"


@pytest.mark.parametrize(("cpus", "gpus", "slots"), [(1, 0, len(os.sched_getaffinity(0))), (999, 0, 1), (1, 3, 3)])
def test_slots_are_gpus_or_what_the_cores_allow(orders, cpus, gpus, slots):
    resources = orders[0].spec.resources.model_copy(update={"cpus": cpus})
    assert launch.count_slots([replace(orders[0], spec=replace(orders[0].spec, resources=resources))], gpus) == slots
