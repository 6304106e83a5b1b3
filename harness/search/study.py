"""The study as all workers see it: whose turn it is, who died, what is counted.

Nothing of a study is kept anywhere but in its storage. Beside what Optuna keeps of a trial, its attributes tell:

    slot          "first 0": a trial that the suite asks for (0 is its own recipe); "again 7": goes on for trial 7,
                  which from that moment on is not counted, unless its worker ended it in that very moment. Where two
                  workers made the same slot at once, the trial with the lower number has it
    worker        host, machine, process and its start: who runs it
    alive         when that one last said so, in seconds since 1970
    attempt       told of a trial whose worker died or was stopped, once another goes on for it
    surplus       told of a trial that was asked for when all places were taken, or of a slot that another has
    own           whether it is the suite's own recipe, or goes on for it: never pruned, so that there is a comparison
    deaths, reached
                  of a slot "again": workers that were lost since it last came further, and how far it was
    jobs, by_seed, device_hours, epochs, why
                  of `results.trials.Trial`
    charged       device-hours without those of records that were there before
"""

import random
import time
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, Trial, TrialState

from harness.errors import HarnessError
from harness.matrix import Point
from harness.search import identity
from harness.search.block import Search
from harness.search.optimisers import pruner, sampler
from harness.search.storage import Patience
from results import trials as plain

ATTEMPTS = 3
"""Workers that a trial may lose without coming further, before it counts as failed."""
CLAIM_S = 30.0
"""A worker that took a trial says within a moment that it runs it; one that does not for so long died at it."""
AGAIN = "again "
STATES: dict[TrialState, plain.State] = {
    TrialState.WAITING: "waiting", TrialState.RUNNING: "running", TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned", TrialState.FAIL: "failed",
}  # fmt: skip


class ChangedError(HarnessError):
    """A study was begun with another space, objective or recipe."""


class Lost(Exception):
    """This worker's trial was taken for dead and goes on elsewhere."""


@dataclass(frozen=True)
class Turn:
    """A trial that this worker is to run."""

    trial: Trial
    point: Point
    """What it lays over the suite's settings."""
    prunable: bool


@contextmanager
def _mine(trial: Trial) -> Iterator[None]:
    """Raise Lost where the trial is not this worker's any more."""
    try:
        yield
    except optuna.exceptions.UpdateFinishedTrialError as error:
        raise _lost(trial) from error


def _lost(trial: Trial) -> Lost:
    return Lost(f"trial {trial.number} goes on elsewhere: nothing was heard of this worker for long")


def refuse_another(study: optuna.Study, search: Search, about: dict[str, Any]) -> None:
    """Raise ChangedError where a study is about something else than this search."""
    name = study.study_name
    if [each.name.lower() for each in study.directions] != [
        each.objective.direction for each in search.block.objective
    ]:
        raise ChangedError(f"the study '{name}' has other objectives. {_REMEDY}")
    known = study.user_attrs.get("about")
    if known is None and study.get_trials(deepcopy=False):
        raise ChangedError(f"the study '{name}' was begun by another program; {_OTHER}")
    if known not in (None, about):
        changes = "; ".join(_differences(known, about))
        raise ChangedError(f"the study '{name}' was begun otherwise: {changes}. {_REMEDY}")


