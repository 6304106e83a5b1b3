"""`weights`: what a checkpoint holds, and which model it fits."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.verbs.shell import DONE, SOME_FAILED, JsonOption, ModelsOption, out, table
from models import registry


def weights(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A checkpoint: .pyth, .pth, .pt, .bin, .safetensors.")],
    models: ModelsOption = [],  # noqa: B006
    as_json: JsonOption = False,
) -> None:
    """Tell what a checkpoint holds and which model it fits; reads tensors only, never runs its code."""
    registry.use(models)
    from models.formats import nearest
    from models.identify import fits
    from models.weights import load_checkpoint

    checkpoint = load_checkpoint(path)
    found = fits(checkpoint)
    likest, share = nearest(checkpoint.state)
    facts: dict[str, Any] = {
        "file": str(path),
        "format": checkpoint.format.title if checkpoint.format else None,
        "tensors": len(checkpoint.state),
        "numbers": sum(tensor.numel() for tensor in checkpoint.state.values()),
        "types": sorted({str(tensor.dtype).removeprefix("torch.") for tensor in checkpoint.state.values()}),
        "fits": [
            {"model": each.settings(), "frames": each.frames, "size": each.size, "classes": each.classes}
            for each in found
            if not each.misfits.count
        ],
        "nearest": [
            {"model": each.settings(), "misfits": each.misfits.lines()} for each in found if each.misfits.count
        ],
    }
    if as_json:
        print(json.dumps(facts, indent=1))
    else:
        _show(facts, f"; nearest: {likest.title}, with {share:.0%} of its names" if share else "")
    raise typer.Exit(DONE if facts["fits"] else SOME_FAILED)


def _show(facts: dict[str, Any], likest: str) -> None:
    known = facts["format"] or f"names of no known format{likest}"
    out.print(f"{facts['file']}: {known}", soft_wrap=True, highlight=False)
    out.print(f"{facts['numbers'] / 1e6:.2f} M numbers in {facts['tensors']} tensors, {', '.join(facts['types'])}")
    for each in facts["nearest"]:
        out.print(f"It fits no model; nearest: {_yaml(each['model'])}")
        for line in each["misfits"]:
            out.print(f"  {line}", soft_wrap=True)
    if not facts["fits"]:
        if not facts["nearest"]:
            out.print("It fits no model")
        return
    shown = table("Fits (as `model:` of a suite)", "Frames", "Pixels", "Classes")
    for each in facts["fits"]:
        model = {**each["model"], "weights": facts["file"]}
        unknown = "the model's choice"
        numbers = [each["frames"] or "any", each["size"] or "any", each["classes"] or unknown]
        shown.add_row(_yaml(model), *map(str, numbers))
    out.print(shown)
    if any(each["classes"] for each in facts["fits"]):
        out.print("For other classes: `new_head: true` beside `weights`")


def _yaml(settings: dict[str, Any]) -> str:
    """Settings on one line, as a suite takes them."""
    return "{" + ", ".join(f"{key}: {json.dumps(value).strip(chr(34))}" for key, value in settings.items()) + "}"
