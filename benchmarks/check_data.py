"""How long `data check` takes on a large list: every file opened once, and again from the index.

    python benchmarks/check_data.py [VIDEOS] [WORKERS]        default 100,000 and 2

The videos are copies of one embedded clip (hard links), in the format of Kinetics, so disk and network are not in it.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness.data import embedded

CLASSES = 400


def write(folder: Path, videos: int) -> None:
    clip = next((embedded.ensure("motion", folder) / "videos").glob("*.mp4"))
    (folder / "videos").mkdir()
    val = videos // 13
    for split, count in (("train", videos - val), ("val", val)):
        lines = []
        for number in range(count):
            name = f"videos/{split}_{number:06}.mp4"
            if number % 60000 == 0:  # file systems bound the links of one file
                original = folder / f"{split}_{number}.mp4"
                original.write_bytes(clip.read_bytes())
            os.link(original, folder / name)
            lines.append(f"{name} {number % CLASSES}\n")
        (folder / f"{split}.csv").write_text("".join(lines), encoding="utf-8")
    (folder / "datasets.yaml").write_text("k400: {root: .}\n", encoding="utf-8")


def main(videos: int, workers: int) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write(folder, videos)
        command = [sys.executable, "-m", "harness", "data", "check", "k400", "--workers", str(workers)]
        command += ["--datasets", str(folder / "datasets.yaml"), "--root", str(folder / "runs"), "--json"]
        for what in ("first", "again"):
            began = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
            seconds = time.perf_counter() - began
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**10
            print(f"{what}: {videos:,} videos in {seconds:.1f} s ({videos / seconds:,.0f} a second), {workers} workers,")
            print(f"       at most {peak:.0f} MiB in one process")


if __name__ == "__main__":
    main(*(int(word) for word in (sys.argv[1:3] + ["100000", "2"][len(sys.argv) - 1 :])))
