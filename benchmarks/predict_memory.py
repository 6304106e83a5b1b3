"""Peak memory as predicted from shapes, beside what a fresh process on this machine takes: a Markdown table.

PYTHONPATH=. python benchmarks/predict_memory.py [--only TEXT] [--large]

Measured twice: with glibc's allocator mapping every block by itself, so that what is freed is gone, and as it is, where
it keeps freed blocks for later. On a GPU there is one measurement, of torch's allocator.
"""

import argparse
import json
import os
import subprocess
import sys
from itertools import product

import torch

from harness.memory import predict
from harness.single import job
from harness.spec import JobSpec

CLASSES = 400
MIB = 2**20

MEASURE = """
import json, sys
from harness.measure import peak_bytes
from harness.spec import JobSpec
spec, warm_up, classes, batch, training = json.loads(sys.argv[1])
print(peak_bytes(JobSpec.from_plain(spec), classes, batch, training=training, warm_up=JobSpec.from_plain(warm_up)))
"""

ALLOCATORS = {"mapped": {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}, "as it is": {}}

ATTENTION = [
    (
        f"{scheme}, {'fused' if fused else 'explicit'}",
        [f"model.attention={scheme}", f"model.fused={str(fused).lower()}"],
    )
    for scheme, fused in product(("joint", "divided", "space"), (True, False))
]
CASES: list[tuple[str, str, list[str], int]] = [
    *((f"TimeSformer ViT-B 8x224 {name}", "timesformer", sets, 1) for name, sets in ATTENTION),
    *((f"TimeSformer tiny 8x224 {name}", "timesformer", [*sets, "model.size=tiny"], 4) for name, sets in ATTENTION),
    *((f"TimeSformer demo 8x32 {name}", "timesformer", [*sets, "model.size=demo", "clip.size=32"], 64)
      for name, sets in ATTENTION),
    ("TimeSformer ViT-B 8x224 divided, bf16", "timesformer", ["precision=bf16"], 1),
    ("TimeSformer tiny 8x224 joint, bf16", "timesformer", ["precision=bf16", "model.size=tiny",
                                                           "model.attention=joint"], 4),
    ("TimeSformer tiny 8x224 joint, AdamW", "timesformer", ["recipe=demo", "model.size=tiny",
                                                            "model.attention=joint"], 4),
    ("SlowFast 8x8 R50 32x224", "slowfast", ["clip.frames=32"], 1),
    ("I3D R50 8x224", "i3d", [], 1),
    ("I3D R50 8x224 non-local", "i3d", ["model.non_local=true"], 1),
    ("X3D-M 16x224", "x3d", ["clip.frames=16"], 1),
    ("ViT-B 8x224", "vit", [], 1),
    ("X-ViT-B 8x224", "xvit", [], 1),
]  # fmt: skip
LARGE = [(f"TimeSformer ViT-B 8x336 {name}", "timesformer", [*sets, "clip.size=336"], 1) for name, sets in ATTENTION]


def measured(spec: JobSpec, warm_up: JobSpec, batch: int, training: bool, environment: dict[str, str]) -> int:
    task = json.dumps([spec.plain(), warm_up.plain(), CLASSES, batch, training])
    command = [sys.executable, "-c", MEASURE, task]
    told = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    return int(told.stdout)


def row(name: str, model: str, sets: list[str], batch: int, training: bool) -> str:
    spec = job(model, sets)
    warm_up = job(model, [*sets, "model.size=demo", "clip.size=32", "clip.frames=8"])
    gpu = torch.cuda.is_available()
    predicted = predict(
        spec.model, spec.clip.frames, spec.clip.size, CLASSES, batch=batch, precision=spec.precision,
        training=training, optimizer=spec.recipe.optimizer, device_type="cuda" if gpu else "cpu",
    ).peak_bytes  # fmt: skip
    shown = []
    for environment in [{}] if gpu else ALLOCATORS.values():
        real = measured(spec, warm_up, batch, training, environment)
        shown += [f"{real / MIB:.0f}", f"{predicted / real - 1:+.1%}"]
    cells = [name, "training" if training else "inference", str(batch), f"{predicted / MIB:.0f}", *shown]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    parser.add_argument("--large", action="store_true", help="also cases that take minutes and up to 12 GiB")
    asked = parser.parse_args()
    torch.set_num_threads(2)
    kinds = [""] if torch.cuda.is_available() else [f", {name}" for name in ALLOCATORS]
    heads = [
        "Model",
        "Use",
        "Batch",
        "Predicted, MiB",
        *(text for k in kinds for text in (f"Measured, MiB{k}", "Error")),
    ]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for name, model, sets, batch in CASES + (LARGE if asked.large else []):
        if asked.only in name:
            for training in (False, True):
                print(row(name, model, sets, batch, training), flush=True)


if __name__ == "__main__":
    main()
