import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from results.collect import COLUMNS, COST_COLUMNS, DAMAGED, NOT_RUN, Unrecorded, costs, frame, of_tests
from results.record import Cost, Problem, Record
from results.store import write_atomic

COST = {
    "model": {"name": "timesformer", "size": "base", "attention": "axial"},
    "frames": 8,
    "size": 224,
    "classes": 174,
    "cost": {"parameters": 156_800_000, "multiply_adds": 10, "attention_multiply_adds": 1},
}


def test_a_row_flattens_a_record(example: Record) -> None:
    rows = frame([example])
    assert len(rows) == 1
    row = rows.iloc[0].to_dict()
    expected: dict[str, Any] = {
        "id": "0f3a9c1d2b4e",
        "status": "done",
        "model.attention": "divided",
        "data.name": "motion",
        "clip.frames": 8,
        "seed": 0,
        "parameters": 160_000,
        "epochs": 2,
        "train.loss": 0.4,
        "train.accuracy": 0.9,
        "skipped": 1,
        "test.crops": 3,
        "test.answered": 199,
        "test.undecodable": 1,
        "train.videos": 800,
        "val.videos": 200,
        "val.digest": "00112233445566aa",
        "top1_low": 0.945,
        "class_mean": 0.97,
        "undecodable": "\n".join(example.undecodable),
        "top1": 0.97,
        "peak_memory_bytes": 325_058_560,
        "environment.torch": "2.9.0",
        "notes": "the previous checkpoint was used\none video skipped",
    }
    assert {key: row[key] for key in expected} == expected
    assert pd.isna(row["top5"])
    assert row["recipe.jitter"] == [1.0, 1.125]


def test_one_row_for_each_test(example: Record) -> None:
    tests = [example.tests[0], example.tests[0].model_copy(update={"crops": 1, "top1": 0.5})]
    rows = frame([example.model_copy(update={"tests": tests})])
    assert list(rows["test.crops"]) == [3, 1]
    assert list(rows["id"]) == [example.id] * 2


def test_a_failure_is_a_row_without_test_values(example: Record) -> None:
    error = Problem(type="MemoryError", message="asked for 3 GiB", traceback="...")
    failed = example.model_copy(update={"status": "oom", "tests": [], "epochs": [], "cost": None, "error": error})
    row = frame([failed, example]).iloc[0]
    assert (row["status"], row["error.type"]) == ("oom", "MemoryError")
    assert row[["top1", "parameters", "epochs", "test.clips"]].isna().all()


def test_no_records_still_have_the_columns() -> None:
    assert list(frame([]).columns) == COLUMNS
    assert frame([]).empty


def test_every_fixed_column_is_filled_by_a_record(example: Record) -> None:
    """A column that no record fills would be a wrong name."""
    error = Problem(type="x", message="y", traceback="z")
    full = example.model_copy(
        update={"error": error, "weights_sha256": "0", "tests": [example.tests[0].model_copy(update={"top5": 1.0})]}
    )
    assert frame([full])[COLUMNS].notna().all(axis=None)


def test_costs_lists_what_was_counted(tmp_path: Path) -> None:
    write_atomic(tmp_path / "costs" / "abc.json", json.dumps(COST))
    row = costs(tmp_path).iloc[0]
    assert (row["model.attention"], row["size"], row["classes"]) == ("axial", 224, 174)
    assert row["parameters"] == 156_800_000


def test_nothing_counted_still_has_the_columns(tmp_path: Path) -> None:
    assert list(costs(tmp_path).columns) == COST_COLUMNS


@pytest.mark.parametrize("text", ["", "{}", "[]", json.dumps(COST | {"cost": {}}), json.dumps(COST | {"model": 3})])
def test_a_damaged_cost_is_not_known_and_hides_no_other(tmp_path: Path, text: str) -> None:
    write_atomic(tmp_path / "costs" / "abc.json", text)
    write_atomic(tmp_path / "costs" / "whole.json", json.dumps(COST))
    assert list(costs(tmp_path)["parameters"]) == [156_800_000]


@pytest.mark.parametrize("status", [DAMAGED, NOT_RUN])
def test_a_job_without_a_record_is_a_row_that_says_so(example: Record, status: str) -> None:
    job = Unrecorded("abc", status, {"model": {"attention": "joint"}, "seed": 3})
    row = frame([example], [job]).iloc[1]
    assert (row["id"], row["status"], row["model.attention"], row["seed"]) == ("abc", status, "joint", 3)
    assert row[["top1", "wall_s", "parameters", "classes"]].isna().all()


def test_what_such_a_job_costs_can_be_known(example: Record) -> None:
    cost = Cost(parameters=7, multiply_adds=8, attention_multiply_adds=9)
    found = frame([example], [Unrecorded("abc", NOT_RUN, {}, cost)])
    assert found["parameters"].tolist() == [160_000, 7]
    assert found["multiply_adds"].iloc[1] == 8


def test_reports_and_results_import_no_torch() -> None:
    modules = "results.store, results.collect, results.literature, results.claims, results.outline, reports.site"
    code = f"import sys, {modules}; print(sorted({{'torch', 'matplotlib', 'seaborn', 'harness'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_of_a_shared_training_only_the_tests_that_are_asked_for_are_kept(example: Record) -> None:
    covered = example.tests[0].model_copy(update={"clips": "cover"})
    both = example.model_copy(update={"tests": [*example.tests, covered]})
    other = example.model_copy(update={"id": "other", "tests": [covered]})
    found = of_tests(frame([both, other]), {both.id: [("motion", 1, 3, 32)], "other": [("motion", 1, 3, 32)]})
    assert found["id"].tolist() == [both.id, "other"]
    assert found["test.clips"].tolist()[0] == 1
    assert found.iloc[1][["test.clips", "test.size", "top1"]].isna().all()
    assert found["parameters"].tolist() == [160_000, 160_000]
