"""Processes that are killed and hang: only the task that did it is lost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from harness.data.pool import Lost, Pool

PROJECT = Path(__file__).parents[3]


def double(task):
    return task * 2


def behave(task):
    if task == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if task == "hang":
        time.sleep(1e6)
    if task == "exit":
        os._exit(3)
    return os.getpid() if task == "pid" else task


def kill_once(path):
    """Dies the first time, as a process would that an earlier task broke."""
    if not path.exists():
        path.touch()
        os.kill(os.getpid(), signal.SIGSEGV)
    return path.name


def frames(count):
    return np.full((count, 64, 64, 3), 7, np.uint8)


def unloved(task):
    raise ValueError(f"no {task}")


def loaded(_):
    return sorted({name.partition(".")[0] for name in sys.modules})


def decoder_modules(task):
    import harness.data.decode  # noqa: F401

    return loaded(task)


def ignored(number):
    os.kill(os.getpid(), number)
    return number


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_results_come_in_the_order_of_the_tasks(workers):
    with Pool(workers) as pool:
        assert list(pool.map(double, range(50))) == list(range(0, 100, 2))
        assert list(pool.map(double, [])) == []
        assert list(pool.map(double, "ab")) == ["aa", "bb"]


def test_a_task_that_kills_its_process_is_lost_alone():
    with Pool(2) as pool:
        results = list(pool.map(behave, ["a", "segfault", "b", "exit", "c", "segfault", "d"]))
    assert [r for r in results if not isinstance(r, Lost)] == ["a", "b", "c", "d"]
    assert results[1] == Lost("segfault", "killed the decoder, signal 11 (SIGSEGV)")
    assert results[3] == Lost("exit", "ended the decoder, exit code 3")


def test_a_task_that_hangs_is_lost_alone():
    with Pool(2, timeout_s=1.0) as pool:
        results = list(pool.map(behave, ["a", "hang", "b", "c", "d"]))
    assert results == ["a", Lost("hang", "no answer from the decoder within 1 s"), "b", "c", "d"]


def test_a_task_whose_process_was_broken_before_is_done_again(tmp_path):
    with Pool(1) as pool:
        assert list(pool.map(double, [1])) == [2]  # the process is no longer new
        assert list(pool.map(kill_once, [tmp_path / "again"])) == ["again"]
        assert list(pool.map(behave, ["segfault"])) == [Lost("segfault", "killed the decoder, signal 11 (SIGSEGV)")]


def test_processes_are_other_ones_and_are_kept():
    with Pool(1) as pool:
        first, second = pool.map(behave, ["pid", "pid"])
    assert first == second != os.getpid()
    with Pool(0) as pool:
        assert list(pool.map(behave, ["pid"])) == [os.getpid()]


def test_arrays_arrive_whole_and_can_be_written_to():
    with Pool(2) as pool:
        for array in pool.map(frames, [1, 300, 1]):
            assert (array == 7).all()
            array += 1


def test_tasks_are_taken_only_as_far_ahead_as_said():
    taken = []

    def tasks():
        for task in range(20):
            taken.append(task)
            yield task

    with Pool(2) as pool:
        results = pool.map(double, tasks(), ahead=3)
        assert next(results) == 0
        assert len(taken) == 3
        assert next(results) == 2
        assert len(taken) == 4


def test_a_map_that_is_abandoned_leaves_the_pool_usable():
    with Pool(1) as pool:
        assert next(pool.map(double, range(100), ahead=5)) == 0
        assert list(pool.map(double, [4])) == [8]


def test_a_function_that_raises_is_a_mistake_that_shows():
    with Pool(1) as pool, pytest.raises(RuntimeError, match="ValueError: no 5"):
        list(pool.map(unloved, [5]))


def test_processes_load_no_torch_and_not_the_main_module():
    with Pool(1) as pool:
        (modules,) = pool.map(decoder_modules, [None])
    assert "decord" in modules
    assert not {"torch", "pandas", "typer"} & set(modules)


def test_signals_meant_for_a_whole_job_do_not_end_a_process():
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2]
    with Pool(1) as pool:
        assert list(pool.map(ignored, numbers)) == numbers


def test_closing_ends_processes_that_are_busy():
    with Pool(1) as pool:
        (pid,) = pool.map(behave, ["pid"])
        results = pool.map(behave, ["x", "hang", "hang"], ahead=2)
        assert next(results) == "x"
    assert not alive(pid)


def test_processes_end_with_a_parent_that_is_killed():
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from harness.data.pool import Pool; from tests.harness.data.test_pool import behave\n"
            "pool = Pool(1); print(*pool.map(behave, ['pid']), flush=True); print(*pool.map(behave, ['hang']))",
        ],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
    )
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.kill()
    for _ in range(100):
        if not alive(child):
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the process outlived its parent")


def alive(pid):
    """Whether a process runs; one that nobody waits for any more does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
