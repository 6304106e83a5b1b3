"""What a search's figures show: its history, its learning curves, what mattered, and where good values are.

A pure function of the search; `reports.trial_panels` draws it.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, Final

import numpy as np
import pandas as pd

from reports.content import PANEL_COLUMNS, TRIAL_COLUMNS, Figure, Panel, Scale
from reports.marks import BEST, FRONT, OWN, SHADES, SO_FAR
from reports.metrics import METRICS
from reports.plots import QUANTITIES
from results.trials import Objective, Parameter, Study, Trial

_NAN: Final = float("nan")
_JITTER: Final = 0.5
"""Share of a name's part over which trials of that name are spread, so that they do not hide each other."""


def figures(study: Study) -> tuple[Figure, ...]:
    """All that something can be drawn in; `absent` tells of the others."""
    drawn = [_history(study), _front(study), _parallel(study), _courses(study), _importances(study), _slices(study)]
    return tuple(figure for figure in drawn if figure is not None)


def absent(study: Study) -> tuple[str, ...]:
    """Why figures are left out, a sentence each."""
    found = []
    if study.trials and not any(trial.by_epoch for trial in study.trials):
        found.append("Learning curves are left out: no trial's epochs were measured.")
    if len(study.objectives) > 1 and not study.best():
        found.append("The Pareto front is left out: no trial is complete yet.")
    if study.parameters and not study.importances:
        found.append("Importances are left out: too few trials with different values are complete to tell them.")
    return tuple(found)


def label(objective: Objective) -> str:
    """An objective at its axis: `top-1 accuracy, %`."""
    return f"{QUANTITIES[objective.quantity]}, {METRICS[objective.quantity].unit}"


def plain(value: Any) -> str:
    """A setting as it is read: a number with at most four significant digits and no exponent, else its text."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return str(value)
    if value and not 1e-9 < abs(value) < 1e12:
        return f"{value:.4g}"
    return np.format_float_positional(float(f"{value:.4g}"), trim="-")


def series(study: Study, trial: Trial) -> str:
    """What a trial is drawn as where it has one mark: its state, if it is not the best one or the recipe's."""
    return BEST if trial in study.best()[:1] else OWN if trial.own else trial.state


def _begun(study: Study) -> list[Trial]:
    return [trial for trial in study.trials if trial.state != "waiting"]


def _panel(kind: Any, rows: Sequence[tuple[Any, ...]], **said: Any) -> Panel:
    """`rows`: each mark's series, x, y, trial, and of parallel axes the word and the parameter."""
    keys = ("series", "x", "y", "trial", "word", "parameter")
    filled = [(*row, *("", "")[: len(keys) - len(row)]) for row in rows]
    data = pd.DataFrame(filled, columns=keys).reindex(columns=list(TRIAL_COLUMNS))
    return Panel(kind=kind, data=data, **said)


def _marked(study: Study, trial: Trial, x: float, y: float) -> Iterator[tuple[Any, ...]]:
    """Its mark, and what stands on it where it is the best or the recipe's."""
    yield trial.state, x, y, trial.number
    if trial.own:
        yield OWN, x, y, trial.number
    if trial in study.best()[:1]:
        yield BEST, x, y, trial.number


# By number and by epoch


def _history(study: Study) -> Figure | None:
    trials = _begun(study)
    if not trials:
        return None
    panels = []
    for place, objective in enumerate(study.objectives):
        rows = [
            row
            for trial in trials
            for row in _marked(study, trial, trial.number, trial.values[place] if trial.values else _NAN)
        ]
        rows += _so_far(trials, place, objective)
        name = f"{QUANTITIES[objective.quantity]} of each trial"
        panels.append(_panel("trials", rows, title=name[0].upper() + name[1:], x="trial", y=label(objective)))
    strip = " Trials without a value stand in the strip below." if any(not trial.values for trial in trials) else ""
    said = f"Each trial's value by its number; line: the best so far.{_star(study)}{strip}"
    return Figure("history", tuple(panels), said)


def _star(study: Study) -> str:
    """What the best trial is of several objectives."""
    first = QUANTITIES[study.objectives[0].quantity]
    return f" Best trial: that of the Pareto front with the best {first}." if len(study.objectives) > 1 else ""


def _so_far(trials: Sequence[Trial], place: int, objective: Objective) -> Iterator[tuple[Any, ...]]:
    """The best value up to each trial that bettered it, and up to the last."""
    best: float | None = None
    for trial in trials:
        if trial.values and (best is None or objective.better(trial.values[place], best)):
            best = trial.values[place]
            yield SO_FAR, trial.number, best, trial.number
    if best is not None:
        yield SO_FAR, trials[-1].number, best, trials[-1].number


def _courses(study: Study) -> Figure | None:
    rows = [
        (series(study, trial), epoch, accuracy, trial.number)
        for trial in _begun(study)
        for epoch, accuracy in sorted(trial.by_epoch.items())
    ]
    if not rows:
        return None
    panel = _panel("courses", rows, title="Learning curves", x="epoch", y="top-1 accuracy, one view a video, %")
    seeds = " of each trial's first seed" if len(study.seeds) > 1 else ""
    said = f"Accuracy on the validation videos after each epoch{seeds}, one view a video; a mark where a trial ended."
    return Figure("courses", (panel,), said)


def _front(study: Study) -> Figure | None:
    front = study.best()
    if len(study.objectives) < 2 or not front:
        return None
    complete = [trial for trial in study.trials if trial.state == "complete"]
    first, second = study.objectives[:2]
    rows = [row for trial in complete for row in _marked(study, trial, trial.values[1], trial.values[0])]
    rows += [(FRONT, trial.values[1], trial.values[0], trial.number) for trial in front]
    panel = _panel("trials", rows, title="Pareto front", x=label(second), y=label(first))
    better = [f"{QUANTITIES[each.quantity]}: {'higher' if each.direction == 'maximize' else 'lower'} is better"
              for each in (first, second)]  # fmt: skip
    said = "Line: trials that no other is better than in one objective without being worse in the other"
    return Figure("front", (panel,), f"{said} ({'; '.join(better)}).{_star(study)}")


