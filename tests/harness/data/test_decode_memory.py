"""Memory of a decoding process stays what it is, also where reading stops early (PyAV leaks there by itself)."""

from pathlib import Path

import numpy as np
import pytest

from harness.data.decode import open_video
from harness.data.decoders import scan
from harness.data.pool import Pool
from tests.harness.data.counters import write

DECODES = 400


def growth_kib(task):
    """KiB that a process holds more after some hundred openings and reads, of which the first hundred do not count."""
    path, decoder = task
    for decode in range(100 + DECODES):
        if decode == 100:
            before = resident_kib()
        scan.scan.cache_clear()
        scan.scan(Path(path), decode)
        open_video(Path(path), decoder).read(np.array([0, 7, 20]), 48, 60)
    return resident_kib() - before


def resident_kib():
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is read from /proc")
@pytest.mark.parametrize("decoder", ["decord", "pyav"])
def test_memory_does_not_grow_with_the_decodes(tmp_path, decoder):
    path = write(tmp_path / "short.mp4", 40, 64, 80, g="12", bf="2")
    with Pool(1) as pool:
        (grown,) = pool.map(growth_kib, [(str(path), decoder)])
    assert grown < 4096  # a frame of 64 x 80 kept of every read would be 5700 KiB
