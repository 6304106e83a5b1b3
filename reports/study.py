"""From a search to its report: the answer in sentences, the best trials beside the suite's own recipe, all trials."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import pandas as pd

from reports import trial_plots
from reports.content import Entry, StudyReport, SuiteInfo, Table
from reports.metrics import METRICS, Column, written
from reports.plots import QUANTITIES
from reports.trial_plots import plain
from results.quantities import SHARES
from results.statistics import mean_std
from results.trials import Objective, Parameter, Study, Trial

SHOWN: Final = 10
"""Of the best trials, in their table."""
STATES: Final = ("complete", "pruned", "failed", "running", "waiting")
TOLD: Final = ".told"
"""Ends the key of a column of texts: what stands, as a number, under the key without it."""
MOST: Final = 6
"""Settings that a sentence tells."""
_CAUTION: Final = (
    "The best was chosen on the validation videos, as one of many: its value is optimistic until trainings with fresh "
    "seeds confirm it."
)
_ESTIMATE: Final = "as if the epochs that pruned trials had left took as long as those they had"


def report(suite: SuiteInfo, study: Study, confirm: str, problems: Sequence[str] = ()) -> StudyReport:
    """Everything that is told of a search; `confirm`: the command that trains the best again with fresh seeds."""
    ranks = {trial.number: rank for rank, trial in enumerate(study.best(), 1)}
    chosen = _chosen(study)
    return StudyReport(
        suite=suite,
        answers=tuple(_answers(study)),
        progress=tuple(_progress(study)),
        caution=_CAUTION if ranks else "",
        confirm=confirm if ranks else "",
        best=_table(study, "best", chosen, ranks, _caption(study, len(ranks))),
        trials=_table(study, "trials", study.trials, ranks, "All trials, in the order of their numbers."),
        entries=tuple(entry(trial) for trial in study.trials),
        figures=trial_plots.figures(study),
        absent=trial_plots.absent(study),
        facts=tuple(_facts(study)),
        labels=labels(study),
        problems=problems,
    )


def name(trial: Trial) -> str:
    """A trial's row."""
    return f"Trial {trial.number}" + " (suite's recipe)" * trial.own


def entry(trial: Trial) -> Entry:
    """What stands beside a trial's row."""
    return Entry(name(trial), trial.state, trial.why, trial.jobs, trial.own)


def labels(study: Study) -> dict[str, str]:
    """Each job's name by its id; a job that several trials share is called by the first."""
    found: dict[str, str] = {}
    for trial in study.trials:
        for seed, id_ in zip(study.seeds, trial.jobs, strict=False):
            found.setdefault(id_, f"{name(trial)} · seed {seed}" if len(study.seeds) > 1 else name(trial))
    return found


# Sentences


def _answers(study: Study) -> Iterator[str]:
    best = study.best()
    if not best:
        yield _nothing(study)
    elif len(study.objectives) > 1:
        yield _front(study, best)
    else:
        so_far = " so far" if any(trial.state in ("running", "waiting") for trial in study.trials) else ""
        settings = _settings(study, best[0])
        yield f"Best{so_far}: {_called(best[0])}, {_values(study, best[0])}{settings}."
    yield from _against_own(study, best)


def _nothing(study: Study) -> str:
    """Why there is no best trial."""
    states = {trial.state for trial in study.trials}
    if not states:
        return "No trial has begun yet."
    if len(states) == 1 and states <= {"pruned", "failed"}:
        return f"There is no best trial: all {len(study.trials)} trials {_were(states.pop())}."
    return "No trial is complete yet."


def _were(state: str) -> str:
    return "were pruned" if state == "pruned" else "failed"


def _called(trial: Trial) -> str:
    return f"trial {trial.number}" + ", the suite's own recipe" * trial.own


def _values(study: Study, trial: Trial) -> str:
    """`96.5 % (±0.4 over 3 seeds) top-1 accuracy`; of several objectives all."""
    told = []
    for place, (objective, value) in enumerate(zip(study.objectives, trial.values, strict=True)):
        std = mean_std(trial.by_seed)[1] if trial.by_seed and place == 0 else None
        metric = METRICS[objective.quantity]
        spread = "" if std is None else f" (±{metric.text(std)} over {len(trial.by_seed)} seeds)"
        told.append(f"{metric.text(value)} {metric.unit} {QUANTITIES[objective.quantity]}{spread}")
    return " and ".join(told)


