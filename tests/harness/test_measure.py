import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from harness import measure
from tests.conftest import PROJECT

CPU = torch.device("cpu")


PEAK = """
import torch
from harness.measure import PeakMemory
held = torch.ones(8 << 20)  # 32 MiB from before
memory = PeakMemory(torch.device("cpu"))
torch.ones(16 << 20).sum()  # 64 MiB, freed at once
print(memory.bytes() >> 20)
"""


def test_peak_memory_sees_what_was_freed_again_and_nothing_from_before():
    # In a process of its own, as jobs are: here, memory that other tests gave back would be used again unseen.
    told = subprocess.run([sys.executable, "-c", PEAK], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert 60 <= int(told.stdout) < 90


RESTART = """
import torch
from harness.measure import PeakMemory
memory = PeakMemory(torch.device("cpu"))
held = torch.ones(8 << 20)  # 32 MiB
torch.ones(32 << 20).sum()
memory.restart()
torch.ones(16 << 20).sum()
print(memory.bytes() >> 20)
"""


def test_a_restarted_peak_still_counts_what_is_held():
    told = subprocess.run([sys.executable, "-c", RESTART], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert 92 <= int(told.stdout) < 122


AGAIN = """
import torch
from harness.measure import PeakMemory
def small():
    return [torch.ones(1 << 10) for _ in range(1 << 14)]  # 64 MiB, too small each to be handed back at once
torch.ones(1).sum()
held = small()
last = torch.ones(1 << 10)  # lies above them
del held
memory = PeakMemory(torch.device("cpu"))
held = small()
print(memory.bytes() >> 20)
"""


def test_memory_that_earlier_jobs_of_the_process_freed_is_counted_when_it_is_used_again():
    told = subprocess.run([sys.executable, "-c", AGAIN], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert 60 <= int(told.stdout) < 90


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Three runs after one are enough for what is tested here."""
    monkeypatch.setattr("harness.timing.BUDGET_S", 0.0)


def scripted(monkeypatch, seconds_by_batch: dict[int, float]) -> None:
    """Every forward pass on a batch takes as long as said here."""
    monkeypatch.setattr(measure, "forward_times", lambda _, __, batch: [seconds_by_batch[batch]] * 3)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_profile_is_full(spec, precision):
    speed = measure.profile(replace(spec, precision=precision), classes=4)
    assert (speed.precision, speed.compiled) == (precision, False)
    assert speed.device
    assert speed.training_batch == spec.recipe.batch_size
    assert speed.training_clips_per_s == pytest.approx(speed.training_batch / speed.training_step_s)
    assert min(speed.latency_s, speed.throughput_clips_per_s, speed.training_step_s) > 0
    assert speed.throughput_clips_per_s >= 1 / speed.latency_s
    assert min(speed.latency_spread_s, speed.training_step_spread_s) >= 0


def test_without_the_best_batch_throughput_is_that_of_one_clip(spec, monkeypatch):
    scripted(monkeypatch, {1: 0.5})
    speed = measure.profile(spec, classes=4, best_batch=False)
    assert (speed.throughput_batch, speed.throughput_clips_per_s) == (1, 2.0)


def test_the_batch_doubles_while_that_pays(spec, monkeypatch):
    scripted(monkeypatch, {1: 0.10, 2: 0.15, 4: 0.25, 8: 0.49})  # 10, 13.3, 16, 16.3 clips/s
    speed = measure.profile(spec, classes=4)
    assert (speed.throughput_batch, speed.throughput_clips_per_s) == (4, 16.0)


def test_the_batch_doubles_until_a_pass_is_long(spec, monkeypatch):
    scripted(monkeypatch, {1: 0.6, 2: 0.7, 4: 1.1})
    assert measure.profile(spec, classes=4).throughput_batch == 4


def test_the_batch_doubles_while_memory_lasts(spec, monkeypatch):
    scripted(monkeypatch, {1: 0.1, 2: 0.1})
    monkeypatch.setattr(measure, "fits_here", lambda _, __, batch, ___, *, training: training or batch <= 2)
    assert measure.profile(spec, classes=4).throughput_batch == 2


def test_running_out_of_memory_ends_the_doubling(spec, monkeypatch):
    def times(_, __, batch):
        if batch > 2:
            raise torch.OutOfMemoryError
        return [0.1] * 3

    monkeypatch.setattr(measure, "forward_times", times)
    assert measure.profile(spec, classes=4).throughput_batch == 2


def test_training_halves_its_batch_until_it_fits(spec, monkeypatch):
    def times(_, __, batch, ___):
        if batch > 1:
            raise torch.OutOfMemoryError  # predicted to fit, and did not
        return [1.0] * 3

    monkeypatch.setattr(measure, "fits_here", lambda _, __, batch, ___, *, training: training and batch <= 2)
    monkeypatch.setattr(measure, "training_times", times)
    speed = measure.profile(spec, classes=4)
    assert (speed.training_batch, speed.training_step_s) == (1, 1.0)


def test_where_no_clip_fits_training_is_not_measured(spec, monkeypatch):
    monkeypatch.setattr(measure, "fits_here", lambda *_, **__: False)
    speed = measure.profile(spec, classes=4)
    assert (speed.training_batch, speed.training_step_s, speed.training_memory_bytes) == (None, None, None)
    assert speed.throughput_batch == 1


def test_what_fits_here_is_less_than_what_is_free(spec, monkeypatch):
    monkeypatch.setattr(measure, "_available_bytes", lambda _: 2**20)
    assert not measure.fits_here(spec, 4, 4, CPU, training=True)
    monkeypatch.setattr(measure, "_available_bytes", lambda _: None)  # where the system does not tell
    assert measure.fits_here(spec, 4, 4, CPU, training=True)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's compiler, about itself
def test_compiled_is_told_and_is_the_same_model(spec, monkeypatch):
    compiled = []

    def compile_eagerly(model, **options):
        compiled.append(options)
        return model

    monkeypatch.setattr(torch, "compile", compile_eagerly)  # the real one takes a minute, and is torch's to test
    assert measure.profile(spec, classes=4, compiled=True).compiled
    assert compiled
    assert all(options == {"dynamic": False} for options in compiled)


def test_time_by_module_nests(spec):
    times = measure.times_by_module(spec, classes=4, depth=2)
    seconds = {each.name: each.seconds for each in times}
    assert times[0].name == ""
    assert seconds[""] > sum(seconds[name] for name in ("patch_embed", "norm", "head"))
    assert all(each.calls == 1 and each.seconds > 0 for each in times)
    assert "blocks" not in seconds  # a list is never called
    assert {"blocks.0", "blocks.1", "blocks.2"} <= set(seconds)


@pytest.mark.parametrize("training", [True, False])
def test_peak_bytes_is_of_the_model(spec, training):
    assert measure.peak_bytes(spec, 4, 2, training=training, warm_up=spec) >= 0
