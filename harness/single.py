"""One job from the command line alone, for looking at a model without a suite."""

from collections.abc import Sequence
from pathlib import Path

from harness import document, matrix
from harness.combination import checked
from harness.errors import HarnessError
from harness.spec import JobSpec

BASE = {"data": "k400", "recipe": "timesformer"}


def job(model: str, sets: Sequence[str], datasets_file: Path | None = None) -> JobSpec:
    """The named model at its defaults with `KEY=VALUE`s laid over; raises HarnessError with every mistake."""
    if not model.strip():
        raise HarnessError("name a model, such as timesformer")
    base = [matrix.override(f"{key}={name}") for key, name in {**BASE, "model": model}.items()]
    point = matrix.laid_over(*base, *(matrix.override(text) for text in sets))
    doc = document.Document("--set")
    jobs, mistakes = checked(matrix.Combination(point, {}), doc, datasets_file)
    if mistakes:
        said = sorted({f"{mistake.key}: {mistake.problem}" for mistake in mistakes})
        raise HarnessError("\n".join(said))
    return jobs[0].spec
