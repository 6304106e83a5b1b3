"""Testing: every validation video once, all its views from one decode, softmax averaged over them.

Scores are kept in files of their own (`results.scores`), finished or not, one for each crop size. A test that was
stopped goes on where it was; one that is finished is never repeated, also where its job has no record yet; and a
protocol that is asked for later only adds the views that are not scored.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
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
from harness.data.videos import TooManyUndecodable, digest
from harness.data.views import TestViews
from harness.errors import Interrupted
from harness.ranks import ALONE, RankLost, Ranks
from harness.spec import JobSpec
from harness.step import autocast
from harness.train import Diverged
from results.scores import Key, Scores, file_name, protocol_name
from results.scores import read as scores_in

VIEWS_PER_TRAINING_CLIP = 4
"""Views that are on a device together for each clip in training, where a clip holds all that its backward pass needs
and each weight has a gradient and a momentum beside it. Where training has one clip on a GPU, one view idles it."""

PARTS_S = 120.0
"""How long to wait for the scores of other ranks, which have written them."""

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
    """The scores of these weights for these videos that lie in `folder`; without any where there are none of them.

    What several ranks left there in parts is put together.
    """
    videos = views.dataset.val
    of: dict[str, str | int] = {
        "weights_sha256": weights_sha256,
        "videos_digest": digest(videos),
        "decoder": views.dataset.decoder,
        "sampling": views.dataset.sampling,
        "size": views.size,
    }
    labels = np.array([video.label for video in videos], np.int64)
    fresh = Scores(tuple(video.id for video in videos), labels, len(views.dataset.classes), of)
    whole = _fitting(folder / file_name(views.size), fresh)
    parts = [part for path in _parts(folder, views.size) if (part := _fitting(path, fresh))]
    _merge(fresh, [*([whole] if whole else []), *parts])
    fresh.seconds = (whole.seconds if whole else 0.0) + max((part.seconds for part in parts), default=0.0)
    return fresh


def _parts(folder: Path, size: int) -> list[Path]:
    """The score files of single ranks."""
    return sorted(folder.glob(f"{size}.rank*.npz"))


def _part(folder: Path, size: int, rank: int) -> Path:
    return folder / f"{size}.rank{rank}.npz"


def _fitting(path: Path, scored: Scores) -> Scores | None:
    """What a score file holds, where it is whole and of the same weights and videos."""
    found = scores_in(path)
    return found if found and (found.ids, found.classes, found.of) == (scored.ids, scored.classes, scored.of) else None


def _merge(scored: Scores, others: Iterable[Scores]) -> None:
    for other in others:
        scored.merge(other)


def scores(
    model: nn.Module,
    scored: Scores,
    views: TestViews,
    spec: JobSpec,
    folder: Path,
    control: Control,
    watch: Watch,
    pool: Pool,
    ranks: Ranks = ALONE,
) -> Scores:
    """Add to `scored`, and to its file in `folder`, every view that it lacks of these protocols; returns it.

    Videos that did not decode in an earlier attempt are tried again.
    Where several ranks do it, each scores videos of its own, once; the first one's `scored` has them all at the end.
    Raises Interrupted or TimeLimit (after saving), Diverged where a score is no number, and TooManyUndecodable.
    """
    names = [protocol_name(protocol.clips, protocol.crops) for protocol in views.protocols]
    for name in names:
        scored.taken.setdefault(name, {})
    wanted = _unfinished(scored, names)
    ranks.agree("scores", wanted)
    path = folder / file_name(views.size)
    if ranks.rank == 0 and _parts(folder, views.size):
        _write(scored, path, compressed=False)
    if not wanted:
        return scored
    scored.undecodable |= {name: {} for name in names}
    if ranks.world == 1:
        _Scoring(model, scored, views, spec, path).run(wanted, scored.keys(), control, watch, pool)
    else:
        ranks.meet(control.check)  # parts of earlier attempts are put away
        mine = _Scoring(model, scored.empty(), views, spec, _part(folder, views.size, ranks.rank), ranks)
        mine.run(wanted[ranks.rank :: ranks.world], scored.keys(), control, watch, pool)
        mine.save()
        ranks.meet(control.check)
        if ranks.rank:
            return scored
        _collect(scored, [_part(folder, views.size, rank) for rank in range(ranks.world)])
        if not all(_is_known(scored, name) for name in names):
            raise RankLost("a rank's scores are not all there")
    _refuse_many(scored, spec)
    _write(scored, path)
    return scored


def _write(scored: Scores, path: Path, *, compressed: bool = True) -> None:
    """Keep all scores in one file, and no more in parts."""
    scored.write(path, compressed=compressed)
    for each in _parts(path.parent, int(path.stem)):
        each.unlink()


def _collect(scored: Scores, paths: list[Path]) -> None:
    """Add what every rank scored, which a network file system may show late. Raises RankLost where that is missing."""
    deadline = time.monotonic() + PARTS_S
    parts = [_fitting(path, scored) for path in paths]
    while None in parts and time.monotonic() < deadline:
        time.sleep(1)
        parts = [part or _fitting(path, scored) for part, path in zip(parts, paths, strict=True)]
    found = [part for part in parts if part]
    if len(found) < len(paths):
        raise RankLost(f"a rank's scores cannot be read ({paths[parts.index(None)]})")
    _merge(scored, found)
    scored.seconds += max(part.seconds for part in found)


def _refuse_many(scored: Scores, spec: JobSpec) -> None:
    """Raise TooManyUndecodable where a disk or a list is wrong, rather than count what cannot be read as mistakes."""
    allowed = spec.data.max_undecodable
    for failed in scored.undecodable.values():
        if len(failed) > allowed * len(scored.ids):
            name, reason = next(iter(failed.items()))
            raise TooManyUndecodable(len(failed), len(scored.ids), "validation", allowed, name, reason)


@dataclass
class _Scoring:
    """The loop over views, whose results are saved from time to time in a file of its own."""

    model: nn.Module
    scored: Scores
    views: TestViews
    spec: JobSpec
    path: Path
    ranks: Ranks = ALONE

    def save(self) -> None:
        """Keep what is scored so far."""
        self.scored.write(self.path, compressed=False)

    def run(self, wanted: list[int], known: Mapping[int, Set[Key]], control: Control, watch: Watch, pool: Pool) -> None:
        """Score what these videos lack beside the views that are `known`."""
        scored, videos = self.scored, len(self.scored.ids)
        done = {index: videos - self.ranks.world * (len(wanted) - place) for place, index in enumerate(wanted)}
        before_s, began = scored.seconds, time.monotonic()
        saved_at = began
        self.model.eval()
        try:
            for batch in _batches(self._asked(wanted, known, control, pool), self.at_once):
                self._add(batch)
                scored.seconds = before_s + time.monotonic() - began
                last = batch[-1]
                watch(done[last.video] + self.ranks.world * (last.finishes is not None), videos, scored.seconds)
                control.check()
                self.ranks.check()
                if time.monotonic() - saved_at > self.spec.resources.checkpoint_s:
                    self.save()
                    saved_at = time.monotonic()
        except (Interrupted, TimeLimit, TooManyUndecodable, RankLost):
            self.save()
            raise

    @property
    def at_once(self) -> int:
        """Views on the device together."""
        return VIEWS_PER_TRAINING_CLIP * self.spec.device_batch

    def _add(self, batch: list[_Asked]) -> None:
        found = _softmax(self.model, torch.stack([each.clip for each in batch]), self.spec)
        if not np.isfinite(found).all():
            name = self.scored.ids[batch[0].video]
            raise Diverged(f"the model's scores of {name} and its neighbours are no numbers")
        self.scored.add([each.video for each in batch], [each.view.key for each in batch], found)
        for each in batch:
            if each.finishes is not None:
                self._finish(each.video, each.finishes)

    @property
    def names(self) -> list[str]:
        """What the protocols are called."""
        return [protocol_name(protocol.clips, protocol.crops) for protocol in self.views.protocols]

    def _finish(self, video: int, positions: tuple[tuple[float, ...], ...]) -> None:
        """Note a video whose views are all scored, of the protocols whose clips could be read."""
        for name, each in zip(self.names, positions, strict=True):
            if each:
                self.scored.taken.setdefault(name, {})[video] = each

    def _fail(self, video: int, reasons: Mapping[int, str]) -> None:
        """Note a video of which the clips of some protocols, by their places, could not be read."""
        for place, reason in reasons.items():
            self.scored.undecodable.setdefault(self.names[place], {})[self.scored.ids[video]] = reason
        _refuse_many(self.scored, self.spec)

    def _asked(
        self, wanted: list[int], known: Mapping[int, Set[Key]], control: Control, pool: Pool
    ) -> Iterator[_Asked]:
        """The views that are to be scored, video by video in the data set's order."""
        device = next(self.model.parameters()).device
        for index, read in zip(wanted, self.views.read(wanted, known, pool), strict=True):
            if isinstance(read, Undecodable | Lost):
                self._fail(index, dict.fromkeys(range(len(self.views.protocols)), read.reason))
                control.check()  # no batch may come of many videos
                continue
            if read.failed:
                self._fail(index, read.failed)
            if not read.views:  # a new protocol whose views others have had
                self._finish(index, read.positions)
                continue
            on_device = torch.from_numpy(read.frames).to(device)
            for view in read.views:
                finishes = read.positions if view is read.views[-1] else None
                yield _Asked(index, view, _clip(on_device, read, view), finishes)


def _unfinished(scored: Scores, names: list[str]) -> list[int]:
    """The videos of which not all is known that these protocols ask."""
    return [index for index in range(len(scored.ids)) if not all(index in scored.taken[each] for each in names)]


def _is_known(scored: Scores, name: str) -> bool:
    """Whether every video is scored for a protocol, or named as undecodable."""
    taken, undecodable = scored.taken[name], scored.undecodable[name]
    return all(index in taken or id_ in undecodable for index, id_ in enumerate(scored.ids))


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
