"""Testing: every validation video once, all its views from one decode, softmax averaged over them."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from harness.control import Control
from harness.data.clips import TestViews, to_input
from harness.data.decode import DecodeError
from harness.spec import JobSpec, Protocol
from harness.train import Diverged, autocast
from results.record import Test

TOP5_FROM = 6
"""Classes from which top-5 says anything."""


@dataclass(frozen=True)
class Scores:
    """Softmax scores of every view: `views` float32 [videos, views, classes], rows of undecodable videos are NaN."""

    ids: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    views: npt.NDArray[np.float32]
    undecodable: dict[str, str]
    """Videos that did not decode, with the reason."""

    def write(self, path: Path) -> None:
        """Write them as a compressed NumPy file, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.npz")
        try:
            np.savez_compressed(temporary, ids=np.array(self.ids), labels=self.labels, views=self.views)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def file_name(protocol: Protocol) -> str:
    """The name of a protocol's score file."""
    return f"{protocol.clips}x{protocol.crops}-{protocol.size}.npz"


def scores(
    model: nn.Module, views: TestViews, spec: JobSpec, control: Control, watch: Callable[[int, int], None]
) -> Scores:
    """Score every view of every validation video; `watch` is told (videos done, videos).

    Raises Interrupted, TimeLimit, and Diverged where a score is no number.
    """
    videos = views.dataset.val
    shape = (len(videos), views.protocol.clips * views.protocol.crops, len(views.dataset.classes))
    scored = np.full(shape, np.nan, np.float32)
    undecodable: dict[str, str] = {}
    model.eval()
    for indices, clips in _batches(views, spec.resources.micro_batch or spec.recipe.batch_size, undecodable):
        scored[indices] = _softmax(model, clips, spec).reshape(len(indices), *shape[1:])
        if not np.isfinite(scored[indices]).all():
            raise Diverged(f"the model's scores of {videos[indices[0]].id} and its neighbours are no numbers")
        watch(indices[-1] + 1, len(videos))
        control.check()
    labels = np.array([video.label for video in videos], np.int64)
    return Scores(tuple(video.id for video in videos), labels, scored, undecodable)


def _batches(
    views: TestViews, clips_at_once: int, undecodable: dict[str, str]
) -> Iterator[tuple[list[int], npt.NDArray[np.uint8]]]:
    """Indices of some videos and all their views, uint8 [(video view) t h w c], about `clips_at_once` together."""
    indices: list[int] = []
    held: list[npt.NDArray[np.uint8]] = []
    for index, video in enumerate(views.dataset.val):
        try:
            held.append(views.views(index))
            indices.append(index)
        except DecodeError as error:
            undecodable[video.id] = error.reason
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
