import csv
import io
from collections.abc import Callable, Mapping

import pandas as pd
import pytest
from rich.console import Console

from reports import comparison, render
from reports.content import Table
from reports.metrics import cell_text, is_number, spread_text
from results.collect import DAMAGED, NOT_RUN, Unrecorded, frame
from results.record import Record

Asked = dict[str, list[comparison.Asked]]
MOTION: comparison.Asked = ("motion", 1, 3, 32)


def record(example: Record, id_: str, seed: int = 0, status: str = "done", data: str = "motion", **test) -> Record:
    spec = {**example.spec, "seed": seed, "data": {**example.spec["data"], "name": data}}
    tests = [example.tests[0].model_copy(update=test)] if status == "done" else []
    return example.model_copy(update={"id": id_, "spec": spec, "status": status, "tests": tests})


@pytest.fixture
def example(record_of: Callable[..., Record]) -> Record:
    return record_of("space", "motion")


NAMES = {"a0": "space", "a1": "space", "b0": "divided"}
ASKED: Asked = {id_: [MOTION] for id_ in NAMES}


@pytest.fixture
def records(example: Record) -> pd.DataFrame:
    return frame(
        [
            record(example, "a0", top1=0.5),
            record(example, "a1", 1, top1=0.7),
            record(example, "b0", top1=0.9, top1_low=0.8, top1_high=0.95),
        ]
    )


def accuracies(records: pd.DataFrame, names: Mapping[str, str], asked: Asked) -> dict[str, list[str]]:
    """What is read under each data set and test, row by row."""
    table = comparison.table(records, comparison.rows(names), asked)
    shown = [column for column in comparison.columns(records, asked) if column.metric == "top1"]
    cells = [[cell_text(row, column) for _, row in table.iterrows()] for column in shown]
    return {f"{column.group}, {column.label}": texts for column, texts in zip(shown, cells, strict=True)}


def test_seeds_share_a_row_and_single_ones_have_an_interval(records: pd.DataFrame) -> None:
    table = comparison.table(records, comparison.rows(NAMES), ASKED)
    (column,) = [each for each in comparison.columns(records, ASKED) if each.metric == "top1"]
    assert table["scheme"].tolist() == ["space", "divided"]
    assert table[column.key].tolist() == pytest.approx([60.0, 90.0])
    assert [spread_text(row, column) for _, row in table.iterrows()] == ["±14.1, 0.0–100.0, 2 seeds", "80.0–95.0"]


def test_seeds_that_gave_nothing_are_told_beside_the_mean_of_the_others(example: Record) -> None:
    found = frame([record(example, "a0"), record(example, "a1", 1, status="failed"), record(example, "b0")])
    (column,) = [each for each in comparison.columns(found, ASKED) if each.metric == "top1"]
    row = comparison.table(found, comparison.rows(NAMES), ASKED).iloc[0]
    assert spread_text(row, column) == "25.0–29.0, 1 of 2 seeds"


def test_without_an_interval_none_is_told(records: pd.DataFrame) -> None:
    bare = records.assign(top1_low=None, top1_high=None)
    (column,) = [each for each in comparison.columns(bare, ASKED) if each.metric == "top1"]
    assert spread_text(comparison.table(bare, comparison.rows(NAMES), ASKED).iloc[1], column) == ""


def test_each_data_set_and_test_is_a_column_those_of_a_set_side_by_side(example: Record) -> None:
    made = frame([record(example, "a0", clips="cover"), record(example, "b0", data="mine")])
    asked: Asked = {"a0": [MOTION], "b0": [("mine", 1, 3, 32), ("mine", 10, 3, 32)]}
    found = [(each.group, each.label) for each in comparison.columns(made, asked) if each.metric == "top1"]
    assert found == [
        ("Motion set", "top-1, 1 × 3 of 32"),
        ("Motion set", "top-1, cover × 3 of 32"),
        ("mine", "top-1, 1 × 3 of 32"),
        ("mine", "top-1, 10 × 3 of 32"),
    ]


