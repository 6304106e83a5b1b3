"""A hyperparameter search as plain values: its space, its objectives, and every trial with what became of it.

`harness.search` reads them from Optuna's storage; reports are pure functions of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["waiting", "running", "complete", "pruned", "failed"]
"""`failed`: its training ended without a value (an error, out of memory, a loss that was no number). Attempts that were
killed and went on as another trial are none of these; a study counts them apart."""


@dataclass(frozen=True)
class Objective:
    """What is sought: a quantity of `results.quantities`, in its unit there, as large or as small as can be."""

    quantity: str
    direction: Literal["maximize", "minimize"]

    def better(self, one: float, other: float) -> bool:
        """Whether `one` is better than `other`."""
        return one > other if self.direction == "maximize" else one < other


@dataclass(frozen=True)
class Parameter:
    """A searched key, or one of several ranges of it that hold under different conditions."""

    name: str
    """Its key path, with its condition where the key has several ranges."""
    key: str
    choices: tuple[str, ...] | None
    """As they are told; None for a range of numbers."""
    low: float = 0.0
    high: float = 0.0
    log: bool = False


@dataclass(frozen=True)
class Trial:
    """One set of values, and how its training did."""

    number: int
    """From 0. Numbers of attempts that were killed are missing."""
    state: State
    why: str
    """Of a failed one: how it ended, in a line; of a pruned one whose loss was no number, that."""
    parameters: Mapping[str, float | str]
    """By the parameters' names, choices as they are told; those whose condition does not hold are missing."""
    values: tuple[float, ...]
    """Of the objectives, means over seeds; empty as long as there are none, and for pruned and failed ones."""
    by_seed: tuple[float, ...]
    """The first objective for each seed that is finished."""
    by_epoch: Mapping[int, float]
    """Epoch (from 1) -> top-1 in percent on the validation videos, one view each, of the first seed."""
    epochs: int
    """Of its recipe."""
    device_hours: float
    jobs: tuple[str, ...]
    """Ids, one a seed, in the order of seeds."""
    began: str | None
    ended: str | None
    """ISO 8601; None for what has not."""
    own: bool = False
    """Whether its recipe is the suite's own: trial 0, or, where its worker was killed, the one that goes on for it."""


@dataclass(frozen=True)
class Study:
    """A search, as far as it is."""

    name: str
    scale: str
    objectives: tuple[Objective, ...]
    seeds: tuple[int, ...]
    parameters: tuple[Parameter, ...]
    trials: tuple[Trial, ...]
    """In the order of their numbers."""
    asked: int | None
    """Trials that the suite asks for; None where another budget ends the search."""
    charged: float
    """Device-hours of all attempts, those that were killed too, without those of records that were there before."""
    taken_up: int
    """Attempts that were killed and went on as another trial."""
    importances: Mapping[str, float]
    """By the parameters' names, shares of the first objective's variance; empty where there are too few trials."""
    pruner: str
    sampler: str
    settings: Mapping[str, Any]
    """The suite's own values of all searched keys, which are trial 0's, by key path."""

    def best(self) -> tuple[Trial, ...]:
        """Complete trials with the best value first; of two objectives those of the Pareto front, by the first."""
        complete = [trial for trial in self.trials if trial.state == "complete"]
        if len(self.objectives) > 1:
            complete = [trial for trial in complete if not any(self.dominates(each, trial) for each in complete)]
        sign = -1 if self.objectives[0].direction == "maximize" else 1
        return tuple(sorted(complete, key=lambda trial: (sign * trial.values[0], trial.number)))

    def dominates(self, one: Trial, other: Trial) -> bool:
        """Whether `one` is better in an objective and worse in none."""
        pairs = list(zip(self.objectives, one.values, other.values, strict=True))
        worse = any(objective.better(theirs, ours) for objective, ours, theirs in pairs)
        return not worse and any(objective.better(ours, theirs) for objective, ours, theirs in pairs)

    def saved_device_hours(self) -> float:
        """What pruned trials would have cost more in their first seed, were all epochs as long as those they had."""
        pruned = [trial for trial in self.trials if trial.state == "pruned" and trial.by_epoch and not trial.why]
        return sum(trial.device_hours * (trial.epochs / max(trial.by_epoch) - 1) for trial in pruned)
