"""Milliseconds to decode one training clip of the embedded sets: ours beside decord's own `get_batch`, in one run.

PYTHONPATH=. python benchmarks/decode_clips.py
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import decord
import numpy as np

from harness.data.datasets import open_dataset
from harness.data.decode import open_video

HEIGHT, WIDTH = 34, 40  # a width that decord's get_batch can read: it fails on 24, 48 and 72 among others
ROUNDS, VIDEOS = 7, 200


def ours(path: Path, indices: np.ndarray) -> np.ndarray:
    return open_video(path).read(indices, HEIGHT, WIDTH)


def get_batch(path: Path, indices: np.ndarray) -> np.ndarray:
    reader = decord.VideoReader(str(path), ctx=decord.cpu(0), width=WIDTH, height=HEIGHT, num_threads=1)
    return reader.get_batch(indices.tolist()).asnumpy()


def milliseconds(read: Callable[[Path, np.ndarray], np.ndarray], paths: list[Path], indices: np.ndarray) -> float:
    began = time.perf_counter()
    for path in paths:
        read(path, indices)
    return (time.perf_counter() - began) / len(paths) * 1000


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, indices in (("motion", np.arange(0, 16, 2)), ("appearance", np.arange(0, 16, 2))):
            paths = [video.path for video in open_dataset(name, cache=Path(folder)).train[:VIDEOS]]
            assert np.array_equal(ours(paths[0], indices), get_batch(paths[0], indices))
            times = {read: [] for read in (ours, get_batch)}
            for _ in range(ROUNDS):  # turn about, so that a busy moment meets both
                for read, measured in times.items():
                    measured.append(milliseconds(read, paths, indices))
            mine, its = (statistics.median(times[read]) for read in (ours, get_batch))
            print(f"{name}: ours {mine:.2f} ms, get_batch {its:.2f} ms a clip, ratio {its / mine:.2f}")


if __name__ == "__main__":
    main()
