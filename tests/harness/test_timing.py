import itertools

import pytest
import torch
from torch import nn

from harness import timing
from harness.timing import ModuleTime, median_and_spread, module_times, timed

CPU = torch.device("cpu")


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is told to go on."""
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])

    def pass_by(seconds: float) -> None:
        now[0] += seconds

    return pass_by


def test_a_median_comes_with_its_spread():
    assert median_and_spread([1.0, 2.0, 3.0]) == (2.0, 2.0)
    assert median_and_spread([5.0] * 7) == (5.0, 0.0)


def test_warming_up_does_not_count(clock):
    takes = itertools.chain([timing.BUDGET_S / 10] * timing.WARM_UP, itertools.repeat(0.01))
    times = timed(lambda: clock(next(takes)), CPU)
    assert times == pytest.approx([0.01] * timing.REPEATS)


def test_what_is_slow_is_not_repeated_often(clock):
    runs = []
    times = timed(lambda: (clock(60.0), runs.append(1)), CPU)
    assert times == [60.0] * 3
    assert len(runs) == 4


class Layer(nn.Module):
    def __init__(self, clock, seconds: float) -> None:
        super().__init__()
        self.clock, self.seconds = clock, seconds

    def forward(self, x):
        self.clock(self.seconds)
        return x


class Model(nn.Module):
    def __init__(self, clock) -> None:
        super().__init__()
        self.clock = clock
        self.stages = nn.Sequential(Layer(clock, 1.0), Layer(clock, 2.0))
        self.again = Layer(clock, 4.0)

    def forward(self, x):
        self.clock(8.0)
        return self.again(self.again(self.stages(x)))


def test_modules_have_the_time_of_all_their_calls_and_all_inside(clock):
    model = Model(clock)
    assert module_times(model, torch.zeros(1), depth=1) == [
        ModuleTime("", 1, 19.0), ModuleTime("stages", 1, 3.0), ModuleTime("again", 2, 8.0)
    ]  # fmt: skip
    assert [each.name for each in module_times(model, torch.zeros(1), depth=2)] == [
        "", "stages", "stages.0", "stages.1", "again"
    ]  # fmt: skip


def test_clocks_are_taken_off_again_whatever_happens(clock):
    def fail() -> None:
        raise RuntimeError("no")

    model = Model(clock)
    broken = Model(clock)
    broken.again.clock = lambda _: fail()
    module_times(model, torch.zeros(1), depth=2)
    with pytest.raises(RuntimeError):
        module_times(broken, torch.zeros(1), depth=2)
    for module in (*model.modules(), *broken.modules()):
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
