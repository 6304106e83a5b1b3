import subprocess
import sys

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


def test_speed_is_a_median_with_its_spread():
    assert measure.median_and_spread([1.0, 2.0, 3.0]) == (2.0, 2.0)
    assert measure.median_and_spread([5.0] * 7) == (5.0, 0.0)


def test_a_profile_is_full(spec):
    facts = measure.profile(spec, classes=4)
    assert facts["throughput_batch"] == spec.recipe.batch_size
    assert facts["device"]
    assert min(facts["latency_s"], facts["throughput_clips_per_s"]) > 0
    assert facts["inference_memory_bytes"] >= 0


def test_the_environment_names_machine_libraries_and_code():
    facts = measure.environment(CPU)
    assert facts["torch"] == torch.__version__
    assert facts["device"]
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert facts["git_commit"] == (head.stdout.strip() or None)


@pytest.mark.parametrize("failure", [FileNotFoundError(), subprocess.CalledProcessError(128, "git")])
def test_outside_git_there_is_no_commit(monkeypatch, failure):
    def fail(*_, **__):
        raise failure

    monkeypatch.setattr(subprocess, "run", fail)
    facts = measure.environment(CPU)
    assert (facts["git_commit"], facts["git_dirty"]) == (None, None)
