"""A model for the tests of launchers: tiny, random, and in the middle of its training it waits for a test to go on.

`GATED` names a folder. While it holds `closed`, the second step after the first epoch does not end; while it holds
`memory`, that step fails as where memory runs out; while it holds `slow`, every step takes its time.
"""

import os
import time
from pathlib import Path
from typing import Literal

from models.catalog import Options
from models.registry import check_clip, register

FIRST_EPOCH = 3
"""Steps: 12 videos in batches of 4."""


class GatedOptions(Options):
    name: Literal["gated"] = "gated"
    width: int = 8


def build(options: GatedOptions, frames: int, size: int, classes: int):
    from torch import nn

    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.steps = 0
            self.head = nn.Sequential(nn.Linear(3, options.width), nn.Dropout(0.3), nn.Linear(options.width, classes))

        def forward(self, clip):
            check_clip(options, clip)
            if self.training and clip.device.type != "meta":
                self.wait()
            return self.head(clip.mean(dim=(2, 3, 4)))

        def wait(self):
            if self.steps == 0:
                print(f"GPUs {os.environ.get('CUDA_VISIBLE_DEVICES')}", flush=True)
            self.steps += 1
            folder = os.environ.get("GATED")
            if folder and Path(folder, "slow").exists():
                time.sleep(0.5)
            if folder and self.steps > FIRST_EPOCH + 1:
                while Path(folder, "closed").exists():
                    time.sleep(0.05)
                if Path(folder, "memory").exists():
                    raise MemoryError("as a test wants it")

    return Gated()


register("gated", GatedOptions, "gated:build")