def _settings(study: Study, trial: Trial) -> str:
    """What of it differs from the suite's own recipe; nothing of that itself."""
    told = []
    for parameter in study.parameters:
        if not trial.own and parameter.name in trial.parameters:
            value, own = plain(trial.parameters[parameter.name]), _own(study, parameter)
            instead = f" instead of {own}" if own else ""
            told += [f"{parameter.name} {value}{instead}"] * (own != value)
    if not told:
        return ""
    more = f", and {_plural(len(told) - MOST, 'more setting')}" if len(told) > MOST else ""
    return f", with {', '.join(told[:MOST])}{more}"


def _own(study: Study, parameter: Parameter) -> str:
    """What the suite's own recipe has; nothing where that is not known, as of a part that it does not have."""
    own = [
        trial.parameters[parameter.name] for trial in study.trials if trial.own and parameter.name in trial.parameters
    ]
    value = own[0] if own else study.settings.get(parameter.key)
    return "" if value is None else plain(value)


def _front(study: Study, best: Sequence[Trial]) -> str:
    first, second = (QUANTITIES[objective.quantity] for objective in study.objectives[:2])
    if len(best) == 1:
        return (
            f"Trial {best[0].number} alone is on the Pareto front of {first} and {second}: {_values(study, best[0])}."
        )
    ends = " to ".join(f"{_called(trial)} with {_values(study, trial)}" for trial in (best[0], best[-1]))
    return f"{len(best)} trials are on the Pareto front of {first} and {second}, from {ends}."


def _against_own(study: Study, best: Sequence[Trial]) -> Iterator[str]:
    """How the best compares with the suite's own recipe."""
    own = next((trial for trial in study.trials if trial.own), None)
    if own is None:
        if study.trials:
            yield "The suite's own recipe is not among the trials: there is nothing to compare with."
        return
    called = f"Trial {own.number}, the suite's own recipe,"
    if not own.values:
        yield f"{called} has no value{' to compare with' if best else ''}: {_left(own)}."
    elif len(study.objectives) > 1:
        above = [f"trial {trial.number}" for trial in best if study.dominates(trial, own)]
        where = f"behind {_listed(above)}" if above else "on the front"
        yield f"{called} is {where}: {_values(study, own)}."
    elif best[0].own:
        others = sum(trial.state == "complete" for trial in study.trials) - 1
        told = {0: "No other trial is complete.", 1: "The one other complete trial is no better."}
        yield told.get(others, f"None of the {others} other complete trials is better.")
    else:
        how = _difference(study.objectives[0], best[0].values[0], own.values[0])
        yield f"That is {how} {_called(own)}: {_values(study, own)}."


def _listed(names: Sequence[str], most: int = 4) -> str:
    shown = [*names[:most], *([f"{len(names) - most} more"] if len(names) > most else [])]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _difference(objective: Objective, best: float, own: float) -> str:
    metric = METRICS[objective.quantity]
    if not objective.better(best, own):
        return "as good as"
    unit = "points" if objective.quantity in SHARES else metric.unit
    return f"{metric.text(abs(best - own))} {unit} better than"


def _left(trial: Trial) -> str:
    """What became of a trial without a value."""
    after = "before the end of its first epoch"
    if trial.by_epoch:
        last = max(trial.by_epoch)
        accuracy = written("top1", trial.by_epoch[last])
        after = f"after epoch {last} of {trial.epochs}, with a validation accuracy of {accuracy}"
    if trial.state == "waiting":
        return "it waits for its turn"
    if trial.state == "running":
        return f"it is running, {after.replace('before the end of', 'in')}"
    why = f" ({trial.why})" if trial.why else ""
    return f"it {'was pruned' if trial.state == 'pruned' else 'failed'} {after}{why}"


def _progress(study: Study) -> Iterator[str]:
    counts = {state: sum(trial.state == state for trial in study.trials) for state in STATES}
    told = [f"{count} {state}" for state, count in counts.items() if count or state in ("complete", "pruned", "failed")]
    of = "" if study.asked is None else f" of {study.asked} asked for"
    count = len(study.trials)
    taken = (
        "" if not study.taken_up else f" {_plural(study.taken_up, 'killed attempt')} {_was(study.taken_up)} taken up."
    )
    yield f"{_plural(count, 'trial')}{of}: {', '.join(told)}.{taken}"
    spent, saved = study.charged, study.saved_device_hours()
    pruned = f" Pruning saved about {_hours(saved)}: an estimate, {_ESTIMATE}." if counts["pruned"] else ""
    yield f"{_hours(spent)} were spent.{pruned}"