class Shared:
    """A study in a storage, as one of its workers has it."""

    def __init__(
        self,
        search: Search,
        about: dict[str, Any],
        storage: optuna.storages.BaseStorage,
        name: str,
        silent_s: float = 300.0,
        alone: bool = True,
        patience: Patience | None = None,
    ) -> None:
        """Open the study, or begin it. `about`: what it is a study of. `alone`: whether no other worker is meant to be.

        What several propose depends on who asks first; each draws numbers of its own, that no two try the same.
        Raises ChangedError where a study of this name is about something else.
        """
        self.search, self.storage, self.name, self.silent_s = search, storage, name, silent_s
        self.patience = patience or Patience(name)
        self.patience.over(storage)
        self.myself = identity.myself()
        self.unclaimed: dict[int, float] = {}
        aims = [aim.objective.direction for aim in search.block.objective]
        self.study = optuna.create_study(storage=storage, study_name=name, directions=aims, load_if_exists=True)
        refuse_another(self.study, search, about)
        if "about" not in self.study.user_attrs:
            self.study.set_user_attr("about", about)
        alone = alone and not any(trial.state == TrialState.RUNNING for trial in self.trials())
        seed = f"{search.block.sampler.seed} {len(self.trials())} {'' if alone else self.myself['token']}"
        self.study.sampler = sampler(search.block.sampler, random.Random(seed).getrandbits(31))
        self.study.pruner = pruner(search.block.pruning, self.longest)
        self._ask_first()

    @property
    def longest(self) -> int:
        """Epochs that a trial may have at most."""
        found = [int(self.search.space.facts["recipe.epochs"])]
        for parameter in self.search.space.parameters:
            for value in parameter.distribution.choice or parameter.distribution.ends[1:]:
                setting = parameter.point(value).get("recipe.epochs")
                found += [int(setting.value)] if setting else []
        return max(found)

    def trials(self) -> list[FrozenTrial]:
        """All trials as they stand now, also those that are not counted."""
        return self.study.get_trials(deepcopy=False)

    def _ask_first(self) -> None:
        """Queue the suite's own recipe and those that it wants tried first, where that is not done yet."""
        slots = {trial.user_attrs.get("slot") for trial in self.trials()}
        for index, parameters in enumerate([self.search.own, *self.search.first]):
            slot = f"first {index}"
            if slot not in slots:
                self.study.enqueue_trial(parameters, user_attrs={"slot": slot, "own": index == 0})

    def counted(self) -> list[FrozenTrial]:
        """The trials that take a place among those asked for, in the order of their numbers."""
        return counted(self.trials())

    def ended(self, late: bool = False) -> bool:
        """Whether all is done that was asked for. `late`: the hours are over, in which trials may begin."""
        found = self.counted()
        running = any(trial.state == TrialState.RUNNING for trial in found)
        left = any(trial.state == TrialState.WAITING for trial in found) or not self._is_used_up(found)
        return not running and (late or not left)

    def _is_used_up(self, found: Sequence[FrozenTrial]) -> bool:
        block = self.search.block
        if block.trials and len(found) >= block.trials:
            return True
        spent = sum(float(trial.user_attrs.get("charged", 0.0)) for trial in self.trials())
        return block.device_hours is not None and spent >= block.device_hours

    def runners(self) -> list[str]:
        """Who runs trials now, in words."""
        running = [trial for trial in self.counted() if trial.state == TrialState.RUNNING]
        known = [(trial.number, trial.user_attrs.get("worker", {})) for trial in running]
        return [f"trial {n}: process {who.get('pid', '?')} on {who.get('host', 'a machine')}" for n, who in known]

    def ask(self) -> Turn | None:
        """A trial to run; None where none is left to begin, whether or not others still run."""
        while True:
            self.take_up()
            trials = self.trials()
            found = counted(trials)
            waiting = any(trial.state == TrialState.WAITING for trial in trials)
            if waiting or not self._is_used_up(found):
                with suppress(Lost):
                    if turn := self._turn(self.study.ask()):
                        return turn
            elif any(trial.state == TrialState.RUNNING and "worker" not in trial.user_attrs for trial in found):
                self.patience.pause(1.0)  # whether somebody runs it will be known soon
            else:
                return None

    def _turn(self, trial: Trial) -> Turn | None:
        """A trial that was asked for, as this worker's; None, and it is told, where there is no place for it."""
        self.note(trial, alive=time.time(), worker=self.myself)
        with _mine(trial):
            _, point = self.search.space.settings(lambda parameter: _suggested(trial, parameter))
        if self._has_a_place(trial):
            own = bool(trial.user_attrs.get("own"))
            return Turn(trial, point, self.search.block.prunable and not own)
        self._fail(self._frozen(trial), "surplus", True)
        return None

    def _has_a_place(self, trial: Trial) -> bool:
        """Whether a trial is one of those asked for, and its slot its own: of several workers each sees the same.

        Who goes on for another has that one's place.
        """
        trials = self.trials()
        roots = _roots(trials)
        numbers = sorted((each.number for each in counted(trials)), key=lambda number: roots.get(number, number))
        asked = self.search.block.trials or len(numbers)
        return trial.number in numbers[:asked]

    def live(self, trial: Trial) -> None:
        """Say that this worker still runs a trial. Raises Lost where others think otherwise."""
        self.note(trial, alive=time.time())

    def note(self, trial: Trial, **attributes: Any) -> None:
        """Tell something of this worker's trial. Raises Lost."""
        with _mine(trial):
            for name, value in attributes.items():
                trial.set_user_attr(name, value)

    def report(self, trial: Trial, epoch: int, percent: float) -> bool:
        """Tell the accuracy after an epoch, once; whether the trial should be pruned. Raises Lost."""
        with _mine(trial):
            trial.report(percent, epoch)
            return bool(self.study.pruner.prune(self._as_counted(), self._frozen(trial)))

    def _as_counted(self) -> optuna.Study:
        """The study without what is not counted: an attempt that was given up is no rival of who goes on for it."""

        def of(deepcopy: bool = True, states: Container[TrialState] | None = None) -> list[FrozenTrial]:  # noqa: ARG001
            return [trial for trial in self.counted() if states is None or trial.state in states]

        beside = copy(self.study)
        beside.get_trials = of  # type: ignore[method-assign]
        return beside

    def told(self, trial: Trial) -> dict[int, float]:
        """What was reported of a trial: epoch -> percent."""
        return dict(self._frozen(trial).intermediate_values)

    def tell(self, trial: Trial, state: TrialState, values: Sequence[float] | None = None, why: str = "") -> None:
        """How a trial ended. Raises Lost."""
        with _mine(trial):
            if trial.number not in {each.number for each in self.counted()}:
                raise _lost(trial)
            if why:
                trial.set_user_attr("why", why)
            try:
                self.study.tell(trial, values=values, state=state)
            except (ValueError, optuna.exceptions.UpdateFinishedTrialError) as error:
                now = self._frozen(trial)
                if now.state == TrialState.RUNNING:
                    raise
                if now.state != state or now.user_attrs.get("attempt"):  # else the answer to this very call was lost
                    raise _lost(trial) from error

    def give_back(self, trial: Trial) -> None:
        """End a trial of which this worker was stopped; the next that asks goes on for it."""
        now = self._frozen(trial)
        if now.state == TrialState.RUNNING:
            self._again(now, 0)

    def _frozen(self, trial: Trial) -> FrozenTrial:
        return self.storage.get_trial(trial._trial_id)

    def take_up(self) -> None:
        """Tell the trials whose workers died, and queue others that go on for them."""
        trials = self.trials()
        gone, places = handed_over(trials), {trial.number for trial in counted(trials)}
        for trial in [trial for trial in trials if trial.state == TrialState.RUNNING]:
            if trial.number in gone:  # whoever was to tell it died between
                self._fail(trial, "attempt", True)
            elif not self._is_dead(trial):
                continue
            elif trial.number in places:
                before = trial.user_attrs.get("deaths", 0)
                further = _reached(trial) > trial.user_attrs.get("reached", [-1, 0])
                self._again(trial, 1 if further else before + 1)
            else:
                self._fail(trial, "surplus", True)

    def _is_dead(self, trial: FrozenTrial) -> bool:
        worker = trial.user_attrs.get("worker")
        if worker is None:
            return time.monotonic() - self.unclaimed.setdefault(trial.number, time.monotonic()) > CLAIM_S
        if worker == self.myself:  # which asks for another: it lost sight of this one while the storage did not answer
            return True
        if worker["machine"] == self.myself["machine"] and worker["born"] != identity.born(worker["pid"]):
            return True
        # One that hangs or sleeps is not waited for; but while nobody could write, silence means nothing.
        return time.time() - max(float(trial.user_attrs["alive"]), self.patience.back) > self.silent_s

    def _again(self, trial: FrozenTrial, deaths: int) -> None:
        """Queue a trial that goes on for this one, which is what counts, then end this one."""
        slot = f"{AGAIN}{trial.number}"
        if deaths >= ATTEMPTS:
            self._fail(trial, "why", f"its worker died {deaths} times without coming further")
            return
        if not any(each.user_attrs.get("slot") == slot for each in self.trials()):
            about = {
                "slot": slot, "own": bool(trial.user_attrs.get("own")), "deaths": deaths,
                "reached": _reached(trial),
            }  # fmt: skip
            fixed = trial.system_attrs.get("fixed_params", {})  # of one that died before it had taken them all
            self.study.enqueue_trial({**fixed, **trial.params}, user_attrs=about)
        self._fail(trial, "attempt", True)

    def _fail(self, trial: FrozenTrial, word: str, value: Any) -> None:
        with suppress(optuna.exceptions.UpdateFinishedTrialError):  # where another worker was first
            self.storage.set_trial_user_attr(trial._trial_id, word, value)
            self.storage.set_trial_state_values(trial._trial_id, state=TrialState.FAIL)

    @cached_property
    def objectives(self) -> tuple[plain.Objective, ...]:
        """What is sought."""
        return tuple(aim.objective for aim in self.search.block.objective)


