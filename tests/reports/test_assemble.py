from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from reports import assemble
from reports.beside import Counted
from reports.content import Report, SuiteInfo
from reports.metrics import spread_text
from results.answers import Tested
from results.collect import NOT_RUN, Unrecorded, frame
from results.literature import chosen
from results.outline import Axis, Claim, Condition, Curves, Outline
from results.paired import Difference
from results.record import Record
from tests.reports.conftest import SCHEMES, unrecorded

INFO = SuiteInfo("made_up", "Made up", "What is best?", "demo")
ROWS: Mapping[str, Any] = {row: {"model.attention": scheme} for scheme, row in SCHEMES.items()}
TABLE_1 = Outline(published=("table1",), rows=dict(ROWS))


def jobs_of(found: pd.DataFrame, rows: bool = False) -> assemble.Jobs:
    once = found.drop_duplicates("id").set_index("id")
    schemes, sets = once["model.attention"].to_dict(), once["data.name"].to_dict()
    return assemble.Jobs(
        frame=found,
        labels={id_: f"{schemes[id_]} · {sets[id_]} · seed {once['seed'][id_]}" for id_ in schemes},
        names={id_: f"{schemes[id_]} · {sets[id_]}" for id_ in schemes},
        bare=schemes,
        variants={id_: (("model.attention", schemes[id_]), ("data.name", sets[id_])) for id_ in schemes},
        asked={id_: [(sets[id_], 1, 3, 32)] for id_ in schemes},
        rows={id_: SCHEMES[scheme] for id_, scheme in schemes.items()} if rows else {},
    )


def report(found: pd.DataFrame, outline: Outline, info: SuiteInfo = INFO, **jobs: Any) -> Report:
    published = chosen(outline) if outline.published else None
    counted = {"Space": Counted(86_000_000, None)} if outline.published else {}
    return assemble.report(
        info, outline, replace(jobs_of(found, bool(outline.rows)), **jobs), published, counted, ["bad"]
    )


def test_a_suite_without_a_report_compares_its_variants(records: pd.DataFrame) -> None:
    made = report(records, Outline())
    (table,) = made.tables
    assert table.name == "comparison"
    assert table.frame["scheme"].tolist() == list(SCHEMES)
    assert [figure.name for figure in made.figures] == ["accuracy", "cost"]
    assert (made.findings, made.problems, made.suite) == ((), ["bad"], INFO)


def test_published_rows_stand_beside_under_the_name_of_their_file(records: pd.DataFrame) -> None:
    (table,) = report(records, TABLE_1).tables
    assert table.name == "table1"
    assert table.frame["scheme"].tolist()[:5] == list(SCHEMES.values())
    assert table.frame["counted parameters"].tolist()[0] == 86.0
    assert "at the paper's scale" in table.caption
    assert any(note.startswith("Published") for note in table.notes)


def test_figures_that_the_suite_asks_for_take_the_place_of_those_of_every_suite(records: pd.DataFrame) -> None:
    figure = Curves(name="mine", title="t", panels=(Axis(x="clip.size"),), series="model.attention")
    made = report(records, Outline(figures=(figure,)))
    assert [each.name for each in made.figures] == ["mine"]
    assert made.figures[0].caption.startswith("t. ")


def test_a_figure_without_a_number_is_left_out(mixed: pd.DataFrame) -> None:
    nothing = frame([], [unrecorded(scheme, "motion") for scheme in SCHEMES])
    asked = Curves(name="mine", title="t", panels=(Axis(x="clip.size"),), y="gmacs")
    assert report(nothing, Outline()).figures == ()
    assert report(nothing, Outline(figures=(asked,))).figures == ()
    assert len(report(mixed, Outline()).figures) == 2
    counted = nothing.assign(multiply_adds=1e9, parameters=1e6)  # before anything was run
    assert len(report(counted, Outline(figures=(asked,))).figures) == 1


@pytest.mark.parametrize(
    ("embedded", "told"),
    [
        ({"appearance", "motion"}, "Demo scale: small models on embedded clips."),
        ({"motion"}, "Demo scale: small models."),
    ],
)
def test_figures_say_of_embedded_clips_only_where_all_are(records: pd.DataFrame, embedded: set[str], told: str) -> None:
    assert all(figure.caption.endswith(told) for figure in report(records, Outline(), embedded=embedded).figures)
    paper = report(records, Outline(), replace(INFO, scale="paper"), embedded=embedded)
    assert not any("Demo" in figure.caption for figure in paper.figures)


