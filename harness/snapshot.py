"""The code as it was when a sweep was submitted: jobs that start hours later run what the person saw.

`<root>/code/<digest>/` holds our packages and a user's own model files, once for each content.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from harness import packages
from models.registry import FILES, model_files

MODELS = "user_models"


@dataclass(frozen=True)
class Snapshot:
    """Code in a folder of its own, and the environment in which Python takes it and nothing else."""

    folder: Path
    models: tuple[Path, ...]

    @property
    def environment(self) -> dict[str, str]:
        """Variables for processes that run this code."""
        return {
            "PYTHONPATH": str(self.folder),
            "PYTHONSAFEPATH": "1",
            FILES: os.pathsep.join(map(str, self.models)),
        }


def take(root: Path) -> Snapshot:
    """Copy the code that runs now; the same content is kept once. Raises OSError."""
    sources = dict(_sources())
    digest = hashlib.sha256()
    for name, path in sorted(sources.items()):
        digest.update(f"{name}\n".encode() + path.read_bytes())
    commit = json.dumps(asdict(packages.commit()))
    digest.update(commit.encode())
    folder = root / "code" / digest.hexdigest()[:12]
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=".code-", dir=folder.parent))
        try:
            for name, path in sources.items():
                (unfinished / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, unfinished / name)
            (unfinished / packages.COMMIT).write_text(commit + "\n", encoding="utf-8")
            unfinished.chmod(0o755)
            unfinished.rename(folder)
        except OSError:  # a full disk; or another submission made the same meanwhile
            shutil.rmtree(unfinished, ignore_errors=True)
            if not folder.is_dir():
                raise
    return Snapshot(folder, tuple(folder / MODELS / path.name for path in model_files()))


def _sources() -> Iterator[tuple[str, Path]]:
    """Every file of our packages, by its name in the snapshot, and those of a user's models."""
    for package in packages.NAMES:
        for path in (packages.ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
                yield path.relative_to(packages.ROOT).as_posix(), path
    for path in model_files():
        yield f"{MODELS}/{path.name}", path
