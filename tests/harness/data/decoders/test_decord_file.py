import subprocess
import sys

import numpy as np
import pytest

from harness.data.decode import open_video
from harness.data.decoders.decord_file import DecordFile
from harness.data.decoders.file import DecodeError
from tests.conftest import PROJECT
from tests.harness.data.counters import numbers, write

AFTER = """
import sys
from harness.data.decoders import decord_file
assert "nvidia" not in sys.modules
import torch
from torchvision.transforms import v2
torch.manual_seed(0)
clip = torch.randint(256, (3, 3, 32, 32), dtype=torch.uint8)
for _ in range(20):
    v2.RandAugment()(clip)
a = torch.randn(5, 70, 80)
torch.testing.assert_close(a @ a.mT, torch.einsum("bij,bkj->bik", a, a))
"""


def test_torch_computes_when_it_is_imported_after_decord():
    """decord2 loads NVBLAS where it finds it, which breaks products on the CPU: see the module."""
    ended = subprocess.run([sys.executable, "-c", AFTER], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_gaps_of_any_length_are_skipped_to_the_same_frames(tmp_path):
    video = open_video(write(tmp_path / "v.mp4", 100, 240, 320, g="20", bf="2"))
    assert isinstance(video, DecordFile)
    for indices in ([0, 99], [2, 3, 15, 39, 40, 59], list(range(0, 100, 9)), list(range(40, 52))):
        assert numbers(video.read(np.array(indices), 60, 80)) == indices


def test_damage_is_named_by_its_frame_and_what_lies_before_it_is_read(tmp_path):
    path = write(tmp_path / "v.mp4", 100, g="10", bf="0")
    video = open_video(path)
    data = bytearray(path.read_bytes())
    data[len(data) * 6 // 10 : len(data) * 7 // 10] = bytes(len(data) * 7 // 10 - len(data) * 6 // 10)
    path.write_bytes(data)
    assert numbers(open_video(path).read(np.arange(20), 64, 80)) == list(range(20))
    with pytest.raises(DecodeError, match=r"frame \d+: "):
        video.read(np.arange(100), 64, 80)
