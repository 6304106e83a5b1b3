"""`weights`, on real files."""

import json

import pytest
import torch

from models import registry
from models.catalog import SlowFastOptions
from tests.harness.verbs.conftest import harness


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "demo.pyth"
    torch.save({"model_state": registry.build(SlowFastOptions(size="demo"), 8, 32, 6).state_dict()}, path)
    return path


def test_it_tells_the_format_and_the_model(checkpoint):
    ended = harness("weights", checkpoint)
    assert ended.returncode == 0
    assert f"{checkpoint}: SlowFast, ours" in ended.stdout
    assert "{name: slowfast, size: demo, weights: " in ended.stdout
    assert "For other classes: `new_head: true` beside `weights`" in ended.stdout
    facts = json.loads(harness("weights", checkpoint, "--json").stdout)
    assert facts["fits"] == [
        {"model": {"name": "slowfast", "size": "demo"}, "frames": None, "size": None, "classes": 6}
    ]
    assert facts["nearest"] == []


def test_what_fits_nothing_says_so_with_exit_code_1(tmp_path):
    torch.save({"a.weight": torch.zeros(3), "norm.weight": torch.zeros(64)}, tmp_path / "odd.pt")
    ended = harness("weights", tmp_path / "odd.pt")
    assert ended.returncode == 1
    assert "names of no known format; nearest: image ViT, timm, with 50% of its names" in ended.stdout
    assert "It fits no model; nearest: {name: " in ended.stdout
    assert "+ unexpected (1): a.weight" in ended.stdout


def test_what_cannot_be_read_is_told_with_exit_code_2(checkpoint):
    checkpoint.write_bytes(checkpoint.read_bytes()[:3000])
    ended = harness("weights", checkpoint)
    assert ended.returncode == 2
    assert f"{checkpoint}: not a checkpoint, or damaged or cut off: " in ended.stderr.replace("\n", "")