def counted(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """Those that take a place among the trials asked for: not what was given up for another, and a slot once."""
    kept: list[FrozenTrial] = []
    slots: set[str] = set()
    gone = handed_over(trials)
    in_vain = {f"{AGAIN}{trial.number}" for trial in trials if _ended_itself(trial)}
    for trial in sorted(trials, key=lambda each: each.number):
        slot = trial.user_attrs.get("slot")
        if trial.number in gone or trial.user_attrs.get("surplus") or slot in slots or slot in in_vain:
            continue
        slots |= {slot} if slot else set()
        kept.append(trial)
    return kept


def handed_over(trials: Sequence[FrozenTrial]) -> set[int]:
    """Numbers of trials for which another goes on; not of one that ended in the moment in which it was given up."""
    ended = {trial.number for trial in trials if _ended_itself(trial)}
    return {number for trial in trials if (number := _goes_on_for(trial)) is not None} - ended


def _ended_itself(trial: FrozenTrial) -> bool:
    """Whether its own worker told how it ended, which nobody else tells so."""
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED)


def _goes_on_for(trial: FrozenTrial) -> int | None:
    slot = str(trial.user_attrs.get("slot", ""))
    return int(slot.removeprefix(AGAIN)) if slot.startswith(AGAIN) else None


