"""Neighbourhoods against the paper's words on every patch of a small grid, rollouts against whole matrices."""

import numpy as np
import pytest
import torch
from einops import rearrange

from harness import attention
from harness.errors import HarnessError
from harness.trained import Clip
from models.catalog import I3DOptions, TimeSformerOptions, ViTOptions
from models.registry import build
from models.timesformer import SCHEMES
from tests.harness.contenders import job_of, suite_of

GRID = (4, 4, 4)


def model_of(scheme, frames=4, size=32, **options):
    torch.manual_seed(0)
    asked = {"size": "demo", "init": "scratch", "drop_path": 0.0} | options
    return build(TimeSformerOptions(attention=scheme, **asked), frames, size, 3).eval()


def same(*axes):
    return lambda q, k: all(q[axis] == k[axis] for axis in axes)


# Section 3 and Figure 2 of the paper; axes 0, 1, 2 are frame, row, column.
CLOSED = {
    "space": {"space": same(0)},
    "joint": {"joint": lambda q, k: True},
    "divided": {"time": same(1, 2), "space": same(0)},
    "sparse_local_global": {
        "local": lambda q, k: q[1] // 2 == k[1] // 2 and q[2] // 2 == k[2] // 2,
        "global": lambda q, k: all((a - b) % 2 == 0 for a, b in zip(q, k, strict=True)),
    },
    "axial": {"time": same(1, 2), "width": same(0, 1), "height": same(0, 2)},
}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("query", [(0, 0, 0), (2, 1, 3), (3, 3, 0)])
def test_neighbourhoods_are_those_that_the_paper_defines(scheme, query):
    found = attention.neighbourhoods(model_of(scheme), GRID, query)
    assert [each.step for each in found] == list(CLOSED[scheme])
    for each in found:
        rule = CLOSED[scheme][each.step]
        expected = {key for key in np.ndindex(GRID) if rule(query, key)}
        assert {tuple(place) for place in np.argwhere(each.patches).tolist()} == expected
    # as released, the class token takes part in the last step alone
    assert [each.class_token for each in found] == [False] * (len(found) - 1) + [True]
    assert found[-1].keys == found[-1].patches.sum() + 1


@pytest.mark.parametrize("scheme", ["divided", "sparse_local_global"])
def test_perturbing_a_patch_changes_the_query_where_its_gradient_says(scheme):
    model, query = model_of(scheme), (1, 2, 1)
    found = attention.neighbourhoods(model, GRID, query)
    block = model.blocks[0]
    patches, class_token = torch.randn(1, *GRID, 64).double(), torch.randn(1, 1, 64).double()
    with torch.inference_mode():
        for step, each in zip(block.steps, found, strict=True):
            before = block.attend(step, class_token, patches)[1][0][query]
            for key in np.ndindex(GRID):
                changed = patches.clone()
                changed[0][key] += 1 - 2 * torch.arange(64) / 64
                after = block.attend(step, class_token, changed)[1][0][query]
                assert bool((after != before).any()) == each.patches[key]


def test_what_has_no_neighbourhood_is_told():
    with pytest.raises(HarnessError, match="the attention over time adds nothing yet"):
        attention.neighbourhoods(model_of("divided", init="released"), GRID, (0, 0, 0))
    with pytest.raises(HarnessError, match="4 x 0 x 0 is outside the grid of 4 x 4 x 4"):
        attention.neighbourhoods(model_of("joint"), GRID, (4, 0, 0))
    with pytest.raises(HarnessError, match="ViT has no schemes"):
        attention.neighbourhoods(build(ViTOptions(size="demo"), 4, 32, 3), GRID, (0, 0, 0))


def whole_matrices(model, clip):
    """The class token's row of the product of all matrices over class token and patches; of one clip of the blocks."""
    class_token, patches = model.embed(clip)
    _, t, h, w, _ = patches.shape
    rows = []
    for video in range(len(patches)):
        cls, tokens = class_token[video : video + 1], patches[video : video + 1]
        product = torch.eye(1 + t * h * w)
        for block in model.blocks:
            for step in block.steps:
                product = (layer(block, step, cls, tokens) + torch.eye(1 + t * h * w)) / 2 @ product
                cls, tokens = block.attend(step, cls, tokens)
            both = torch.cat([cls, tokens.flatten(1, 3)], dim=1)
            both = both + block.mlp(block.norm2(both))
            cls, tokens = both[:, :1], both[:, 1:].reshape(tokens.shape)
        rows.append(product[0, 1:].reshape(t, h, w))
    return torch.stack(rows)


