from collections.abc import Callable

import pandas as pd
import pytest

from reports.table1 import SCHEMES, answer, caption, columns, findings, table
from results.collect import frame
from results.record import Record

Factory = Callable[..., Record]


def cell(rows: pd.DataFrame, attention: str, key: str) -> object:
    return rows.set_index("attention")[key].to_dict()[attention]


def test_rows_are_the_five_schemes_in_the_papers_order(table: pd.DataFrame) -> None:
    assert list(table["attention"]) == ["space", "joint", "divided", "sparse_local_global", "axial"]


@pytest.mark.parametrize("scale", ["demo", "paper"])
def test_every_column_is_there_also_without_records(
    scale: str, costs: pd.DataFrame, published_rows: pd.DataFrame
) -> None:
    rows = table(frame([]), costs.iloc[:0], published_rows, scale)
    shown = {column.key: set(rows[column.key]) for column in columns(scale)}
    owed = {key for key, words in shown.items() if words == {"not run"}}
    assert owed == {column.key for column in columns(scale) if column.origin == "measured"}
    assert shown["parameters_millions"] == shown["tflops_3_views"] == {"not counted"}
    assert all(isinstance(value, float) for value in shown["k400_paper_percent"])


def test_numbers_stand_under_their_units(table: pd.DataFrame) -> None:
    divided = table.set_index("attention").loc["divided"]
    assert divided["parameters_paper_millions"] == 121.4
    assert divided["parameters_millions"] == pytest.approx(121.39)
    assert divided["tflops_3_views"] == pytest.approx(0.5874)
    assert divided["appearance_percent"] == pytest.approx(99.0)
    assert divided["motion_percent"] == pytest.approx(98.5)
    assert (divided["motion_percent.low"], divided["motion_percent.high"]) == pytest.approx((96.5, 100.0))
    assert divided["motion_percent.chance"] == 25
    assert divided["motion_percent.gmacs"] == pytest.approx(3 * 27e-3)
    assert divided["peak_memory_mib"] == 334
    assert divided["device_minutes"] == pytest.approx(2 * 43 / 60)


def test_costs_of_the_demo_model_never_stand_for_the_papers(
    records: pd.DataFrame, costs: pd.DataFrame, published_rows: pd.DataFrame
) -> None:
    demo = costs[costs["model.size"] == "demo"]
    assert set(table(records, demo, published_rows, "demo")["tflops_3_views"]) == {"not counted"}


def test_records_of_one_scale_are_not_run_at_the_other(
    records: pd.DataFrame, costs: pd.DataFrame, published_rows: pd.DataFrame
) -> None:
    rows = table(records, costs, published_rows, "paper")
    assert set(rows["k400_percent"]) == set(rows["ssv2_percent"]) == set(rows["peak_memory_mib"]) == {"not run"}


def test_a_demo_record_on_the_papers_dataset_stays_out(
    record_of: Factory, costs: pd.DataFrame, published_rows: pd.DataFrame
) -> None:
    rows = table(frame([record_of("space", "k400")]), costs, published_rows, "paper")
    assert cell(rows, "space", "k400_percent") == "other setup"


@pytest.mark.parametrize("change", [{"size": "small"}, {"clip": {"frames": 8, "stride": 32, "size": 112}},
                                    {"clip": {"frames": 4, "stride": 32, "size": 224}}])  # fmt: skip
def test_beside_the_papers_numbers_stands_only_the_papers_model_and_clip(
    paper_record_of: Factory, costs: pd.DataFrame, published_rows: pd.DataFrame, change: dict[str, object]
) -> None:
    rows = table(frame([paper_record_of("space", "ssv2", **change)]), costs, published_rows, "paper")
    assert cell(rows, "space", "ssv2_percent") == "other setup"
    assert cell(rows, "space", "ssv2_difference_points") == "other setup"


@pytest.mark.parametrize("began_at", ["demo", "paper"])
def test_a_training_is_shown_for_what_it_is_whichever_scale_began_it(
    paper_record_of: Factory, record_of: Factory, costs: pd.DataFrame, published_rows: pd.DataFrame, began_at: str
) -> None:
    rows = table(frame([paper_record_of("space", "k400", scale=began_at)]), costs, published_rows, "paper")
    assert cell(rows, "space", "k400_percent") == pytest.approx(97.5)
    rows = table(frame([record_of("space", "motion", scale=began_at)]), costs, published_rows, "demo")
    assert cell(rows, "space", "motion_percent") == pytest.approx(27)


