"""`profile`: what one model costs, counted, predicted and, if asked, measured."""

import json
from dataclasses import asdict
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from harness import cost, memory, single
from harness.errors import HarnessError, Mistake, SuiteError
from harness.spec import JobSpec
from harness.verbs.shell import JsonOption, ModelsOption, SetOption, out, table
from models import registry
from models.registry import ModelError


def profile(
    model: Annotated[str, typer.Argument(help="A model's name, such as timesformer_hr or slowfast_r50_8x8.")],
    sets: SetOption = [],  # noqa: B006
    classes: Annotated[int, typer.Option(min=1, help="Classes of the head.")] = 400,
    measure: Annotated[bool, typer.Option("--measure", help="Also time it on this machine's device.")] = False,
    compiled: Annotated[bool, typer.Option("--compiled", help="Measure it compiled by torch.compile.")] = False,
    by: Annotated[Literal["model", "module"], typer.Option(help="module: also a row for each part of it.")] = "model",
    depth: Annotated[int | None, typer.Option(min=1, help="How deep --by module tells parts apart; 1.")] = None,
    models: ModelsOption = [],  # noqa: B006
    as_json: JsonOption = False,
) -> None:
    """Count one model's parameters and multiply-adds, predict its memory, and measure it if asked."""
    _check_options(measure=measure, compiled=compiled, by=by, depth=depth)
    registry.use(models)
    job = single.job(model, sets)
    if len(job.tests) > 1:
        raise SuiteError([Mistake("profile", 0, "test", f"name one protocol to count, not {len(job.tests)}")])
    facts = _counted(job, classes) | {"memory": _predicted(job, classes)}
    if by == "module":
        facts["modules"] = [
            asdict(each) for each in cost.breakdown(job.model, job.clip.frames, job.clip.size, classes, depth or 1)
        ]
    if measure:
        _measure(facts, job, classes, compiled, (depth or 1) if by == "module" else None)
    if as_json:
        print(json.dumps(facts, indent=1))
    else:
        _show(facts, job)


def _check_options(*, measure: bool, compiled: bool, by: str, depth: int | None) -> None:
    """Raise HarnessError for an option that would change nothing."""
    if compiled and not measure:
        raise HarnessError("--compiled says how to measure: add --measure, or leave it out")
    if depth is not None and by != "module":
        raise HarnessError("--depth says how deep --by module goes: add --by module, or leave it out")


def _counted(job: JobSpec, classes: int) -> dict[str, Any]:
    clip = job.clip
    counted = cost.count(job.model, clip.frames, clip.size, classes)
    (test,) = job.tests
    per_view = counted.multiply_adds
    if test.size != clip.size:
        per_view = cost.count(job.model, clip.frames, clip.size, classes, crop=test.size).multiply_adds
    return {
        "model": job.model.model_dump(mode="json"),
        "frames": clip.frames,
        "size": clip.size,
        "test_size": test.size,
        "classes": classes,
        **counted.model_dump(),
        "test_multiply_adds": per_view,
        "views": test.views,
        "tflops": None if test.views is None else per_view * test.views / 1e12,
    }


def _predicted(job: JobSpec, classes: int) -> dict[str, Any]:
    """What one clip needs on a GPU, in a test and in training."""
    return {
        use: memory.predict(
            job.model, job.clip.frames, job.clip.size, classes,
            batch=1, precision=job.precision, training=use == "training", optimizer=job.recipe.optimizer,
        ).model_dump()
        for use in ("inference", "training")
    }  # fmt: skip


def _measure(facts: dict[str, Any], job: JobSpec, classes: int, compiled: bool, depth: int | None) -> None:
    from harness import measure

    try:
        facts["measured"] = asdict(measure.profile(job, classes, compiled=compiled))
    except RuntimeError as error:
        if not type(error).__module__.startswith(("torch._inductor", "torch._dynamo")):
            raise
        reason = str(error).splitlines()[0]
        raise ModelError(f"torch.compile cannot compile it here: {reason}; try without --compiled") from error
    if depth is not None:
        times = {each.name: each for each in measure.times_by_module(job, classes, depth)}
        for row in facts["modules"]:
            row["seconds"] = times[row["name"]].seconds if row["name"] in times else None


