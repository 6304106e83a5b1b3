"""Training: one model, one recipe, from wherever the last checkpoint left it.

Everything a step depends on is either a function of (seed, epoch, position) or in the checkpoint: weights, optimiser,
gradient scaler, torch's random state, and the position with its running sums. A training that was killed at any moment
and started again therefore ends bit-identical to one that never stopped, on the same hardware and number of threads.
"""

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn

from harness.checkpoint import Checkpoints
from harness.control import Control, TimeLimit
from harness.data.clips import Batch, TrainClips
from harness.data.pool import Pool
from harness.data.videos import TooManyUndecodable
from harness.errors import Interrupted
from harness.optim import learning_rate
from harness.ranks import ALONE, Ranks
from harness.spec import JobSpec
from harness.step import Step

SHOWN_S = 120.0
"""How long a checkpoint that the first rank has read may take to be shown to the others by their file system."""


class Diverged(Exception):
    """The loss is no longer a number."""


@dataclass
class State:
    """Where a training stands: position, the running sums of the epoch, and what the finished epochs measured."""

    epoch: int = 0
    batch: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    clips: int = 0
    seconds: float = 0.0
    wait_s: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    """One row a finished epoch: epoch, loss, accuracy, learning_rate, clips."""
    history_s: list[float] = field(default_factory=list)
    history_wait_s: list[float] = field(default_factory=list)
    history_load: list[float] = field(default_factory=list)
    """The machine's load average to each core at the end of each epoch; shorter where the system did not tell."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Training videos that did not decode, with the reason."""
    lost: dict[str, str] = field(default_factory=dict)
    """Those among them that killed or hung a decoder, which are not opened again."""
    peak_memory_bytes: int = 0
    """Of all attempts so far, on the device that took most."""
    splits: dict[str, Any] | None = None
    """What the videos are that it is trained on (`results.record.Splits`, plain)."""


Watch = Callable[[State], None]
AfterEpoch = Callable[[int], None]
"""Told how many epochs are finished, when a checkpoint has them; what it does draws no random numbers."""


