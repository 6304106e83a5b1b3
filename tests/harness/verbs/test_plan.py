"""`plan`, beside `status`."""

import json

from harness.suite import load
from harness.verbs import plan
from harness.verbs.shell import DATASETS
from results.store import Store
from tests.conftest import SMALL_SUITE
from tests.harness.verbs.conftest import harness


def test_status_and_plan_say_the_same_as_json(finished):
    suite, root = finished
    (status,) = json.loads(harness("status", suite, "--root", root, "--json").stdout)
    plan = json.loads(harness("plan", suite, "--root", root, "--json").stdout)
    assert [job["state"] for job in status["jobs"]] == ["done", "done"]
    assert [job["id"] for job in status["jobs"]] == [job["id"] for job in plan["jobs"]]
    assert all(job["tests"][0]["videos"] == 200 for job in status["jobs"])
    assert all(job["multiply_adds"] > 0 and job["device_hours"] > 0 for job in plan["jobs"])
    shown = harness("status", suite, "--root", root)
    assert "divided  done   top-1 " in shown.stdout


def test_what_will_not_fit_its_device_is_told_before_it_runs(small_suite, tmp_path):
    plan = ["plan", small_suite, "--root", tmp_path / "runs", "--only", "model.attention=divided"]
    (unknown,) = json.loads(harness(*plan, "--json").stdout)["jobs"]
    assert unknown["fit"] is None
    assert unknown["predicted_memory_bytes"] > 4 * unknown["parameters"]
    large, small = ("--set", "resources.device_memory_gb=80"), ("--set", "resources.device_memory_gb=0.5")
    assert json.loads(harness(*plan, *large, "--json").stdout)["jobs"][0]["fit"] == "fits"
    told = harness(*plan, *small)
    assert told.returncode == 0
    assert (
        "! divided will not fit in 0.5 GB: training needs 0.0 GiB for 4 clips a device, the driver about 1"
        in told.stdout
    )


def test_the_test_crop_is_what_a_video_costs(small_suite, tmp_path):
    plan = ["plan", small_suite, "--root", tmp_path / "runs", "--only", "model.attention=space", "--json"]
    (same,) = json.loads(harness(*plan).stdout)["jobs"]
    (larger,) = json.loads(harness(*plan, "--set", "test.size=32").stdout)["jobs"]
    assert same["tflops"] * 1e12 == same["multiply_adds"]
    assert larger["multiply_adds"] == same["multiply_adds"]
    assert larger["tflops"] > 3 * same["tflops"]


def test_what_covers_a_video_is_not_counted_before(small_suite, tmp_path):
    plan = ["plan", small_suite, "--root", tmp_path / "runs", "--set", "test.clips=cover"]
    for job in json.loads(harness(*plan, "--json").stdout)["jobs"]:
        assert (job["views"], job["tflops"], job["problem"]) == (None, None, None)
        assert job["multiply_adds"] > 0
    assert "2 to run" in harness(*plan).stdout


PICKY = """
import torch
from torch import nn

from models.catalog import Options
from models.registry import register


class PickyOptions(Options):
    name: str = "picky"


class Picky(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.head = nn.Linear(3, classes)

    def forward(self, clip):
        means = clip.mean(dim=(2, 3, 4))
        return self.head(means if means.sum().item() else means + 1)


def build(options, frames, size, classes):
    return Picky(classes)


register("picky", PickyOptions, "picky:build")
"""


def test_a_model_that_nobody_can_count_is_a_row_with_the_reason(small_suite, tmp_path):
    (tmp_path / "picky.py").write_text(PICKY, encoding="utf-8")
    suite = tmp_path / "both.yaml"
    text = SMALL_SUITE.replace("model.attention: [space, divided]", "model: [timesformer, picky]")
    suite.write_text(
        text.replace("{name: timesformer, size: demo, init: scratch, drop_path: 0.2}", "timesformer"), encoding="utf-8"
    )
    plan = ["plan", suite, "--root", tmp_path / "runs", "--models", tmp_path / "picky.py"]
    rows = {row["label"]: row for row in json.loads(harness(*plan, "--json").stdout)["jobs"]}
    assert rows["timesformer"]["multiply_adds"] > 0
    assert rows["picky"]["multiply_adds"] is None
    assert "cannot be counted" in rows["picky"]["problem"]
    shown = harness(*plan)
    assert shown.returncode == 0
    assert "! picky: picky: its cost cannot be counted: RuntimeError" in shown.stdout


def test_inputs_that_are_missing_are_told(small_suite, tmp_path):
    shown = harness("plan", small_suite, "--root", tmp_path / "runs", "--set", "model.weights=./nothing.pt")
    assert shown.returncode == 0
    assert "! space: model.weights: no such checkpoint: " in shown.stdout


COSTS = ("parameters", "multiply_adds", "tflops", "predicted_memory_bytes", "fit", "problem")


def test_the_scripts_are_in_the_json_too(small_suite, root, programs, monkeypatch, capsys):
    programs()
    monkeypatch.setattr(plan, "_costs", lambda *_: dict.fromkeys(COSTS))  # which take seconds, and are tested above
    plan.plan(small_suite, root=root, launcher="slurm", as_json=True)
    told = json.loads(capsys.readouterr().out)
    (array,) = told["scripts"]
    assert array["jobs"] == [job["id"] for job in told["jobs"]]
    assert "#SBATCH --array=0-1%2\n" in array["script"]
    plan.plan(small_suite, root=root, launcher="slurm")
    shown = capsys.readouterr().out
    assert "\n# array 1 of 1: space, divided\n#!/bin/bash\n" in shown
    assert array["script"] in shown


def test_what_several_processes_count_is_known_then(small_suite, tmp_path):
    jobs, store = load(small_suite, sets=["model.attention=[space, joint, divided, axial]"]).jobs, Store(tmp_path)
    assert len(jobs) == 4
    plan._count_at_once(jobs, store, DATASETS)
    assert all(plan._is_known(job, store, DATASETS) for job in jobs)