def test_a_variant_has_its_jobs_name_in_tables_and_the_videos_lines(finished: list[Record]) -> None:
    odd = finished[1].model_copy(update={"skipped": {"a.mp4": "no frames"}, "undecodable": ["a.mp4 has no frames"]})
    made = report(frame([finished[0], odd]), Outline())
    assert made.tables[0].frame["scheme"].tolist() == ["space", "joint"]
    videos = [note.partition(":")[0] for note in made.tables[0].notes if "800 training" in note]
    assert videos == [f"appearance, {made.labels[each.id]}" for each in (finished[0], odd)]


@pytest.mark.parametrize(("scale", "notes"), [("demo", ["Jobs in the rows: Axial: axial · frames 4"]), ("paper", [])])
def test_at_demo_scale_a_note_says_which_jobs_stand_in_rows_that_are_called_otherwise(
    records: pd.DataFrame, scale: str, notes: list[str]
) -> None:
    bare = {id_: f"{name} · frames 4" * (name == "axial") or name for id_, name in jobs_of(records).bare.items()}
    (table,) = report(records, TABLE_1, replace(INFO, scale=scale), bare=bare).tables
    assert [note for note in table.notes if note.startswith("Jobs in the rows: ")] == notes


def test_claims_are_judged_by_the_names_of_variants(records: pd.DataFrame) -> None:
    claim = Claim(
        claim="So it is",
        holds=(Condition(of={"model.attention": "space", "data.name": "motion"}, near="chance", by=10),),
    )
    (finding,) = report(records, TABLE_1.model_copy(update={"findings": (claim,)})).findings
    assert (finding.claim, finding.verdict) == ("So it is", "shown")
    assert finding.evidence == "space · motion 27.0 % (asked for: within 10.0 points of chance, 25.0 %)"


def test_what_was_not_run_has_a_name_and_no_record(records: pd.DataFrame, finished: list[Record]) -> None:
    found = frame(finished[1:], [unrecorded("space", "appearance")])
    made = report(found, Outline())
    assert list(made.labels) == list(dict.fromkeys(found["id"]))
    assert NOT_RUN not in set(made.records["status"])
    assert len(made.records) == 9
    assert made.tables[0].frame.iloc[-1]["scheme"] in {"space", "axial"}


def answers(found: pd.DataFrame) -> dict[str, str]:
    return dict(each.split(" (1 × 3 of 32): ") for each in report(found, Outline()).answers)


def test_the_answer_names_the_best_and_those_level_with_it(records: pd.DataFrame) -> None:
    assert answers(records)["Motion set"] == (
        "divided is the most accurate, 98.5 % (not told apart by their intervals: joint)."
    )


def test_one_that_nobody_comes_near_is_told_so(records: pd.DataFrame) -> None:
    best = records.assign(top1_low=records["top1"] - 0.001)
    assert answers(best)["Motion set"] == ("divided is the most accurate, 98.5 % (no other is within its uncertainty).")


def test_the_answer_says_what_is_missing(mixed: pd.DataFrame) -> None:
    found = answers(mixed)
    assert "is the most accurate of the 3 measured so far, 98.5 % " in found["Appearance set"]
    assert found["Motion set"] == "space, 27.0 %, the only one measured so far."


def test_before_anything_ran_the_answer_is_that_nothing_was_measured() -> None:
    made = report(frame([], [unrecorded("space", "motion")]), Outline())
    assert made.answers == ("Motion set (1 × 3 of 32): nothing was measured yet.",)
    assert made.records.empty


def test_of_one_variant_alone_there_is_nothing_to_compare(record_of: Callable[..., Record]) -> None:
    assert answers(frame([record_of("space", "motion")])) == {"Motion set": "space, 27.0 %."}


def test_top_5_has_no_answer_of_its_own(record_of: Callable[..., Record]) -> None:
    record = record_of("space", "motion")
    record = record.model_copy(update={"tests": [record.tests[0].model_copy(update={"top5": 0.9})]})
    assert len(report(frame([record]), Outline()).answers) == 1


@pytest.mark.parametrize("scale", ["demo", "paper"])
def test_answers_are_of_what_was_measured_whatever_the_paper_says(records: pd.DataFrame, scale: str) -> None:
    made = report(records, TABLE_1, replace(INFO, scale=scale))
    assert [each.partition(" (")[0] for each in made.answers] == ["Appearance set", "Motion set"]
    assert made.answers[1].startswith("Motion set (1 × 3 of 32): Divided Space-Time is the most accurate, 98.5 %")


def test_a_damaged_record_is_a_record_all_the_same(finished: list[Record]) -> None:
    found = frame(finished[1:], [Unrecorded(finished[0].id, "damaged", finished[0].spec)])
    made = report(found, Outline())
    assert "damaged" in set(made.records["status"])


