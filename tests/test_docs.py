"""The documents' example of a model does what they say."""

import json
import os
import re
import subprocess
import sys

from tests.conftest import PROJECT


def test_the_model_of_the_docs_is_counted_and_passes_the_contract(tmp_path):
    (code,) = re.findall(r"```python\n(# my_models\.py\n.*?)```", (PROJECT / "docs/models.md").read_text("utf-8"), re.S)
    assert len([line for line in code.splitlines() if line.strip()]) <= 30
    path = tmp_path / "my_models.py"
    path.write_text(code, encoding="utf-8")
    profile = [sys.executable, "-m", "harness", "profile", "mean", "--models", str(path), "--classes", "10", "--json"]
    told = subprocess.run(profile, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert json.loads(told.stdout)["multiply_adds"] == 3 * 64 + 64 * 10
    contract = [sys.executable, "-m", "pytest", "-q", "tests/models/test_contract.py", "-k", "mean", "-p", "no:xdist"]
    environment = {**os.environ, "HARNESS_MODELS": str(path)}
    ended = subprocess.run(contract, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
    assert "passed" in ended.stdout
