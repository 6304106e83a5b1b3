"""`cancel`: take a suite's jobs out of SLURM's queue; what they have saved is kept."""

import subprocess

import typer

from harness import standing
from harness.errors import HarnessError
from harness.suite import load
from harness.verbs.shell import (
    DATASETS,
    DONE,
    ROOT,
    DatasetsOption,
    ModelsOption,
    OnlyOption,
    RootOption,
    ScaleOption,
    SetOption,
    SuitePath,
    out,
)
from models import registry
from results.store import Store

AT_ONCE = 500
"""Numbers in one call of scancel."""


def cancel(
    suite_path: SuitePath,
    scale: ScaleOption = "demo",
    sets: SetOption = [],  # noqa: B006
    only: OnlyOption = [],  # noqa: B006
    root: RootOption = ROOT,
    datasets: DatasetsOption = DATASETS,
    models: ModelsOption = [],  # noqa: B006
) -> None:
    """Cancel what SLURM has of a suite; what the jobs have saved is kept, and `run` goes on from there."""
    registry.use(models)
    suite = load(suite_path, scale, sets, only, datasets)
    found = [each for each in standing.of(suite.jobs, Store(root)) if each.queued]
    numbers = [each.queued.number for each in found if each.queued]
    for start in range(0, len(numbers), AT_ONCE):
        _scancel(numbers[start : start + AT_ONCE])
    for each in found:
        out.print(f"{each.job.label}: SLURM job {each.queued and each.queued.number} cancelled", soft_wrap=True)
    if not found:
        out.print("SLURM has none of these jobs")
    raise typer.Exit(DONE)


def _scancel(numbers: list[str]) -> None:
    try:
        subprocess.run(["scancel", *numbers], capture_output=True, text=True, timeout=60, check=True)
    except subprocess.CalledProcessError as error:
        raise HarnessError(f"scancel: {' '.join(error.stderr.split())}") from error
