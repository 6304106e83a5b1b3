"""What every registered model keeps; with HARNESS_MODELS=my_models.py in the environment, a user's own too."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from harness import cost
from models import registry
from models.catalog import Options
from models.registry import ModelError
from models.weights import load_checkpoint, load_into

NAMES = registry.names()
FRAMES, SIZE, CLASSES = 8, 32, 5


def options(name: str) -> Options:
    """Its demo size where it has one, and nothing random in training."""
    kind = registry.options_type(name)
    still: dict[str, Any] = {key: 0.0 for key in ("drop_path", "dropout") if key in kind.model_fields}
    sizes = kind.model_fields["size"].annotation.__args__ if "size" in kind.model_fields else ()
    return kind.model_validate({**still, **({"size": "demo"} if "demo" in sizes else {})})


def build(name: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return registry.build(options(name), FRAMES, SIZE, CLASSES)


def awake(name: str) -> nn.Module:
    """A model in which no parameter is zero, as those of last layers and norms are at the start."""
    model = build(name)
    for parameter in model.parameters():
        if not parameter.detach().any():
            nn.init.normal_(parameter, std=0.1)
    return model


def clips(batch: int = 2, frames: int = FRAMES, size: int = SIZE) -> Tensor:
    return torch.randn(batch, 3, frames, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", NAMES)
def test_clips_in_logits_out(name):
    model = awake(name).eval()
    with torch.no_grad():
        logits = model(clips())
        assert logits.shape == (2, CLASSES)
        assert logits.isfinite().all()
        assert logits.std() > 0
        torch.testing.assert_close(model(clips()[:1]), logits[:1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_larger_crops_are_taken_in_testing(name):
    model = awake(name).eval()
    with torch.no_grad():
        assert model(clips(size=2 * SIZE)).shape == (2, CLASSES)
        assert model(clips(frames=2 * FRAMES)).shape == (2, CLASSES)


@pytest.mark.parametrize("name", NAMES)
def test_features_are_what_the_head_sees(name):
    model = awake(name).eval()
    if not hasattr(model, "features"):
        pytest.skip("a user's own without features")
    with torch.no_grad():
        features = model.features(clips())
    assert features.shape[0] == 2
    assert features.ndim == 2
    assert not torch.allclose(features[0], features[1])


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_determines_all(name):
    first, second = build(name), build(name)
    for (_, a), (_, b) in zip(first.state_dict().items(), second.state_dict().items(), strict=True):
        assert torch.equal(a, b)
    assert torch.equal(first.eval()(clips()), second.eval()(clips()))
    assert any(not torch.equal(a, b) for a, b in zip(first.parameters(), build(name, 1).parameters(), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_every_parameter(name):
    model = awake(name).train()
    (model(clips(4)) * torch.randn(4, CLASSES)).sum().backward()
    assert [key for key, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("name", NAMES)
def test_saved_and_loaded_it_says_the_same(name, tmp_path):
    model = awake(name).eval()
    torch.save({"model_state": model.state_dict(), "epoch": 3}, tmp_path / "saved.pyth")
    other = build(name, seed=1)
    load_into(other, options(name), load_checkpoint(tmp_path / "saved.pyth"))
    torch.testing.assert_close(other.eval()(clips()), model(clips()), rtol=0, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_its_cost_is_counted_on_the_meta_device(name):
    counted = cost.count(options(name), FRAMES, SIZE, CLASSES)
    assert counted.parameters == sum(parameter.numel() for parameter in build(name).parameters())
    assert counted.multiply_adds > 0
    longer = cost.count(options(name), 2 * FRAMES, 2 * SIZE, CLASSES)
    assert longer.multiply_adds >= counted.multiply_adds


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(3, FRAMES, SIZE, SIZE), (1, 4, FRAMES, SIZE, SIZE), (1, FRAMES, 3, SIZE, SIZE)])
def test_what_is_no_batch_of_colour_clips_is_refused(name, shape):
    with pytest.raises(ModelError, match=r"a clip has the axes b c t h w, with c = 3 colours; this one has the shape"):
        build(name)(torch.zeros(shape))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("clip", "told"),
    [(torch.zeros(0, 3, FRAMES, SIZE, SIZE), "a batch of no clips"),
     (torch.zeros(1, 3, FRAMES, SIZE, SIZE, dtype=torch.uint8), "this one uint8: convert it first"),
     (torch.zeros(1, 3, FRAMES, SIZE, SIZE, dtype=torch.float64), "this one float64: convert it first")],
)  # fmt: skip
def test_batches_of_none_and_numbers_that_are_no_floats_are_refused(name, clip, told):
    with pytest.raises(ModelError, match=told):
        build(name)(clip)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("frames", "size"), [(FRAMES, SIZE + 1), (FRAMES + 1, SIZE), (FRAMES, 7)])
def test_odd_clips_are_taken_or_refused_with_what_would_do(name, frames, size):
    problems = options(name).clip_problems(frames, size)
    if problems:
        with pytest.raises(ModelError, match=r"clip\.(frames|size): \d+ is .*(nearest|at least)"):
            registry.build(options(name), frames, size, CLASSES)
        with pytest.raises(ModelError):
            build(name)(clips(frames=frames, size=size))
    else:
        assert build(name).eval()(clips(frames=frames, size=size)).shape == (2, CLASSES)
