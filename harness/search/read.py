"""A study in its storage as plain values, for who reports on it: nothing is changed there."""

import warnings
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import optuna
from optuna.importance import get_param_importances
from optuna.trial import FrozenTrial, TrialState

from harness.search.block import Search
from harness.search.space import word
from harness.search.study import STATES, counted, refuse_another
from results import trials as plain

ENOUGH = 4
"""Complete trials from which importances say anything."""


def study(
    storage: optuna.storages.BaseStorage, name: str, search: Search, about: dict[str, Any], *, importances: bool = True
) -> plain.Study | None:
    """The study of this name; None where there is none yet. `importances` take a second or more.

    `about`: what it has to be a study of. Raises ChangedError where it is of something else.
    """
    try:
        found = optuna.load_study(study_name=name, storage=storage)
    except KeyError:
        return None
    refuse_another(found, search, about)
    every = found.get_trials(deepcopy=False)
    kept = counted(every)
    block = search.block
    return plain.Study(
        name=name,
        scale=about["scale"],
        objectives=tuple(aim.objective for aim in block.objective),
        seeds=tuple(about["seeds"]),
        parameters=tuple(_parameters(search)),
        trials=tuple(_trial(trial) for trial in kept),
        asked=block.trials,
        charged=sum(float(trial.user_attrs.get("charged", 0.0)) for trial in every),
        taken_up=sum(bool(trial.user_attrs.get("attempt")) for trial in every),
        importances=_importances(found, kept) if importances else {},
        pruner=block.pruning.name,
        sampler=block.sampler.name,
        settings={key: search.space.facts[key] for each in search.space.parameters for key in each.keys},
    )


def _parameters(search: Search) -> list[plain.Parameter]:
    return [
        plain.Parameter(
            each.name,
            each.key,
            tuple(map(word, each.distribution.choice)) if each.distribution.choice else None,
            *each.distribution.ends,
            each.distribution.log,
        )
        for each in search.space.parameters
    ]


def _trial(trial: FrozenTrial) -> plain.Trial:
    own, complete = trial.user_attrs, trial.state == TrialState.COMPLETE
    return plain.Trial(
        number=trial.number,
        state=STATES[trial.state],
        why=own.get("why", ""),
        parameters={**trial.params, **(trial.system_attrs.get("fixed_params", {}) if not trial.params else {})},
        values=tuple(trial.values or ()) if complete else (),
        by_seed=tuple(own.get("by_seed", ())),
        by_epoch=dict(trial.intermediate_values),
        epochs=int(own.get("epochs", 0)),
        device_hours=float(own.get("device_hours", 0.0)),
        jobs=tuple(own.get("jobs", ())),
        began=_told(trial.datetime_start),
        ended=_told(trial.datetime_complete),
        own=bool(own.get("own")),
    )


def _told(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None


def _importances(found: optuna.Study, kept: Sequence[FrozenTrial]) -> Mapping[str, float]:
    """Of the parameters that every complete trial has, those under conditions left out, as fANOVA needs them all."""
    complete = [trial for trial in kept if trial.state == TrialState.COMPLETE]
    names = complete[0].params if complete else ()
    shared = [name for name in names if all(name in each.params for each in complete)]
    varied = [name for name in shared if len({each.params[name] for each in complete}) > 1]
    values = {trial.values[0] for trial in complete}
    if len(complete) < ENOUGH or len(values) < 2 or not varied:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return get_param_importances(
            found,
            evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0),
            params=varied,
            target=lambda trial: trial.values[0],
        )
