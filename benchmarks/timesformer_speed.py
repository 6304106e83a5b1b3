"""Our TimeSformer beside the Hugging Face port, in one run: same weights, clips, threads. Prints Markdown tables.

PYTHONPATH=. python benchmarks/timesformer_speed.py [--quick] [--rounds N] [--only TEXT]

ViT-B 8x224; float32 and batch 1 on a CPU, bf16 autocast and batch 8 on a GPU. A training step is forward, loss,
backward and SGD with momentum; neither side drops anything. Times: both models lie in one process and take turns, with
plain matrix products of the model's shapes as a third, so that a busy moment meets all; ratios are medians over the
rounds, with their quartiles. Memory: each model alone in a fresh process, the second step's peak with the weights, from
where the process stood before the model was made. On a CPU glibc then maps every block by itself, so that what is freed
is gone: otherwise the peak is mostly luck.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import TimesformerConfig, TimesformerForVideoClassification

from harness.cost import count
from harness.measure import PeakMemory
from harness.memory import predict
from harness.step import autocast
from harness.timing import wait_for
from models.catalog import SIZES, TimeSformerOptions
from models.timesformer import TimeSformer
from models.weights import load_into, understood

CLASSES = 400
MIB, GIB = 2**20, 2**30
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
PRECISION, BATCH = ("bf16", 8) if DEVICE.type == "cuda" else ("float32", 1)
PORTED = {"divided": "divided_space_time", "joint": "joint_space_time"}
MAPPED = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
BF16_FLAGS = ("avx512_bf16", "amx_bf16")


class Case(NamedTuple):
    attention: str
    training: bool
    size: str = "base"
    frames: int = 8
    pixels: int = 224

    @property
    def name(self) -> str:
        return f"{self.attention} {self.frames}x{self.pixels}, {'training step' if self.training else 'inference'}"

    def options(self, fused: bool = True) -> TimeSformerOptions:
        settings = {"size": self.size, "attention": self.attention, "drop_path": 0.0, "fused": fused}
        return TimeSformerOptions.model_validate(settings)

    def multiply_adds(self) -> int:
        """Of a batch: forward, and in training once more for the gradients of inputs and of weights each."""
        forward = count(self.options(), self.frames, self.pixels, CLASSES).multiply_adds
        return BATCH * forward * (3 if self.training else 1)


def make_port(case: Case, depth: int | None = None) -> nn.Module:
    measures = SIZES[case.size]
    config = TimesformerConfig(
        image_size=case.pixels,
        patch_size=measures.patch,
        num_frames=case.frames,
        hidden_size=measures.width,
        num_hidden_layers=depth or measures.depth,
        num_attention_heads=measures.heads,
        intermediate_size=4 * measures.width,
        attention_type=PORTED[case.attention],
        num_labels=CLASSES,
    )
    torch.manual_seed(0)
    return TimesformerForVideoClassification(config).to(DEVICE)


def make_ours(case: Case) -> nn.Module:
    torch.manual_seed(0)
    return TimeSformer(case.options(), case.frames, case.pixels, CLASSES).to(DEVICE)


def from_port(case: Case, port: nn.Module) -> nn.Module:
    ours = make_ours(case)
    load_into(ours, case.options(), understood("the port", port.state_dict()))
    return ours


def clip_of(case: Case) -> Tensor:
    shape = BATCH, 3, case.frames, case.pixels, case.pixels
    return torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(DEVICE)


def logits_of(model: nn.Module, clip: Tensor) -> Tensor:
    if isinstance(model, TimeSformer):
        return model(clip)
    return model(clip.transpose(1, 2).contiguous()).logits


def stepper(model: nn.Module, case: Case, precision: str = PRECISION) -> Callable[[], None]:
    """One inference or one training step, the device waited for."""
    clip, labels = clip_of(case), torch.zeros(BATCH, dtype=torch.int64, device=DEVICE)
    model.train(case.training)
    sgd = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)

    def infer() -> None:
        with torch.inference_mode(), autocast(DEVICE, precision):
            logits_of(model, clip)
        wait_for(DEVICE)

    def train() -> None:
        sgd.zero_grad()
        with autocast(DEVICE, precision):
            logits = logits_of(model, clip)
        F.cross_entropy(logits.float(), labels).backward()
        sgd.step()
        wait_for(DEVICE)

    return train if case.training else infer


def products(case: Case) -> tuple[Callable[[], None], int]:
    """The matrix products of a block's linear layers over all tokens, and their multiply-adds: what the machine can."""
    width, _, _, patch = SIZES[case.size]
    tokens = BATCH * case.frames * (case.pixels // patch) ** 2
    shapes = [(width, 3 * width), (width, width), (width, 4 * width), (4 * width, width)]
    dtype = torch.bfloat16 if PRECISION == "bf16" else torch.float32
    pairs = [
        (torch.randn(tokens, k, device=DEVICE, dtype=dtype), torch.randn(k, n, device=DEVICE, dtype=dtype))
        for k, n in shapes
    ]

    def run() -> None:
        for _ in range(4):  # enough work for the clock, little enough to fall into one moment of a busy machine
            for a, b in pairs:
                torch.mm(a, b)
        wait_for(DEVICE)

    return run, 4 * sum(tokens * k * n for k, n in shapes)


def turns(runs: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each in each round, after one round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for index in range(rounds + 1):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            if index:
                times[name].append(time.perf_counter() - began)
    return times


# What a fresh process does; each prints one line of JSON.


def measure_times(case: Case, rounds: int) -> dict[str, list[float]]:
    port = make_port(case).eval()
    ours = from_port(case, port).eval()
    clip = clip_of(case)
    with torch.inference_mode():
        torch.testing.assert_close(logits_of(ours, clip), logits_of(port, clip), rtol=0, atol=1e-4)
    multiply, _ = products(case)
    return turns({"ours": stepper(ours, case), "port": stepper(port, case), "products": multiply}, rounds)


def measure_bf16(case: Case, rounds: int) -> dict[str, list[float]]:
    ours = make_ours(case)
    return turns({precision: stepper(ours, case, precision) for precision in ("float32", "bf16")}, rounds)


def measure_peak(case: Case, model: str, depth: int | None) -> int | None:
    small = Case(case.attention, case.training, "demo", 8, 32)  # what libraries allocate once is not the model's
    stepper(make_ours(small) if model == "ours" else make_port(small), small)()
    peak = PeakMemory(DEVICE)
    step = stepper(make_ours(case) if model == "ours" else make_port(case, depth), case)
    step()
    peak.restart()
    step()
    return peak.bytes()


MEASURES = {"times": measure_times, "bf16": measure_bf16, "peak": measure_peak}


def fresh(measure: str, case: Case, *arguments: object, environment: dict[str, str] | None = None):
    command = [sys.executable, __file__, "--measure", json.dumps([measure, case, *arguments])]
    told = subprocess.run(
        command, env={**os.environ, **(environment or {})}, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(told.stdout.splitlines()[-1])


def peak_of(case: Case, model: str, depth: int | None = None) -> int:
    return fresh("peak", case, model, depth, environment=MAPPED)


# The tables.


def quartiles(values: list[float]) -> tuple[float, float, float]:
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return middle, low, high


def table(heads: list[str]) -> None:
    print(f"\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}", flush=True)


def compare(case: Case, rounds: int) -> None:
    times = fresh("times", case, rounds)
    ours, port, products_s = (statistics.median(times[name]) for name in ("ours", "port", "products"))
    ratio, low, high = quartiles([b / a for a, b in zip(times["ours"], times["port"], strict=True)])
    model_rate, machine_rate = case.multiply_adds() / ours / 1e9, products(case)[1] / products_s / 1e9
    peaks = peak_of(case, "ours"), peak_of(case, "port")
    cells = [
        case.name,
        f"{ours:.3f}",
        f"{port:.3f}",
        f"**{ratio:.2f}** ({low:.2f} to {high:.2f})",
        *(f"{peak / MIB:.0f}" for peak in peaks),
        f"**{peaks[0] / peaks[1]:.2f}**",
        f"{model_rate:.0f} of {machine_rate:.0f}: {model_rate / machine_rate:.0%}",
    ]
    print(f"| {' | '.join(cells)} |", flush=True)


def compare_long(case: Case) -> None:
    """Ours is measured whole; the port block by block where the whole does not fit."""
    needs = [predicted(case, fused) for fused in (True, False)]
    print(f"\n{case.name}, peak memory, {free_bytes() / GIB:.1f} GiB free now.")
    print(f"Predicted: ours {needs[0] / GIB:.1f} GiB, the port, as ours with explicit attention: {needs[1] / GIB:.1f}.")
    if needs[0] > free_bytes():
        print("Not measured: ours is predicted not to fit.")
        return
    ours = peak_of(case, "ours")
    if needs[1] < 0.9 * free_bytes():
        port, how = peak_of(case, "port"), "measured"
    else:
        one, two = peak_of(case, "port", 1), peak_of(case, "port", 2)
        depth = SIZES[case.size].depth
        port = one + (depth - 1) * (two - one)
        how = f"by its first two blocks, {one / GIB:.2f} and {two / GIB:.2f} GiB, in a straight line to {depth}"
    print(f"Ours {ours / GIB:.2f} GiB measured; the port {port / GIB:.2f} GiB {how}: ratio **{ours / port:.2f}**.")


def predicted(case: Case, fused: bool) -> int:
    settings = {"batch": BATCH, "precision": PRECISION, "training": True, "device_type": DEVICE.type}
    return predict(case.options(fused), case.frames, case.pixels, CLASSES, **settings).peak_bytes


def free_bytes() -> int:
    if DEVICE.type == "cuda":
        return torch.cuda.mem_get_info()[0]
    (line,) = (line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemAvailable:"))
    return int(line.split()[1]) * 1024


def compare_bf16(case: Case, rounds: int) -> None:
    times = fresh("bf16", case, rounds)
    ratio, low, high = quartiles([a / b for a, b in zip(times["float32"], times["bf16"], strict=True)])
    print(
        f"\nOurs, {case.name}: bf16 is {ratio:.2f} times as fast as float32 ({low:.2f} to {high:.2f}). {bf16_support()}"
    )


def bf16_support() -> str:
    if DEVICE.type == "cuda":
        return torch.cuda.get_device_name()
    flags = set(Path("/proc/cpuinfo").read_text().split())
    has = [flag for flag in BF16_FLAGS if flag in flags]
    return f"The CPU has {' and '.join(has)}." if has else f"The CPU has neither {' nor '.join(BF16_FLAGS)}: no target."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the demo size, to see that all runs")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    parser.add_argument("--measure", type=json.loads, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        measure, case, *arguments = asked.measure
        print(json.dumps(MEASURES[measure](Case(*case), *arguments)))
        return
    scale = ("demo", 8, 32) if asked.quick else ("base", 8, 224)
    cases = [Case(attention, training, *scale) for attention in ("divided", "joint") for training in (False, True)]
    long = Case("joint", True, scale[0], 4 * scale[1], scale[2])
    print(f"{PRECISION}, batch {BATCH}, {DEVICE.type}, {torch.get_num_threads()} threads, {asked.rounds} rounds")
    table(["ViT-B" if not asked.quick else "demo", "ours, s", "port, s", "times as fast", "ours, MiB", "port, MiB",
           "memory ratio", "GMAC/s of the machine's"])  # fmt: skip
    for case in cases:
        if asked.only in case.name:
            compare(case, asked.rounds)
    if asked.only in long.name:
        compare_long(long)
    if asked.only in f"{cases[0].name}, bf16":
        compare_bf16(cases[0], asked.rounds)


if __name__ == "__main__":
    main()