def test_rows_that_the_videos_do_not_tell_from_the_best_are_marked(records: pd.DataFrame) -> None:
    def compare(a: Sequence[Tested], b: Sequence[Tested]) -> Difference:
        close = "joint" in a[0][0]
        return Difference(0.01, -0.1 if close else 0.005, 0.2, 0.5 if close else 0.01, "McNemar", 200, 1, 2, (1, 1))

    made = report(records, Outline(), compare=compare)
    (table,) = made.tables
    shown = {row["scheme"]: spread_text(row, column) for _, row in table.frame.iterrows() for column in table.columns
             if column.group == "Motion set" and column.metric == "top1"}  # fmt: skip
    assert [name for name, text in shown.items() if text.endswith("≈ best")] == ["joint"]
    assert any("(not told apart on the same videos: joint)" in answer for answer in made.answers)
    assert any(note.startswith("≈ best") for note in table.notes)


def test_one_that_is_as_good_as_the_best_is_compared_with_the_others_too(records: pd.DataFrame) -> None:
    tie = records.assign(top1=records["top1"].where(records["model.attention"] != "joint", 0.985))
    apart = Difference(0.01, 0.005, 0.2, 0.01, "McNemar", 200, 1, 2, (1, 1))
    made = report(tie, Outline(), compare=lambda _, __: replace(apart, low=-0.1, p=0.5))
    assert made.answers[1].endswith(
        "joint and divided share the highest accuracy, 98.5 % (not told apart on the same videos: "
        "space, sparse_local_global, axial)."
    )


COSTS: Mapping[str, Any] = {
    "figures": (Curves(name="a", title="t", y="gmacs", panels=(Axis(x="clip.size"),), series="model.attention"),),
    "findings": (Claim(claim="x", holds=(Condition(of={"model.attention": "space"}, quantity="gmacs", above=0.0),)),),
}


def test_a_suite_of_costs_alone_names_nobody_the_most_accurate(records: pd.DataFrame) -> None:
    made = report(records, Outline(**COSTS))
    (table,) = made.tables
    assert made.answers == ()
    assert {column.metric for column in table.columns}.isdisjoint({"top1", "top5"})
    assert not any(note.startswith("≈ best") for note in table.notes)


def test_a_job_that_failed_before_it_knew_its_classes_hides_nothing(finished: list[Record]) -> None:
    early = finished[0].model_copy(
        update={"status": "oom", "classes": 0, "tests": [], "epochs": [], "cost": None, "splits": None}
    )
    claim = Claim(claim="x", holds=(Condition(of={"data.name": "motion"}, above="chance"),))
    figure = Curves(name="a", title="t", panels=(Axis(x="clip.size"),), series="model.attention")
    for records in ([early, *finished[1:]], [early]):
        made = report(frame(records), Outline(findings=(claim,), figures=(figure,)))
        assert "out of memory" in made.tables[0].frame.iloc[0].astype(str).tolist()
    made = report(frame([early, *finished[1:]]), Outline(figures=(figure,)))
    assert made.figures[0].panels[0].chance == 25.0


def test_rows_that_could_not_be_compared_on_the_same_videos_are_named(records: pd.DataFrame) -> None:
    found = Difference(0.01, -0.1, 0.2, 0.5, "McNemar", 200, 1, 2, (1, 1))
    made = report(records, Outline(), compare=lambda a, _: None if "joint" in a[0][0] else found)
    (note,) = [note for note in made.tables[0].notes if note.startswith("Not compared with the best")]
    assert note.endswith(": joint.")


def test_a_note_tells_the_size_of_each_rows_crop(finished: list[Record]) -> None:
    bigger = [
        each.model_copy(update={"tests": [test.model_copy(update={"size": 48}) for test in each.tests for _ in (1,)]})
        for each in finished
    ]
    sized = frame([*finished[:1], *bigger[1:2]])
    ids = sized["id"].tolist()
    tests = [each.tests[0] for each in (*finished[:1], *bigger[1:2])]
    asked = {id_: [(data, clips, 3, test.size) for clips in (1, 10)] for id_, data, test in
             zip(ids, sized["data.name"], tests, strict=True)}  # fmt: skip
    (table,) = report(sized, Outline(), asked=asked).tables
    assert any(note.startswith("Appearance set, pixels of a crop: 32: space; 48: ") for note in table.notes)


def test_of_several_best_rows_one_with_scores_is_compared_with(records: pd.DataFrame) -> None:
    tie = records.assign(top1=records["top1"].where(records["model.attention"] != "joint", 0.985))
    found = Difference(0.01, -0.1, 0.2, 0.5, "McNemar", 200, 1, 2, (1, 1))
    made = report(tie, Outline(), compare=lambda _, b: None if "joint" in b[0][0] else found)
    assert "98.5 % (not told apart on the same videos: space" in made.answers[1]
