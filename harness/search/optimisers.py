"""Optuna's samplers and pruners, as a suite's `search` names them."""

import warnings

import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    NSGAIISampler,
    RandomSampler,
    TPESampler,
)

from harness.search import block


def sampler(asked: block.Sampler, seed: int) -> BaseSampler:
    """The sampler; `seed` differs from one worker to another."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if asked.name == "random":
            return RandomSampler(seed=seed)
        if asked.name == "nsga_ii":
            return NSGAIISampler(population_size=max(asked.startup, 2), seed=seed)
        if asked.name == "gp":
            return GPSampler(seed=seed, n_startup_trials=asked.startup)
        if asked.name == "cma_es":
            return CmaEsSampler(seed=seed, n_startup_trials=asked.startup, warn_independent_sampling=False)
        # Conditions make groups of keys that are searched together; trials of other workers, not yet ended, count as
        # bad ones, so that several workers do not look in the same place.
        return TPESampler(seed=seed, n_startup_trials=asked.startup, multivariate=True, group=True, constant_liar=True)


def pruner(asked: block.Pruner, longest: int) -> BasePruner:
    """The pruner. `longest`: epochs that a trial may have at most."""
    if asked.name == "none":
        return NopPruner()
    if asked.name == "median":
        return MedianPruner(n_startup_trials=asked.reduction, n_warmup_steps=asked.min_epochs)
    if asked.name == "hyperband":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return HyperbandPruner(
                min_resource=asked.min_epochs, max_resource=longest, reduction_factor=asked.reduction
            )
    return SuccessiveHalvingPruner(min_resource=asked.min_epochs, reduction_factor=asked.reduction)
