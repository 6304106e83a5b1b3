import csv
import io
import math
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.metrics import (
    METRICS,
    Column,
    Metric,
    best_rows,
    bounds,
    cell_text,
    groups,
    is_number,
    spread_text,
    title,
    written,
)
from results.literature import FOLDER, NOT_PRINTED, names
from results.outline import Fact, Quantity

ACCURACY = Column("set_percent", "top1", "Set", "measured", "measured")
MEMORY = Column("memory", "peak_memory", "Memory", "measured", "measured")


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("parameters", 121.387, "121.4"),
        ("tflops", 0.5875, "0.59"),
        ("top1", 97.5, "97.5"),
        ("difference", 0.25, "+0.2"),
        ("difference", -1.0, "-1.0"),
        ("peak_memory", 310.4, "310"),
        ("clips_per_s", 812.3, "812"),
        ("clips_per_s", 0.02134, "0.0213"),
        ("clips_per_s", 0.0, "0"),
        ("difference", -0.04, "0.0"),
        ("difference", 0.04, "0.0"),
        ("difference", 0.0, "0.0"),
        ("difference", -0.06, "-0.1"),
        ("top1", -0.0, "0.0"),
        ("peak_memory", -0.2, "0"),
    ],
)
def test_numbers_are_written_to_what_they_mean(metric: str, value: float, text: str) -> None:
    assert METRICS[metric].text(value) == text


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("top1", 84.51, "84.51"),
        ("top1", 91.0, "91.0"),
        ("tflops", 6.0, "6.0"),
        ("tflops", 10.8, "10.8"),
        ("tflops", 0.59, "0.59"),
        ("tflops", 120.0, "120.0"),
        ("frames", 8.0, "8"),
        ("clips", np.float64(10), "10"),
    ],
)
def test_published_numbers_read_as_they_are_printed(metric: str, value: float, text: str) -> None:
    row = pd.Series({"a": value})
    assert cell_text(row, Column("a", metric, "", "", "paper")) == text
    assert cell_text(row, Column("a", metric, "", "", "counted")) == METRICS[metric].text(value)


@pytest.mark.parametrize("name", names())
def test_every_published_number_reads_as_in_its_file(name: str) -> None:
    """Whole numbers may have a decimal more, as others of their column have."""
    for fact in csv.DictReader(io.StringIO((FOLDER / f"{name}.csv").read_text(encoding="utf-8"))):
        if fact["value"] != NOT_PRINTED and fact["metric"] in get_args(Fact):
            metric = {"multiply_adds": "tflops", "clip_frames": "frames", "clip_coverage": "seconds",
                      "test_clips": "clips", "training_time": "hours"}.get(fact["metric"], fact["metric"])  # fmt: skip
            text = METRICS[metric].printed(float(fact["value"]))
            assert text.removesuffix(".0") == fact["value"].removesuffix(".0"), fact
            assert ("." in text) >= ("." in fact["value"])


@given(st.floats(1e-6, 1e9))
def test_three_significant_digits_lose_less_than_half_a_percent(value: float) -> None:
    assert float(Metric("", None, None).text(value)) == pytest.approx(value, rel=5.1e-3)


@pytest.mark.parametrize("value", ["failed", None, math.nan, math.inf, True, pd.NA])
def test_words_and_gaps_are_no_numbers(value: object) -> None:
    assert not is_number(value)


@pytest.mark.parametrize("value", [3, 3.5, np.int64(3), np.float64(3.5)])
def test_numbers_of_python_and_of_numpy_are_numbers(value: object) -> None:
    assert is_number(value)


def test_a_word_is_shown_as_it_is() -> None:
    row = pd.Series({"set_percent": "out of memory", "set_percent.low": None})
    assert (cell_text(row, ACCURACY), spread_text(row, ACCURACY)) == ("out of memory", "")


