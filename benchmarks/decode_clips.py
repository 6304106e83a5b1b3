"""Decoding against what it is to be quicker than, side by side in one run; medians of repeats that take turns.

    PYTHONPATH=. python benchmarks/decode_clips.py [testing|training|embedded ...]

testing    videos a second for 10 clips x 3 crops: one decode of a video for all views, against one for each view
training   clips a second: only what is needed, against decoding the whole video with PyAV and picking frames then
embedded   milliseconds a clip of the embedded sets, against decord's own `get_batch`
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import decord
import numpy as np

from harness.data.datasets import open_dataset
from harness.data.decode import open_video
from harness.data.pool import Pool
from harness.data.sampling import crop_offsets, dense_indices, frame_step, middle_or_spread_starts, short_side_size

FRAMES, SIZE = 8, 224
STRIDES = (32, 8)
CLIPS, CROPS = 10, 3
ROUNDS = 7

Task = tuple[str, str, int, int]
"""Path, decoder, a number to draw by and a stride."""


def film(path: Path, frames: int = 300, height: int = 256, width: int = 340) -> Path:
    """Ten seconds of H.264 as Kinetics is stored: x264's defaults (B-frames, a key frame at least every 250 frames)."""
    generator = np.random.default_rng(len(path.name))
    scene = generator.integers(0, 255, (height // 8 + 12, width // 8 + 50, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "23"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(frames):
            down, right = index % 90, index
            picture = scene[down : down + height, right : right + width] // 2 + generator.integers(
                0, 16, (height, width, 1), dtype=np.uint8
            )
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode())
    return path


def together(task: Task) -> int:
    """All views of a video from one decode."""
    path, decoder, _, stride = task
    video = open_video(Path(path), decoder)
    clips, (height, width) = plan(video, stride)
    frames = video.read(np.concatenate(clips), height, width)
    offsets = crop_offsets(height, width, SIZE, CROPS)
    return sum(part[:, y : y + SIZE, x : x + SIZE].copy().shape[0] for part in np.split(frames, CLIPS) for y, x in offsets)


def apart(task: Task) -> int:
    """A decode for each view, as loaders do whose item is a view: only its frames, and only once scaled."""
    path, decoder, _, stride = task
    total = 0
    for clip in range(CLIPS):
        for crop in range(CROPS):
            video = open_video(Path(path), decoder)
            clips, (height, width) = plan(video, stride)
            top, left = crop_offsets(height, width, SIZE, CROPS)[crop]
            total += video.read(clips[clip], height, width)[:, top : top + SIZE, left : left + SIZE].copy().shape[0]
    return total


def plan(video, stride: int) -> tuple[list[np.ndarray], tuple[int, int]]:
    step = frame_step(stride, video.fps)
    starts = middle_or_spread_starts(video.frames, FRAMES, step, CLIPS)
    clips = [dense_indices(video.frames, FRAMES, step, start) for start in starts]
    return clips, short_side_size(video.height, video.width, SIZE)


def needed(task: Task) -> int:
    """A training clip: only its frames, at the size that it is cut from."""
    path, decoder, seed, stride = task
    video = open_video(Path(path), decoder)
    return video.read(picks(video.frames, video.fps, seed, stride), *short_side_size(video.height, video.width, 240)).shape[0]


def whole(task: Task) -> int:
    """The same clip from all frames of the video, decoded and converted by PyAV as in its manual, then picked."""
    path, _, seed, stride = task
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        rate = float(stream.average_rate)
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    return len([frames[index] for index in picks(len(frames), rate, seed, stride)])


def whole_picked_raw(task: Task) -> int:
    """As `whole`, with no frame converted that is not picked: the least that decoding all can cost."""
    path, _, seed, stride = task
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        rate = float(stream.average_rate)
        frames = list(container.decode(stream))
    return len([frames[index].to_ndarray(format="rgb24") for index in picks(len(frames), rate, seed, stride)])


