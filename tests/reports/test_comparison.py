from collections.abc import Callable

import pandas as pd
import pytest

from reports import comparison, render
from results.collect import frame
from results.record import Record


def record(example: Record, id_: str, seed: int = 0, status: str = "done", **test) -> Record:
    spec = {**example.spec, "seed": seed}
    tests = [example.tests[0].model_copy(update=test)] if status == "done" else []
    return example.model_copy(update={"id": id_, "spec": spec, "status": status, "tests": tests})


@pytest.fixture
def example(record_of: Callable[..., Record]) -> Record:
    return record_of("space", "motion")


VARIANTS = {
    "a0": (("model.attention", "space"), ("seed", "0")),
    "a1": (("model.attention", "space"), ("seed", "1")),
    "b0": (("model.attention", "divided"), ("seed", "0")),
}


@pytest.fixture
def records(example: Record) -> pd.DataFrame:
    return frame(
        [
            record(example, "a0", top1=0.5),
            record(example, "a1", 1, top1=0.7),
            record(example, "b0", top1=0.9, top1_low=0.8, top1_high=0.95),
        ]
    )


def test_seeds_share_a_row_and_single_ones_have_an_interval(records: pd.DataFrame) -> None:
    table = comparison.table(records, VARIANTS)
    (column,) = [each for each in comparison.columns(records) if each.metric == "top1"]
    assert table["scheme"].tolist() == ["attention space", "attention divided"]
    assert table[column.key].tolist() == pytest.approx([60.0, 90.0])
    assert table[f"{column.key}.std"][0] == pytest.approx(14.142, abs=1e-3)
    assert (table[f"{column.key}.low"][1], table[f"{column.key}.high"][1]) == pytest.approx((80.0, 95.0))


def test_each_data_set_and_test_is_a_column(example: Record) -> None:
    other = record(example, "b0", clips=10)
    other = other.model_copy(update={"spec": {**other.spec, "data": {**other.spec["data"], "name": "mine"}}})
    found = frame([record(example, "a0"), other])
    groups = [(each.group, each.label) for each in comparison.columns(found) if each.metric == "top1"]
    assert len(groups) == 2
    assert groups[1][0] == "mine"
    assert "10 ×" in groups[1][1]


@pytest.mark.parametrize(("status", "word"), [("oom", "out of memory"), ("failed", "failed")])
def test_what_did_not_end_well_is_a_word(example: Record, status: str, word: str) -> None:
    records = frame([record(example, "a0", status=status), record(example, "b0")])
    assert comparison.table(records, VARIANTS)["device_minutes"].map(str)[1] != word
    bare = records.assign(clips_per_s=[None, 1.0])
    assert comparison.table(bare, VARIANTS)["device_minutes"][0] == word


def test_what_did_not_run_is_a_row(records: pd.DataFrame) -> None:
    table = comparison.table(records, {**VARIANTS, "c0": (("model.attention", "joint"),)})
    assert table["clips_per_s"].tolist()[-1] == "not run"


def test_it_is_rendered_in_every_format(records: pd.DataFrame) -> None:
    table, columns = comparison.table(records, VARIANTS), comparison.columns(records)
    text = render.markdown(table, columns, comparison.caption("demo"), "Variant")
    assert text.startswith("| Variant |")
    assert "| attention divided |" in text
    assert "attention divided" in render.latex(table, columns, comparison.caption("demo"), "tab:x", "Variant")
