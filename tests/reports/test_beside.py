from collections.abc import Callable
from itertools import combinations
from typing import Any, get_args

import pandas as pd
import pytest

from reports.beside import Counted, beside
from reports.content import Table
from reports.metrics import NOT_COUNTED, Column, cell_text
from results.collect import frame
from results.literature import chosen, names
from results.outline import Fact, Outline
from results.record import Record

Factory = Callable[..., Any]
MEASURED = (
    Column("top1_percent k400 1 × 3 of 224", "top1", "K400", "top-1, 1 × 3 of 224", "measured"),
    Column("top5_percent k400 1 × 3 of 224", "top5", "K400", "top-5, 1 × 3 of 224", "measured"),
    Column("clips_per_s", "clips_per_s", "clips/s", "measured", "measured"),
)
PUBLISHED = pd.DataFrame(
    [
        ("A", "", "parameters", 10.0, "p"),
        ("A", "k400", "top1", 77.0, "q"),
        ("A", "k400", "multiply_adds", float("nan"), "q"),
        ("B", "k400", "top1", 78.0, "q"),
        ("B", "k400", "multiply_adds", 0.5, "r"),
    ],
    columns=["row", "dataset", "metric", "value", "protocol"],
)
COUNTED = {"A": Counted(12_000_000, 3 * 10**12), "B": Counted(5, None)}


def own(**rows: Any) -> Table:
    """A suite's table: top-1, top-5 and speed of each row."""
    cells = [{"scheme": name, **dict(zip((each.key for each in MEASURED), values, strict=True)),
              "parameters_millions": 1.0, "gmacs_per_view": 1.0} for name, values in rows.items()]  # fmt: skip
    return Table("t", pd.DataFrame(cells), MEASURED, "", "Scheme", ("first",))


def read(table: Table) -> dict[str, list[str]]:
    """What is read under each heading."""
    return {f"{column.group} | {column.label}": [cell_text(row, column) for _, row in table.frame.iterrows()]
            for column in table.columns}  # fmt: skip


TABLE = own(mine=(50.0, 60.0, 3.0), A=(76.5, 90.0, 4.0))


def test_published_rows_come_first_in_their_order_then_the_suites_others() -> None:
    assert beside(TABLE, PUBLISHED, COUNTED, "paper").frame["scheme"].tolist() == ["A", "B", "mine"]
    assert beside(TABLE, PUBLISHED[::-1], COUNTED, "demo").frame["scheme"].tolist() == ["B", "A", "mine"]


def test_at_the_papers_scale_what_was_measured_stands_beside_with_its_difference() -> None:
    assert read(beside(TABLE, PUBLISHED, COUNTED, "paper")) == {
        "Parameters, M | paper": ["10.0", "", ""],
        "Parameters, M | counted": ["12.0", "0.0", ""],
        "K400 | top-1, paper": ["77.0", "78.0", ""],
        "K400 | top-1, 1 × 3 of 224": ["76.5", "", "50.0"],
        "K400 | difference": ["-0.5", "", ""],
        "TFLOPs | paper": ["N/A", "0.5", ""],
        "TFLOPs | counted": ["3.00", NOT_COUNTED, ""],
        "K400 | top-5, 1 × 3 of 224": ["90.0", "", "60.0"],
        "clips/s | measured": ["4.00", "", "3.00"],
    }


def test_at_demo_scale_no_number_stands_beside_the_papers() -> None:
    table = beside(TABLE, PUBLISHED, COUNTED, "demo")
    assert list(read(table).values())[-3:] == [["76.5", "", "50.0"], ["90.0", "", "60.0"], ["4.00", "", "3.00"]]
    places = [column.origin for column in table.columns]
    assert places == sorted(places, key=lambda origin: origin == "measured")
    assert all("demo" in column.label for column in table.columns if column.origin == "measured")
    assert not any(column.metric == "difference" for column in table.columns)
    paper = table.frame.set_index("scheme")[[column.key for column in table.columns if column.origin == "paper"]]
    assert paper.loc["mine"].isna().all()
    assert paper["paper top1 k400"].tolist()[:2] == [77.0, 78.0]


