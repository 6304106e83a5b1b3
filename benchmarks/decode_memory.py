"""Memory of one decoding process over thousands of decodes of mixed files: resident MiB as it goes on.

PYTHONPATH=. python benchmarks/decode_memory.py [decodes]
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from harness.data.decode import DecodeError, open_video
from harness.data.pool import Pool
from harness.data.videos import Decoder
from tests.harness.data.counters import KINDS, write

SIZES = ((64, 80), (240, 320), (256, 340), (480, 640))
COPIES = 12
"""Of each file, under its own name: what is remembered of files must not be what grows."""


def decode(task: tuple[str, Decoder, int]) -> int:
    """Resident KiB after reading a clip of a file, at one of several sizes."""
    path, decoder, seed = task
    generator = np.random.default_rng(seed)
    try:
        video = open_video(Path(path), decoder)
        video.read(np.sort(generator.integers(0, video.frames, 8)), *((112, 150), (224, 298), (64, 64))[seed % 3])
    except DecodeError:
        pass
    return resident_kib()


def resident_kib() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def files(folder: Path) -> list[str]:
    """Files of every kind, in several sizes, and some that are cut short."""
    made = []
    for index, (name, options) in enumerate(KINDS.items()):
        height, width = SIZES[index % len(SIZES)]
        good = write(folder / name, 100, height, width, **options).read_bytes()
        for copy in range(COPIES):
            path = folder / f"{copy}_{name}"
            path.write_bytes(good[: len(good) // 2] if copy == 0 else good)
            made.append(str(path))
    return made


def main() -> None:
    decodes = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    with tempfile.TemporaryDirectory() as folder, Pool(1) as pool:
        paths = files(Path(folder))
        order = np.random.default_rng(0).integers(0, len(paths), decodes)
        for decoder in ("decord", "pyav"):
            results = pool.map(decode, ((paths[index], decoder, seed) for seed, index in enumerate(order)))
            mib = [result / 1024 for result in results]
            tenths = [float(np.median(part)) for part in np.array_split(mib, 10)]
            print(
                f"{decoder}: MiB, median of each tenth of {decodes}:", *(f"{value:.0f}" for value in tenths), flush=True
            )
            print(
                f"{decoder}: last tenth to second tenth {tenths[-1] / tenths[1]:.3f}, highest {max(mib):.0f}",
                flush=True,
            )


if __name__ == "__main__":
    from benchmarks.decode_memory import main as imported  # under a name that other processes can import

    imported()
