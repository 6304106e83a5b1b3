"""`plan`: what would run, and what each variant costs; submits nothing."""

import json
import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from harness import memory, preflight, standing
from harness.combination import Job
from harness.data.datasets import class_count
from harness.errors import HarnessError
from harness.files import Order
from harness.spec import JobSpec
from harness.suite import Suite, load
from harness.verbs.shell import (
    DATASETS,
    ROOT,
    DatasetsOption,
    JsonOption,
    Launcher,
    ModelsOption,
    OnlyOption,
    RootOption,
    ScaleOption,
    SetOption,
    SuitePath,
    job_cost,
    known_cost,
    orders,
    out,
    plain,
    state_text,
    table,
)
from models import registry
from models.registry import ModelError
from results.store import Store


def plan(
    suite_path: SuitePath,
    scale: ScaleOption = "demo",
    sets: SetOption = [],  # noqa: B006
    only: OnlyOption = [],  # noqa: B006
    root: RootOption = ROOT,
    datasets: DatasetsOption = DATASETS,
    models: ModelsOption = [],  # noqa: B006
    launcher: Annotated[Launcher, typer.Option(help="slurm: also print the scripts that sbatch would get.")] = "local",
    as_json: JsonOption = False,
) -> None:
    """Show what would run, and what each variant costs; submits nothing."""
    registry.use(models)
    suite = load(suite_path, scale, sets, only, datasets)
    store = Store(root)
    shared = _shared(suite, datasets)
    standings = standing.of(suite.jobs, store)
    if scale == "paper":
        _count_at_once(suite.jobs, store, datasets)
    rows = [_row(each, store, datasets, shared) for each in standings]
    missing = [each.job for each in standings if each.state in standing.MISSING and not each.queued]
    wanted = orders(missing, scale, root, datasets) if launcher == "slurm" else []
    if as_json:
        more = {"scripts": list(_scripts(wanted, root))} if launcher == "slurm" else {}
        print(json.dumps({**plain(suite, rows), **more}))
        return
    out.print(_table(rows))
    to_run = sum(row["state"] in standing.MISSING for row in rows)
    out.print(f"{len(rows)} jobs at {scale} scale: {to_run} to run, {len(rows) - to_run} with a record or running")
    for job, row in zip(suite.jobs, rows, strict=True):
        if row["problem"]:
            out.print(Text(f"! {job.label}: {row['problem']}"), soft_wrap=True)
        if row["fit"] not in (None, "fits"):
            out.print(_overflow(job, row), soft_wrap=True)
    for problem in preflight.missing_inputs(suite.jobs, datasets):
        out.print(Text(f"! {problem}"), soft_wrap=True)
    scripts = list(_scripts(wanted, root))
    for number, array in enumerate(scripts, 1):
        labels = [job.label for job in suite.jobs if job.id in array["jobs"]]
        print(f"\n# array {number} of {len(scripts)}: {', '.join(labels)}\n{array['script']}", end="")


def _scripts(wanted: Sequence[Order], root: Path) -> Iterator[dict[str, Any]]:
    """What sbatch would be given for these jobs, as it is, and their ids in the array's order."""
    from harness import site, slurm, snapshot

    if not wanted:
        return
    slurm.check_root(root.resolve())
    for array in slurm.arrays(wanted, site.read(), snapshot.take(root.resolve()), slurm.largest_array()):
        ids = [order.spec.identity() for order in array.orders]
        yield {"jobs": ids, "script": slurm.script(array, root.resolve())}


def _count_at_once(jobs: Sequence[Job], store: Store, datasets: Path) -> None:
    """Count and predict what is not known yet by several processes; all is kept in files.

    At the paper's scale each job takes seconds, at demo scale less than a process takes to import torch.

    What goes wrong in one of them goes wrong again, and is told, where its row is made.
    """
    new = [job for job in jobs if not _is_known(job, store, datasets)]
    processes = min(os.cpu_count() or 1, len(new) // 2)  # that a process imports torch takes as long as one or two
    if processes < 2:
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, initializer=registry.use, initargs=([],)) as pool:
        for done in [pool.submit(_count, job.spec.plain(), store.root, datasets) for job in new]:
            done.exception()


def _count(plain: dict[str, Any], root: Path, datasets: Path) -> None:
    _costs(Job(JobSpec.from_plain(plain), ()), Store(root), datasets)


def _is_known(job: Job, store: Store, datasets: Path) -> bool:
    spec, classes = job.spec, class_count(job.spec.data.name, datasets)
    sizes = {spec.clip.size, *(size for *_, size in spec.asked)}
    counted = all(known_cost(job, store, datasets, size) for size in sizes)
    of_model = (store.root, spec.model, spec.clip.frames, spec.clip.size, classes)
    return counted and memory.known_memory(*of_model, **_step(job)) is not None


