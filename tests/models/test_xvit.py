"""X-ViT against a plain transcription of its description, under the released names, frame by frame."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models import registry
from models.catalog import SIZES, XViTOptions
from models.registry import ModelError
from models.xvit import shift
from tests.models.peers import from_peer, released_xvit

WIDTH, DEPTH, HEADS, PATCH = SIZES["demo"]


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Of one frame, `s d`, head by head."""
    e = WIDTH // HEADS
    heads = [slice(n * e, (n + 1) * e) for n in range(HEADS)]
    return torch.cat([(q[:, h] @ k[:, h].T / e**0.5).softmax(-1) @ v[:, h] for h in heads], dim=-1)


def block(
    state: dict[str, Tensor], prefix: str, tokens: list[Tensor], window: int, share: int, eps: float
) -> list[Tensor]:
    """One block on a list of frames, keys and values mixed within each `window` frames."""
    norm = [
        F.layer_norm(x, (WIDTH,), state[f"{prefix}norm1.weight"], state[f"{prefix}norm1.bias"], eps) for x in tokens
    ]
    qkv = [F.linear(x, state[f"{prefix}attn.qkv.weight"], state.get(f"{prefix}attn.qkv.bias")) for x in norm]
    out = []
    fold = WIDTH // share if share else 0
    for t, x in enumerate(tokens):
        q, mixed = qkv[t][:, :WIDTH], []
        for part in (1, 2):
            own = qkv[t][:, part * WIDTH : (part + 1) * WIDTH].clone()
            first, last = t % window == 0, t % window == window - 1
            if share:
                after = torch.zeros(len(x), fold) if last else qkv[t + 1][:, part * WIDTH : part * WIDTH + fold]
                before = (
                    torch.zeros(len(x), fold) if first else qkv[t - 1][:, part * WIDTH + fold : part * WIDTH + 2 * fold]
                )
                own[:, :fold], own[:, fold : 2 * fold] = after, before
            mixed.append(own)
        x = x + F.linear(attend(q, *mixed), state[f"{prefix}attn.proj.weight"], state[f"{prefix}attn.proj.bias"])
        y = F.layer_norm(x, (WIDTH,), state[f"{prefix}norm2.weight"], state[f"{prefix}norm2.bias"], eps)
        y = F.gelu(F.linear(y, state[f"{prefix}mlp.fc1.weight"], state[f"{prefix}mlp.fc1.bias"]))
        out.append(x + F.linear(y, state[f"{prefix}mlp.fc2.weight"], state[f"{prefix}mlp.fc2.bias"]))
    return out


def described(state: dict[str, Tensor], clip: Tensor, window: int, share: int) -> Tensor:
    """Logits of one clip `c t h w`."""
    tokens = []
    embedded = state["base_model.temp_embed"].shape[1]
    for t in range(clip.shape[1]):
        conv = F.conv2d(clip[:, t][None], state["base_model.patch_embed.proj.weight"],
                        state["base_model.patch_embed.proj.bias"], stride=PATCH)  # fmt: skip
        x = torch.cat([state["base_model.cls_token"][0], conv.flatten(2)[0].T]) + state["base_model.pos_embed"][0]
        tokens.append(x + state["base_model.temp_embed"][0, t % embedded])
    for index in range(DEPTH):
        tokens = block(state, f"base_model.blocks.{index}.", tokens, window, share, 1e-6)
    norm = state["base_model.norm.weight"], state["base_model.norm.bias"]
    frames = torch.stack([F.layer_norm(x[0], (WIDTH,), *norm, 1e-6) for x in tokens])
    (x,) = block(
        state, "consensus.temporal_encoder.0.", [torch.cat([state["consensus.cls_token"][0], frames])], 1, 0, 1e-5
    )
    x = F.layer_norm(x[0], (WIDTH,), state["consensus.mlp_head.0.weight"], state["consensus.mlp_head.0.bias"], 1e-5)
    x = F.gelu(F.linear(x, state["consensus.mlp_head.1.weight"], state["consensus.mlp_head.1.bias"]))
    return F.linear(x, state["consensus.mlp_head.4.weight"], state["consensus.mlp_head.4.bias"])


@pytest.mark.parametrize(
    ("windows", "embedded", "mixed", "share"),
    [("clip", 16, 16, 8), ("released_kinetics", 8, 8, 8), ("released_ssv2", 8, 16, 4)],
)
def test_logits_are_those_of_the_description(windows, embedded, mixed, share):
    state = released_xvit(embedded, 5, 2)
    options = XViTOptions.model_validate({"size": "demo", "windows": windows, "shift_div": share})
    ours = from_peer(options, 16, 16, 5, state)
    clip = torch.randn(2, 3, 16, 16, 16)
    with torch.no_grad():
        expected = torch.stack([described(state, each, mixed, share) for each in clip])
        torch.testing.assert_close(ours(clip), expected, rtol=1e-4, atol=1e-4)
    assert expected.std() > 0.1


def test_released_windows_are_not_the_clip():
    state = released_xvit(8, 5, 2)
    clip = torch.randn(1, 3, 16, 16, 16)
    kinetics, ssv2 = (
        from_peer(XViTOptions.model_validate({"size": "demo", "windows": each}), 16, 16, 5, state)
        for each in ("released_kinetics", "released_ssv2")
    )
    assert not torch.allclose(kinetics(clip), ssv2(clip), rtol=1e-3, atol=1e-3)
    with pytest.raises(ModelError, match="they need `windows: released_kinetics`"):
        from_peer(XViTOptions(size="demo"), 16, 16, 5, state)


@given(st.integers(1, 5), st.integers(2, 8))
def test_a_shift_moves_channels_between_neighbours_only(frames, share):
    clip = torch.arange(frames * 16, dtype=torch.float32).reshape(1, frames, 1, 16)
    moved, fold = shift(clip, share), 16 // share
    for t in range(frames):
        after = clip[0, t + 1, 0, :fold] if t + 1 < frames else torch.zeros(fold)
        before = clip[0, t - 1, 0, fold : 2 * fold] if t else torch.zeros(fold)
        assert torch.equal(moved[0, t, 0], torch.cat([after, before, clip[0, t, 0, 2 * fold :]]))


def test_released_windows_take_whole_windows_only():
    with pytest.raises(ModelError, match="12 is not a multiple of the 8 frames of released_kinetics windows"):
        registry.build(XViTOptions(size="demo", windows="released_kinetics"), 12, 32, 4)


@pytest.mark.parametrize("init", ["released", "scratch"])
def test_the_start(init):
    torch.manual_seed(0)
    model = registry.build(XViTOptions.model_validate({"size": "demo", "init": init}), 8, 32, 4)
    state = model.state_dict()
    released = init == "released"
    assert state["blocks.0.mlp.fc2.weight"].std().item() == pytest.approx(0.02 if released else WIDTH**-0.5, rel=0.05)
    assert bool(state["temp_embed"].any()) is not released
    assert bool(state["head.cls_token"].any()) is not released
    # torch's own start is uniform within 1 / sqrt(inputs), biases too.
    inner = state["head.block.mlp.fc2.weight"]
    assert (inner.abs().max().item() <= (4 * WIDTH) ** -0.5) is released
    assert inner.std().item() == pytest.approx((12 * WIDTH) ** -0.5 if released else WIDTH**-0.5, rel=0.05)
    assert bool(state["head.classifier.bias"].any()) is released
    assert "head.block.attn.qkv.bias" not in state
