import hashlib
import subprocess

import pytest
import torch

from harness.provenance import environment
from models import registry
from models.catalog import Options, TimeSformerOptions
from tests.conftest import PROJECT

CPU = torch.device("cpu")


class MineOptions(Options):
    name: str = "mine"


def test_the_environment_names_machine_libraries_and_code():
    facts = environment(CPU, TimeSformerOptions())
    assert facts["torch"] == torch.__version__
    assert facts["device"]
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert facts["git_commit"] == (head.stdout.strip() or None)


@pytest.mark.parametrize("failure", [FileNotFoundError(), subprocess.CalledProcessError(128, "git")])
def test_outside_git_there_is_no_commit(monkeypatch, failure):
    def fail(*_, **__):
        raise failure

    monkeypatch.setattr(subprocess, "run", fail)
    facts = environment(CPU, TimeSformerOptions())
    assert (facts["git_commit"], facts["git_dirty"]) == (None, None)


def test_files_that_the_identity_does_not_hold_are_named_by_their_content(tmp_path, monkeypatch):
    weights, code = tmp_path / "start.pt", tmp_path / "mine_of_a_user.py"
    weights.write_bytes(b"weights")
    code.write_text("def build(*_): ...\n", encoding="utf-8")
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    monkeypatch.syspath_prepend(tmp_path)
    registry.register("mine", MineOptions, "mine_of_a_user:build")
    import mine_of_a_user  # noqa: F401  (as building a model does)

    facts = environment(CPU, MineOptions(weights=str(weights)))
    assert facts["start_weights_sha256"] == hashlib.sha256(b"weights").hexdigest()
    assert facts["model_code_sha256"] == hashlib.sha256(code.read_bytes()).hexdigest()
    assert not {"start_weights_sha256", "model_code_sha256"} & environment(CPU, TimeSformerOptions()).keys()