def _row(each: standing.Standing, store: Store, datasets: Path, shared: Mapping[str, list[str]]) -> dict[str, Any]:
    """One job: what it is, what it costs, and whether it fits its device."""
    spec = each.job.spec
    return {
        **{key: value for key, value in each.plain().items() if key not in ("tests", "progress")},
        "shared_with": shared.get(each.job.id, []),
        "views": _most([test.views for test in spec.tests]),
        "peak_memory_bytes": each.record.measured.peak_memory_bytes if each.record else None,
        "devices": spec.resources.devices,
        "device_batch": spec.device_batch,
        **_costs(each.job, store, datasets),
    }


def _costs(job: Job, store: Store, datasets: Path) -> dict[str, Any]:
    """What the job is counted and predicted to cost; each unknown (None) where the model lets nobody tell, with why."""
    costs: dict[str, Any] = dict.fromkeys(("parameters", "multiply_adds", "tflops", "predicted_memory_bytes", "fit"))
    limit = job.spec.resources.device_memory_gb
    try:
        counted = job_cost(job, store, datasets)
        costs |= {"parameters": counted.parameters, "multiply_adds": counted.multiply_adds}
        per_video = per_video_multiply_adds(job, store, datasets)
        costs["tflops"] = None if per_video is None else per_video / 1e12
        predicted = _predicted(job, store, datasets)
        costs["predicted_memory_bytes"] = predicted.peak_bytes
        costs["fit"] = None if limit is None else memory.verdict(predicted, limit)
    except ModelError as error:
        return {**costs, "problem": str(error)}
    return {**costs, "problem": None}


def per_video_multiply_adds(job: Job, store: Store, datasets: Path) -> int | None:
    """Multiply-adds of one video in the costliest of the job's tests, at that test's crop.

    None where a test takes as many clips as a video needs, which nobody knows before the videos are read.
    """
    return _most([
        None if test.views is None else test.views * job_cost(job, store, datasets, test.size).multiply_adds
        for test in job.spec.tests
    ])  # fmt: skip


def _most(values: Sequence[int | None]) -> int | None:
    """The largest value; None where one of them is not known."""
    known = [value for value in values if value is not None]
    return max(known) if len(known) == len(values) else None


def _predicted(job: Job, store: Store, datasets: Path) -> memory.Memory:
    """What a training step needs on each of the job's GPUs."""
    spec, classes = job.spec, class_count(job.spec.data.name, datasets)
    return memory.stored_memory(
        store.root, spec.model, spec.clip.frames, spec.clip.size, classes, **_step(job)
    )  # fmt: skip


def _step(job: Job) -> memory.How:
    spec = job.spec
    return {
        "batch": spec.device_batch,
        "precision": spec.precision,
        "training": True,
        "optimizer": spec.recipe.optimizer,
        "accumulating": spec.device_batch * spec.resources.devices < spec.recipe.batch_size,
    }


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    shown = table(
        "Job", "State", "Params, M", "GMACs/view", "TFLOPs", "Views", "Memory, GiB", "Measured", "Device-h",
        "Shared with", "Id",
    )  # fmt: skip
    for row in rows:
        overflow = "" if row["fit"] in (None, "fits") else " !"
        shown.add_row(
            row["label"], state_text(row["state"]), _number(row["parameters"], 1e6, ".4g"),
            _number(row["multiply_adds"], 1e9, ".4g"), _number(row["tflops"], 1, ".3g"), _number(row["views"], 1, "g"),
            _number(row["predicted_memory_bytes"], 2**30, ".2f") + overflow,
            _number(row["peak_memory_bytes"], 2**30, ".2f"), _number(row["device_hours"], 1, ".2f"),
            ", ".join(row["shared_with"]), row["id"],
        )  # fmt: skip
    return shown


def _number(value: float | None, unit: float, form: str) -> str:
    """In units of `unit`; nothing where it is not known."""
    return "" if value is None else format(value / unit, form)


def _overflow(job: Job, row: Mapping[str, Any]) -> str:
    need, clips = row["predicted_memory_bytes"] / 2**30, row["device_batch"]
    limit = job.spec.resources.device_memory_gb
    each = f"{clips} clip{'s' if clips > 1 else ''} a device"
    return f"! {job.label} {row['fit']} in {limit:g} GB: training needs {need:.1f} GiB for {each}, the driver about 1"


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
