import pytest
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

from models.transformer import Attention, Block, DropPath, Mlp, PatchEmbed, initialise, resize_space, resize_time


def attention(fused: bool, width: int = 16, heads: int = 4) -> Attention:
    torch.manual_seed(0)
    return Attention(width, heads, fused)


def tokens(groups: int = 3, count: int = 5, width: int = 16) -> torch.Tensor:
    return 3 * torch.randn(groups, count, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("fused", [True, False])
def test_attention_is_torchs_own(fused):
    ours, theirs = attention(fused), nn.MultiheadAttention(16, 4, batch_first=True)
    theirs.in_proj_weight, theirs.in_proj_bias = ours.qkv.weight, ours.qkv.bias
    theirs.out_proj = ours.proj
    expected, shares = theirs(tokens(), tokens(), tokens(), average_attn_weights=False)
    torch.testing.assert_close(ours(tokens()), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(ours.weights(tokens()), shares, rtol=0, atol=1e-6)


def test_gradients_of_fused_and_explicit_attention_agree():
    grads = []
    for fused in (True, False):
        model, given = attention(fused), tokens().requires_grad_()
        model(given).square().sum().backward()
        grads.append([given.grad, *(parameter.grad for parameter in model.parameters())])
    torch.testing.assert_close(grads[0], grads[1], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("fused", [True, False])
def test_weights_are_what_the_output_is_made_of(fused):
    model = attention(fused)
    weights = model.weights(tokens())
    assert weights.shape == (3, 4, 5, 5)
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 4, 5))
    values = model.split(tokens(), frames=1)[2]
    mixed = rearrange(weights @ values, "g n s e -> g s (n e)")
    torch.testing.assert_close(model(tokens()), model.proj(mixed), rtol=0, atol=1e-5)


def test_a_block_adds_its_attention_then_its_mlp():
    torch.manual_seed(0)
    block = Block(Attention(16, 4, fused=False), 16, 0.0)
    nn.init.normal_(block.norm2.bias)
    mixed = tokens() + block.attn(block.norm1(tokens()))
    torch.testing.assert_close(block(tokens()), mixed + block.mlp(block.norm2(mixed)), rtol=0, atol=1e-5)


def test_the_mlp_has_the_exact_gelu_between_its_layers():
    torch.manual_seed(0)
    mlp = Mlp(16)
    hidden = tokens() @ mlp.fc1.weight.T + mlp.fc1.bias
    exact = hidden * (1 + torch.erf(hidden / 2**0.5)) / 2
    torch.testing.assert_close(mlp(tokens()), exact @ mlp.fc2.weight.T + mlp.fc2.bias, rtol=0, atol=1e-5)


def test_patches_are_embedded_as_by_the_convolution():
    torch.manual_seed(0)
    embed, clip = PatchEmbed(16, patch=4), torch.randn(2, 3, 2, 8, 12)
    frames = F.conv2d(rearrange(clip, "b c t h w -> (b t) c h w"), embed.proj.weight, embed.proj.bias, stride=4)
    torch.testing.assert_close(embed(clip), rearrange(frames, "(b t) d h w -> b t h w d", t=2), rtol=0, atol=1e-5)


def test_embeddings_are_resized_to_the_nearest():
    time = torch.arange(4.0).reshape(1, 4, 1)
    assert resize_time(time, 8).flatten().tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert resize_time(time, 2).flatten().tolist() == [0, 2]
    space = torch.tensor([1.0, 2, 3, 4]).reshape(1, 4, 1)
    assert resize_space(space, 2, 4, "nearest").reshape(2, 4).tolist() == [[1, 1, 2, 2], [3, 3, 4, 4]]
    assert resize_space(space, 4, 4, "nearest").reshape(4, 4)[:, 0].tolist() == [1, 1, 3, 3]


def test_drop_path_drops_rows_and_keeps_the_mean():
    torch.manual_seed(0)
    drop, rows = DropPath(0.25), torch.ones(4000, 2, 3)
    dropped = drop(rows)
    assert torch.equal(dropped, dropped[:, :1, :1].expand_as(rows))
    assert dropped.unique().tolist() == pytest.approx([0, 4 / 3])
    assert dropped.mean().item() == pytest.approx(1, abs=0.05)
    assert drop.eval()(rows) is rows


@pytest.mark.parametrize(("init", "spread", "time"), [("released", 0.02, 0.0), ("scratch", 64**-0.5, 0.5)])
def test_how_a_model_starts(init, spread, time):
    model = nn.Module()
    model.fc = nn.Linear(256, 64)  # as an MLP's second layer: by the model's width, not by what it is given
    model.pos_embed = nn.Parameter(torch.full((1, 64, 64), 9.0))
    model.time_embed = nn.Parameter(torch.full((1, 64, 64), 9.0))
    torch.manual_seed(0)
    initialise(model, 64, init)
    assert model.fc.weight.std().item() == pytest.approx(spread, rel=0.05)
    assert model.fc.bias.abs().max() == 0
    assert model.pos_embed.std().item() == pytest.approx(0.5 if init == "scratch" else 0.02, rel=0.05)
    assert model.time_embed.std().item() == pytest.approx(time, rel=0.05)
