"""Our SlowFast, I3D and X3D beside PyTorchVideo's, in one run: same weights, clips, threads. Prints a Markdown table.

PYTHONPATH=. python benchmarks/convnets_speed.py [--quick] [--rounds N] [--only TEXT]

float32 and batch 1 on a CPU, bf16 autocast and batch 8 on a GPU. A training step is forward, cross-entropy, backward
and SGD with momentum. Both models lie in one process and take turns, so that a busy moment meets both; ratios are
medians over the rounds, with their quartiles. Neither side's dropout is left out. Memory: each model alone in a fresh
process, the second step's peak with the weights, from where the process stood before the model was made. On a CPU glibc
then maps every block by itself, so that what is freed is gone: otherwise the peak is mostly luck.

Threads are those of OMP_NUM_THREADS.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.measure import PeakMemory
from harness.provenance import device_name
from harness.step import autocast
from harness.timing import wait_for
from models import registry
from models.weights import load_into, understood
from models.zoo import form

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from pytorchvideo.models import hub

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
PRECISION, BATCH = ("bf16", 8) if DEVICE.type == "cuda" else ("float32", 1)
ALPHA = 4
MIB = 2**20
MAPPED = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}


class Case(NamedTuple):
    name: str
    """In our zoo."""
    peer: str
    """In PyTorchVideo's hub."""
    frames: int
    pixels: int


CASES = [
    Case("slowfast_r50_8x8", "slowfast_r50", 32, 224),
    Case("i3d_r50", "i3d_r50", 8, 224),
    Case("x3d_m", "x3d_m", 16, 224),
]


def models(case: Case) -> tuple[nn.Module, nn.Module]:
    """Ours and the peer, with the peer's weights."""
    torch.manual_seed(0)
    settings = {"head_activation": None} if case.name.startswith("x3d") else {}
    peer = getattr(hub, case.peer)(**settings)
    named = form(case.name).model
    options = registry.options_type(named["name"]).model_validate(dict(named))
    ours = registry.build(options, case.frames, case.pixels, 400)
    load_into(ours, options, understood("the peer", peer.state_dict()))
    return ours.to(DEVICE), peer.to(DEVICE)


def inputs(case: Case) -> tuple[Tensor, Tensor | list[Tensor]]:
    """The clip, and what the peer takes for it."""
    clip = torch.randn(BATCH, 3, case.frames, case.pixels, case.pixels).to(DEVICE)
    if not case.name.startswith("slowfast"):
        return clip, clip
    slow = torch.linspace(0, case.frames - 1, case.frames // ALPHA).long()
    return clip, [clip[:, :, slow], clip]


def stepper(model: nn.Module, given: Tensor | list[Tensor], training: bool) -> Callable[[], None]:
    """One inference or one training step, the device waited for."""
    labels = torch.zeros(BATCH, dtype=torch.int64, device=DEVICE)
    model.train(training)
    sgd = torch.optim.SGD(model.parameters(), lr=1e-4, momentum=0.9)

    def infer() -> None:
        with torch.inference_mode(), autocast(DEVICE, PRECISION):
            # The peer's SlowFast changes the list that it is given.
            model(list(given) if isinstance(given, list) else given)
        wait_for(DEVICE)

    def train() -> None:
        sgd.zero_grad()
        with autocast(DEVICE, PRECISION):
            loss = F.cross_entropy(model(list(given) if isinstance(given, list) else given), labels)
        loss.backward()
        sgd.step()
        wait_for(DEVICE)

    return train if training else infer


def timed(step: Callable[[], None]) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def measure_peak(case: Case, whose: int, training: bool) -> int | None:
    """Of ours (0) or of the peer (1); to be called once in a process."""
    peak = PeakMemory(DEVICE)
    model, given = models(case)[whose], inputs(case)[whose]
    step = stepper(model, given, training)
    step()
    peak.restart()
    step()
    return peak.bytes()


def peak_of(case: Case, whose: int, training: bool) -> int:
    command = [sys.executable, __file__, "--measure", json.dumps([case, whose, training])]
    told = subprocess.run(command, env={**os.environ, **MAPPED}, stdout=subprocess.PIPE, text=True, check=True)
    return int(told.stdout.splitlines()[-1])


def row(case: Case, training: bool, rounds: int) -> str:
    (ours, peer), (clip, theirs) = models(case), inputs(case)
    steps = stepper(ours, clip, training), stepper(peer, theirs, training)
    for step in steps:
        step()
    pairs = [(timed(steps[0]), timed(steps[1])) for _ in range(rounds)]
    ratios = [second / first for first, second in pairs]
    low, middle, high = statistics.quantiles(ratios, n=4)
    mine, other = (statistics.median(each) for each in zip(*pairs, strict=True))
    use = "training step" if training else "inference"
    size = f"{case.frames}x{case.pixels}"
    ratio = f"**{middle:.2f}** ({low:.2f} to {high:.2f})"
    peaks = [peak_of(case, whose, training) for whose in (0, 1)]
    memory = f"{peaks[0] / MIB:.0f} | {peaks[1] / MIB:.0f} | **{peaks[0] / peaks[1]:.2f}**"
    return f"| {case.name} {size} | {use} | {mine:.2f} | {other:.2f} | {ratio} | {memory} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two rounds: only to see that it runs")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        case, whose, training = json.loads(asked.measure)
        print(measure_peak(Case(*case), whose, training))
        return
    how = f"{torch.get_num_threads()} threads, {PRECISION}, batch {BATCH}, torch {torch.__version__}"
    print(f"{device_name(DEVICE)}, {how}\n")
    heads = ["Model", "Use", "Ours, s", "PyTorchVideo, s", "Times as fast (quartiles)", "Ours, MiB",
             "PyTorchVideo, MiB", "Memory ratio"]  # fmt: skip
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for case in CASES:
        if asked.only in case.name:
            for training in (False, True):
                print(row(case, training, 2 if asked.quick else asked.rounds), flush=True)


if __name__ == "__main__":
    main()
