"""Videos and clips a second from 10-second 340 x 256 H.264 files: ours beside the usual ways, in turns, in one run.

    PYTHONPATH=. python benchmarks/decode_clips.py [rounds]

testing   10 clips x 3 crops of a video from one decode, beside a decode for each of the 30 views
training  one clip of 8 frames, beside a loader that decodes the whole video by PyAV, then picks frames and converts
          these (PySlowFast's converts every frame, and takes several times as long)
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

SECONDS, FPS, HEIGHT, WIDTH = 10, 30, 256, 340
VIDEOS, CLIPS, CROPS, FRAMES, STRIDE, SIZE = 12, 10, 3, 8, 32, 224


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


def source(path: Path) -> Source:
    return Source(path, 0, None, "decord", "dense", FRAMES, STRIDE, SIZE)


def once(path: Path) -> int:
    """All views of a video from one decode."""
    return len(test_views(ViewsTask(source(path), ((CLIPS, CROPS),))).views)


def by_view(task: tuple[Path, list[tuple[float, int]]]) -> int:
    """Each view from a decode of its own, as loaders do that know clips and not videos."""
    path, keys = task
    asked = [ViewsTask(source(path), ((CLIPS, CROPS),), frozenset(keys) - {key}) for key in keys]
    return sum(len(test_views(each).views) for each in asked)


def ours(task: tuple[Path, int]) -> int:
    path, seed = task
    return len(train_clip(ClipTask(source(path), (SIZE, SIZE * 1.25), (seed,))).frames)


def whole(task: tuple[Path, int]) -> int:
    """Decode everything, then pick, scale and crop."""
    path, seed = task
    generator = np.random.default_rng(seed)
    with av.open(str(path)) as container:
        container.streams.video[0].thread_count = 1
        frames = list(container.decode(video=0))
    picked = dense_indices(len(frames), FRAMES, STRIDE, random_start(len(frames), FRAMES, STRIDE, generator))
    height, width = short_side_size(HEIGHT, WIDTH, round(generator.uniform(SIZE, SIZE * 1.25)))
    top, left = crop_offsets(height, width, SIZE, 1)[0]
    made = [frames[index].reformat(width, height, "rgb24").to_ndarray() for index in picked.tolist()]
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
        keys = {path: [v.key for v in test_views(ViewsTask(source(path), ((CLIPS, CROPS),))).views] for path in paths}
        print(f"{VIDEOS} files of {np.mean([path.stat().st_size for path in paths]) / 1e6:.2f} MB")
        for workers in (1, 2):
            with Pool(workers) as pool:
                list(pool.map(once, paths[:workers]))
                found: dict[str, list[float]] = {"once": [], "by view": [], "ours": [], "whole": []}
                for turn in range(rounds):
                    found["once"].append(rate(pool, once, paths))
                    found["by view"].append(rate(pool, by_view, [(path, keys[path]) for path in paths[:2]]))
                    found["ours"].append(rate(pool, ours, [(path, turn) for path in paths]))
                    found["whole"].append(rate(pool, whole, [(path, turn) for path in paths]))
            tell("testing, videos/s", workers, found["once"], found["by view"])
            tell("training, clips/s", workers, found["ours"], found["whole"])


def tell(what: str, workers: int, mine: list[float], theirs: list[float]) -> None:
    ratios = [one / other for one, other in zip(mine, theirs, strict=True)]
    print(
        f"{what}, {workers} worker{'s' if workers > 1 else ''}: {statistics.median(mine):.2f} beside "
        f"{statistics.median(theirs):.2f}: {statistics.median(ratios):.2f} times "
        f"({min(ratios):.2f} to {max(ratios):.2f})"
    )


if __name__ == "__main__":
    from benchmarks import decode_clips  # by the name under which the pool's processes find its functions

    decode_clips.main(int(sys.argv[1]) if sys.argv[1:] else 5)
