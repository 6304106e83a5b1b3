"""Training batches: which clips they hold, in which order, and what is drawn for them.

All randomness of a training clip is a function of (seed, epoch, video), an epoch's order one of (seed, epoch), and what
a batch shares one of (seed, epoch, position). A training that goes on from any position therefore sees the same clips,
with nothing random saved, and neither order nor content depends on how many processes decode. No torch: what is drawn
here is done to the clips on their device, by `harness.data.augment`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import numpy.typing as npt

from harness.data.pool import Lost, Pool
from harness.data.tasks import ClipTask, Frames, Source, TrainClip, Undecodable, train_clip
from harness.data.videos import Dataset, Video, subset
from harness.spec import Clip, Recipe

ORDER, CLIP, AUGMENT, MIX = range(4)
"""Streams of randomness; kept apart, so that what is not asked for changes no number of what is."""

AHEAD_BATCHES = 2
"""Batches whose clips are decoded or being decoded before they are asked for; their frames wait in memory."""


@dataclass(frozen=True)
class Drawn:
    """What was drawn for the clips of a batch and is done to them on their device."""

    mirrored: npt.NDArray[np.bool_]
    """[b]"""
    seeds: npt.NDArray[np.int64]
    """[b], of each clip's augmentation."""
    mix: float = 1.0
    """Each clip's own share; the rest is its partner's, the clip as far from the batch's end as it from the start."""

    def take(self, rows: slice) -> "Drawn":
        """That of some of the clips."""
        return replace(self, mirrored=self.mirrored[rows], seeds=self.seeds[rows])

    def reversed(self) -> "Drawn":
        """That of the clips in reverse order, in which each stands where its partner stood."""
        return self.take(slice(None, None, -1))


@dataclass(frozen=True)
class Batch:
    """Clips uint8 [b t h w c] with labels int64 [b], and the (id, reason) of each video that did not decode."""

    clips: Frames
    labels: npt.NDArray[np.int64]
    skipped: list[tuple[str, str]]
    drawn: Drawn


