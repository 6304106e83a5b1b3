"""The processes of one job on several devices, as training and testing see them: what they add up and agree on.

A process alone has the same interface, `ALONE`, so that both are written once.
"""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed import PrefixStore, Store, TCPStore  # type: ignore[attr-defined]
from torch.nn.parallel import DistributedDataParallel

from harness.errors import HarnessError
from harness.meeting import LISTEN_EVERY_S, Meeting, Seat

T = TypeVar("T")
MEETING_S = 600.0
"""How long ranks wait for each other at the beginning: imports from a network's disk take minutes."""

LEAVE_S = 30.0
"""How long the first rank waits for the others to have heard that the work is done."""


class RankLost(HarnessError):
    """Another process of this job is gone, for no reason of this one's; the job can be begun again."""


class Ranks:
    """A process that does a job alone."""

    rank, world = 0, 1

    def sum(self, *numbers: float) -> tuple[float, ...]:
        """These numbers added up over all ranks."""
        return numbers

    def largest(self, number: int) -> int:
        """The largest of all ranks' numbers."""
        return number

    def gather(self, value: Any) -> list[Any]:
        """Every rank's value, in the order of ranks."""
        return [value]

    def first(self, value: T) -> T:
        """The first rank's value."""
        return value

    def agree(self, what: str, value: Any) -> None:
        """Raise RankLost where ranks read different things from a folder that they share.

        A network file system may tell a node of a new file a minute late; all begin again then.
        """
        found = self.gather(value)
        if any(each != found[0] for each in found):
            raise RankLost(f"ranks read different {what}")

    def wrapped(self, model: nn.Module) -> nn.Module:
        """The model, whose gradients become the mean over the ranks."""
        return model

    def unsynchronised(self, _wrapped: nn.Module) -> AbstractContextManager[None]:
        """While it lasts, backward passes only add to a rank's own gradients."""
        return nullcontext()

    def share_buffers(self, model: nn.Module) -> None:
        """Give all ranks the first one's buffers: in training each has running statistics of its own clips."""

    def meet(self, check: Callable[[], None]) -> None:
        """Wait until all ranks are here; `check` may raise meanwhile."""

    def check(self) -> None:
        """Raise RankLost where another rank has failed, which nobody waits for just now."""


ALONE = Ranks()


class _Group(Ranks):
    """One of several processes, in torch's default process group."""

    def __init__(self, seat: Seat, meeting: Meeting, store: Store) -> None:
        self.rank, self.world = seat.rank, seat.world
        self.meeting, self.store, self.meetings = meeting, store, 0

    def sum(self, *numbers: float) -> tuple[float, ...]:
        tensor = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(tensor)
        return tuple(tensor.tolist())

    def largest(self, number: int) -> int:
        tensor = torch.tensor(number)
        dist.all_reduce(tensor, dist.ReduceOp.MAX)
        return int(tensor)

    def gather(self, value: Any) -> list[Any]:
        found: list[Any] = [None] * self.world
        dist.all_gather_object(found, value)
        return found

    def first(self, value: T) -> T:
        found = [value]
        dist.broadcast_object_list(found, 0)
        return found[0]

    def wrapped(self, model: nn.Module) -> nn.Module:
        # Where unused parameters are looked for, the buckets of gradients stay as they are. Otherwise they are made
        # anew after the first step, also of a training that goes on, and sums of more than two ranks round otherwise.
        device = next(model.parameters()).device
        devices = [device] if device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=devices, find_unused_parameters=True)

    def unsynchronised(self, wrapped: nn.Module) -> AbstractContextManager[None]:
        assert isinstance(wrapped, DistributedDataParallel)
        without: AbstractContextManager[None] = wrapped.no_sync()
        return without

    def share_buffers(self, model: nn.Module) -> None:
        for buffer in model.buffers():
            dist.broadcast(buffer, 0)

    def meet(self, check: Callable[[], None]) -> None:
        # Not `dist.barrier`: who waits in it hears neither a signal nor that another rank failed.
        self.meetings += 1
        name = f"meeting {self.meetings}"
        self.store.add(name, 1)
        while self.store.add(name, 0) < self.world:
            check()
            self.check()
            time.sleep(LISTEN_EVERY_S)

    def leave(self) -> None:
        """Let the first rank go last: the store is its, and another may still be asking it whether all have met."""
        self.store.add("left", 1)
        deadline = time.monotonic() + LEAVE_S
        while self.rank == 0 and self.store.add("left", 0) < self.world and time.monotonic() < deadline:
            if self.meeting.problem() or self.meeting.ended():
                return
            time.sleep(LISTEN_EVERY_S)

    def check(self) -> None:
        ended = self.meeting.ended()
        if self.meeting.problem() or any(ended.values()) or (self.rank and 0 in ended):
            raise RankLost("another rank has ended")


@contextmanager
def joined(seat: Seat | None, job: Path) -> Iterator[Ranks]:
    """This process among those of its job, until the block ends; raises torch's errors where they do not meet."""
    if seat is None or seat.world == 1:
        yield ALONE
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(seat.local % torch.cuda.device_count())
    meeting = seat.at(job)
    store = _store(seat, meeting)
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, store=store, rank=seat.rank, world_size=seat.world)
    try:
        group = _Group(seat, meeting, PrefixStore("meetings", store))
        yield group
        group.leave()
    finally:
        dist.destroy_process_group()


def _store(seat: Seat, meeting: Meeting) -> TCPStore:
    """Where ranks tell each other their addresses; the first one's listens on a port that the system says is free."""
    limit = timedelta(seconds=MEETING_S)
    if seat.rank == 0:
        host = socket.gethostname()
        store = TCPStore(host, 0, seat.world, is_master=True, timeout=limit, wait_for_workers=False)
        meeting.tell_address(host, store.port)
        return store
    deadline = time.monotonic() + MEETING_S
    while (address := meeting.address()) is None:
        if time.monotonic() > deadline or 0 in meeting.ended():
            raise RankLost("the first rank did not come")
        time.sleep(LISTEN_EVERY_S)
    return TCPStore(*address, seat.world, is_master=False, timeout=limit, wait_for_workers=False)


def is_loss(error: BaseException) -> bool:
    """Whether an exception only says that another rank is gone; gloo and NCCL raise RuntimeError for it."""
    told = isinstance(error, RuntimeError) and any(word in str(error) for word in ("gloo", "NCCL", "TCPStore"))
    return told or isinstance(error, RankLost | dist.DistError)