class Training:
    """One training in progress. `run` takes it to its end; `state` tells how far it is."""

    def __init__(
        self, model: nn.Module, clips: TrainClips, spec: JobSpec, checkpoints: Checkpoints, ranks: Ranks = ALONE
    ) -> None:
        """`model` lies on the device it is to be trained on; its random initialisation is the caller's."""
        self.model, self.clips, self.spec, self.checkpoints, self.ranks = model, clips, spec, checkpoints, ranks
        self.step = Step(model, spec, ranks)
        self.device = self.step.device
        self.state = State()
        self.saved_at = time.monotonic()

    def restore(self) -> list[str]:
        """Go on from the newest whole checkpoint, if there is one; returns notes on damaged ones.

        The first rank chooses it. Raises CheckpointError where another cannot read the same.
        """
        name, notes = self.ranks.first(self.checkpoints.latest() if self.ranks.rank == 0 else (None, []))
        if name is not None:
            saved = self.checkpoints.read(name, SHOWN_S)
            self.model.load_state_dict(saved["model"])
            self.step.optimizer.load_state_dict(saved["optimizer"])
            self.step.scaler.load_state_dict(saved["scaler"])
            self.state = State(**saved["state"])
            self.clips.lost.update(self.state.lost)
            for each, states in enumerate(saved["random"]):
                if each == self.ranks.rank:  # of fewer ranks than there are now, the others draw as at the beginning
                    self._set_random(states)
        return notes

    def _random(self) -> dict[str, torch.Tensor]:
        states = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self.device)
        return states

    def _set_random(self, states: dict[str, torch.Tensor]) -> None:
        torch.set_rng_state(states["cpu"])
        if self.device.type == "cuda" and "cuda" in states:  # absent where a CPU saved it
            torch.cuda.set_rng_state(states["cuda"], self.device)

    def save(self) -> None:
        """Write a checkpoint of everything that the next step depends on; all ranks together, the first one writes."""
        random = self.ranks.gather(self._random())
        self.saved_at = time.monotonic()
        if self.ranks.rank:
            return
        saved = {
            "model": self.model.state_dict(),
            "optimizer": self.step.optimizer.state_dict(),
            "scaler": self.step.scaler.state_dict(),
            "state": asdict(self.state),
            "random": random,
        }
        self.checkpoints.save(saved, self.state.epoch * self.clips.batches_per_epoch + self.state.batch)

    def run(self, control: Control, watch: Watch, pool: Pool, after_epoch: AfterEpoch | None = None) -> None:
        """Train to the recipe's last epoch, clips decoded in the pool. `watch` is called after every step.

        `after_epoch` is called for the epoch that is finished already, too: who was killed may not have heard of it.
        Raises Interrupted or TimeLimit (after saving), Diverged, TooManyUndecodable.
        """
        epochs = self.spec.recipe.epochs
        batches = self.clips.stream(self.state.epoch, self.state.batch, epochs, pool)
        if after_epoch and self.state.epoch:
            after_epoch(self.state.epoch)
        while self.state.epoch < epochs:
            self.model.train()
            self._epoch(batches, control, watch)
            self.save()
            if after_epoch:
                after_epoch(self.state.epoch)

    def _epoch(self, batches: Iterator[Batch], control: Control, watch: Watch) -> None:
        """Take what is left of the epoch from the batches of all."""
        state = self.state
        began = time.perf_counter()
        for batch in batches:
            waited = time.perf_counter() - began
            clips, skipped = self.ranks.sum(len(batch.labels), len(batch.skipped))
            if skipped:
                self._note_skipped(batch)
            if clips:
                self._update(batch, int(clips))
            state.batch += 1
            state.wait_s += waited
            state.seconds += time.perf_counter() - began
            if state.batch == self.clips.batches_per_epoch:
                break
            watch(state)
            self._maybe_stop(control)
            began = time.perf_counter()  # telling and saving are no waiting for data
        self._close_epoch()
        watch(state)
        self._maybe_stop(control)

    def _update(self, batch: Batch, whole: int) -> None:
        """One update of the weights, gradients accumulated over parts of the batch that fit the device.

        `whole`: clips of the batch, of which other ranks may have some.
        """
        state = self.state
        rate = learning_rate(self.spec.recipe, state.epoch + state.batch / self.clips.batches_per_epoch)
        for group in self.step.optimizer.param_groups:
            group["lr"] = rate
        clips, labels = torch.from_numpy(batch.clips), torch.from_numpy(batch.labels)
        mine = self.step.accumulate(clips, labels, self.spec.device_batch, batch.drawn, whole)
        loss, correct = self.ranks.sum(*mine)
        if not math.isfinite(loss):
            raise Diverged(f"the loss is {loss} in epoch {state.epoch + 1}, step {state.batch + 1} (rate {rate:.3g})")
        self.step.update()
        state.loss_sum += loss * whole
        state.correct += int(correct)
        state.clips += whole

    def _note_skipped(self, batch: Batch) -> None:
        for skipped, lost in self.ranks.gather((batch.skipped, self.clips.lost)):
            self.state.skipped.update(skipped)
            self.clips.lost.update(lost)
        self.state.lost = dict(self.clips.lost)
        count, videos, allowed = len(self.state.skipped), len(self.clips.videos), self.spec.data.max_undecodable
        if count > allowed * videos:
            self.save()  # a larger limit goes on from here
            raise TooManyUndecodable(count, videos, "training", allowed, *next(iter(self.state.skipped.items())))

    def _close_epoch(self) -> None:
        """Turn the epoch's running sums into a row of the history."""
        state = self.state
        clips = max(state.clips, 1)
        rate = self.step.optimizer.param_groups[0]["lr"]
        state.history.append(
            {
                "epoch": state.epoch + 1,
                "loss": state.loss_sum / clips,
                "accuracy": state.correct / clips,
                "learning_rate": rate,
                "clips": state.clips,
            }
        )
        state.history_s.append(state.seconds)
        state.history_wait_s.append(state.wait_s)
        with suppress(OSError):
            state.history_load.append(os.getloadavg()[0] / (os.cpu_count() or 1))
        state.epoch, state.batch = state.epoch + 1, 0
        state.loss_sum, state.correct, state.clips, state.seconds, state.wait_s = 0.0, 0, 0, 0.0, 0.0

    def _maybe_stop(self, control: Control) -> None:
        """Save where it is time, or where a rank was asked to stop: then all stop after the same step."""
        asked: Exception | None = None
        try:
            control.check()
        except (Interrupted, TimeLimit) as stop:
            asked = stop
        due = self.ranks.rank == 0 and time.monotonic() - self.saved_at > self.spec.resources.checkpoint_s
        stopping, saving = self.ranks.sum(asked is not None, due)
        if stopping or saving:
            self.save()
        if stopping:
            raise asked or Interrupted("another process of this job was asked to stop")