def _show(facts: dict[str, Any], job: JobSpec) -> None:
    shown = table("", "")
    for heading, text in _lines(facts, job):
        shown.add_row(heading, text)
    out.print(shown)
    if "modules" in facts:
        out.print(_modules(facts["modules"]))


def _lines(facts: dict[str, Any], job: JobSpec) -> list[tuple[str, str]]:
    clip, (test,) = job.clip, job.tests
    share = facts["attention_multiply_adds"] / facts["multiply_adds"] if facts["multiply_adds"] else 0.0
    options = ", ".join(f"{key} {_word(value)}" for key, value in facts["model"].items() if key != "name")
    crop = f"{test.clips} x {test.crops} views of {test.size} x {test.size}"
    total = "as many clips as cover it" if facts["tflops"] is None else f"{facts['tflops']:.4g} TFLOPs"
    inference, training = (facts["memory"][use]["peak_bytes"] / 2**30 for use in ("inference", "training"))
    predicted = f"one clip {inference:.3g} GiB, in training {training:.3g} GiB ({job.recipe.optimizer})"
    lines = [
        ("Model", f"{facts['model']['name']}: {options}"),
        ("Clip", f"{clip.frames} frames, {clip.stride} apart, {clip.size} x {clip.size}"),
        ("Parameters", f"{facts['parameters'] / 1e6:,.5g} M ({facts['classes']} classes)"),
        ("One view", f"{facts['multiply_adds'] / 1e9:,.5g} GMACs, {share:.1%} of them attention's products"),
        ("One video", f"{total}: {crop}, {facts['test_multiply_adds'] / 1e9:,.5g} GMACs each"),
        ("Memory", f"predicted for a GPU, {job.precision}: {predicted}"),
    ]
    return lines + (_speed_lines(facts["measured"]) if "measured" in facts else [])


def _speed_lines(measured: dict[str, Any]) -> list[tuple[str, str]]:
    """What was measured, where it could be."""
    how = f"{measured['precision']}, {'compiled' if measured['compiled'] else 'eager'}"
    lines = [
        ("Device", f"{measured['device']}, {how}"),
        ("Latency", f"{_seconds(measured['latency_s'])} +- {_seconds(measured['latency_spread_s'])}, one clip"),
        ("Throughput", f"{measured['throughput_clips_per_s']:.4g} clips/s at batch {measured['throughput_batch']}"),
    ]
    if measured["inference_memory_bytes"]:
        lines.append(("Peak memory", f"{measured['inference_memory_bytes'] / 2**30:.3g} GiB, one clip"))
    if measured["training_step_s"] is None:
        return [*lines, ("Training", "no batch fits this device")]
    step = f"{measured['training_clips_per_s']:.4g} clips/s, a step of {measured['training_batch']} clips in"
    lines.append(("Training", f"{step} {_seconds(measured['training_step_s'])}"))
    if measured["training_memory_bytes"]:
        lines.append(("Peak in training", f"{measured['training_memory_bytes'] / 2**30:.3g} GiB"))
    return lines


def _modules(rows: list[dict[str, Any]]) -> Table:
    timed = any("seconds" in row for row in rows)
    shown = table(
        "Module", "Kind", "Params, M", "GMACs", "Attention", "By operator, GMACs", *(["Time"] if timed else [])
    )
    for row in rows:
        total, attention = row["multiply_adds"], row["attention_multiply_adds"]
        operators = ", ".join(f"{name} {n / 1e9:.4g}" for name, n in row["operators"].items() if n)
        cells = [f"{row['parameters'] / 1e6:.4g}", f"{total / 1e9:.4g}", f"{attention / total:.1%}" if total else ""]
        time = [] if not timed else ["" if row.get("seconds") is None else _seconds(row["seconds"])]
        shown.add_row(row["name"] or "(all)", row["kind"], *cells, operators, *time)
    return shown


def _word(value: Any) -> str:
    """A setting as a person says it."""
    if value is None:
        return "none"
    return str(value) if not isinstance(value, bool) else "yes" if value else "no"


def _seconds(value: float) -> str:
    return f"{value:.3g} s" if value >= 1 else f"{value * 1e3:.3g} ms"