def layer(block, step, cls, tokens):
    """One attention as a whole matrix, from the places that the tokens of each group have."""
    count = tokens[0, ..., 0].numel()
    places = step.group(torch.arange(1, 1 + count).reshape(*tokens.shape[:4], 1))[..., 0]
    grouped = step.group(tokens)
    if step.class_token:
        places = torch.cat([torch.zeros(len(places), 1, dtype=torch.long), places], dim=1)
        grouped = torch.cat([cls.expand(len(grouped), -1, -1), grouped], dim=1)
    attend = getattr(block, f"{step.prefix}attn")
    weights = attend.weights(getattr(block, f"{step.prefix}norm1")(grouped)).mean(dim=1)
    matrix = torch.zeros(1 + count, 1 + count)
    for group, own in zip(weights, places, strict=True):
        for row, place in zip(group, own.tolist(), strict=True):
            matrix[place].index_add_(0, own, row / (len(places) if place == 0 else 1))
    if not step.class_token:
        matrix[0, 0] = 1
    assert torch.allclose(matrix.sum(dim=1), torch.ones(1 + count))
    return matrix


@pytest.mark.parametrize("scheme", SCHEMES)
def test_rollout_is_the_product_of_whole_matrices(scheme):
    model, clip = model_of(scheme), torch.randn(1, 3, 4, 32, 32)
    with torch.inference_mode():
        expected = rearrange(whole_matrices(model, clip), "m t h w -> 1 (m t) h w")
    found = attention.rollout(model, clip)
    assert found.shape == (1, 4, 4, 4)
    assert torch.allclose(found, expected / expected.sum(), atol=1e-6)
    assert found.std() > 0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_rollout_of_even_attention_is_even(scheme):
    model = model_of(scheme)
    for name, parameter in model.named_parameters():
        if "qkv" in name:
            torch.nn.init.zeros_(parameter)
    shares = attention.rollout(model, torch.randn(2, 3, 4, 32, 32))
    assert torch.allclose(shares, torch.full_like(shares, 1 / 64))


def test_rollout_of_clips_together_and_apart_fused_or_not():
    clips, model = torch.randn(2, 3, 4, 32, 32), model_of("divided")
    explicit = model_of("divided", fused=False)
    explicit.load_state_dict(model.state_dict())
    together = attention.rollout(model, clips)
    assert torch.allclose(together[1:], attention.rollout(model, clips[1:]), atol=1e-6)
    assert torch.allclose(together, attention.rollout(explicit, clips), atol=1e-6)
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_rollout_of_a_vit_is_that_of_space_with_its_weights():
    vit, clips = build(ViTOptions(size="demo", init="scratch"), 4, 32, 3), torch.randn(2, 3, 4, 32, 32)
    space = model_of("space")
    space.load_state_dict(vit.state_dict())
    assert torch.allclose(attention.rollout(vit, clips), attention.rollout(space, clips), atol=1e-6)


def test_rollout_needs_a_class_token():
    with pytest.raises(HarnessError, match="I3D has no class token"):
        attention.rollout(build(I3DOptions(size="demo"), 4, 32, 3), torch.randn(1, 3, 4, 32, 32))


def test_what_is_seen_has_the_models_own_prediction(tmp_path):
    spec, model = job_of(suite_of(tmp_path), "divided").spec, model_of("divided", size=16)
    torch.nn.init.zeros_(model.head.weight)
    with torch.no_grad():
        model.head.bias.copy_(torch.tensor([0.0, 2.0, 0.0]))
    clip = Clip(5, np.random.default_rng(0).integers(0, 255, (4, 16, 16, 3), np.uint8))
    (seen,) = attention.seen(model, spec, [clip])
    assert (seen.clip.index, seen.predicted, seen.shares.shape) == (5, 1, (4, 2, 2))
    assert seen.probability == pytest.approx(np.exp(2) / (np.exp(2) + 2))
    assert seen.shares.sum() == pytest.approx(1)