@pytest.mark.parametrize(("status", "word"), [("oom", "out of memory"), ("failed", "failed"), ("timeout", "timeout")])
def test_what_did_not_end_well_is_a_word(example: Record, status: str, word: str) -> None:
    records = frame([record(example, "a0", status=status), record(example, "b0")])
    two = {id_: NAMES[id_] for id_ in ("a0", "b0")}
    assert accuracies(records, two, ASKED) == {"Motion set, top-1, 1 × 3 of 32": [word, "27.0"]}
    costs = comparison.table(records, comparison.rows(two), ASKED)[
        ["peak_memory_mib", "clips_per_s", "training_minutes"]
    ]
    assert set(costs.loc[0]) == {word}  # though it was measured before it ended: the cheap ones may be those that fail
    assert costs.loc[1].map(is_number).all()


SETS = {id_: id_.partition("-")[0] for id_ in ("space-motion", "space-mine", "joint-motion", "joint-mine")}
ASKED_OF_SETS: Asked = {id_: [(id_.partition("-")[2], 1, 3, 32)] for id_ in SETS}


@pytest.fixture
def halves(example: Record) -> pd.DataFrame:
    """Of two data sets' jobs: one failed, one did not run."""
    return frame(
        [
            record(example, "space-motion"),
            record(example, "space-mine", data="mine", status="failed"),
            record(example, "joint-motion", top1=0.5),
        ]
    )


def test_a_job_that_failed_takes_the_cell_of_its_data_set_only(halves: pd.DataFrame) -> None:
    assert accuracies(halves, SETS, ASKED_OF_SETS) == {
        "Motion set, top-1, 1 × 3 of 32": ["27.0", "50.0"],
        "mine, top-1, 1 × 3 of 32": ["failed", "not run"],
    }


def test_a_data_set_whose_every_job_failed_has_its_column(example: Record) -> None:
    failed = frame([record(example, "b0", status="failed")])
    assert accuracies(failed, {"b0": NAMES["b0"]}, ASKED) == {"Motion set, top-1, 1 × 3 of 32": ["failed"]}


def test_what_is_damaged_or_was_not_tested_says_so(example: Record) -> None:
    damaged = Unrecorded("b0", DAMAGED, example.spec)
    found = frame([example.model_copy(update={"id": "a0", "tests": []})], [damaged])
    two = {id_: NAMES[id_] for id_ in ("a0", "b0")}
    assert accuracies(found, two, ASKED) == {"Motion set, top-1, 1 × 3 of 32": ["not tested", "damaged"]}


SIZES = {f"s{size}": f"size {size}" for size in (32, 48, 64)}
ASKED_OF_SIZES: Asked = {f"s{size}": [("motion", 1, 3, size)] for size in (32, 48, 64)}


@pytest.fixture
def sizes(example: Record) -> pd.DataFrame:
    return frame([record(example, "s32"), record(example, "s48", size=48), record(example, "s64", status="oom")])


def test_each_clip_size_is_a_column_empty_in_the_rows_of_the_others(sizes: pd.DataFrame) -> None:
    assert accuracies(sizes, SIZES, ASKED_OF_SIZES) == {
        "Motion set, top-1, 1 × 3 of 32": ["27.0", "", ""],
        "Motion set, top-1, 1 × 3 of 48": ["", "27.0", ""],
        "Motion set, top-1, 1 × 3 of 64": ["", "", "out of memory"],
    }


def test_what_belongs_to_a_column_stands_behind_it(sizes: pd.DataFrame) -> None:
    names = list(comparison.table(sizes, comparison.rows(SIZES), ASKED_OF_SIZES))
    keys = [column.key for column in comparison.columns(sizes, ASKED_OF_SIZES)]
    assert [name for name in names if name in keys] == keys
    at = names.index(keys[2])
    assert {name.removeprefix(keys[2]) for name in names[at : at + 5]} == {"", ".owed", ".seeds", ".low", ".high"}


def test_what_did_not_run_is_a_row(records: pd.DataFrame) -> None:
    more = comparison.rows({**NAMES, "c0": "joint"})
    table = comparison.table(records, more, {**ASKED, "c0": [MOTION]})
    assert table["clips_per_s"].tolist()[-1] == "not run"


