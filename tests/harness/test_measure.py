import subprocess

import pytest
import torch

from harness import measure
from tests.conftest import PROJECT

CPU = torch.device("cpu")


def test_peak_memory_sees_what_was_freed_again_and_nothing_from_before():
    held = torch.ones(8 << 20)  # 32 MiB from before
    memory = measure.PeakMemory(CPU)
    torch.ones(16 << 20).sum()  # 64 MiB, freed at once
    peak = memory.bytes()
    assert peak is not None
    assert 60 << 20 < peak < 90 << 20
    assert held.numel()


def test_speed_is_a_median_with_its_spread():
    assert measure.median_and_spread([1.0, 2.0, 3.0]) == (2.0, 2.0)
    assert measure.median_and_spread([5.0] * 7) == (5.0, 0.0)


def test_a_profile_is_full(spec):
    facts = measure.profile(spec, classes=4)
    assert facts["throughput_batch"] == spec.recipe.batch_size
    assert all(value for value in facts.values() if not isinstance(value, float))
    assert facts["latency_s"] > 0


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