# By parameter


def _importances(study: Study) -> Figure | None:
    shares = {name: share for name, share in study.importances.items() if isfinite(share)}
    if not shares:
        return None
    ordered = sorted(shares.items(), key=lambda each: (-each[1], each[0]))
    marks = [(name, _NAN, 100 * share, _NAN, _NAN, "", _NAN) for name, share in ordered]
    what = QUANTITIES[study.objectives[0].quantity]
    unit = f"share of the variance of {what}, %"
    panel = Panel("Importances", "bars", pd.DataFrame(marks, columns=PANEL_COLUMNS), "", unit)
    complete = sum(trial.state == "complete" for trial in study.trials)
    said = f"How much of the variance of {what} each setting explains, of {complete} complete trials."
    others = [parameter.name for parameter in study.parameters if parameter.name not in shares]
    left = f" Left out, as not all trials have them or they did not vary: {', '.join(others)}." if others else ""
    return Figure("importances", (panel,), said + left)


def scale(parameter: Parameter, trials: Sequence[Trial]) -> Scale:
    """The axis of a parameter: what is searched, and beyond it what the suite's own recipe has."""
    found = [trial.parameters[parameter.name] for trial in trials if parameter.name in trial.parameters]
    if parameter.choices is not None:
        return Scale(parameter.name, names=tuple(dict.fromkeys([*parameter.choices, *map(str, found)])))
    numbers = [float(value) for value in found if not parameter.log or float(value) > 0]
    ends = [*numbers, parameter.low, parameter.high]
    return Scale(parameter.name, min(ends), max(ends), parameter.log)


def _at(trial: Trial, parameter: Parameter) -> float | str | None:
    """The trial's value on the parameter's axis; None where there is none, and for what no logarithm has."""
    value = trial.parameters.get(parameter.name)
    if value is None:
        return None
    if parameter.choices is not None:
        return str(value)
    return None if parameter.log and float(value) <= 0 else float(value)


def _spread(trial: Trial) -> float:
    """From -0.5 to 0.5, evenly over the trials: multiples of the golden ratio."""
    return trial.number * 0.6180339887498949 % 1 - 0.5


def _parallel(study: Study) -> Figure | None:
    trials = [trial for trial in _begun(study) if trial.parameters]
    if not trials or not study.parameters:
        return None
    scales = [scale(parameter, trials) for parameter in study.parameters]
    of_values = [_of_objective(study, place) for place in range(len(study.objectives))][::-1]
    rows: list[tuple[Any, ...]] = []
    for trial in trials:
        looks = series(study, trial)
        for place, (parameter, each) in enumerate(zip(study.parameters, scales, strict=True)):
            value = _at(trial, parameter)
            share = _NAN if value is None else each.share(value)
            if isinstance(value, str):
                share += _spread(trial) * _JITTER / len(each.names)
            told = plain(trial.parameters.get(parameter.name, "not used"))
            rows.append((looks, share, place, trial.number, told, parameter.name))
        for place, each in enumerate(of_values, len(scales)):
            value = trial.values[len(scales) + len(of_values) - 1 - place] if trial.values else None
            share = _NAN if value is None else each.share(value)
            rows.append((looks, share, place, trial.number, trial.state if value is None else plain(value), each.name))
    said = (
        "A line for each trial, through its settings down to its value. Its shade, as on the lowest axis, tells its "
        f"rank among the trials, in {len(SHADES)} steps from the worst to the best. Trials of the same choice are "
        "spread around it."
    )
    panel = _panel("parallel", rows, title="Settings and values", x="", y="", scales=(*scales, *of_values))
    return Figure("parallel", (panel,), said)


def _of_objective(study: Study, place: int) -> Scale:
    found = [trial.values[place] for trial in study.trials if trial.values]
    objective = study.objectives[place]
    better: Any = "higher" if objective.direction == "maximize" else "lower"
    return Scale(label(objective), min(found, default=0.0), max(found, default=1.0), better=better)


def _slices(study: Study) -> Figure | None:
    trials = [trial for trial in _begun(study) if trial.parameters]
    if not any(trial.values for trial in trials) or not study.parameters:
        return None
    values = [trial.values[0] for trial in trials if trial.values]
    shared: dict[str, Any] = {"limits": (min(values), max(values)), "strip": len(values) < len(trials)}
    panels = tuple(_slice(study, parameter, trials, shared) for parameter in study.parameters)
    what = QUANTITIES[study.objectives[0].quantity]
    said = f"The {what} of each trial against each of its settings; trials without a value stand in the strip below."
    return Figure("slices", panels, said + " Trials of the same choice are spread around it.")


def _slice(study: Study, parameter: Parameter, trials: Sequence[Trial], shared: Mapping[str, Any]) -> Panel:
    """`shared`: what all slices have in common, so that they can be compared."""
    searched = scale(parameter, trials)
    names = searched.names
    rows: list[tuple[Any, ...]] = []
    for trial in trials:
        value = _at(trial, parameter)
        if value is not None:
            x = names.index(value) + _JITTER * _spread(trial) if isinstance(value, str) else value
            rows += _marked(study, trial, x, trial.values[0] if trial.values else _NAN)
    said = label(study.objectives[0])
    scales = () if names else (searched,)
    return _panel("trials", rows, title=parameter.name, x="", y=said, log_x=parameter.log, names=names, scales=scales,
                  **shared)  # fmt: skip