def picks(length: int, fps: float, seed: int, stride: int) -> np.ndarray:
    step = frame_step(stride, fps)
    start = np.random.default_rng(seed).uniform(0, max(0, length - 1 - step * (FRAMES - 1)))
    return dense_indices(length, FRAMES, step, start)


def rate(function: Callable[[Task], int], tasks: list[Task], pool: Pool) -> float:
    """Tasks a second."""
    began = time.perf_counter()
    assert all(isinstance(result, int) for result in pool.map(function, tasks))
    return len(tasks) / (time.perf_counter() - began)


def compare(title: str, kinds: dict[str, tuple[Callable[[Task], int], list[Task]]], base: str) -> None:
    """Print each kind's median rate with 1 and 2 workers, and its ratio to `base`."""
    for workers in (1, 2):
        with Pool(workers) as pool:
            for function, tasks in kinds.values():  # start the processes, open the files
                list(pool.map(function, tasks[:workers]))
            measured: dict[str, list[float]] = {name: [] for name in kinds}
            for _ in range(ROUNDS):  # turn about, so that a busy moment meets all
                for name, (function, tasks) in kinds.items():
                    measured[name].append(rate(function, tasks, pool))
        middle = {name: statistics.median(values) for name, values in measured.items()}
        for name, value in middle.items():
            print(f"{title}, {workers} workers, {name}: {value:.2f}/s, {value / middle[base]:.2f} x", flush=True)


def testing(folder: Path) -> None:
    paths = [str(film(folder / f"test{'-' * index}.mp4")) for index in range(2)]
    kinds = {}
    for decoder in ("decord", "pyav"):
        tasks = [(path, decoder, 0, STRIDES[0]) for path in paths]
        kinds |= {f"{decoder}, each view": (apart, tasks), f"{decoder}, all views": (together, tasks * 4)}
    compare(f"testing, {CLIPS} clips x {CROPS} crops of {FRAMES} x {STRIDES[0]}", kinds, "decord, each view")


def training(folder: Path) -> None:
    paths = [str(film(folder / f"train{'-' * index}.mp4")) for index in range(4)]
    for stride in STRIDES:
        tasks = {name: [(path, name, seed, stride) for seed, path in enumerate(paths)] for name in ("decord", "pyav")}
        kinds = {
            "whole video, all converted": (whole, tasks["pyav"]),
            "whole video, picks converted": (whole_picked_raw, tasks["pyav"]),
            **{f"{decoder}, what is needed": (needed, tasks[decoder]) for decoder in tasks},
        }
        compare(f"training, {FRAMES} x {stride}", kinds, "whole video, all converted")


def embedded(folder: Path) -> None:
    height, width, indices = 34, 40, np.arange(0, 16, 2)  # a width that get_batch can read: it fails on 24, 48, 72, ...

    def ours(path: Path) -> np.ndarray:
        return open_video(path).read(indices, height, width)

    def get_batch(path: Path) -> np.ndarray:
        reader = decord.VideoReader(str(path), ctx=decord.cpu(0), width=width, height=height, num_threads=1)
        return reader.get_batch(indices.tolist()).asnumpy()

    for name in ("motion", "appearance"):
        paths = [video.path for video in open_dataset(name, cache=folder).train[:200]]
        assert np.array_equal(ours(paths[0]), get_batch(paths[0]))
        times: dict[Callable[[Path], np.ndarray], list[float]] = {ours: [], get_batch: []}
        for _ in range(ROUNDS):
            for read, measured in times.items():
                began = time.perf_counter()
                for path in paths:
                    read(path)
                measured.append((time.perf_counter() - began) / len(paths) * 1000)
        mine, its = (statistics.median(measured) for measured in times.values())
        print(f"embedded, {name}: ours {mine:.2f} ms, get_batch {its:.2f} ms a clip, {its / mine:.2f} x", flush=True)


def main() -> None:
    parts = {"testing": testing, "training": training, "embedded": embedded}
    with tempfile.TemporaryDirectory() as folder:
        for name in sys.argv[1:] or parts:
            parts[name](Path(folder))


if __name__ == "__main__":
    from benchmarks.decode_clips import main as imported  # under a name that other processes can import

    imported()