def _roots(trials: Sequence[FrozenTrial]) -> dict[int, int]:
    """Of each trial that goes on for another, the first one of all those before it."""
    found: dict[int, int] = {}
    for trial in sorted(trials, key=lambda each: each.number):
        before = _goes_on_for(trial)
        if before is not None:
            found[trial.number] = found.get(before, before)
    return found


def _reached(trial: FrozenTrial) -> list[int]:
    """How far a trial came: seeds that are finished, and the epochs of the first one that were told."""
    return [len(trial.user_attrs.get("by_seed", ())), max(trial.intermediate_values, default=0)]


_OTHER = "begin one of your own with --study NAME"
_REMEDY = "Go on with the suite as it was, or begin another study with --study NAME"


def _differences(known: Any, now: Any, key: str = "") -> list[str]:
    """What differs between two plain values, by key."""
    if isinstance(known, dict) and isinstance(now, dict):
        keys = dict.fromkeys([*known, *now])
        parts = [_differences(known.get(each), now.get(each), f"{key}.{each}" if key else each) for each in keys]
        return [line for part in parts for line in part]
    return [] if known == now else [f"{key} was {_told(known)} and is {_told(now)}"]


def _told(value: Any) -> str:
    return "not there" if value is None else str(value)


def _suggested(trial: Trial, parameter: Any) -> Any:
    distribution = parameter.distribution.optuna()
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(parameter.name, distribution.choices)
    low, high, log = distribution.low, distribution.high, distribution.log
    if isinstance(distribution, IntDistribution):
        return trial.suggest_int(parameter.name, low, high, log=log, step=distribution.step)
    assert isinstance(distribution, FloatDistribution)
    return trial.suggest_float(parameter.name, low, high, log=log, step=distribution.step)