def test_at_the_papers_scale_the_difference_is_told(
    paper_record_of: Factory, costs: pd.DataFrame, published_rows: pd.DataFrame
) -> None:
    rows = table(frame([paper_record_of("space", "k400", top1=0.77)]), costs, published_rows, "paper")
    assert cell(rows, "space", "k400_difference_points") == pytest.approx(-0.6)
    assert cell(rows, "joint", "k400_difference_points") == "not run"


@pytest.mark.parametrize(
    ("attention", "motion", "memory"),
    [
        ("joint", "failed", "failed"),
        ("divided", "not run", "not run"),
        ("sparse_local_global", "diverged", "diverged"),
        ("axial", "out of memory", "out of memory"),
    ],
)
def test_what_did_not_end_well_is_a_word(mixed_table: pd.DataFrame, attention: str, motion: str, memory: str) -> None:
    assert cell(mixed_table, attention, "motion_percent") == motion
    assert cell(mixed_table, attention, "peak_memory_mib") == memory


def test_a_failure_takes_no_other_cell(mixed_table: pd.DataFrame) -> None:
    assert cell(mixed_table, "joint", "appearance_percent") == pytest.approx(98.0)
    assert cell(mixed_table, "space", "peak_memory_mib") == 310


def test_of_a_row_that_is_half_done_the_table_says_so(
    record_of: Factory, failure_of: Factory, costs: pd.DataFrame, published_rows: pd.DataFrame
) -> None:
    half = frame([record_of("space", "motion"), failure_of("joint", "motion")])
    rows = table(half, costs, published_rows, "demo")
    memory = [cell(rows, scheme, "peak_memory_mib") for scheme in ("space", "joint", "divided")]
    assert memory == ["1 of 2 sets", "failed", "not run"]


def test_a_damaged_record_is_not_a_job_that_did_not_run(
    record_of: Factory, costs: pd.DataFrame, published_rows: pd.DataFrame
) -> None:
    spec = record_of("space", "motion").spec
    rows = table(frame([record_of("space", "appearance")], {"abc": spec}), costs, published_rows, "demo")
    assert cell(rows, "space", "motion_percent") == cell(rows, "space", "peak_memory_mib") == "damaged"
    assert cell(rows, "space", "appearance_percent") == pytest.approx(97.5)


def test_a_training_without_its_test_is_not_tested(
    record_of: Factory, costs: pd.DataFrame, published_rows: pd.DataFrame
) -> None:
    rows = table(frame([record_of("space", "motion", tests=[])]), costs, published_rows, "demo")
    assert cell(rows, "space", "motion_percent") == "not tested"


def test_memory_that_the_device_does_not_tell_is_not_measured(
    record_of: Factory, costs: pd.DataFrame, published_rows: pd.DataFrame
) -> None:
    pair = [record_of("space", dataset) for dataset in ("appearance", "motion")]
    blind = [
        one.model_copy(update={"measured": one.measured.model_copy(update={"peak_memory_bytes": None})}) for one in pair
    ]
    rows = table(frame(blind), costs, published_rows, "demo")
    assert cell(rows, "space", "peak_memory_mib") == "not measured"
    assert cell(rows, "space", "clips_per_s") == 812


def test_seeds_are_averaged_and_their_deviation_told(
    record_of: Factory, costs: pd.DataFrame, published_rows: pd.DataFrame
) -> None:
    runs = [record_of("space", "motion", seed=seed, top1=top1) for seed, top1 in enumerate((0.2, 0.25, 0.3))]
    rows = table(frame(runs), costs, published_rows, "demo")
    assert cell(rows, "space", "motion_percent") == pytest.approx(25)
    assert cell(rows, "space", "motion_percent.std") == pytest.approx(5)
    assert cell(rows, "space", "motion_percent.seeds") == 3


def test_without_an_interval_none_is_told(
    records: pd.DataFrame, costs: pd.DataFrame, published_rows: pd.DataFrame
) -> None:
    rows = table(records.assign(top1_low=None, top1_high=None), costs, published_rows, "demo")
    assert (cell(rows, "space", "motion_percent.low"), cell(rows, "space", "motion_percent.high")) == (None, None)
    assert answer(rows, "demo")[1] == (
        "On the motion set, Divided Space-Time is the most accurate (98.5 %; no other is within its uncertainty)."
    )


