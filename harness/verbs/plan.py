"""`plan`: what would run, and what each variant costs; submits nothing."""

import json
from pathlib import Path

from harness import standing
from harness.errors import HarnessError
from harness.suite import Suite, load
from harness.verbs.shell import (
    DATASETS,
    ROOT,
    DatasetsOption,
    JsonOption,
    OnlyOption,
    RootOption,
    ScaleOption,
    SetOption,
    SuitePath,
    job_cost,
    out,
    plain,
    state_text,
    table,
)
from results.store import Store


def plan(
    suite_path: SuitePath,
    scale: ScaleOption = "demo",
    sets: SetOption = [],  # noqa: B006
    only: OnlyOption = [],  # noqa: B006
    root: RootOption = ROOT,
    datasets: DatasetsOption = DATASETS,
    as_json: JsonOption = False,
) -> None:
    """Show what would run, and what each variant costs; submits nothing."""
    suite = load(suite_path, scale, sets, only, datasets)
    store = Store(root)
    shared = _shared(suite, datasets)
    rows = []
    for each in standing.of(suite.jobs, store):
        spec, counted = each.job.spec, job_cost(each.job, store, datasets)
        views = max(test.clips * test.crops for test in spec.tests)
        rows.append(
            {
                **{key: value for key, value in each.plain().items() if key not in ("tests", "progress")},
                "shared_with": shared.get(each.job.id, []),
                "parameters": counted.parameters,
                "multiply_adds": counted.multiply_adds,
                "views": views,
                "tflops": counted.multiply_adds * views / 1e12,
                "peak_memory_bytes": each.record.measured.peak_memory_bytes if each.record else None,
                "devices": spec.resources.nodes * spec.resources.gpus_per_node,
            }
        )
    if as_json:
        print(json.dumps(plain(suite, rows)))
        return
    shown = table(
        "Job", "State", "Params, M", "GMACs/view", "TFLOPs", "Views", "Peak, MiB", "Device-h", "Shared with", "Id"
    )
    for row in rows:
        hours = "" if row["device_hours"] is None else f"{row['device_hours']:.2f}"
        peak = "" if row["peak_memory_bytes"] is None else f"{row['peak_memory_bytes'] / 2**20:.0f}"
        shown.add_row(
            row["label"], state_text(row["state"]), f"{row['parameters'] / 1e6:.4g}",
            f"{row['multiply_adds'] / 1e9:.4g}", f"{row['tflops']:.3g}", str(row["views"]), peak, hours,
            ", ".join(row["shared_with"]), row["id"],
        )  # fmt: skip
    out.print(shown)
    to_run = sum(row["state"] in standing.MISSING for row in rows)
    out.print(f"{len(rows)} jobs at {scale} scale: {to_run} to run, {len(rows) - to_run} with a record or running")


def _shared(suite: Suite, datasets: Path) -> dict[str, list[str]]:
    """Job id -> names of the neighbouring suites that need the same training."""
    shared: dict[str, list[str]] = {}
    for path in sorted(suite.path.parent.glob("*.yaml")):
        if path.resolve() == suite.path.resolve():
            continue
        try:
            other = load(path, suite.scale, datasets_file=datasets)
        except HarnessError:
            continue  # its own mistakes are told when it is itself asked for
        for job in other.jobs:
            shared.setdefault(job.id, []).append(other.name)
    return shared
