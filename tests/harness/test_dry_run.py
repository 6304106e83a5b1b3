import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.mem_tracker import MemTracker

from harness import dry_run
from harness.dry_run import LiveMemory, autocast, backward
from models.catalog import TimeSformerOptions
from models.registry import build

DIVIDED = TimeSformerOptions(size="demo")


def on_meta(**changes) -> nn.Module:
    with torch.device("meta"):
        return build(DIVIDED.model_copy(update=changes), 8, 32, 4)


class Twice(torch.autograd.Function):
    """Two outputs of which one goes unused, so that its gradient is None."""

    @staticmethod
    def forward(ctx, x):
        return 2 * x, 3 * x

    @staticmethod
    def backward(ctx, first, second):
        return 2 * first + 3 * second


class Crooked(nn.Module):
    """What a walk of the graph must get right: weights used twice, broadcasting, unused outputs, own functions."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.scale = nn.Parameter(torch.ones(8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x, _ = self.first(self.first(x)).split(4, dim=-1)
        x, _ = Twice.apply(torch.cat([x, x], dim=-1) * self.scale)
        return x.T + x.mean()


def test_the_walk_of_a_graph_gives_the_engines_gradients():
    torch.manual_seed(0)
    model, x = Crooked(), torch.randn(8, 8)
    model(x).square().sum().backward()
    expected = [parameter.grad for parameter in model.parameters()]
    model.zero_grad(set_to_none=True)
    backward(model(x).square().sum(), LiveMemory("cpu"))
    torch.testing.assert_close([parameter.grad for parameter in model.parameters()], expected)


@pytest.mark.parametrize("attention", ["divided", "joint"])
@pytest.mark.parametrize("fused", [True, False])
def test_a_second_tracker_and_the_engine_agree(attention, fused):
    model = on_meta(attention=attention, fused=fused, drop_path=0.0)
    with FakeTensorMode(allow_non_fake_inputs=True):
        model.to_empty(device="cpu").train()
        clip, labels = torch.empty(2, 3, 8, 32, 32), torch.empty(2, dtype=torch.int64)
        tracker = MemTracker()
        tracker.track_external(model, clip, labels)
        with tracker:
            loss = nn.functional.cross_entropy(model(clip), labels)
            loss.backward()
    seconded = tracker.get_tracker_snapshot("peak")[torch.device("cpu")]["Total"]
    model = on_meta(attention=attention, fused=fused, drop_path=0.0)
    with FakeTensorMode(allow_non_fake_inputs=True), LiveMemory("cpu") as memory:
        model.to_empty(device="cpu").train()
        clip, labels = torch.empty(2, 3, 8, 32, 32), torch.empty(2, dtype=torch.int64)
        passed = [nn.functional.cross_entropy(model(clip), labels)]
        backward(passed.pop(), memory)
    assert memory.peak == pytest.approx(seconded, rel=0.01)


def test_memory_is_followed_to_its_end():
    with LiveMemory("cpu") as memory:
        held = torch.ones(100)
        view = held[10:].view(9, 10)
        torch.ones(50).sum()
        del held
        assert memory.now == 400
        del view
    assert (memory.now, memory.peak) == (0, 604)


def test_a_gpu_rounds_up_to_its_blocks():
    with FakeTensorMode(), LiveMemory("cuda") as memory:
        held = [torch.empty(n, dtype=torch.uint8, device=torch.device("cuda")) for n in (1, 512, 513)]
        torch.empty(99, device=torch.device("cpu"))
    assert memory.now == memory.peak == 512 * 4
    assert len(held) == 3


@pytest.mark.parametrize("device_type", ["cpu", "cuda"])
def test_autocast_casts_and_keeps_the_cast_weights_until_its_end(device_type):
    before = torch.is_autocast_enabled(device_type)
    with FakeTensorMode(), LiveMemory(device_type) as memory:
        layer = nn.Linear(64, 64, bias=False, device=torch.device(device_type))
        clip = torch.empty(1, 64, device=torch.device(device_type))
        held = memory.now
        with autocast(device_type, "bf16"):
            assert layer(clip).dtype == torch.bfloat16
            layer(clip)  # from the cache: casts no second time
            assert memory.now == held + 64 * 64 * 2
        assert memory.now == held
    assert torch.is_autocast_enabled(device_type) == before


@pytest.mark.parametrize(("dtype", "statistics"), [(torch.float32, 320), (torch.bfloat16, 320)])
def test_a_gpu_attends_without_the_matrix_of_scores(dtype, statistics):
    with FakeTensorMode(), LiveMemory("cuda") as memory, dry_run.AsOnTheDevice():
        q, k, v = (torch.empty(2, 4, 300, 64, dtype=dtype, device="cuda", requires_grad=True) for _ in range(3))
        before = memory.now
        mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        taken = memory.now - before
    softmaxes = 2 * 4 * statistics * 4  # one float32 a query, for the backward pass
    assert mixed.nbytes < taken <= mixed.nbytes + softmaxes + 2048
    assert taken < 2 * 4 * 300 * 300 * 2


def test_a_mask_needs_no_matrix_either():
    with FakeTensorMode(), LiveMemory("cuda") as memory, dry_run.AsOnTheDevice(), autocast("cuda", "bf16"):
        q, k, v = (torch.empty(2, 4, 320, 64, device="cuda", dtype=torch.bfloat16) for _ in range(3))
        mask = torch.empty(2, 4, 320, 320, dtype=torch.bfloat16, device="cuda")
        before = memory.now
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        assert memory.now - before <= mixed.nbytes + 1024


def test_what_is_computed_of_constants_may_be_looked_at():
    with FakeTensorMode(allow_non_fake_inputs=True), dry_run.AsOnTheDevice():
        indices = torch.linspace(0, 7, 3, device="cpu").long().tolist()
        assert indices == [0, 3, 7]
        with pytest.raises(torch._subclasses.fake_tensor.DataDependentOutputException):
            torch.empty(1).item()


@pytest.mark.parametrize("device_type", ["cpu", "cuda"])
@pytest.mark.parametrize("precision", ["float32", "bf16", "fp16"])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_step_holds_its_parts(device_type, precision, optimizer):
    held = dry_run.training(on_meta(), (2, 3, 8, 32, 32), precision, device_type, optimizer)
    weights = 4 * sum(parameter.numel() for parameter in on_meta().parameters())
    blocks = 512 * len(list(on_meta().parameters()))
    assert weights <= held.parameters <= weights + blocks
    assert held.gradients == held.parameters
    states = {"sgd": 1, "adamw": 2}[optimizer]
    assert states * weights <= held.optimizer <= states * (weights + blocks)
    assert held.input >= 2 * 3 * 8 * 32 * 32
    assert held.peak > held.parameters + held.optimizer + held.input + held.saved
    assert held.gradients_at_peak < held.gradients


def test_where_activations_are_few_the_peak_is_in_the_step():
    held = dry_run.training(on_meta(attention="space"), (1, 3, 8, 8, 8), "float32", "cuda", "adamw")
    assert held.gradients_at_peak == held.gradients
    assert held.peak >= held.parameters + held.optimizer + 2 * held.gradients


def test_nothing_is_left_behind():
    state = torch.get_rng_state()
    dry_run.inference(on_meta(), (1, 3, 8, 32, 32), "bf16", "cuda")
    assert torch.equal(torch.get_rng_state(), state)
    assert not isinstance(torch.zeros(1), torch._subclasses.FakeTensor)
