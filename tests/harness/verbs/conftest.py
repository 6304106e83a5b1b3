"""A command line as a person uses it, in processes of its own, and a small suite that it has run."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.locks import hold
from tests import warm
from tests.conftest import PROJECT, SMALL_SUITE

TABLE1 = "suites/attention_schemes.yaml"


REPORT = """\
report:
  published: [table1]
  rows:
    Space: {model.attention: space}
    Divided Space-Time: {model.attention: divided}
  findings:
    - claim: Divided attention is above chance
      holds: [{of: {model.attention: divided}, above: chance}]
"""
"""What Table 1's suite has, of two of its schemes."""


def harness(*arguments: object, cwd: Path = PROJECT) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    return subprocess.run(
        warm.command("harness", *arguments),
        cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, embedded_cache: Path) -> tuple[Path, Path]:
    """A small suite, run to its end with Table 1 as its report: (suite, root); a copy for each xdist worker."""
    made, folder = embedded_cache.parent / "finished", tmp_path_factory.mktemp("copy") / "finished"
    with hold(embedded_cache.parent / "finished.lock", "the suite that verbs are tried on", 300):
        if not (made / "complete").exists():
            finish(made, embedded_cache)
            (made / "complete").touch()
    shutil.copytree(made, folder, symlinks=True)
    return folder / "small.yaml", folder / "runs"


def finish(folder: Path, embedded_cache: Path) -> None:
    """Run it in a folder that is made."""
    folder.mkdir()
    suite, root = folder / "small.yaml", folder / "runs"
    suite.write_text(SMALL_SUITE + REPORT, encoding="utf-8")
    root.mkdir()
    (root / "data").symlink_to(embedded_cache)
    ended = harness("run", suite, "--root", root)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "2 jobs at demo scale, 2 to run" in ended.stdout
    assert "Sparse Local Global" in ended.stdout  # published, and left out by this suite
    assert "Divided attention is above chance" in ended.stdout
