"""`profile`: what one model costs, counted and, if asked, measured."""

import json
from typing import Annotated, Any

import typer

from harness import cost
from harness.verbs.shell import JsonOption, SetOption, out, table


def profile(
    model: Annotated[str, typer.Argument(help="A model's name, such as timesformer.")],
    sets: SetOption = [],  # noqa: B006
    classes: Annotated[int, typer.Option(min=1, help="Classes of the head.")] = 400,
    measure: Annotated[bool, typer.Option("--measure", help="Also time it on this machine's device.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Count one model's parameters and multiply-adds, and time it if asked."""
    from harness import measure as measuring
    from harness import single

    job = single.job(model, sets)
    clip = job.clip
    counted = cost.count(job.model, clip.frames, clip.size, classes)
    views = max(test.clips * test.crops for test in job.tests)
    facts: dict[str, Any] = {
        "model": job.model.model_dump(mode="json"),
        "frames": clip.frames,
        "size": clip.size,
        "classes": classes,
        **counted.model_dump(),
        "views": views,
        "tflops": counted.multiply_adds * views / 1e12,
    }
    if measure:
        facts |= measuring.profile(job, classes)
    if as_json:
        print(json.dumps(facts, indent=1))
        return
    shown = table("", "")
    for key, value in facts.items():
        number = f"{value:,}" if isinstance(value, int) else f"{value:.4g}" if isinstance(value, float) else None
        shown.add_row(key, number or str(value))
    out.print(shown)