def test_two_trainings_of_one_seed_are_refused(
    record_of: Factory, costs: pd.DataFrame, published_rows: pd.DataFrame
) -> None:
    runs = frame([record_of("space", "motion"), record_of("space", "motion", id="another")])
    with pytest.raises(ValueError, match="motion-space-0, another"):
        table(runs, costs, published_rows, "demo")


def test_of_several_protocols_the_papers_is_shown(
    record_of: Factory, costs: pd.DataFrame, published_rows: pd.DataFrame
) -> None:
    record = record_of("joint", "motion", top1=0.9)
    single = record.tests[0].model_copy(update={"crops": 1, "top1": 0.5})
    rows = table(frame([record.model_copy(update={"tests": [single, *record.tests]})]), costs, published_rows, "demo")
    assert cell(rows, "joint", "motion_percent") == pytest.approx(90)


def test_the_papers_finding_is_shown(table: pd.DataFrame) -> None:
    motion, appearance = findings(table, "demo")
    assert (motion.verdict, appearance.verdict) == ("shown", "shown")
    assert motion.evidence == "Space 27.0 %; Joint Space-Time 97.5 %; Divided Space-Time 98.5 %; chance 25 %"


@pytest.mark.parametrize(
    ("attention", "value", "verdict"),
    [
        ("space", 35.0, "shown"),
        ("space", 35.1, "not shown"),
        ("space", 14.9, "not shown"),
        ("joint", 80.0, "not shown"),
        ("divided", 80.1, "shown"),
        ("divided", "failed", "not measured"),
        ("axial", 10.0, "shown"),
    ],
)
def test_the_motion_finding_turns_at_its_bounds(
    table: pd.DataFrame, attention: str, value: object, verdict: str
) -> None:
    table.loc[table["attention"] == attention, "motion_percent"] = value
    assert findings(table, "demo")[0].verdict == verdict


@pytest.mark.parametrize("attention", SCHEMES)
def test_the_appearance_finding_needs_all_five(table: pd.DataFrame, attention: str) -> None:
    table.loc[table["attention"] == attention, "appearance_percent"] = 80.0
    assert findings(table, "demo")[1].verdict == "not shown"


@pytest.mark.parametrize(("best", "verdict"), [("divided", "shown"), ("joint", "not shown")])
def test_the_papers_scale_asks_who_is_most_accurate(
    paper_record_of: Factory, costs: pd.DataFrame, published_rows: pd.DataFrame, best: str, verdict: str
) -> None:
    runs = [
        paper_record_of(attention, dataset, top1=0.8 if attention == best else 0.7)
        for attention in SCHEMES
        for dataset in ("k400", "ssv2")
    ]
    (finding,) = findings(table(frame(runs), costs, published_rows, "paper"), "paper")
    assert finding.verdict == verdict


def test_the_answer_names_the_best_and_those_level_with_it(table: pd.DataFrame) -> None:
    assert answer(table, "demo")[1] == (
        "On the motion set, Divided Space-Time is the most accurate (98.5 %; within its uncertainty: Joint Space-Time)."
    )


def test_schemes_that_read_the_same_share_the_lead(table: pd.DataFrame) -> None:
    table.loc[table["attention"].isin(["joint", "axial"]), "motion_percent"] = 98.5
    assert answer(table, "demo")[1] == (
        "On the motion set, Joint Space-Time, Divided Space-Time and Axial share the highest accuracy (98.5 %)."
    )


def test_the_answer_says_what_is_missing(mixed_table: pd.DataFrame) -> None:
    appearance, motion = answer(mixed_table, "demo")
    assert "of the 3 measured so far" in appearance
    assert motion == "On the motion set, only Space was measured so far (27.0 %)."
    mixed_table["motion_percent"] = "not run"
    assert answer(mixed_table, "demo")[1] == "On the motion set, nothing was measured yet."


def test_demo_numbers_are_labelled() -> None:
    measured = [column for column in columns("demo") if column.origin == "measured"]
    assert all("demo" in column.label for column in measured)
    assert "demo scale" in caption("demo")
    assert "demo" not in caption("paper")
