import itertools

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.catalog import TimeSformerOptions
from models.registry import ModelError
from models.timesformer import SCHEMES, Block, Step, TimeSformer

ATTENTIONS = sorted(SCHEMES)
STEPS = {(name, index): step for name, scheme in SCHEMES.items() for index, step in enumerate(scheme.steps)}

# Figure 2 by coordinates: whether a patch at (t, y, x) sees one at (u, v, w), in a grid of `rows` x `columns`.
NEIGHBOURS = {
    ("space", 0): lambda t, y, x, u, v, w, rows, columns: True,  # the blocks are given each frame apart
    ("joint", 0): lambda t, y, x, u, v, w, rows, columns: True,
    ("divided", 0): lambda t, y, x, u, v, w, rows, columns: (y, x) == (v, w),
    ("divided", 1): lambda t, y, x, u, v, w, rows, columns: t == u,
    ("sparse_local_global", 0): lambda t, y, x, u, v, w, rows, columns: (
        (2 * y < rows) == (2 * v < rows) and (2 * x < columns) == (2 * w < columns)
    ),
    ("sparse_local_global", 1): lambda t, y, x, u, v, w, rows, columns: (t - u) % 2 == (y - v) % 2 == (x - w) % 2 == 0,
    ("axial", 0): lambda t, y, x, u, v, w, rows, columns: (y, x) == (v, w),
    ("axial", 1): lambda t, y, x, u, v, w, rows, columns: (t, y) == (u, v),
    ("axial", 2): lambda t, y, x, u, v, w, rows, columns: (t, x) == (u, w),
}


def demo(attention: str = "divided", frames: int = 8, size: int = 32, classes: int = 4, **options) -> TimeSformer:
    """A small model in evaluation mode, with every parameter random."""
    torch.manual_seed(0)
    settings = {"size": "demo", "attention": attention, "init": "scratch", "drop_path": 0.0} | options
    return TimeSformer(TimeSformerOptions.model_validate(settings), frames, size, classes).eval()