def _plural(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def _hours(hours: float) -> str:
    """Device-hours; minutes where an hour is too much."""
    return f"{hours * 60:.1f} device-minutes" if hours < 1 else f"{hours:.1f} device-hours"


# Tables


def _chosen(study: Study) -> list[Trial]:
    """The best ones, and the suite's own recipe wherever it stands."""
    best = list(study.best()[:SHOWN])
    return best + [trial for trial in study.trials if trial.own and trial not in best]


def _caption(study: Study, ranked: int) -> str:
    best = "The best trials" if ranked > SHOWN else "All complete trials, the best first"
    if len(study.objectives) > 1:
        first = QUANTITIES[study.objectives[0].quantity]
        best = f"The trials on the Pareto front, by {first}{f', the first {SHOWN}' if ranked > SHOWN else ''}"
    spread = " ±: standard deviation over seeds." if len(study.seeds) > 1 else ""
    return f"{best}, with the suite's own recipe.{spread} Not used: a setting whose condition does not hold."


def _table(study: Study, table: str, trials: Sequence[Trial], ranks: dict[int, int], caption: str) -> Table:
    frame = pd.DataFrame([_row(study, trial, ranks.get(trial.number)) for trial in trials])
    columns = tuple(_columns(study))
    keys = [
        "scheme",
        *(key for column in columns for key in dict.fromkeys((column.key.removesuffix(TOLD), column.key))),
    ]
    beside = [key for key in frame if key not in keys]
    return Table(table, frame.reindex(columns=[*keys, *beside]).astype(object), columns, caption, "Trial")


def _columns(study: Study) -> Iterator[Column]:
    """Texts have "size", a metric of which neither more nor less is better."""
    rank = "Front" if len(study.objectives) > 1 else "Rank"
    yield Column(f"rank{TOLD}", "size", rank, "", "counted")
    for objective in study.objectives:
        what = trial_plots.label(objective)
        yield Column(objective.quantity, objective.quantity, what[0].upper() + what[1:], "", "measured")
    for parameter in study.parameters:
        yield Column(f"set.{parameter.name}{TOLD}", "size", parameter.name, "", "counted")
    yield Column(f"minutes{TOLD}", "size", "Device-minutes", "", "counted")
    yield Column(f"state{TOLD}", "size", "State", "", "counted")


def _row(study: Study, trial: Trial, rank: int | None) -> dict[str, Any]:
    """Numbers under their keys, and as they are read under those that end in `TOLD`."""
    row: dict[str, Any] = {"scheme": name(trial), "rank": rank, f"rank{TOLD}": None if rank is None else str(rank)}
    row |= {objective.quantity: value for objective, value in zip(study.objectives, trial.values, strict=False)}
    if trial.values and len(study.seeds) > 1 and trial.by_seed:
        first = study.objectives[0].quantity
        std, seeds = mean_std(trial.by_seed)[1], len(trial.by_seed)
        row |= {f"{first}.std": std, f"{first}.seeds": seeds, f"{first}.owed": len(study.seeds)}
    for parameter in study.parameters:
        set_to = trial.parameters.get(parameter.name)
        missing = "not used" if trial.parameters else None
        row |= {
            f"set.{parameter.name}": set_to,
            f"set.{parameter.name}{TOLD}": missing if set_to is None else plain(set_to),
        }
    minutes = trial.device_hours * 60
    return row | {
        "minutes": minutes,
        f"minutes{TOLD}": f"{minutes:.1f}",
        "state": trial.state,
        f"state{TOLD}": trial.state,
    }


def _facts(study: Study) -> Iterator[tuple[str, str]]:
    """How was searched, and in what."""
    directions = {"maximize": "as high as can be", "minimize": "as low as can be"}
    yield "sought", "; ".join(f"{trial_plots.label(each)}: {directions[each.direction]}" for each in study.objectives)
    yield "seeds of each trial", ", ".join(map(str, study.seeds))
    yield "sampler", study.sampler
    yield "pruner", study.pruner
    for parameter in study.parameters:
        space = ", ".join(parameter.choices) if parameter.choices is not None else (
            f"{plain(parameter.low)} to {plain(parameter.high)}{', by logarithm' if parameter.log else ''}"
        )  # fmt: skip
        own = _own(study, parameter)
        yield parameter.name, space + (f"; the suite's own: {own}" if own else "")
