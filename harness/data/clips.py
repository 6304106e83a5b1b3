"""Training batches and test views: which clip a video gives, and the tensors that hold it.

All randomness of a training clip is a function of (seed, epoch, video), and an epoch's order one of (seed, epoch). A
training that goes on from any position therefore sees the same clips, with nothing random saved, and neither order nor
content depends on how many workers decode.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from harness.data.decode import DecodeError, open_video
from harness.data.sampling import (
    Indices,
    crop_offsets,
    dense_indices,
    frame_step,
    middle_or_spread_starts,
    random_crop_offset,
    random_segment_indices,
    random_start,
    segment_indices,
    short_side_size,
)
from harness.data.videos import Dataset, Video, subset
from harness.spec import Clip, Protocol, Recipe

ORDER, CLIP = 0, 1
"""Streams of randomness; kept apart, so that no clip repeats the numbers that shuffled its epoch."""


@dataclass(frozen=True)
class Batch:
    """Clips uint8 [b t h w c] with labels int64 [b], and the (id, reason) of each video that did not decode."""

    clips: torch.Tensor
    labels: torch.Tensor
    skipped: list[tuple[str, str]]


class TrainClips:
    """The training clips of every epoch, each batch reachable by its position."""

    def __init__(self, dataset: Dataset, clip: Clip, recipe: Recipe, fraction: float, seed: int) -> None:
        self.dataset = dataset
        self.videos = subset(dataset.train, fraction)
        self.clip = clip
        self.recipe = recipe
        self.seed = seed

    @property
    def batches_per_epoch(self) -> int:
        """Batches that hold every video once; the last may be smaller."""
        return -(-len(self.videos) // self.recipe.batch_size)

    def batch(self, epoch: int, position: int) -> Batch:
        """The batch at this position; a video that does not decode is left out of it and named."""
        order = np.random.default_rng([self.seed, epoch, ORDER]).permutation(len(self.videos))
        size = self.recipe.batch_size
        clips: list[npt.NDArray[np.uint8]] = []
        labels: list[int] = []
        skipped: list[tuple[str, str]] = []
        for index in order[position * size : (position + 1) * size].tolist():
            video = self.videos[index]
            try:
                clips.append(self._clip(video, np.random.default_rng([self.seed, epoch, CLIP, index])))
                labels.append(video.label)
            except DecodeError as error:
                skipped.append((video.id, error.reason))
        shape = (0, self.clip.frames, self.clip.size, self.clip.size, 3)
        stacked = np.stack(clips) if clips else np.empty(shape, np.uint8)
        return Batch(torch.from_numpy(stacked), torch.tensor(labels, dtype=torch.int64), skipped)

    def stream(self, epoch: int, start: int = 0, workers: int = 0) -> Iterator[Batch]:
        """The epoch's batches from position `start` on, decoded ahead by `workers` threads (0: when asked for).

        Threads, because decord decodes outside Python's lock: nothing is copied between processes.
        """
        positions = range(start, self.batches_per_epoch)
        if workers == 0:
            yield from (self.batch(epoch, position) for position in positions)
            return
        pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
        ahead: deque[Future[Batch]] = deque()
        try:
            for position in positions:
                ahead.append(pool.submit(self.batch, epoch, position))
                if len(ahead) > workers + 1:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _clip(self, video: Video, generator: np.random.Generator) -> npt.NDArray[np.uint8]:
        """uint8 [t h w c]: a random part of the video, at a random scale, a random crop of it, perhaps mirrored."""
        file = open_video(video.path)
        if self.dataset.sampling == "segment":
            indices = random_segment_indices(file.frames, self.clip.frames, generator)
        else:
            step = frame_step(self.clip.stride, file.fps)
            start = random_start(file.frames, self.clip.frames, step, generator)
            indices = dense_indices(file.frames, self.clip.frames, step, start)
        size, (low, high) = self.clip.size, self.recipe.jitter
        short = round(generator.uniform(size * low, size * high))
        height, width = short_side_size(file.height, file.width, short)
        top, left = random_crop_offset(height, width, size, generator)
        mirrored = generator.random() < 0.5 and self.recipe.flip and self.dataset.flip
        frames = file.read(indices, height, width)[:, top : top + size, left : left + size]
        return frames[:, :, ::-1] if mirrored else frames


class TestViews:
    """The views of every validation video: clips in time x crops in space."""

    __test__ = False  # not a test case, whatever pytest takes its name for

    def __init__(self, dataset: Dataset, clip: Clip, protocol: Protocol) -> None:
        self.dataset = dataset
        self.clip = clip
        self.protocol = protocol

    def __len__(self) -> int:
        return len(self.dataset.val)

    def views(self, index: int) -> npt.NDArray[np.uint8]:
        """uint8 [v t h w c], crops changing fastest, from one decode of the video; raises DecodeError."""
        file = open_video(self.dataset.val[index].path)
        size = self.protocol.size or self.clip.size
        height, width = short_side_size(file.height, file.width, size)
        clips = self._indices(file.frames, file.fps)
        frames = file.read(np.concatenate(clips), height, width)
        offsets = crop_offsets(height, width, size, self.protocol.crops)
        crops = [
            part[:, top : top + size, left : left + size]
            for part in np.split(frames, len(clips))
            for top, left in offsets
        ]
        return np.stack(crops)

    def _indices(self, length: int, fps: float) -> list[Indices]:
        frames, clips = self.clip.frames, self.protocol.clips
        if self.dataset.sampling == "segment":
            return [segment_indices(length, frames, clip, clips) for clip in range(clips)]
        step = frame_step(self.clip.stride, fps)
        starts = middle_or_spread_starts(length, frames, step, clips)
        return [dense_indices(length, frames, step, start) for start in starts]


def to_input(clips: torch.Tensor, mean: float, std: float) -> torch.Tensor:
    """uint8 [b t h w c] as the float32 [b c t h w] that models read, (x / 255 - mean) / std, on its own device."""
    return clips.permute(0, 4, 1, 2, 3).float().mul(1 / (255 * std)).sub(mean / std)