def test_the_spread_is_the_interval_or_the_deviation_over_seeds() -> None:
    one = pd.Series({"set_percent": 97.5, "set_percent.low": 94.28, "set_percent.high": 98.93, "set_percent.std": None})
    several = pd.Series({"set_percent": 97.5, "set_percent.std": 0.42, "set_percent.seeds": 3})
    assert spread_text(one, ACCURACY) == "94.3–98.9"
    assert spread_text(several, ACCURACY) == "±0.4, 3 seeds"
    assert spread_text(pd.Series({**several, "set_percent.owed": 3}), ACCURACY) == "±0.4, 3 seeds"
    assert spread_text(pd.Series({**several, "set_percent.owed": 4}), ACCURACY) == "±0.4, 3 of 4 seeds"


@pytest.mark.parametrize(
    ("low", "high", "std", "ends"),
    [(90.0, 99.0, None, (90.0, 99.0)), (None, None, 0.5, (97.0, 98.0)), (math.nan, math.nan, None, (97.5, 97.5))],
)
def test_bounds_are_the_interval_else_a_deviation_to_each_side_else_the_number(
    low: float | None, high: float | None, std: float | None, ends: tuple[float, float]
) -> None:
    row = pd.Series({"a": 97.5, "a.low": low, "a.high": high, "a.std": std}, dtype=object)
    assert bounds(row, "a") == ends


@pytest.mark.parametrize("gap", [None, math.nan])
def test_a_cell_that_owes_nothing_is_empty(gap: float | None) -> None:
    assert cell_text(pd.Series({"set_percent": gap}), ACCURACY) == ""


def test_best_is_highest_accuracy_and_lowest_memory_with_ties_as_read() -> None:
    table = pd.DataFrame(
        {"set_percent": [97.51, 97.49, "failed", 90.0], "memory": [300.0, 200.0, 100.0, "not measured"]}, dtype=object
    )
    assert best_rows(table, ACCURACY) == {0, 1}
    assert best_rows(table, MEMORY) == {2}


def test_where_all_read_the_same_none_is_best() -> None:
    table = pd.DataFrame(
        {"set_percent": [100.0, 99.96, 100.0, "failed"], "memory": [300.2, 300.4, None, 300]}, dtype=object
    )
    assert best_rows(table, ACCURACY) == best_rows(table, MEMORY) == set()
    table.loc[2, "set_percent"] = 99.9
    assert best_rows(table, ACCURACY) == {0, 1}


def test_one_number_alone_is_not_best() -> None:
    assert best_rows(pd.DataFrame({"set_percent": [97.5, "failed"]}, dtype=object), ACCURACY) == set()


def test_published_and_counted_numbers_compete_with_nobody() -> None:
    table = pd.DataFrame({"set_percent": [97.5, 90.0]})
    assert best_rows(table, Column("set_percent", "top1", "Set", "paper", "paper")) == set()


def test_neighbours_share_a_heading() -> None:
    columns = [
        Column(key, "top1", group, "", "paper") for key, group in [("a", "A"), ("b", "A"), ("c", "B"), ("d", "A")]
    ]
    assert [(title, len(members)) for title, members in groups(columns)] == [("A", 2), ("B", 1), ("A", 1)]


def test_a_number_of_which_nothing_else_is_known_bounds_itself() -> None:
    assert bounds(pd.Series({"a": 97.5}), "a") == (97.5, 97.5)


def test_data_sets_are_called_as_in_the_paper_and_others_by_their_names() -> None:
    assert [title(name) for name in ("k400", "long", "my_set", 3)] == ["K400", "Long set", "my_set", "3"]


def test_in_a_sentence_a_number_has_its_unit() -> None:
    assert (written("top1", 97.512), written("difference", 2.0)) == ("97.5 %", "+2.0 points")
    assert (written("gmacs", 0.023), written("test_gmacs", 2.0)) == ("0.0230 GMACs a view", "2.00 GMACs a video")


@pytest.mark.parametrize("quantity", get_args(Quantity))
def test_every_quantity_of_a_claim_can_be_written(quantity: str) -> None:
    assert written(quantity, 12.0).startswith(f"{METRICS[quantity].text(12.0)} {METRICS[quantity].unit}")
