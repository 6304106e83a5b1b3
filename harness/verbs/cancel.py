"""`cancel`: take a suite's jobs out of SLURM's queue; what they have saved is kept."""

import subprocess

import typer

from harness import standing
from harness.errors import HarnessError
from harness.queue import UNKNOWN
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
    say_error,
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
    standings = standing.of(suite.jobs, Store(root))
    for reason in {each.queued.reason for each in standings if each.queued and each.queued.state == UNKNOWN}:
        say_error(f"nobody knows which jobs SLURM has: {reason}")
    found = [
        (each, each.queued.number)
        for each in standings
        if each.state in ("queued", "running") and each.queued and each.queued.number
    ]
    for start in range(0, len(found), AT_ONCE):
        some = found[start : start + AT_ONCE]
        for each, _ in some:
            each.cancel()  # before SLURM does: who follows the sweep must not submit it again
        try:
            _scancel([number for _, number in some])
        except HarnessError:
            for each, _ in some:
                each.keep()
            raise
    for each, number in found:
        out.print(f"{each.job.label}: SLURM job {number} cancelled", soft_wrap=True)
    if not found:
        out.print("SLURM has none of these jobs")
    raise typer.Exit(DONE)


def _scancel(numbers: list[str]) -> None:
    try:
        subprocess.run(["scancel", *numbers], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        raise HarnessError(f"scancel: {' '.join(said.split())}") from error
