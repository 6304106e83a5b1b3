"""Hyperparameter search: a suite's `search` block, its study in Optuna's storage, and the workers that share it.

block       what a suite says of its search, checked
space       the searched keys: ranges, choices, conditions; a trial's settings
storage     where a study is kept: a journal file, or any storage that Optuna knows
study       the study as all workers see it: whose turn, who died, what is counted
identity    who a worker is, and whether it still runs
worker      one worker: ask, train, report every epoch, tell
launch      several workers, here or on a cluster
best        the recipe that was found, as a suite
"""