class TrainClips:
    """The training clips of every epoch, each batch reachable by its position."""

    def __init__(
        self, dataset: Dataset, clip: Clip, recipe: Recipe, fraction: float, seed: int, rank: int = 0, world: int = 1
    ) -> None:
        """Of each batch only what `rank` of `world` processes is to do, where several do a job together."""
        self.dataset = dataset
        self.videos = subset(dataset.train, fraction)
        self.clip = clip
        self.recipe = recipe
        self.seed = seed
        self.rank, self.world = rank, world
        self.lost: dict[str, str] = {}
        """Ids of videos that killed or hung a decoder, with the reason: they are not opened again."""

    @property
    def batches_per_epoch(self) -> int:
        """Batches that hold every video once; the last may be smaller."""
        return -(-len(self.videos) // self.recipe.batch_size)

    def batch(self, epoch: int, position: int) -> Batch:
        """The batch at this position; a video that does not decode is left out of it and named."""
        with Pool(0) as pool:
            return next(self.stream(epoch, position, epoch + 1, pool))

    def alone(self, epoch: int, index: int) -> Batch:
        """The clip of `videos[index]` in an epoch, as a batch of its own, which is mixed with nothing."""
        batch = self._batch(epoch, 0, [index], [train_clip(self._task(epoch, index))])
        return replace(batch, drawn=replace(batch.drawn, mix=1.0))

    def stream(self, epoch: int, start: int, epochs: int, pool: Pool) -> Iterator[Batch]:
        """The batches from position `start` of `epoch` to the end of the last of `epochs`, decoded ahead in the pool.

        One stream for all epochs, so that the next one's first clips are ready when it begins.
        """
        ahead = max(2 * pool.workers, AHEAD_BATCHES * -(-self.recipe.batch_size // self.world))
        results = pool.map(train_clip, self._tasks(epoch, start, epochs), ahead)
        for each, position, indices in self._plan(epoch, start, epochs):
            yield self._batch(each, position, indices, list(islice(results, len(indices))))

    def _plan(self, epoch: int, start: int, epochs: int) -> Iterator[tuple[int, int, list[int]]]:
        """Epoch, position and the videos' indices of each batch, or of this process' part of it."""
        size, mixed = self.recipe.batch_size, self.recipe.mixup > 0
        for each in range(epoch, epochs):
            order = np.random.default_rng([self.seed, each, ORDER]).permutation(len(self.videos))
            for position in range(start if each == epoch else 0, self.batches_per_epoch):
                batch = order[position * size : (position + 1) * size]
                yield each, position, batch[rows(len(batch), self.rank, self.world, mixed=mixed)].tolist()

    def _tasks(self, epoch: int, start: int, epochs: int) -> Iterator[ClipTask]:
        for each, _, indices in self._plan(epoch, start, epochs):
            for index in indices:
                yield self._task(each, index)

    def _task(self, epoch: int, index: int) -> ClipTask:
        video, (low, high) = self.videos[index], self.recipe.jitter
        short = (self.clip.size * low, self.clip.size * high)
        key, lost = (self.seed, epoch, CLIP, index), self.lost.get(video.id, "")
        return ClipTask(source(self.dataset, video, self.clip, self.clip.size), short, key, lost)

    def _batch(
        self, epoch: int, position: int, indices: list[int], results: list[TrainClip | Undecodable | Lost]
    ) -> Batch:
        found: list[tuple[int, TrainClip]] = []
        skipped: list[tuple[str, str]] = []
        for index, result in zip(indices, results, strict=True):
            if isinstance(result, TrainClip):
                found.append((index, result))
                continue
            name = self.videos[index].id
            if isinstance(result, Lost):
                self.lost[name] = result.reason
            skipped.append((name, result.reason))
        shape = (0, self.clip.frames, self.clip.size, self.clip.size, 3)
        clips = np.stack([clip.frames for _, clip in found]) if found else np.empty(shape, np.uint8)
        labels = np.array([self.videos[index].label for index, _ in found], np.int64)
        return Batch(clips, labels, skipped, self._drawn(epoch, position, found))

    def _drawn(self, epoch: int, position: int, found: list[tuple[int, TrainClip]]) -> Drawn:
        flip, alpha = self.recipe.flip and self.dataset.flip, self.recipe.mixup
        seeds = [np.random.default_rng([self.seed, epoch, AUGMENT, i]).integers(2**63 - 1) for i, _ in found]
        mix = np.random.default_rng([self.seed, epoch, MIX, position]).beta(alpha, alpha) if alpha else 1.0
        mirrored = [flip and clip.mirrored for _, clip in found]
        return Drawn(np.array(mirrored, np.bool_), np.array(seeds, np.int64), float(mix))


def rows(count: int, rank: int, world: int, *, mixed: bool = False) -> list[int]:
    """The places in a batch of `count` clips that one of several processes is to do.

    Neighbours stay together, so that one process that does the parts one after another has the same clips on its device
    at once. Where clips are mixed, one's partner is as far from the batch's end as it from the start: both are in one
    part then, of which as many are empty as there are more processes than pairs.
    """
    if not mixed:
        return list(_share(count, rank, world))
    half = _share(-(-count // 2), rank, world)
    return sorted({place for each in half for place in (each, count - 1 - each)})


def _share(count: int, rank: int, world: int) -> range:
    """As equal as can be, the first ones larger: it is the first one's batch norms whose statistics are kept."""
    each, more = divmod(count, world)
    first = rank * each + min(rank, more)
    return range(first, first + each + (rank < more))


def source(dataset: Dataset, video: Video, clip: Clip, size: int) -> Source:
    """What a decoding process must know of a video."""
    return Source(
        video.path, video.first, video.last, dataset.decoder, dataset.sampling, clip.frames, clip.stride, size
    )
