import pytest
import torch
from torch import nn

from models.catalog import I3DOptions, TimeSformerOptions, ViTOptions, XViTOptions
from models.inspect import attention_maps
from models.registry import build
from models.resnet3d import NonLocal


def demo(options) -> nn.Module:
    torch.manual_seed(0)
    return build(options, 8, 32, 4).eval()


def timesformer(attention: str, fused: bool = True) -> nn.Module:
    return demo(TimeSformerOptions(size="demo", attention=attention, init="scratch", drop_path=0.5, fused=fused))


def clips(batch: int = 2) -> torch.Tensor:
    return torch.randn(batch, 3, 8, 32, 32, generator=torch.Generator().manual_seed(1))


# Of 2 clips of 8 frames of 4 x 4 patches, by 4 heads: groups and the tokens of each.
SHAPES = {
    "space": {"attn": (2 * 8, 1 + 16)},
    "joint": {"attn": (2, 1 + 8 * 16)},
    "divided": {"temporal_attn": (2 * 16, 8), "attn": (2 * 8, 1 + 16)},
    "sparse_local_global": {"local_attn": (2 * 4, 8 * 4), "attn": (2 * 8, 1 + 4 * 2 * 2)},
    "axial": {"temporal_attn": (2 * 16, 8), "width_attn": (2 * 32, 4), "attn": (2 * 32, 1 + 4)},
}


@pytest.mark.parametrize("attention", SHAPES)
def test_every_step_of_every_block_has_its_map(attention):
    maps = attention_maps(timesformer(attention), clips())
    expected = {
        f"blocks.{block}.{name}": (groups, 4, count, count)
        for block in range(3)
        for name, (groups, count) in SHAPES[attention].items()
    }
    assert {name: tuple(weights.shape) for name, weights in maps.items()} == expected
    assert list(maps) == list(expected)
    for weights in maps.values():
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))


def test_fused_attention_has_the_maps_of_explicit_attention():
    fused, explicit = (attention_maps(timesformer("divided", fused), clips()) for fused in (True, False))
    torch.testing.assert_close(fused, explicit, rtol=0, atol=1e-5)


def test_a_map_times_the_values_is_what_the_layer_gave():
    model, seen = timesformer("joint", fused=False), {}
    layer = model.blocks[1].attn
    layer.register_forward_hook(lambda module, args, output: seen.update(tokens=args[0], output=output))
    weights = attention_maps(model, clips())["blocks.1.attn"]
    mixed = (weights @ layer.split(seen["tokens"], frames=1)[2]).transpose(1, 2).flatten(2)
    torch.testing.assert_close(layer.proj(mixed), seen["output"], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (ViTOptions(size="demo", init="scratch"), 3),
        (XViTOptions(size="demo", init="scratch"), 3 + 1),
        (I3DOptions(size="demo"), 0),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_other_models_have_maps_where_they_attend(options, count):
    maps = attention_maps(demo(options), clips())
    assert len(maps) == count
    for weights in maps.values():
        assert weights.ndim == 4
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))


def test_non_local_blocks_have_maps_too():
    torch.manual_seed(0)
    maps = attention_maps(nn.Sequential(NonLocal(4, softmax=True)), torch.randn(2, 4, 3, 4, 6))
    assert maps["0"].shape == (2, 1, 3 * 4 * 6, 3 * 2 * 3)
    torch.testing.assert_close(maps["0"].sum(-1), torch.ones(2, 1, 72))


def test_the_model_is_left_as_it_was():
    model = timesformer("divided").train()
    model.head.eval()
    maps = attention_maps(model, clips())
    assert not any(weights.requires_grad for weights in maps.values())
    assert model.training
    assert model.blocks[2].drop_path.training
    assert not model.head.training
    assert not any(module._forward_pre_hooks for module in model.modules())
    again = attention_maps(model, clips())
    assert all(torch.equal(maps[name], again[name]) for name in maps)  # nothing was dropped


def test_no_hook_stays_where_the_model_refuses_the_clip():
    model = timesformer("divided").train()
    with pytest.raises(ValueError, match="not a multiple"):
        attention_maps(model, clips()[..., :30])
    assert model.training
    assert not any(module._forward_pre_hooks for module in model.modules())
