"""A guard for the four generic top-level names: all must come from this checkout."""

import importlib.util
from pathlib import Path

from harness.errors import HarnessError

ROOT = Path(__file__).parent.parent
NAMES = ("harness", "models", "results", "reports")


def check() -> None:
    """Raise HarnessError where another package shadows one of ours."""
    for name in NAMES:
        spec = importlib.util.find_spec(name)
        found = Path(spec.origin).parent.parent if spec and spec.origin else None
        if found is None or found.resolve() != ROOT.resolve():
            raise HarnessError(
                f"the package '{name}' is taken from {found or 'nowhere'} instead of {ROOT}: "
                "run from the project's folder, or remove the other package from PYTHONPATH"
            )
