import re

import pytest
import torch
from torch import nn

from harness.errors import HarnessError, OutputError
from harness.preflight import check_inputs, check_writable, missing_inputs
from harness.suite import load
from tests.conftest import PROJECT


def test_a_writable_folder_is_made_and_left_empty(tmp_path):
    check_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


@pytest.mark.parametrize("where", ["/proc/nowhere", "{file}/below"])
def test_a_folder_that_cannot_be_written_is_told(tmp_path, where):
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match=r"--root .* cannot be written: .*; choose another with --root"):
        check_writable(type(tmp_path)(where.format(file=file)))


def test_data_that_is_missing_is_told(tmp_path):
    jobs = load(PROJECT / "suites" / "attention_schemes.yaml", "paper").jobs
    datasets = tmp_path / "datasets.yaml"
    with pytest.raises(HarnessError, match="is not configured"):
        check_inputs(jobs, tmp_path, datasets)
    datasets.write_text("k400: {format: kinetics, root: nowhere}\n", encoding="utf-8")
    with pytest.raises(HarnessError, match=r"datasets\.yaml:1: k400: there is no folder .*nowhere"):
        check_inputs(jobs, tmp_path, datasets)


def test_weights_that_are_missing_are_told(small_suite, tmp_path):
    jobs = load(small_suite, sets=["model.weights=./nothing.pt", "data.name=k400"]).jobs
    (data, weights) = missing_inputs(jobs, tmp_path / "datasets.yaml")
    assert "k400" in data
    assert re.fullmatch(r"space: model.weights: no such checkpoint: /.*/nothing.pt", weights)
    with pytest.raises(HarnessError, match=f"{re.escape(data)}\n{re.escape(weights)}"):
        check_inputs(jobs, tmp_path, tmp_path / "datasets.yaml")
    check_inputs(load(small_suite).jobs, tmp_path, tmp_path / "datasets.yaml")


def test_weights_of_something_else_are_told(small_suite, tmp_path):
    torch.save({"state_dict": {"x": torch.ones(2)}}, tmp_path / "other.pt")
    jobs = load(small_suite, sets=[f"model.weights={tmp_path / 'other.pt'}"]).jobs
    with pytest.raises(HarnessError, match=r"(?s)space: .*other\.pt.*\n.*divided: .*other\.pt"):
        check_inputs(jobs, tmp_path, tmp_path / "datasets.yaml")


def test_a_model_that_gives_no_logits_is_told(small_suite, tmp_path, monkeypatch):
    monkeypatch.setattr("harness.cost.build", lambda *_: nn.Flatten())
    jobs = load(small_suite).jobs
    with pytest.raises(
        HarnessError, match=r"space: timesformer: it gives \[1, 3072\] for one clip, not logits b k: \[1, 4\]"
    ):
        check_inputs(jobs, tmp_path, tmp_path / "datasets.yaml")
