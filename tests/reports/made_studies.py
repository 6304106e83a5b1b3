"""Made-up searches for the tests of their reports; nothing here was measured."""

import random
from dataclasses import replace
from math import exp, log
from typing import Any

from reports.content import SuiteInfo
from reports.jobs import Job
from results.trials import Objective, Parameter, Study, Trial
from tests.reports.examples import HOSTILE, LONG, record

SUITE = SuiteInfo("recipe_search", "The demo recipe, searched", "Which recipe trains TimeSformer best?", "demo")
CONFIRM = "python -m harness run runs/studies/recipe_search/best.yaml"
TOP1, MINUTES = Objective("top1", "maximize"), Objective("device_minutes", "minimize")
PARAMETERS = (
    Parameter("recipe.learning_rate", "recipe.learning_rate", None, 1e-5, 1e-1, log=True),
    Parameter("recipe.optimizer", "recipe.optimizer", ("sgd", "adamw", "lamb with a name of several words")),
    Parameter("recipe.momentum (recipe.optimizer: sgd)", "recipe.momentum", None, 0.8, 0.99),
    Parameter("recipe.dropout", "recipe.dropout", None, 0.0, 0.5),
    Parameter("clip.frames", "clip.frames", ("4", "8", "16")),
)
OWN = {"recipe.learning_rate": 0.01, "recipe.optimizer": "sgd", "recipe.momentum": 0.9, "recipe.dropout": 0.0,
       "clip.frames": 8}  # fmt: skip
EPOCHS = 15


def trial(number: int, state: Any = "complete", value: float | None = 90.0, **changes: Any) -> Trial:
    """A trial of one seed; `changes` replace fields."""
    done = state == "complete"
    ended = {"complete": EPOCHS, "pruned": 4, "failed": 2, "running": 6, "waiting": 0}[state]
    reached = value or 60.0
    made: dict[str, Any] = {
        "number": number,
        "state": state,
        "why": "out of memory" if state == "failed" else "",
        "parameters": {
            PARAMETERS[0].name: 0.01,
            PARAMETERS[1].name: "sgd",
            PARAMETERS[2].name: 0.9,
            PARAMETERS[3].name: 0.0,
            PARAMETERS[4].name: "8",
        },
        "values": (value,) if done and value is not None else (),
        "by_seed": (value,) if done and value is not None else (),
        "by_epoch": {epoch: reached * (1 - 0.72 * exp(-epoch / 3)) for epoch in range(1, ended + 1)},
        "epochs": EPOCHS,
        "device_hours": ended * 0.004,
        "jobs": (f"{number:012x}",),
        "began": None if state == "waiting" else "2026-01-01T00:00:00Z",
        "ended": "2026-01-01T00:10:00Z" if state in ("complete", "pruned", "failed") else None,
    }
    return Trial(**{"own": number == 0} | made | changes)


def study(*trials: Trial, **changes: Any) -> Study:
    """A search with these trials; `changes` replace fields."""
    made: dict[str, Any] = {
        "name": "recipe_search",
        "scale": "demo",
        "objectives": (TOP1,),
        "seeds": (0,),
        "parameters": PARAMETERS,
        "trials": trials,
        "asked": 40,
        "charged": sum(each.device_hours for each in trials),
        "taken_up": 0,
        "importances": {},
        "pruner": "median of the trials so far, from epoch 3",
        "sampler": "tree-structured Parzen estimator, seed 0",
        "settings": OWN,
    }
    return Study(**made | changes)