def clips(batch: int = 2, frames: int = 8, height: int = 32, width: int = 32) -> Tensor:
    return torch.randn(batch, 3, frames, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_clips_in_logits_out(attention):
    model = demo(attention)
    assert model(clips()).shape == (2, 4)
    assert model.features(clips()).shape == (2, 64)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_fused_and_explicit_attention_agree(attention):
    fused, explicit = demo(attention, fused=True), demo(attention, fused=False)
    torch.testing.assert_close(fused(clips()), explicit(clips()), rtol=0, atol=1e-5)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_clips_of_a_batch_do_not_meet(attention):
    model, batch = demo(attention), clips(batch=3)
    alone = torch.cat([model(clip[None]) for clip in batch])
    torch.testing.assert_close(model(batch), alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_every_parameter_is_trained(attention):
    model = demo(attention).train()
    F.cross_entropy(model(clips()), torch.tensor([0, 1])).backward()
    idle = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


@pytest.mark.parametrize("key", STEPS, ids=str)
def test_a_step_sees_the_neighbourhood_of_figure_2(key):
    step, grid, width = STEPS[key], (4, 4, 6), 8
    seen_by_patch, seen_by_class, class_seen = influence(step, grid, width)
    places = list(itertools.product(*map(range, grid)))
    expected = torch.tensor([[NEIGHBOURS[key](*a, *b, *grid[1:]) for b in places] for a in places])
    assert torch.equal(seen_by_patch, expected)
    assert bool(seen_by_class.all()) is bool(seen_by_class.any()) is step.class_token
    assert bool(class_seen.all()) is bool(class_seen.any()) is step.class_token


def influence(step: Step, grid: tuple[int, int, int], width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Which patches each patch sees, which the class token sees, and which see the class token, by derivatives."""
    torch.manual_seed(0)
    block = Block((step,), width, heads=2, drop_path=0.0, fused=False)
    projection = torch.randn(width)

    def outputs(class_token: Tensor, patches: Tensor) -> Tensor:
        of_class, of_patches = block.attend(step, class_token, patches)
        return torch.cat([of_class, of_patches.flatten(1, 3)], dim=1)[0] @ projection

    inputs = torch.randn(1, 1, width), torch.randn(1, *grid, width)
    by_class, by_patches = torch.autograd.functional.jacobian(outputs, inputs, vectorize=True)
    by_patches = by_patches.flatten(2, 4)[:, 0].abs().sum(-1) > 1e-9
    return by_patches[1:], by_patches[0], by_class[1:, 0, 0].abs().sum(-1) > 1e-9


@pytest.mark.parametrize("attention", ["divided", "sparse_local_global", "axial"])
def test_no_scheme_but_space_is_blind_to_the_order_of_frames(attention):
    model = demo(attention)
    assert not torch.allclose(model(clips()), model(clips().flip(2)), atol=1e-4)


@given(order=st.permutations(range(8)))
@settings(max_examples=10, deadline=None)
def test_space_is_blind_to_the_order_of_frames(order):
    model = demo("space")
    torch.testing.assert_close(model(clips()), model(clips()[:, :, order]), rtol=0, atol=1e-5)


@given(st.sampled_from(sorted(STEPS)), st.tuples(*[st.integers(1, 3)] * 4))
def test_grouping_is_undone(key, halves):
    step, (batch, *grid) = STEPS[key], [2 * half for half in halves]
    patches = torch.arange(2 * batch * grid[0] * grid[1] * grid[2]).reshape(batch, *grid, 2)
    tokens = step.group(patches)
    assert tokens.numel() == patches.numel()
    assert torch.equal(step.ungroup(tokens, tuple(grid)), patches)


@pytest.mark.parametrize("attention", ["divided", "sparse_local_global", "axial"])
def test_a_new_released_model_is_the_model_of_its_last_step(attention):
    model = demo(attention, init="released")
    last = demo(attention, init="released")
    for block in last.blocks:
        block.steps = block.steps[-1:]
    assert torch.equal(model(clips()), last(clips()))
    assert not torch.allclose(model(clips()), demo(attention)(clips()))


def test_a_new_divided_model_sees_a_still_clip_as_the_image_model_does():
    still = clips(frames=1).expand(-1, -1, 8, -1, -1)
    divided, space = demo("divided", init="released"), demo("space", init="released")
    space.load_state_dict({name: p for name, p in divided.state_dict().items() if name in space.state_dict()})
    torch.testing.assert_close(divided(still), space(still), rtol=0, atol=1e-5)


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize(("frames", "height", "width"), [(4, 32, 32), (16, 64, 48), (2, 16, 32)])
def test_other_clips_than_the_model_was_made_for(attention, frames, height, width):
    assert demo(attention)(clips(1, frames, height, width)).isfinite().all()


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 3, 32, 32), r"axes b c t h w, with c = 3 colours; this one has the shape \[2, 3, 32, 32\]"),
        ((2, 8, 3, 32, 32), r"the shape \[2, 8, 3, 32, 32\]"),
        ((2, 3, 8, 30, 32), r"clip\.size: 30 is not a multiple of the 8-pixel patch; nearest: 16 or 32"),
        ((2, 3, 8, 32, 33), r"clip\.size: 33 is not a multiple"),
        ((2, 3, 7, 32, 32), r"clip\.frames: sparse_local_global needs an even number of frames, not 7"),
        ((2, 3, 8, 24, 32), r"24 pixels make 3 x 3; nearest: 16 or 32"),
    ],
)
def test_a_clip_that_does_not_fit_is_told(shape, message):
    with pytest.raises(ModelError, match=message):
        demo("sparse_local_global")(torch.zeros(shape))


def test_a_model_that_cannot_be_is_told():
    with pytest.raises(ModelError, match=r"clip\.size: 33 is not a multiple of the 8-pixel patch"):
        demo(size=33)


def test_drop_path_rises_linearly_with_depth():
    rates = [block.drop_path.rate for block in demo(drop_path=0.1).blocks]
    assert rates == pytest.approx([0, 0.05, 0.1])


def test_names_of_parameters():
    block = {name.removeprefix("blocks.0.") for name in demo("divided").state_dict() if name.startswith("blocks.0.")}
    modules = {name.rpartition(".")[0] for name in block}
    assert modules == {
        *("temporal_norm1", "temporal_attn.qkv", "temporal_attn.proj", "temporal_fc"),
        *("norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2"),
    }
    assert "time_embed" not in demo("space").state_dict()
    axial = demo("axial").state_dict()
    assert {"blocks.2.temporal_fc.weight", "blocks.2.width_fc.weight", "blocks.2.width_attn.qkv.bias"} <= set(axial)
    assert "blocks.0.local_norm1.bias" in demo("sparse_local_global").state_dict()


def test_the_released_start():
    model = demo("axial", init="released")
    state = model.state_dict()
    zero = {name for name, p in state.items() if not p.any()}
    assert {name for name in state if "_fc." in name} | {"time_embed"} <= zero
    assert state["blocks.0.attn.qkv.weight"].std().item() == pytest.approx(0.02, rel=0.05)
    assert state["pos_embed"].std().item() == pytest.approx(0.02, rel=0.1)
