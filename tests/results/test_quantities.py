from typing import Any, get_args

import pandas as pd
import pytest

from results.collect import NOT_RUN, Unrecorded, frame
from results.quantities import COUNTED, OF_TESTS, QUANTITIES, SHARES, Quantity, chance, measured, value, views
from results.record import Cost, Record


def row(example: Record, **changes: Any) -> "pd.Series[Any]":
    test = example.tests[0].model_copy(update={"top5": 0.99, "clips_per_video": 2.5})
    cost = Cost(parameters=2_500_000, multiply_adds=4_000_000_000, attention_multiply_adds=1)
    return frame([example.model_copy(update={"tests": [test], "cost": cost, **changes})]).iloc[0]


def test_every_quantity_has_its_formula_and_its_kind() -> None:
    assert set(get_args(Quantity)) == set(QUANTITIES)
    assert SHARES < OF_TESTS < set(QUANTITIES)
    assert set(QUANTITIES) > COUNTED


def test_each_is_in_its_unit(example: Record) -> None:
    found, measured = row(example), example.measured
    expected = {
        "top1": 97.0,
        "top5": 99.0,
        "class_mean": 97.0,
        "parameters": 2.5,
        "gmacs": 4.0,
        "test_gmacs": 4.0 * 2.5 * 3,
        "peak_memory": 310.0,
        "clips_per_s": measured.clips_per_s,
        "latency": 1000 * (measured.latency_s or 0),
        "device_minutes": 60 * measured.device_hours,
        "training_minutes": measured.train_s * measured.devices / 60,
        "training_hours": measured.train_s * measured.devices / 3600,
    }
    assert {name: value(name, found) for name in QUANTITIES} == pytest.approx(expected)


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_of_a_job_that_was_not_run_nothing_is_measured(quantity: str) -> None:
    bare = frame([], [Unrecorded("a", NOT_RUN, {"model": {"name": "x"}})]).iloc[0]
    assert value(quantity, bare) is None


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_of_a_job_that_was_not_run_what_was_counted_is_known(quantity: str, example: Record) -> None:
    jobs = frame(
        [example], [Unrecorded("a", NOT_RUN, {}, Cost(parameters=1, multiply_adds=2, attention_multiply_adds=1))]
    )
    assert (value(quantity, jobs.iloc[1]) is not None) == (quantity in COUNTED)


def test_what_a_device_does_not_tell_is_not_measured(example: Record) -> None:
    blind = example.measured.model_copy(update={"peak_memory_bytes": None})
    assert value("peak_memory", row(example, measured=blind)) is None


@pytest.mark.parametrize(("clips", "name"), [(10, "10 × 3 of 32"), ("cover", "cover × 3 of 32"), (1.0, "1 × 3 of 32")])
def test_a_test_is_called_by_its_views(clips: int | str, name: str) -> None:
    """A column of whole numbers with a gap is one of floats, which nobody should read."""
    assert views({"test.clips": clips, "test.crops": 3.0, "test.size": 32.0}) == name


def test_multiply_adds_of_another_crop_are_not_guessed(example: Record) -> None:
    found = row(example).to_dict()
    other = found["clip.size"] + 16
    assert value("test_gmacs", found | {"test.size": other}) is None
    assert value("test_gmacs", found | {"test.size": other, "test.multiply_adds": 8_000_000_000}) == 8 * 2.5 * 3


def test_a_variant_is_measured_when_all_of_its_jobs_ended_well(example: Record) -> None:
    good, bad = row(example).to_dict(), row(example, status="failed").to_dict()
    assert measured("top1", [good, good]) == pytest.approx([97.0, 97.0])
    assert measured("top1", [good, bad]) is None
    assert measured("parameters", [good, bad]) == [2.5, 2.5]  # known before it ran
    assert measured("top1", []) is None


def test_chance_is_of_the_classes_that_are_known(example: Record) -> None:
    unknown = frame([example, example.model_copy(update={"classes": 0, "status": "oom", "tests": []})])["classes"]
    assert chance(unknown) == 25.0
    assert chance([4, 5]) is None
    assert chance(unknown[1:]) is None
