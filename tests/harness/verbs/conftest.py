"""A command line as a person uses it, in processes of its own, and a small suite that it has run."""

import os
import subprocess
from pathlib import Path

import pytest

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
    """A small suite, run to its end with Table 1 as its report: (suite, root)."""
    folder = tmp_path_factory.mktemp("finished")
    suite, root = folder / "small.yaml", folder / "runs"
    suite.write_text(SMALL_SUITE + REPORT, encoding="utf-8")
    root.mkdir()
    (root / "data").symlink_to(embedded_cache)
    ended = harness("run", suite, "--root", root)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "2 jobs at demo scale, 2 to run" in ended.stdout
    assert "Sparse Local Global" in ended.stdout  # published, and left out by this suite
    assert "Divided attention is above chance" in ended.stdout
    return suite, root
