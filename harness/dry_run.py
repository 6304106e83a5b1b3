"""One test or training step in which nothing is computed and nothing allocated, to see how much memory it would hold.

The model runs on torch's fake tensors: they have shapes, strides, types and a device, and no data. Every operator still
passes torch's dispatcher, the backward pass and mixed precision included, so that each storage is seen when it is made
and when it is dropped. No GPU is needed to see what one would hold.

`torch.distributed._tools.mem_tracker` follows storages alike (a test compares), but is private, needs a torch built for
distribution, and is of no use here: on a machine without a GPU it cannot get through a backward pass on one, because
torch's engine asks the driver for streams. `backward` below walks the same graph in the same order without it.
"""

import heapq
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.autograd.function import BackwardCFunction
from torch.optim import SGD, AdamW, Optimizer
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from harness.data.augment import to_input
from harness.step import DTYPE

CUDA_BLOCK_BYTES = 512
"""What the caching allocator of CUDA rounds every request up to (kMinBlockSize in CUDACachingAllocator)."""

Optimizers = Literal["sgd", "adamw"]

OPTIMIZERS: dict[Optimizers, Callable[[Any], Optimizer]] = {
    "sgd": lambda parameters: SGD(parameters, lr=0.1, momentum=0.9, weight_decay=1e-4),
    "adamw": lambda parameters: AdamW(parameters, lr=0.1, weight_decay=0.05),
}
"""As `harness.optim` makes them; rates change no memory, but that there is momentum and weight decay does."""


class Held(NamedTuple):
    """Bytes that a dry run held, by what they were for; see `harness.memory.Memory`."""

    parameters: int
    optimizer: int
    gradients: int
    input: int
    saved: int
    gradients_at_peak: int
    peak: int


class LiveMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows every storage on one kind of device from its making to its end."""

    def __init__(self, device_type: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.device_type = device_type
        self.now = 0
        self.peak = 0
        self.gradients = 0
        """Bytes of gradients of parameters in `now`; kept by `backward`."""
        self.gradients_at_peak = 0
        self._known = WeakIdKeyDictionary()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for value in tree_leaves(made):
            if isinstance(value, Tensor) and value.device.type == self.device_type:
                self._follow(value.untyped_storage())
        if self.now > self.peak:
            self.peak, self.gradients_at_peak = self.now, self.gradients
        return made

    def _follow(self, storage: torch.UntypedStorage) -> None:
        if storage not in self._known:
            taken = self.taken(storage.nbytes())
            self._known[storage] = weakref.finalize(storage, self._free, taken)
            self.now += taken

    def _free(self, taken: int) -> None:
        self.now -= taken

    def taken(self, bytes: int) -> int:
        """What the device's allocator takes for so many bytes."""
        block = CUDA_BLOCK_BYTES if self.device_type == "cuda" else 1
        return -(-bytes // block) * block

    def forget_peak(self) -> None:
        """Let the peak begin at what is held now."""
        self.peak, self.gradients_at_peak = self.now, self.gradients


class AsOnTheDevice(TorchFunctionMode):
    """What fake tensors do otherwise than the device would.

    Fused attention goes to the kernel that a GPU would run: without a GPU torch cannot choose one and takes the
    explicit products, which hold what fused attention exists to avoid. And what a model computes of nothing but
    constants on the CPU, such as the indices of frames, is computed, because it may want to see the values.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        if func is F.scaled_dot_product_attention and (args[0] if args else given["query"]).device.type == "cuda":
            return fused_on_cuda(*args, **given)
        if args and isinstance(args[0], FakeTensor):
            return func(*args, **given)
        tensors = [value for value in tree_leaves((args, given)) if isinstance(value, Tensor)]
        constants = all(tensor.device.type == "cpu" and not isinstance(tensor, FakeTensor) for tensor in tensors)
        on_cpu = given.get("device")
        if constants and (tensors or (isinstance(on_cpu, str) and on_cpu == "cpu")):
            with unset_fake_temporarily():
                return func(*args, **given)
        return func(*args, **given)


def fused_on_cuda(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,  # noqa: ARG001 (neither kernel holds more for it)
) -> Tensor:
    """`F.scaled_dot_product_attention` by the operator of the kernel: `g n s e -> g n s e`.

    Flash attention for 16-bit types; for float32, which it does not have, and with a mask the memory-efficient kernel.
    """
    if torch.is_autocast_enabled("cuda"):
        query, key, value = (tensor.to(torch.get_autocast_dtype("cuda")) for tensor in (query, key, value))
    if query.dtype == torch.float32 or attn_mask is not None:
        keep = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (query, key, value))
        mixed = torch.ops.aten._scaled_dot_product_efficient_attention(
            query, key, value, attn_mask, keep, dropout_p, is_causal, scale=scale
        )
    else:
        mixed = torch.ops.aten._scaled_dot_product_flash_attention(
            query, key, value, dropout_p, is_causal, False, scale=scale
        )
    out: Tensor = mixed[0]
    return out


@contextmanager
def autocast(device_type: str, precision: str) -> Iterator[None]:
    """`torch.autocast` with its cache of cast weights, also for a GPU that is not there, where torch disables it."""
    if precision == "float32":
        yield
        return
    before = torch.is_autocast_enabled(device_type), torch.get_autocast_dtype(device_type)
    torch.set_autocast_enabled(device_type, True)
    torch.set_autocast_dtype(device_type, DTYPE[precision])
    torch.autocast_increment_nesting()
    try:
        yield
    finally:
        if torch.autocast_decrement_nesting() == 0:
            torch.clear_autocast_cache()
        torch.set_autocast_enabled(device_type, before[0])
        torch.set_autocast_dtype(device_type, before[1])


def backward(loss: Tensor, memory: LiveMemory) -> None:
    """`loss.backward()` without torch's engine; the caller must hold neither the loss nor what it was made from.

    Nodes run in the engine's order, the one made last first: a node is made after all whose outputs it takes, hence
    runs before them. A node that has run is dropped, and with it what was saved for it.
    """
    assert loss.grad_fn is not None
    waiting = _Waiting(memory)
    waiting.give(loss.grad_fn, 0, torch.ones_like(loss))
    del loss
    with torch.no_grad():
        while waiting:
            waiting.run_next()


class _Waiting:
    """The nodes of a backward pass that have a gradient and have not run."""

    def __init__(self, memory: LiveMemory) -> None:
        self.memory = memory
        self.heap: list[tuple[int, int, Any]] = []
        self.gradients: dict[int, list[Tensor | None]] = {}

    def __bool__(self) -> bool:
        return bool(self.heap)

    def run_next(self) -> None:
        sequence, _, node = heapq.heappop(self.heap)
        made = _run(node, self.gradients.pop(-sequence))
        edges = node.next_functions
        del node  # and with it what it saved, before anything more is allocated
        for (target, position), gradient in zip(edges, made, strict=False):
            if target is not None and gradient is not None:
                self.give(target, position, gradient)

    def give(self, node: Any, position: int, gradient: Tensor) -> None:
        """Add a gradient to one of those that a node waits for."""
        gradient = _fitted(gradient, node._input_metadata[position])
        if hasattr(node, "variable"):
            self._accumulate(node.variable, gradient)
            return
        sequence = node._sequence_nr()
        if sequence not in self.gradients:
            self.gradients[sequence] = [None] * len(node._input_metadata)
            heapq.heappush(self.heap, (-sequence, position, node))
        held = self.gradients[sequence][position]
        self.gradients[sequence][position] = gradient if held is None else held + gradient

    def _accumulate(self, parameter: Tensor, gradient: Tensor) -> None:
        if parameter.grad is not None:
            parameter.grad.add_(gradient)
            return
        same = gradient.stride() == parameter.stride()
        parameter.grad = gradient if same else torch.empty_like(parameter).copy_(gradient)
        self.memory.gradients += self.memory.taken(parameter.grad.untyped_storage().nbytes())


def _run(node: Any, gradients: list[Tensor | None]) -> tuple[Tensor | None, ...]:
    of_python = isinstance(node, BackwardCFunction)  # a torch.autograd.Function, which wants zeros and not None
    if of_python:
        about = node._input_metadata
        gradients = [_zeros(meta) if held is None else held for meta, held in zip(about, gradients, strict=True)]
    made = node.apply(*gradients) if of_python else node(*gradients)
    return made if isinstance(made, tuple) else (made,)


def _zeros(meta: Any) -> Tensor:
    return torch.zeros(meta.shape, dtype=meta.dtype, device=meta.device)


def _fitted(gradient: Tensor, meta: Any) -> Tensor:
    """A gradient in the shape and type of what it is the gradient of, as torch's engine hands it on."""
    summed = gradient if gradient.shape == meta.shape else gradient.sum_to_size(meta.shape)
    return summed if summed.dtype == meta.dtype else summed.to(meta.dtype)


@contextmanager
def _dry(device_type: str) -> Iterator[LiveMemory]:
    with FakeTensorMode(allow_non_fake_inputs=True), LiveMemory(device_type) as memory:
        yield memory


def inference(model: nn.Module, shape: tuple[int, ...], precision: str, device_type: str) -> Held:
    """A forward pass over float32 clips of `shape` [b c t h w] in evaluation mode; `model` lies on "meta"."""
    with _dry(device_type) as memory:
        device = torch.device(device_type)
        model.to_empty(device=device).eval()
        parameters = memory.now
        clips = torch.empty(shape, device=device)
        given = memory.now - parameters
        memory.forget_peak()
        with torch.inference_mode(), autocast(device_type, precision), AsOnTheDevice():
            model(clips)
        return Held(parameters, 0, 0, given, 0, 0, memory.peak)


def training(
    model: nn.Module,
    shape: tuple[int, ...],
    precision: str,
    device_type: str,
    optimizer: Optimizers,
    *,
    accumulating: bool = False,
) -> Held:
    """A training step, not the first, on uint8 clips of `shape` [b c t h w]; `model` lies on "meta".

    In the order of `harness.train`: gradients dropped, forward, loss, backward, step; `accumulating`, it is the second
    part of a batch, and the gradients of the first are there. Scaling and clipping gradients work in place and are left
    out. The optimiser makes its states in the step; that they were there before is added.
    """
    with _dry(device_type) as memory:
        device = torch.device(device_type)
        model.to_empty(device=device).train()
        parameters = memory.now
        b, c, t, h, w = shape
        clips = torch.empty((b, t, h, w, c), dtype=torch.uint8, device=device)
        labels = torch.empty(b, dtype=torch.int64, device=device)
        given = memory.now - parameters
        lasting = parameters + given
        if accumulating:
            for parameter in model.parameters():
                parameter.grad = torch.empty_like(parameter)
            lasting += (gradients := memory.now - lasting)
            memory.gradients = gradients
        with AsOnTheDevice():
            passed = [_loss(model, clips, labels, precision)]  # a list, because `pop` leaves nobody holding it
            saved = memory.now - lasting
            backward(passed.pop(), memory)
        at_peak, peak = memory.gradients_at_peak, memory.peak
        memory.forget_peak()
        before = memory.now
        stepper = OPTIMIZERS[optimizer](model.parameters())
        for group in stepper.param_groups:
            group["foreach"] = device_type == "cuda"  # torch's own choice there; fake tensors it does not recognise
        stepper.step()
        states = memory.now - before
        if memory.peak > peak + states:
            at_peak, peak = memory.gradients_at_peak, memory.peak - states
        return Held(parameters, states, memory.gradients, given, saved, at_peak, peak + states)


def _loss(model: nn.Module, clips: Tensor, labels: Tensor, precision: str) -> Tensor:
    with autocast(clips.device.type, precision):
        logits = model(to_input(clips, mean=0.45, std=0.225))
    return F.cross_entropy(logits.float(), labels, reduction="sum") / len(labels)
