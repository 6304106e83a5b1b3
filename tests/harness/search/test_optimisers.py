"""Optuna's samplers and pruners by our names."""

from typing import get_args

from harness.search import block, optimisers

SAMPLERS = {
    "tpe": "TPESampler", "random": "RandomSampler", "gp": "GPSampler", "cma_es": "CmaEsSampler",
    "nsga_ii": "NSGAIISampler",
}  # fmt: skip
PRUNERS = {
    "asha": "SuccessiveHalvingPruner", "hyperband": "HyperbandPruner", "median": "MedianPruner", "none": "NopPruner",
}  # fmt: skip


def test_every_name_has_its_own():
    assert set(get_args(block.Samplers)) == SAMPLERS.keys()
    assert set(get_args(block.Pruners)) == PRUNERS.keys()
    for name, expected in SAMPLERS.items():
        assert type(optimisers.sampler(block.Sampler(name=name), 0)).__name__ == expected
    for name, expected in PRUNERS.items():
        assert type(optimisers.pruner(block.Pruner(name=name), 9)).__name__ == expected