@pytest.mark.parametrize("cell", ["failed", "not run", "out of memory"])
def test_a_word_has_no_difference(cell: str) -> None:
    table = read(beside(own(A=(cell, cell, cell)), PUBLISHED, COUNTED, "paper"))
    assert table["K400 | top-1, 1 × 3 of 224"] == [cell, ""]
    assert table["K400 | difference"] == ["", ""]


def test_the_suites_own_costs_give_way_to_those_of_the_papers_scale() -> None:
    table = beside(TABLE, PUBLISHED, {}, "demo")
    assert not {"parameters_millions", "gmacs_per_view"} & set(table.frame)
    assert "Parameters, M | counted" not in read(table)  # nothing was counted


def test_a_fact_that_two_files_print_stands_once() -> None:
    twice = pd.concat([PUBLISHED, PUBLISHED.assign(value=1.0)], ignore_index=True)
    assert read(beside(TABLE, twice, COUNTED, "paper")) == read(beside(TABLE, PUBLISHED, COUNTED, "paper"))


def test_what_two_data_sets_print_of_one_model_is_counted_once() -> None:
    again = pd.concat([PUBLISHED, PUBLISHED.assign(dataset="k600")], ignore_index=True)
    keys = [column.key for column in beside(TABLE, again, COUNTED, "paper").columns]
    assert len(keys) == len(set(keys))
    assert {"paper multiply_adds k400", "paper multiply_adds k600", "counted multiply_adds"} <= set(keys)


def test_how_published_numbers_came_about_is_told_below() -> None:
    assert beside(TABLE, PUBLISHED, COUNTED, "paper").notes == (
        "first", "Published (A): p", "Published (A, B): q", "Published (B): r"
    )  # fmt: skip
    many = pd.concat([PUBLISHED[1:2].assign(row=str(place)) for place in range(5)])
    assert beside(TABLE, many, {}, "paper").notes[1:] == ("Published (5 rows): q",)


MANY = pd.concat(
    [
        PUBLISHED,
        pd.DataFrame([("B", "d48", "top1", 5.0, "alone"), ("B", "k400", "top5", 6.0, "r")], columns=[*PUBLISHED]),
        pd.DataFrame([("A", "", "devices", 7.0, "p")], columns=[*PUBLISHED]),
    ]
)


def test_a_published_accuracy_of_one_row_that_stands_beside_nothing_is_left_out() -> None:
    shown = read(beside(TABLE, MANY, COUNTED, "demo"))
    assert "K400 | top-1, paper" in shown
    assert not {"d48 | top-1, paper", "K400 | top-5, paper"} & set(shown)
    assert not any("alone" in note for note in beside(TABLE, MANY, COUNTED, "demo").notes)
    shown = read(beside(TABLE, MANY, COUNTED, "paper"))
    assert "d48 | top-1, paper" not in shown
    assert shown["K400 | top-5, paper"] == ["", "6.0", ""]  # measured too
    assert shown["Devices | paper"] == ["7", "", ""]


def test_a_suite_of_one_published_row_shows_all_that_is_known_of_it() -> None:
    only = MANY[MANY["row"] == "B"]
    assert read(beside(TABLE, only, COUNTED, "demo"))["d48 | top-1, paper"] == ["5.0", "", ""]


@pytest.mark.parametrize("files", [*((name,) for name in names()), *combinations(names(), 2)], ids="-".join)
def test_every_published_file_can_stand_beside_a_suite(files: tuple[str, ...]) -> None:
    published = chosen(Outline(published=files))
    table = beside(TABLE, published, {}, "paper")
    assert table.frame["scheme"].is_unique
    assert set(table.frame["scheme"]) == {*published["row"], "mine", "A"}
    assert {column.key for column in table.columns} <= set(table.frame)
    assert set(published["metric"]) <= set(get_args(Fact))


def test_records_of_the_papers_scale_are_compared(paper_record_of: Factory, table_of: Factory) -> None:
    records: list[Record] = [paper_record_of("space", data, top1=0.77, tests=[]) for data in ("k400", "ssv2")]
    tested = paper_record_of("space", "k400", top1=0.77)
    tested = tested.model_copy(update={"tests": [tested.tests[0].model_copy(update={"size": 224})]})
    shown = read(table_of(frame([tested, records[1]]), "paper", 224))
    assert shown["K400 | difference"] == ["-0.6", "", "", "", ""]
    assert shown["SSv2 | top-1, 1 × 3 of 224"] == ["not tested", "", "", "", ""]
