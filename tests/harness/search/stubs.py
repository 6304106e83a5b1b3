"""A tiny search for tests: a suite, its study in a journal, and a training that takes no time."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from harness.combination import Job
from harness.control import Control
from harness.files import Order
from harness.search import session
from harness.search.study import Shared
from harness.search.trial import Ended
from results.record import Problem, Record, Test, parse
from tests.harness.contenders import EXAMPLE

SUITE = """\
title: Tiny
question: Which?
base:
  model: {name: timesformer, size: demo, init: scratch, attention: divided}
  data: {name: motion, fraction: 0.015}
  clip: {frames: 4, stride: 4, size: 16}
  recipe: {name: demo, epochs: 4, batch_size: 4}
  test: {clips: 1, crops: 1}
search:
  trials: 6
  space:
    recipe.optimizer: [sgd, adamw]
    recipe.learning_rate:
      - {float: [0.001, 0.5], log: true, when: {recipe.optimizer: sgd}}
      - {float: [1.0e-5, 1.0e-2], log: true, when: {recipe.optimizer: adamw}}
    recipe.label_smoothing: {float: [0.0, 0.3]}
"""


def suite(folder: Path, *replaced: tuple[str, str]) -> Path:
    """The suite, with some of its words replaced by others."""
    text = SUITE
    for before, after in replaced:
        assert before in text, before
        text = text.replace(before, after)
    path = folder / "tiny.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def begun(path: Path, root: Path, url: str | None = None, name: str | None = None) -> session.Session:
    return session.begun(path, "demo", (), root, Path("datasets.yaml"), url, name)


def joined(here: session.Session, silent_s: float = 300.0) -> Shared:
    """The study as one worker has it; `silent_s` may be shorter than a site's."""
    shared = here.joined()
    shared.silent_s = silent_s
    return shared


def trained(order: Order, job: Job, share: float, *, status: str = "done", hours: float = 0.001) -> Record:
    """The record of a training with this accuracy, as if it had been trained, tests of its own included."""
    example = parse(EXAMPLE.read_bytes(), EXAMPLE.name)
    tests = [_test(example.tests[0], each.clips, each.crops, each.size, share) for each in job.spec.tests]
    measured = example.measured.model_copy(update={"device_hours": hours, "peak_memory_bytes": None})
    known: dict[str, Any] = {"id": job.id, "spec": job.spec.content(), "tests": tests, "measured": measured}
    if status != "done":
        known |= {"status": status, "tests": [], "error": Problem(type="Of a test", message=status, traceback="")}
    return example.model_copy(update=known)


def _test(like: Test, clips: int, crops: int, size: int | None, share: float) -> Test:
    return like.model_copy(update={"clips": clips, "crops": crops, "size": size, "top1": share, "top5": None})


def training(
    share: Callable[[Job, int], float] = lambda job, epoch: 0.5,
    status: Callable[[Job], str] = lambda job: "done",
    epoch_s: float = 0.0,
    at: Callable[[Job, int], None] = lambda job, epoch: None,
) -> Callable[..., Ended]:
    """What stands for `harness.search.trial.train`; `at` is called after each epoch is told."""

    def train(
        order: Order, job: Job, told: Callable[[int, float], bool], beat: Callable[[], None], control: Control, gpu: Any
    ) -> Ended:
        epochs = job.spec.recipe.epochs
        for epoch in range(1, epochs + 1):
            time.sleep(epoch_s)
            beat()
            control.check()
            if told(epoch, 100 * share(job, epoch)):
                return Ended("pruned", None, 0.001 * epoch / epochs)
            at(job, epoch)
        return Ended("recorded", trained(order, job, share(job, epochs), status=status(job)), 0.001)

    return train


def states(trials: list[FrozenTrial]) -> dict[str, int]:
    """How many trials there are of each state."""
    names = [trial.state.name for trial in trials]
    return {name: names.count(name) for name in sorted(set(names))}


def assert_ended(shared: Shared, asked: int) -> list[FrozenTrial]:
    """Exactly what was asked for, nothing left open, no slot twice, the suite's own recipe once; what is counted."""
    every, found = shared.trials(), shared.counted()
    assert shared.ended()
    assert len(found) == asked, states(found)
    assert not [trial.number for trial in every if trial.state in (TrialState.RUNNING, TrialState.WAITING)]
    slots = [trial.user_attrs["slot"] for trial in found if "slot" in trial.user_attrs]
    assert len(slots) == len(set(slots))
    own = [trial for trial in found if trial.user_attrs.get("own")]
    assert [trial.params for trial in own] == [shared.search.own]
    assert not [trial for trial in found if trial.user_attrs.get("attempt") or trial.user_attrs.get("surplus")]
    return found