def searched(count: int = 36, seeds: int = 3, two: bool = False, own: Any = "complete") -> Study:
    """A search as it may be: learning rates around 0.003 are good, sgd less so; some trials end early."""
    draw = random.Random(7)
    trials = []
    for number in range(count):
        rate, optimizer = exp(draw.uniform(log(1e-5), log(1e-1))), draw.choice(PARAMETERS[1].choices or ())
        dropout, frames, momentum = draw.uniform(0, 0.5), draw.choice(("4", "8", "16")), draw.uniform(0.8, 0.99)
        if number == 0:
            rate, optimizer, dropout, frames, momentum = 0.01, "sgd", 0.0, "8", 0.9
        good = 96 - 2.2 * log(rate / 0.003) ** 2 - 4 * (optimizer == "sgd") - 20 * (dropout - 0.1) ** 2
        good = max(good + {"4": -5, "8": 0, "16": 1}[frames] + draw.uniform(-1, 1), 26 + draw.uniform(-2, 2))
        state = "pruned" if good < 78 and draw.random() < 0.7 else "failed" if draw.random() < 0.06 else "complete"
        state = (
            own if number == 0 else "running" if number >= count - 2 else "waiting" if number == count - 3 else state
        )
        by_seed = tuple(good + draw.uniform(-1.2, 1.2) for _ in range(seeds)) if state == "complete" else ()
        top1 = sum(by_seed) / len(by_seed) if by_seed else None
        hours = {"4": 0.03, "8": 0.055, "16": 0.11}[frames] * seeds * draw.uniform(0.9, 1.1)
        values = () if top1 is None else (top1, hours * 60) if two else (top1,)
        parameters: dict[str, Any] = {PARAMETERS[0].name: rate, PARAMETERS[1].name: optimizer,
                                      PARAMETERS[3].name: dropout, PARAMETERS[4].name: frames}  # fmt: skip
        if optimizer == "sgd":
            parameters[PARAMETERS[2].name] = momentum
        made = trial(number, state, top1 or good)
        spent = hours / seeds * len(made.by_epoch) / EPOCHS * (seeds if state == "complete" else 1)
        ids = tuple(f"{number:010x}{seed:02x}" for seed in range(seeds))
        trials.append(
            replace(made, parameters=parameters, values=values, by_seed=by_seed, device_hours=spent, jobs=ids)
        )
    shares = dict(zip((each.name for each in PARAMETERS), (0.61, 0.14, 0.02, 0.08, 0.15), strict=True))
    objectives = (TOP1, MINUTES) if two else (TOP1,)
    return study(*trials, objectives=objectives, seeds=tuple(range(seeds)), asked=count + 4, taken_up=2,
                 importances=shares)  # fmt: skip


def hostile() -> Study:
    """A search in which every text from a user's files tries to be more than text."""
    parameters = (Parameter(HOSTILE, HOSTILE, (HOSTILE, LONG, "$x_1$ & 100 %")), Parameter(LONG, LONG, None, 0.0, 1.0))
    settings = {HOSTILE: LONG, LONG: 0.5}
    trials = [trial(number, parameters=settings, value=90.0 + number) for number in range(3)]
    trials.append(trial(3, "failed", why=f"{HOSTILE} {LONG}", parameters={HOSTILE: HOSTILE, LONG: 0.1}))
    return study(*trials, name="hostile", parameters=parameters, sampler=HOSTILE, pruner=LONG,
                 importances={HOSTILE: 0.7, LONG: 0.3}, settings={HOSTILE: HOSTILE, LONG: LONG})  # fmt: skip


EDGES = {
    "nothing begun": study(),
    "only waiting": study(trial(0, "waiting"), trial(1, "waiting", parameters={})),
    "one running": study(trial(0, "running", by_epoch={}, device_hours=0.0)),
    "one complete": study(trial(0, value=88.25)),
    "all pruned": study(*(trial(number, "pruned", 60.0 + number) for number in range(4))),
    "all failed": study(*(trial(number, "failed", by_epoch={}) for number in range(4))),
    "equal values": study(*(trial(number) for number in range(5))),
    "own pruned": searched(own="pruned"),
    "own missing": study(trial(1), trial(2, value=91.0)),
    "no parameters": study(trial(0), parameters=(), settings={}),
    "own beyond the ranges": study(
        trial(0, parameters={PARAMETERS[0].name: 0.0, PARAMETERS[1].name: "a foreign one", PARAMETERS[3].name: 0.9}),
        trial(1),
    ),
    "one seed": searched(seeds=1),
    "three seeds": searched(),
    "two objectives": searched(two=True),
    "two objectives, none complete": study(trial(0, "running"), objectives=(TOP1, MINUTES)),
    "minutes only": study(*(trial(number, value=3.0 + number) for number in range(4)), objectives=(MINUTES,)),
    "hostile": hostile(),
}
"""A search an edge, by what is particular of it."""


def jobs(made: Study) -> list[Job]:
    """Those of trials that are complete have a record, of others some a log, and some nothing."""
    found = []
    for each in made.trials:
        for id_ in each.jobs if each.state != "waiting" else ():
            if each.state == "complete":
                found.append(Job(id_, "done", record(id_, each.values[0] / 100)))
            else:
                found.append(Job(id_, "not run", log=f"epoch 1 of {each.epochs}\n" if each.state == "pruned" else ""))
    return found
