"""Every architecture's multiply-adds by a second counter, and the relations that the paper draws in Figure 3."""

import warnings

import pytest
import torch

from harness import cost
from models import registry
from models.catalog import (
    I3DOptions,
    Options,
    SlowFastOptions,
    TimeSformerOptions,
    ViTOptions,
    X3DOptions,
    XViTOptions,
)

VARIANTS = [
    ViTOptions(size="demo"),
    XViTOptions(size="demo"),
    XViTOptions(size="demo", fused=False),
    I3DOptions(size="demo", non_local=True),
    I3DOptions(non_local=True),
    SlowFastOptions(size="demo", non_local=True),
    SlowFastOptions(non_local=True),
    X3DOptions(size="demo"),
    X3DOptions(size="s"),
]

UNCOUNTED = ("batch_norm", "layer_norm", "adaptive_avg_pool3d", "upsample_bicubic2d")
"""What fvcore counts and the papers do not."""


@pytest.mark.parametrize("options", VARIANTS, ids=lambda each: f"{each.name}-{each.size}")
def test_fvcore_counts_the_same(options: Options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch.jit, which fvcore traces with
        from fvcore.nn import FlopCountAnalysis
    model = registry.build(options, 16, 64, 4).eval()
    analysis = FlopCountAnalysis(model, torch.zeros(1, 3, 16, 64, 64))
    analysis.set_op_handle("aten::scaled_dot_product_attention", fused_products)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        by_operator = analysis.by_operator()
    theirs = sum(n for operator, n in by_operator.items() if operator not in UNCOUNTED)
    assert cost.count(options, 16, 64, 4).multiply_adds == pytest.approx(theirs, rel=1e-9)


def fused_products(inputs, outputs) -> int:
    groups, heads, queries, width = inputs[0].type().sizes()
    return 2 * groups * heads * queries * inputs[1].type().sizes()[2] * width


def gigamacs(attention: str, frames: int, size: int) -> float:
    options = TimeSformerOptions.model_validate({"attention": attention})
    return cost.count(options, frames, size, 400).multiply_adds / 1e9


def test_divided_costs_more_than_joint_at_224_pixels_and_less_before_336():
    assert gigamacs("divided", 8, 224) == pytest.approx(195.8, rel=0.005)
    assert gigamacs("joint", 8, 224) == pytest.approx(179.6, rel=0.005)
    assert gigamacs("space", 8, 224) == pytest.approx(140.5, rel=0.005)
    assert gigamacs("divided", 8, 320) < gigamacs("joint", 8, 320)


@pytest.mark.parametrize("options", [each for each in VARIANTS if each.name in ("vit", "xvit")], ids=lambda o: o.name)
def test_attention_has_its_share(options):
    counted = cost.count(options, 16, 64, 4)
    assert 0 < counted.attention_multiply_adds < counted.multiply_adds
