"""The command line as a whole: wrong input, help, and the guard of the four package names."""

import os
import subprocess
import sys

import pytest

from tests.conftest import PROJECT
from tests.harness.verbs.conftest import TABLE1, harness


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "suites/missing.yaml"], "suites/missing.yaml: no such file"),
        (["plan", TABLE1, "--set", "model.size=hug"], "model.size: 'hug' is not allowed"),
        (["status", TABLE1, "--only", "data=nothing"], "unknown value of data 'nothing'"),
        (["run", TABLE1, "--root", "/proc/nowhere"], "--root /proc/nowhere: cannot be written"),
        (["run", TABLE1, "--scale", "huge"], "huge"),
        (["profile", "timesforme"], "timesformer"),
        (["profile", "timesformer", "--set", "clip.size=225"], "225 is not a multiple of the 16-pixel patch"),
    ],
)
def test_wrong_input_is_told_without_a_traceback_and_exit_code_2(arguments, told, tmp_path):
    ended = harness(*arguments)
    assert ended.returncode == 2
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_package_guard_refuses_a_stranger(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").write_text("", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{PROJECT}"}
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "harness.worker", str(tmp_path)],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode != 0
    assert "is taken from" in ended.stderr or "models" in ended.stderr


def test_help_has_an_example_for_every_command():
    for command in ("run", "plan", "status", "report", "profile"):
        assert f"Example: python -m harness {command}" in harness(command, "--help").stdout.replace("\n", " ")
