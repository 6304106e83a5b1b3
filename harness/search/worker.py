"""One worker of a search: asks for a trial, trains it, reports every epoch, tells how it ended, and asks again.

Workers know of each other only what the study's storage tells, and none waits for another.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from optuna.trial import TrialState

from harness.combination import Job
from harness.control import Control
from harness.errors import Interrupted, OutputError
from harness.files import Order
from harness.search.block import SuiteMistakes
from harness.search.study import Lost, Shared, Turn
from harness.search.trial import Ended, train
from harness.suite import Suite
from results.quantities import value
from results.record import Record, RecordError

ALIVE_EVERY_S = 15.0


@dataclass
class Worker:
    """A worker of one study, with what its trials run on."""

    suite: Suite
    shared: Shared
    root: Path
    datasets: Path
    control: Control
    say: Callable[[str], None]
    """Prints a line for a person."""
    look: Callable[[], None] = lambda: None
    """Is called often, while a trial runs and when one ends."""
    gpu: str | None = None

    def run(self, until: float | None = None) -> None:
        """Run trials as long as there are some to begin; none is begun after `until` (of `time.monotonic`).

        Raises Interrupted and OutputError: then its trial is given back, and the next worker goes on with it.
        """
        self.shared.patience.check = self.control.check
        while until is None or time.monotonic() < until:
            self.control.check()
            turn = self.shared.ask()
            if turn is None:
                return
            try:
                self.trial(turn)
            except Lost as lost:
                self.say(str(lost))
            except (Interrupted, OutputError):
                self.shared.give_back(turn.trial)
                raise
            finally:
                self.look()

    def trial(self, turn: Turn) -> None:
        """Run a trial to its end, a seed after the other; the first one decides whether it is pruned."""
        shared, trial = self.shared, turn.trial
        try:
            jobs = [replace(job, variant=(("trial", str(trial.number)),)) for job in shared.search.jobs(turn.point)]
        except SuiteMistakes as mistakes:
            shared.tell(trial, TrialState.FAIL, why=str(mistakes))
            return
        shared.note(trial, jobs=[job.id for job in jobs], epochs=jobs[0].spec.recipe.epochs)
        found: list[list[float]] = []
        hours = charged = 0.0
        for job in jobs:
            try:
                ended = self.seed(turn, job, first=not found)
            except RecordError as error:
                shared.tell(trial, TrialState.FAIL, why=str(error))
                return
            hours, charged = hours + ended.device_hours, charged + (0.0 if ended.taken else ended.device_hours)
            shared.note(trial, device_hours=hours, charged=charged)
            values = self.values(turn, job, ended)
            if values is None:
                return
            found.append(values)
            shared.note(trial, by_seed=[each[0] for each in found])
        shared.tell(trial, TrialState.COMPLETE, [fmean(each) for each in zip(*found, strict=True)])

    def seed(self, turn: Turn, job: Job, *, first: bool) -> Ended:
        """Train one seed of a trial, told epoch by epoch where it is the first one and an accuracy alone is sought."""
        trial, epochs, beat_at = turn.trial, job.spec.recipe.epochs, time.monotonic()
        validated = first and self.shared.search.block.prunable
        known = self.shared.told(trial)

        def told(epoch: int, percent: float) -> bool:
            if not validated or epoch in known:
                return False
            worse = self.shared.report(trial, epoch, percent)
            return turn.prunable and worse and epoch < epochs

        def beat() -> None:
            nonlocal beat_at
            self.look()
            if time.monotonic() - beat_at > ALIVE_EVERY_S:
                beat_at = time.monotonic()
                self.shared.live(trial)

        order = Order(job.spec, self.suite.scale, job.label, self.root, self.datasets, validated)
        return train(order, job, told, beat, self.control, self.gpu)

    def values(self, turn: Turn, job: Job, ended: Ended) -> list[float] | None:
        """The objectives of a seed that ended well; None, and the trial is told, of any other.

        A loss that was no number is told as a pruned trial: samplers learn from these, and not from failed ones.
        """
        shared, trial, record = self.shared, turn.trial, ended.record
        if record is None:
            shared.tell(trial, TrialState.PRUNED)
            return None
        if record.status != "done":
            learnt = record.status == "diverged" and len(shared.objectives) == 1
            why = f"{record.status}: {record.error.line}" if record.error else record.status
            shared.tell(trial, TrialState.PRUNED if learnt else TrialState.FAIL, why=why)
            return None
        found = measured(record, job, [each.quantity for each in shared.objectives])
        if None in found:
            missing = [each.quantity for each, number in zip(shared.objectives, found, strict=True) if number is None]
            shared.tell(trial, TrialState.FAIL, why=f"its record has no {', '.join(missing)}")
            return None
        return [number for number in found if number is not None]


def measured(record: Record, job: Job, quantities: Sequence[str]) -> list[float | None]:
    """Quantities of a record, by the first test that its job asks for."""
    from results import collect

    row = collect.of_tests(collect.frame([record], []), {record.id: job.spec.asked[:1]}).iloc[0]
    return [value(quantity, row) for quantity in quantities]