def rendered(records: pd.DataFrame, names: Mapping[str, str], asked: Asked) -> dict[str, list[list[str]]]:
    """The cells of each row in every format, but those of costs."""
    accuracies = tuple(column for column in comparison.columns(records, asked) if column.metric == "top1")
    table = Table("t", comparison.table(records, comparison.rows(names), asked), accuracies, "")
    console = Console(width=400, file=io.StringIO(), color_system=None)
    console.print(render.terminal(table, [], 400))
    markdown = render.markdown(table).split("\n\n")[0].splitlines()[2:]
    latex = render.latex(table, "tab:x")
    latex = latex.partition("midrule\n")[2].partition("\\bottomrule")[0]
    rows = csv.DictReader(io.StringIO(render.csv(table)))
    assert isinstance(console.file, io.StringIO)
    assert "nan" not in console.file.getvalue() + latex + "".join(markdown)
    return {
        "terminal": [line.split() for line in console.file.getvalue().splitlines()],
        "markdown": [[cell.strip() for cell in line.strip("|").split("|")[1:]] for line in markdown],
        "latex": [[cell.strip(" \\") for cell in line.split("&")[1:]] for line in latex.splitlines()],
        "csv": [[row[column.key] for column in accuracies] for row in rows],
    }


def test_every_format_has_the_state_of_a_failed_job(halves: pd.DataFrame) -> None:
    found = rendered(halves, SETS, ASKED_OF_SETS)
    assert ["space", "27.0", "25.0–29.0", "failed"] in found["terminal"]
    assert found["markdown"] == [["27.0 (25.0–29.0)", "failed"], ["**50.0** (25.0–29.0)", "not run"]]
    assert [row[1] for row in found["latex"]] == ["failed", "not run"]
    assert [row[1] for row in found["csv"]] == ["failed", "not run"]


def test_every_format_leaves_the_cell_of_a_test_never_asked_for_empty(sizes: pd.DataFrame) -> None:
    found = rendered(sizes, SIZES, ASKED_OF_SIZES)
    assert ["size", "48", "27.0", "25.0–29.0"] in found["terminal"]
    assert ["size", "64", "out", "of", "memory"] in found["terminal"]
    for name in ("markdown", "latex", "csv"):
        assert [[bool(cell) for cell in row] for row in found[name]] == [
            [True, False, False], [False, True, False], [False, False, True]
        ], name  # fmt: skip


def test_jobs_of_one_name_share_a_row_in_the_suites_order() -> None:
    assert comparison.rows(NAMES) == {"space": ["a0", "a1"], "divided": ["b0"]}


def test_what_a_job_took_is_the_mean_of_a_rows_jobs_and_memory_the_largest(example: Record) -> None:
    """A sum would grow with the seeds and data sets that a row happens to have."""
    second = record(example, "a1", 1)
    measured = {"train_s": 3 * example.measured.train_s, "peak_memory_bytes": 400 << 20}
    second = second.model_copy(update={"measured": second.measured.model_copy(update=measured)})
    found = frame([record(example, "a0"), second])
    row = comparison.table(found, comparison.rows({"a0": "space", "a1": "space"}), ASKED).iloc[0]
    assert row["training_minutes"] == pytest.approx(2 * example.measured.train_s / 60)
    assert row["peak_memory_mib"] == 400
    assert "training, device-minutes" in {column.group for column in comparison.columns(found, ASKED)}


def test_a_job_that_is_known_not_to_have_run_is_a_word_too(example: Record) -> None:
    found = frame([record(example, "a0")], [Unrecorded("b0", NOT_RUN, example.spec)])
    two = {id_: NAMES[id_] for id_ in ("a0", "b0")}
    assert accuracies(found, two, ASKED) == {"Motion set, top-1, 1 × 3 of 32": ["27.0", "not run"]}
    assert comparison.table(found, comparison.rows(two), ASKED)["clips_per_s"].tolist()[1] == "not run"


