"""Testing: every validation video once, all its views from one decode, softmax averaged over them.

Scores are kept in files of their own (`results.scores`), finished or not, one for each crop size. A test that was
stopped goes on where it was; one that is finished is never repeated, also where its job has no record yet; and a
protocol that is asked for later only adds the views that are not scored.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from harness.control import Control, TimeLimit
from harness.data.augment import to_input
from harness.data.pool import Lost, Pool
from harness.data.tasks import Undecodable, View, Views
from harness.data.videos import digest
from harness.data.views import TestViews
from harness.errors import Interrupted
from harness.spec import JobSpec
from harness.step import autocast
from harness.train import Diverged
from results.scores import Scores, file_name, protocol_name
from results.scores import read as scores_in

VIEWS_PER_TRAINING_CLIP = 4
"""Views that are on a device together for each clip in training, where a clip holds all that its backward pass needs
and each weight has a gradient and a momentum beside it. Where training has one clip on a GPU, one view idles it."""

Watch = Callable[[int, int, float], None]
"""Told after every batch: videos that are done, videos in all, seconds that took."""


@dataclass(frozen=True)
class _Asked:
    """One view that is to be scored, and what of its video is finished with it."""

    video: int
    view: View
    clip: Tensor
    """uint8 [t h w c], on the model's device."""
    finishes: tuple[tuple[float, ...], ...] | None
    """The positions of each protocol, with a video's last view."""


def started(weights_sha256: str, views: TestViews, folder: Path) -> Scores:
    """The scores of these weights for these videos that lie in `folder`; without any where there are none of them."""
    videos = views.dataset.val
    of: dict[str, str | int] = {
        "weights_sha256": weights_sha256,
        "videos_digest": digest(videos),
        "decoder": views.dataset.decoder,
        "size": views.size,
    }
    labels = np.array([video.label for video in videos], np.int64)
    fresh = Scores(tuple(video.id for video in videos), labels, len(views.dataset.classes), of)
    found = scores_in(folder / file_name(views.size))
    return found if found and (found.ids, found.classes, found.of) == (fresh.ids, fresh.classes, of) else fresh


def scores(
    model: nn.Module,
    scored: Scores,
    views: TestViews,
    spec: JobSpec,
    folder: Path,
    control: Control,
    watch: Watch,
    pool: Pool,
) -> Scores:
    """Add to `scored`, and to its file in `folder`, every view that it lacks of these protocols; returns it.

    Raises Interrupted or TimeLimit (after saving), and Diverged where a score is no number.
    """
    names = [protocol_name(protocol.clips, protocol.crops) for protocol in views.protocols]
    taken = [scored.taken.setdefault(name, {}) for name in names]
    wanted = _unfinished(scored, names)
    if not wanted:
        return scored
    before = {index: len(scored.ids) - len(wanted) + place for place, index in enumerate(wanted)}
    path = folder / file_name(views.size)
    before_s, began = scored.seconds, time.monotonic()
    saved_at = began
    model.eval()
    asked = _asked(scored, views, wanted, names, pool, next(model.parameters()).device)
    for batch in _batches(asked, VIEWS_PER_TRAINING_CLIP * spec.device_batch):
        found = _softmax(model, torch.stack([each.clip for each in batch]), spec)
        if not np.isfinite(found).all():
            raise Diverged(f"the model's scores of {scored.ids[batch[0].video]} and its neighbours are no numbers")
        scored.add([each.video for each in batch], [each.view.key for each in batch], found)
        for each in batch:
            for protocol, positions in zip(taken, each.finishes or (), strict=False):
                protocol[each.video] = positions
        scored.seconds = before_s + time.monotonic() - began
        watch(before[batch[-1].video] + (batch[-1].finishes is not None), len(scored.ids), scored.seconds)
        try:
            control.check()
        except (Interrupted, TimeLimit):
            scored.write(path, compressed=False)
            raise
        if time.monotonic() - saved_at > spec.resources.checkpoint_s:
            scored.write(path, compressed=False)
            saved_at = time.monotonic()
    scored.write(path)
    return scored


def _unfinished(scored: Scores, names: list[str]) -> list[int]:
    """The videos of which not all is known that these protocols ask."""
    return [
        index
        for index, name in enumerate(scored.ids)
        if name not in scored.undecodable and not all(index in scored.taken[each] for each in names)
    ]


def _asked(
    scored: Scores, views: TestViews, wanted: list[int], names: list[str], pool: Pool, device: torch.device
) -> Iterator[_Asked]:
    """The views that are to be scored, video by video in the data set's order."""
    for index, read in zip(wanted, views.read(wanted, scored.keys(), pool), strict=True):
        if isinstance(read, Undecodable | Lost):
            scored.undecodable[scored.ids[index]] = read.reason
            continue
        if not read.views:  # a new protocol whose views others have had
            for name, positions in zip(names, read.positions, strict=True):
                scored.taken[name][index] = positions
            continue
        on_device = torch.from_numpy(read.frames).to(device)
        for view in read.views:
            finishes = read.positions if view is read.views[-1] else None
            yield _Asked(index, view, _clip(on_device, read, view), finishes)


def _clip(frames: Tensor, read: Views, view: View) -> Tensor:
    """`Views.crop` on a device."""
    rows, columns = slice(view.top, view.top + read.size), slice(view.left, view.left + read.size)
    return frames[torch.from_numpy(view.frames).to(frames.device)][:, rows, columns]


def _batches(asked: Iterator[_Asked], size: int) -> Iterator[list[_Asked]]:
    """So many views together, of one video or of several; a test that goes on gets the batches that follow."""
    held: deque[_Asked] = deque()
    for each in asked:
        held.append(each)
        if len(held) == size:
            yield list(held)
            held.clear()
    if held:
        yield list(held)


def _softmax(model: nn.Module, clips: Tensor, spec: JobSpec) -> npt.NDArray[np.float32]:
    with torch.inference_mode(), autocast(clips.device, spec.precision):
        logits = model(to_input(clips, spec.clip.mean, spec.clip.std, spec.clip.bgr))
    softmax: npt.NDArray[np.float32] = logits.float().softmax(dim=-1).cpu().numpy()
    return softmax
