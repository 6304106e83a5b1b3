"""Videos and clips a second from 10-second 340 x 256 H.264 files: ours beside the usual ways, in turns, in one run.

    PYTHONPATH=. python benchmarks/decode_clips.py [rounds]

testing   10 clips x 3 crops of a video from one decode, beside a decode for each of the 30 views
training  one clip of 8 frames, 32 and 8 apart, by each decoder, beside two loaders that decode the whole video by PyAV:
          one then picks frames and converts these; the other converts every frame to an array, as PySlowFast's does
          (slowfast/datasets/decoder.py, pyav_decode), and then picks
each with 1 and with 2 processes
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import av
import numpy as np

from harness.data.pool import Pool
from harness.data.sampling import crop_offsets, dense_indices, random_start, short_side_size
from harness.data.tasks import ClipTask, Source, ViewsTask, test_views, train_clip
from harness.data.videos import Decoder

SECONDS, FPS, HEIGHT, WIDTH = 10, 30, 256, 340
VIDEOS, CLIPS, CROPS, FRAMES, STRIDES, SIZE = 12, 10, 3, 8, (32, 8), 224
FEW = 4
"""Videos of a turn of what is slow."""

Task = tuple[Path, int, int]
"""A file, the frames from one of the clip to the next, and what seeds the clip."""


def write(path: Path, seed: int) -> None:
    """Moving noise, blurred: about as many bits as a film of people."""
    generator = np.random.default_rng(seed)
    small = generator.integers(0, 256, (HEIGHT // 8 + 40, WIDTH // 8 + 40, 3), np.uint8)
    still = np.kron(small, np.ones((8, 8, 1), np.uint8))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "24", "preset": "medium"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(SECONDS * FPS):
            top, left = index % 300, index * 2 % 300
            picture = still[top : top + HEIGHT, left : left + WIDTH].astype(np.int16)
            noisy = np.clip(picture + generator.integers(-16, 17, picture.shape), 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(noisy), format="rgb24")))
        container.mux(stream.encode())


def source(path: Path, stride: int = STRIDES[0], decoder: Decoder = "decord") -> Source:
    return Source(path, 0, None, decoder, "dense", FRAMES, stride, SIZE)


def once(path: Path) -> int:
    """All views of a video from one decode."""
    return len(test_views(ViewsTask(source(path), ((CLIPS, CROPS),))).views)


def by_view(task: tuple[Path, list[tuple[float, int]]]) -> int:
    """Each view from a decode of its own, as loaders do that know clips and not videos."""
    path, keys = task
    asked = [ViewsTask(source(path), ((CLIPS, CROPS),), frozenset(keys) - {key}) for key in keys]
    return sum(len(test_views(each).views) for each in asked)


def by_decord(task: Task) -> int:
    path, stride, seed = task
    return len(train_clip(ClipTask(source(path, stride, "decord"), (SIZE, SIZE * 1.25), (seed,))).frames)


def by_pyav(task: Task) -> int:
    path, stride, seed = task
    return len(train_clip(ClipTask(source(path, stride, "pyav"), (SIZE, SIZE * 1.25), (seed,))).frames)


def convert_picked(task: Task) -> int:
    """Decode everything, then pick, and convert what was picked."""
    path, stride, seed = task
    frames = decoded(path)
    return clip([frames[index] for index in picked(len(frames), stride, seed)], seed)


def convert_all(task: Task) -> int:
    """Decode everything, convert everything, then pick."""
    path, stride, seed = task
    arrays = np.stack([frame.to_rgb().to_ndarray() for frame in decoded(path)])
    chosen = arrays[picked(len(arrays), stride, seed)]
    return clip([av.VideoFrame.from_ndarray(array, format="rgb24") for array in chosen], seed)


def decoded(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        container.streams.video[0].thread_count = 1
        return list(container.decode(video=0))


def picked(length: int, stride: int, seed: int) -> list[int]:
    start = random_start(length, FRAMES, stride, np.random.default_rng(seed))
    return dense_indices(length, FRAMES, stride, start).tolist()


def clip(frames: list[av.VideoFrame], seed: int) -> int:
    """Scaled and cropped."""
    height, width = short_side_size(HEIGHT, WIDTH, round(np.random.default_rng(seed).uniform(SIZE, SIZE * 1.25)))
    top, left = crop_offsets(height, width, SIZE, 1)[0]
    made = [frame.reformat(width, height, "rgb24").to_ndarray() for frame in frames]
    return len(np.stack(made)[:, top : top + SIZE, left : left + SIZE])


def rate(pool: Pool, function: Callable, tasks: Iterable) -> float:
    tasks = list(tasks)
    began = time.perf_counter()
    done = list(pool.map(function, tasks))
    assert all(isinstance(each, int) and each for each in done), done
    return len(tasks) / (time.perf_counter() - began)


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.mp4" for number in range(VIDEOS)]
        for number, path in enumerate(paths):
            write(path, number)
        print(f"{VIDEOS} files of {np.mean([path.stat().st_size for path in paths]) / 1e6:.2f} MB")
        for workers in (1, 2):
            with Pool(workers) as pool:
                list(pool.map(once, paths[:workers]))
                test(pool, paths, rounds)
                for stride in STRIDES:
                    train(pool, paths, stride, rounds)


def test(pool: Pool, paths: list[Path], rounds: int) -> None:
    keys = {path: [v.key for v in test_views(ViewsTask(source(path), ((CLIPS, CROPS),))).views] for path in paths[:FEW]}
    mine: list[float] = []
    theirs: list[float] = []
    for _ in range(rounds):
        mine.append(rate(pool, once, paths))
        theirs.append(rate(pool, by_view, keys.items()))
    tell(f"testing, {processes(pool)}: videos/s, one decode", mine, "a decode for each view", theirs)


def train(pool: Pool, paths: list[Path], stride: int, rounds: int) -> None:
    found: dict[Callable[[Task], int], list[float]] = {by_decord: [], by_pyav: [], convert_picked: [], convert_all: []}
    for turn in range(rounds):
        for function, rates in found.items():
            videos = paths[:FEW] if function is convert_all else paths
            rates.append(rate(pool, function, [(path, stride, turn) for path in videos]))
    for mine in (by_decord, by_pyav):
        for theirs in (convert_picked, convert_all):
            what = f"training, {FRAMES} x {stride}, {processes(pool)}: clips/s, {mine.__name__}"
            tell(what, found[mine], theirs.__name__, found[theirs])


def processes(pool: Pool) -> str:
    return f"{pool.workers} process{'es' if pool.workers > 1 else ''}"


def tell(what: str, mine: list[float], other: str, theirs: list[float]) -> None:
    """Medians of the rates, and of the ratios of each turn with their range."""
    ratios = [one / another for one, another in zip(mine, theirs, strict=True)]
    print(
        f"{what} {statistics.median(mine):.2f}, {other} {statistics.median(theirs):.2f}: "
        f"{statistics.median(ratios):.2f} times ({min(ratios):.2f} to {max(ratios):.2f})",
        flush=True,
    )


if __name__ == "__main__":
    from benchmarks import decode_clips  # by the name under which the pool's processes find its functions

    decode_clips.main(int(sys.argv[1]) if sys.argv[1:] else 5)