def test_top_5_stands_beside_top_1_where_a_data_set_has_it(example: Record) -> None:
    found = frame(
        [record(example, "a0", top5=0.6), record(example, "a1", 1, top5=0.8), record(example, "b0", data="x")]
    )
    asked: Asked = {**ASKED, "b0": [("x", 1, 3, 32), MOTION]}
    columns = comparison.columns(found, asked)
    shown = [(each.metric, each.group, each.label) for each in columns if each.metric in ("top1", "top5")]
    assert shown == [
        ("top1", "Motion set", "top-1, 1 × 3 of 32"),
        ("top5", "Motion set", "top-5, 1 × 3 of 32"),
        ("top1", "x", "top-1, 1 × 3 of 32"),
    ]
    (five,) = [each for each in columns if each.metric == "top5"]
    table = comparison.table(found, comparison.rows(NAMES), asked)
    assert [cell_text(row, five) for _, row in table.iterrows()] == ["70.0", "not tested"]
    assert spread_text(table.iloc[0], five) == "±14.1, 0.0–100.0, 2 seeds"


def test_of_top_5_no_interval_is_known(example: Record) -> None:
    found = frame([record(example, "b0", top5=0.6)])
    one = {"b0": NAMES["b0"]}
    (five,) = [each for each in comparison.columns(found, ASKED) if each.metric == "top5"]
    assert spread_text(comparison.table(found, comparison.rows(one), {"b0": [MOTION]}).iloc[0], five) == ""


def test_models_that_are_each_tested_in_their_own_way_share_a_column(example: Record) -> None:
    found = frame([record(example, "a0"), record(example, "b0", clips=10, crops=3)])
    asked: Asked = {"a0": [MOTION], "b0": [("motion", 10, 3, 32)]}
    shown, owed = comparison.own_tests(found, asked)
    (column,) = [each for each in comparison.columns(shown, owed) if each.metric == "top1"]
    assert (column.group, column.label) == ("Motion set", "top-1, each its own test")
    table = comparison.table(shown, comparison.rows({id_: NAMES[id_] for id_ in asked}), owed)
    assert table[column.key].notna().all()
    both: Asked = {"a0": [MOTION], "b0": [MOTION, ("motion", 10, 3, 32)]}  # which one would be its own is not said
    assert comparison.own_tests(found, both)[1] == both


def test_tests_that_differ_in_the_models_crops_alone_share_columns(example: Record) -> None:
    """Figure 6: each model at its own crop, one column for each number of clips."""

    def tested(id_: str, size: int) -> Record:
        one, ten = (example.tests[0].model_copy(update={"clips": clips, "size": size}) for clips in (1, 10))
        return record(example, id_).model_copy(update={"tests": [one, ten]})

    found = frame([tested("a0", 32), tested("b0", 48)])
    asked: Asked = {id_: [("motion", clips, 3, size) for clips in (1, 10)] for id_, size in (("a0", 32), ("b0", 48))}
    shown, owed = comparison.own_tests(found, asked)
    columns = [each for each in comparison.columns(shown, owed) if each.metric == "top1"]
    assert [each.label for each in columns] == ["top-1, 1 × 3", "top-1, 10 × 3"]
    table = comparison.table(shown, comparison.rows({id_: NAMES[id_] for id_ in asked}), owed)
    assert table[[each.key for each in columns]].map(is_number).all(axis=None)
    mixed: Asked = {**asked, "b0": [("motion", 1, 3, 48), ("motion", 1, 3, 32)]}  # the size is not the model's
    assert comparison.own_tests(found, mixed)[1] == mixed


def test_seeds_that_agree_leave_the_videos_uncertainty(example: Record) -> None:
    right = {"top1": 1.0, "top1_low": 0.98, "top1_high": 1.0}
    found = frame([record(example, "a0", **right), record(example, "a1", 1, **right)])
    (column,) = [each for each in comparison.columns(found, ASKED) if each.metric == "top1"]
    row = comparison.table(found, comparison.rows(NAMES), ASKED).iloc[0]
    assert spread_text(row, column) == "±0.0, 98.0–100.0, 2 seeds"
