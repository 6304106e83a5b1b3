"""Testing: every validation video once, all its views from one decode, softmax averaged over them.

Scores are kept as files of their own, finished or not, that name the weights they are of: a test that was stopped goes
on where it was, and one that is finished is never repeated, also where its job has no record yet.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from harness.control import Control, TimeLimit
from harness.data.clips import TestViews, to_input
from harness.data.decode import DecodeError
from harness.errors import Interrupted
from harness.spec import JobSpec, Protocol
from harness.step import autocast
from harness.train import Diverged
from results.record import Test

TOP5_FROM = 6
"""Classes from which top-5 says anything."""


@dataclass
class Scores:
    """Softmax scores of every view: `views` float32 [videos, views, classes], rows of undecodable videos are NaN.

    While a test is in progress the rows from `done` on are NaN too.
    """

    ids: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    views: npt.NDArray[np.float32]
    undecodable: dict[str, str]
    """Videos that did not decode, with the reason."""
    done: int = 0
    """Videos that were tried so far, in the data set's order."""
    seconds: float = 0.0
    """What that took, in all attempts."""

    @classmethod
    def empty(cls, views: TestViews) -> "Scores":
        """Those of a test that is about to begin."""
        videos, protocol = views.dataset.val, views.protocol
        shape = (len(videos), protocol.clips * protocol.crops, len(views.dataset.classes))
        labels = np.array([video.label for video in videos], np.int64)
        return cls(tuple(video.id for video in videos), labels, np.full(shape, np.nan, np.float32), {})

    def write(self, path: Path, weights_sha256: str) -> None:
        """Write them, and which weights they are of, as a compressed NumPy file, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        about = {"weights_sha256": weights_sha256, "undecodable": self.undecodable, "seconds": self.seconds}
        said, ids, views = np.array(json.dumps(about)), np.array(self.ids), self.views[: self.done]
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as file:
                np.savez_compressed(file, about=said, ids=ids, labels=self.labels, views=views)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def read(path: Path, weights_sha256: str, views: TestViews) -> Scores | None:
    """What a score file holds, finished or not; None where it is damaged, of other weights or of other videos."""
    scored = Scores.empty(views)
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            about, found = json.loads(str(file["about"])), file["views"]
            same = tuple(file["ids"].tolist()) == scored.ids and np.array_equal(file["labels"], scored.labels)
        if not same or about["weights_sha256"] != weights_sha256 or found.shape[1:] != scored.views.shape[1:]:
            return None
        scored.views[: len(found)] = found
        scored.undecodable, scored.done, scored.seconds = about["undecodable"], len(found), about["seconds"]
    except Exception:  # NumPy and zipfile raise a dozen types for a damaged file
        return None
    return scored


def file_name(protocol: Protocol) -> str:
    """The name of a protocol's score file."""
    return f"{protocol.clips}x{protocol.crops}-{protocol.size}.npz"


def scores(
    model: nn.Module,
    weights_sha256: str,
    views: TestViews,
    spec: JobSpec,
    folder: Path,
    control: Control,
    watch: Callable[[Scores], None],
) -> Scores:
    """Score every view of every validation video into a file in `folder`, from where an earlier attempt left it.

    `watch` is told after every batch. Raises Interrupted or TimeLimit (after saving), and Diverged where a score is no
    number.
    """
    path = folder / file_name(views.protocol)
    part = path.with_name(f"{path.name}.part")
    finished = read(path, weights_sha256, views)
    if finished and finished.done == len(finished.ids):
        return finished
    scored = read(part, weights_sha256, views) or Scores.empty(views)
    before_s, began = scored.seconds, time.monotonic()
    saved_at = began
    model.eval()
    at_once = spec.device_batch
    for indices, clips in _batches(views, at_once, scored.undecodable, scored.done):
        found = _softmax(model, clips, spec).reshape(len(indices), *scored.views.shape[1:])
        if not np.isfinite(found).all():
            raise Diverged(f"the model's scores of {scored.ids[indices[0]]} and its neighbours are no numbers")
        scored.views[indices] = found
        scored.done, scored.seconds = indices[-1] + 1, before_s + time.monotonic() - began
        watch(scored)
        try:
            control.check()
        except (Interrupted, TimeLimit):
            scored.write(part, weights_sha256)
            raise
        if time.monotonic() - saved_at > spec.resources.checkpoint_s:
            scored.write(part, weights_sha256)
            saved_at = time.monotonic()
    scored.done = len(scored.ids)  # those after the last batch did not decode
    scored.write(path, weights_sha256)
    part.unlink(missing_ok=True)
    return scored


def _batches(
    views: TestViews, clips_at_once: int, undecodable: dict[str, str], start: int
) -> Iterator[tuple[list[int], npt.NDArray[np.uint8]]]:
    """Indices of some videos from `start` on and all their views, uint8 [(video view) t h w c].

    About `clips_at_once` together; a `start` at the end of an earlier batch gives the batches that follow it.
    """
    indices: list[int] = []
    held: list[npt.NDArray[np.uint8]] = []
    for index in range(start, len(views.dataset.val)):
        try:
            held.append(views.views(index))
            indices.append(index)
        except DecodeError as error:
            undecodable[views.dataset.val[index].id] = error.reason
        if held and (len(held) + 1) * len(held[0]) > clips_at_once:
            yield indices, np.concatenate(held)
            indices, held = [], []
    if held:
        yield indices, np.concatenate(held)


def _softmax(model: nn.Module, clips: npt.NDArray[np.uint8], spec: JobSpec) -> npt.NDArray[np.float32]:
    device = next(model.parameters()).device
    with torch.inference_mode(), autocast(device, spec.precision):
        logits = model(to_input(torch.from_numpy(clips).to(device), spec.clip.mean, spec.clip.std))
    softmax: npt.NDArray[np.float32] = logits.float().softmax(dim=-1).cpu().numpy()
    return softmax


def summary(scored: Scores, protocol: Protocol) -> Test:
    """Accuracy of the averaged views. An undecodable video is unanswered, hence wrong; the loss is of the answered."""
    averaged = scored.views.mean(axis=1)
    answered = ~np.isnan(averaged).any(axis=1)
    labels, classes = scored.labels[answered], averaged.shape[1]
    ranks = np.argsort(-averaged[answered], axis=1, kind="stable")
    hits = ranks == labels[:, None]
    videos = len(scored.ids)
    chosen = averaged[answered][np.arange(len(labels)), labels]
    return Test(
        clips=protocol.clips,
        crops=protocol.crops,
        size=protocol.size or 0,
        videos=videos,
        answered=int(answered.sum()),
        top1=float(hits[:, :1].sum() / videos),
        top5=float(hits[:, :5].sum() / videos) if classes >= TOP5_FROM else None,
        loss=float(-np.log(np.maximum(chosen, 1e-12)).mean()) if len(labels) else float("nan"),
        undecodable=sorted(scored.undecodable),
    )
