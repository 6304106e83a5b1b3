import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from harness.optim import learning_rate, optimizer
from harness.recipes import RECIPES
from harness.spec import Recipe, from_data


def recipe(**changes) -> Recipe:
    return from_data(Recipe, {**RECIPES["demo"], "name": "x", **changes})


def test_the_papers_rate_is_divided_by_ten_at_epochs_11_and_14():
    papers = from_data(Recipe, {**RECIPES["timesformer"], "name": "timesformer"})
    rates = [learning_rate(papers, epoch) for epoch in range(15)]
    assert rates[:11] == [0.005] * 11
    assert rates[11:14] == pytest.approx([0.0005] * 3)
    assert rates[14] == pytest.approx(0.00005)


@given(st.floats(0, 10), st.sampled_from(["cosine", "one_cycle"]), st.floats(0, 5))
def test_a_cycle_stays_between_zero_and_the_peak_and_falls_after_the_warm_up(progress, schedule, warmup):
    cycle = recipe(schedule=schedule, warmup_epochs=warmup, epochs=10)
    rate = learning_rate(cycle, progress)
    assert 0 <= rate <= cycle.learning_rate
    if progress > warmup:
        assert learning_rate(cycle, min(progress + 0.1, 10)) <= rate


def test_a_cycle_ends_at_zero_and_peaks_after_the_warm_up():
    cycle = recipe(schedule="one_cycle", warmup_epochs=2, epochs=10)
    assert learning_rate(cycle, 2) == cycle.learning_rate
    assert learning_rate(cycle, 1) == cycle.learning_rate / 2
    assert learning_rate(cycle, 10) == 0


def of_pyslowfast(base: float, epochs: int, warmup: float, start: float, epoch: float) -> float:
    """The rate of `slowfast/utils/lr_policy.py` of `cosine`, other options as by default."""

    def cosine(at: float) -> float:
        return base * (math.cos(math.pi * at / epochs) + 1.0) * 0.5

    return epoch * (cosine(warmup) - start) / warmup + start if epoch < warmup else cosine(epoch)


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("slowfast", (0.1, 196, 34.0, 0.01)),  # configs/Kinetics/SLOWFAST_8x8_R50.yaml
        ("x3d", (0.05, 256, 35.0, 0.01)),  # configs/Kinetics/X3D_L.yaml
        ("xvit", (0.03, 30, 5.0, 0.01)),  # video-transformers, which has the same lr_policy.py
    ],
)
@given(share=st.floats(0.001, 1))
def test_cosine_recipes_have_the_rates_of_the_code_that_they_cite(name, there, share):
    ours = from_data(Recipe, {**RECIPES[name], "name": name})
    epoch = share * ours.epochs
    assert learning_rate(ours, epoch) == pytest.approx(of_pyslowfast(*there, epoch), rel=1e-3)


class Tiny(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.norm = nn.LayerNorm(2)
        self.pos_embed = nn.Parameter(torch.zeros(1, 3, 2))


def test_weight_decay_goes_to_everything_or_to_matrices_only():
    model = Tiny()
    (everything,) = optimizer(recipe(weight_decay_on="all"), model).param_groups
    assert len(everything["params"]) == 5
    decayed, spared = optimizer(recipe(weight_decay_on="matrices"), model).param_groups
    assert [id(parameter) for parameter in decayed["params"]] == [id(model.linear.weight)]
    assert (decayed["weight_decay"], spared["weight_decay"], len(spared["params"])) == (0.05, 0.0, 4)


def test_the_optimisers_are_torchs():
    assert isinstance(optimizer(recipe(optimizer="adamw"), Tiny()), torch.optim.AdamW)
    sgd = optimizer(recipe(optimizer="sgd", momentum=0.7, nesterov=True), Tiny())
    assert isinstance(sgd, torch.optim.SGD)
    assert (sgd.param_groups[0]["momentum"], sgd.param_groups[0]["nesterov"]) == (0.7, True)
