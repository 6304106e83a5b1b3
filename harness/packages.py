"""Our own code: a guard for the four generic top-level names, which must come from this checkout, and its commit."""

import importlib.util
import json
import subprocess
from dataclasses import dataclass
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


COMMIT = "commit.json"
"""In a snapshot of the code (`harness.snapshot`): which commit it was made of."""


@dataclass(frozen=True)
class Commit:
    """The commit of this code and whether it was changed since; None outside a git checkout."""

    git_commit: str | None = None
    git_dirty: bool | None = None


def commit() -> Commit:
    """Of the code that runs: asked of git, or as its snapshot says."""
    if (ROOT / COMMIT).is_file():
        return Commit(**json.loads((ROOT / COMMIT).read_text(encoding="utf-8")))
    try:
        head = _git("rev-parse", "HEAD").strip()
        return Commit(head, bool(_git("status", "--porcelain", "--untracked-files=no").strip()))
    except (OSError, subprocess.SubprocessError):
        return Commit()


def _git(*command: str) -> str:
    ended = subprocess.run(["git", "-C", ROOT, *command], capture_output=True, text=True, timeout=10, check=True)
    return ended.stdout
