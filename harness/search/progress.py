"""What a person sees while a search runs: a line when a trial begins, when it ends, and of the whole study."""

from collections.abc import Callable
from typing import Final

from results import trials as plain

UNITS: Final = {"top1": "%", "top5": "%", "class_mean": "%", "device_minutes": "min", "training_minutes": "min"}


class Teller:
    """Tells what is new in a study since it was last shown."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.known: dict[int, str] = {}
        self.began = False

    def show(self, study: plain.Study) -> None:
        """Print a line for each trial that began or ended."""
        whole = summary(study)
        if not self.began:
            self.began = True
            ended = {trial.number: trial.state for trial in study.trials if trial.state not in ("waiting", "running")}
            self.known |= ended
            if ended:
                self.say(f"so far {whole}")
        for trial in study.trials:
            told = trial.state != "waiting" and (trial.state != "running" or trial.parameters)
            if told and self.known.get(trial.number) != trial.state:
                self.known[trial.number] = trial.state
                ended_now = f"  [{whole}]" if trial.state != "running" else ""
                self.say(f"trial {trial.number}: {line(trial, study)}{ended_now}")


def line(trial: plain.Trial, study: plain.Study) -> str:
    """One trial in one line."""
    if trial.state == "complete":
        return f"complete, {values(trial.values, study)}"
    if trial.state == "pruned" and trial.by_epoch:
        last = max(trial.by_epoch)
        why = f" ({trial.why})" if trial.why else ""
        return f"pruned after epoch {last} of {trial.epochs}, at {trial.by_epoch[last]:.1f} %{why}"
    if trial.state == "running":
        what = "the suite's own recipe" if trial.own else _settings(trial)
        return f"running: {what}"
    return f"{trial.state}: {trial.why}" if trial.why else trial.state


def _settings(trial: plain.Trial) -> str:
    """Its values, each with the last part of its key."""
    named = [(name.partition(" (")[0].rpartition(".")[2], value) for name, value in trial.parameters.items()]
    return ", ".join(f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in named)


def values(found: tuple[float, ...], study: plain.Study) -> str:
    """The objectives with their units."""
    return ", ".join(
        f"{each.quantity} {value:.3g} {UNITS.get(each.quantity, '')}".rstrip()
        for each, value in zip(study.objectives, found, strict=True)
    )


def summary(study: plain.Study) -> str:
    """The whole study: how many trials of how many, how they ended, and the best."""
    ended = [trial for trial in study.trials if trial.state not in ("waiting", "running")]
    states = dict.fromkeys(trial.state for trial in ended)
    counts = ", ".join(f"{sum(trial.state == state for trial in ended)} {state}" for state in states)
    of = f" of {study.asked}" if study.asked else ""
    best = study.best()
    found = f"; best {values(best[0].values, study)} (trial {best[0].number})" if best else ""
    return f"{len(ended)}{of} trials{f': {counts}' if counts else ''}{found}"
