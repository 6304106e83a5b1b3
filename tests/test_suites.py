"""The suites of the project: every one loads at both scales, and what its report asks of its jobs can be answered."""

import pandas as pd
import pytest

from harness.combination import Job
from harness.data.datasets import class_count
from harness.suite import Suite, load
from reports import plots
from reports.metrics import written
from results import literature
from results.claims import judge
from results.collect import NOT_RUN, Unrecorded, frame
from results.outline import rows_of
from results.quantities import value
from tests.conftest import PROJECT

NAMES = sorted(path.stem for path in (PROJECT / "suites").glob("*.yaml"))
SCALES = ("demo", "paper")
RAW = {"top1": "top1", "peak_memory": "peak_memory_bytes", "training_minutes": "train_s"}
RAW |= dict.fromkeys(("gmacs", "test_gmacs"), "multiply_adds")
"""The column that a quantity of a claim is proportional to."""


def suite(name: str, scale: str) -> Suite:
    return load(PROJECT / "suites" / f"{name}.yaml", scale)


def made_up(jobs: tuple[Job, ...]):
    """Every job done, with all that claims ask for; nothing of it was measured."""
    bare = frame([], [Unrecorded(job.id, NOT_RUN, job.spec.content()) for job in jobs]).to_dict("records")
    done = {"status": "done", "top1": 0.5, "top1_low": 0.4, "top1_high": 0.6, "peak_memory_bytes": 50 << 20}
    done |= {
        "multiply_adds": 50e9,
        "parameters": 1e6,
        "train_s": 60.0,
        "devices": 1,
        "clips_per_s": 1.0,
        "test.clips_per_video": 1,
    }
    rows = [
        {**row, **done, "classes": class_count(job.spec.data.name, None), "test.clips": test.clips,
         "test.crops": test.crops, "test.size": test.size}
        for job, row in zip(jobs, bare, strict=True)
        for test in job.spec.tests
    ]  # fmt: skip
    return pd.DataFrame(rows)


def put(found, chosen, quantity, amount):
    """Give these jobs this much of a quantity."""
    for index in rows_of(found, chosen).index:
        column = RAW[quantity]
        found.loc[index, column] *= amount / value(quantity, found.loc[index])


def known(found, chosen, quantity):
    return [value(quantity, row) for _, row in rows_of(found, chosen).iterrows()]


def limits(found, condition):
    """What the quantity of `of` is compared with, `minus` added."""
    less = known(found, condition.minus, condition.quantity) if condition.minus else [0]
    than = [condition.than]
    if condition.than == "chance":
        than = (100 / rows_of(found, condition.of)["classes"]).tolist()
    elif isinstance(condition.than, dict):
        others = found.drop(index=rows_of(found, condition.of).index)  # than all others of a choice
        than = known(others, condition.than, condition.quantity)
    return min(than) + min(less), max(than) + max(less)


def satisfy(found, condition):
    low, high = limits(found, condition)
    own = known(found, condition.of, condition.quantity)
    if condition.relation == "above" and min(own) <= high + condition.by:
        put(found, condition.of, condition.quantity, high + condition.by + 0.5)
    elif condition.relation == "below" and max(own) >= low - condition.by:
        put(found, condition.of, condition.quantity, low - condition.by - 0.5)
    elif condition.relation == "near" and isinstance(condition.than, dict):
        put(found, condition.than, condition.quantity, own[0])
    elif condition.relation == "near":
        put(found, condition.of, condition.quantity, low)


def contradict(found, condition):
    low, high = limits(found, condition)
    apart = {"above": condition.by - 0.5, "below": 0.5 - condition.by, "near": condition.by + 0.5}
    amount = (low if condition.relation == "above" else high) + apart[condition.relation]
    put(found, condition.of, condition.quantity, amount)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", SCALES)
def test_every_suite_expands_to_trainings_that_are_told_apart(name, scale):
    loaded = suite(name, scale)
    assert loaded.jobs
    assert len({job.id for job in loaded.jobs}) == len({job.label for job in loaded.jobs}) == len(loaded.jobs)
    assert loaded.title
    assert loaded.question.endswith("?")


@pytest.mark.parametrize("name", NAMES)
def test_every_suite_has_findings_and_figures_or_published_rows_at_demo_scale(name):
    loaded = suite(name, "demo")
    if loaded.search is not None:  # whose report is of what it finds
        assert loaded.search.block.trials
        return
    assert loaded.report.findings
    assert loaded.report.figures or loaded.report.published


CLAIMS = [
    pytest.param(name, scale, place, id=f"{name}-{scale}-{place}")
    for name in NAMES
    for scale in SCALES
    for place in range(len(suite(name, scale).report.findings))
]


@pytest.mark.parametrize(("name", "scale", "place"), CLAIMS)
def test_a_claim_is_shown_by_what_satisfies_it_and_by_nothing_else(name, scale, place):
    """Each of its parts alone can refute it; where nothing was run it is not measured."""
    loaded = suite(name, scale)
    claim, found = loaded.report.findings[place], made_up(loaded.jobs)
    names = {job.id: job.name for job in loaded.jobs}

    def verdict(rows):
        return judge(claim, rows, names, written).verdict

    assert (
        verdict(frame([], [Unrecorded(job.id, NOT_RUN, job.spec.content()) for job in loaded.jobs])) == "not measured"
    )
    for _ in range(20):
        for condition in claim.holds:
            satisfy(found, condition)
    assert verdict(found) == "shown"
    for condition in claim.holds:
        otherwise = found.copy()
        contradict(otherwise, condition)
        assert verdict(otherwise) == "not shown", condition


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", SCALES)
def test_every_choice_of_a_claim_is_of_tests_that_its_jobs_make(name, scale):
    loaded = suite(name, scale)
    found = made_up(loaded.jobs)
    for claim in loaded.report.findings:
        for condition in claim.holds:
            for chosen in (condition.of, condition.minus, condition.than):
                assert not isinstance(chosen, dict) or len(rows_of(found, chosen)), chosen


FIGURES = [
    pytest.param(name, scale, place, id=f"{name}-{scale}-{place}")
    for name in NAMES
    for scale in SCALES
    for place in range(len(suite(name, scale).report.figures))
]


@pytest.mark.parametrize(("name", "scale", "place"), FIGURES)
def test_a_curve_runs_through_several_points_each_of_one_training(name, scale, place):
    loaded = suite(name, scale)
    found = made_up(loaded.jobs)
    variants = {job.id: job.variant for job in loaded.jobs}
    named = {id_: row for row in loaded.report.rows for chosen in loaded.report.choices(row)
             for id_ in rows_of(found, chosen)["id"]}  # fmt: skip
    figure = plots.curves(loaded.report.figures[place], found, variants, named)
    for panel in figure.panels:
        counts = panel.data.groupby("series").size()
        assert (counts > 1).all(), panel.title
        assert not panel.data.duplicated(["series", "x"]).any()
        assert panel.data["y"].notna().all()
        single = panel.data["low"].isna() | (panel.data["low"] == 40)
        assert single.all(), "several trainings were taken for seeds of one"


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_those_of_the_published_tables_and_each_has_one_training_for_a_data_set(name):
    for scale in SCALES:
        loaded = suite(name, scale)
        report, found = loaded.report, made_up(loaded.jobs)
        printed = set(literature.chosen(report)["row"]) if report.published else set(report.rows)
        assert set(report.rows) <= printed
        for row in report.rows:
            ids = {id_ for chosen in report.choices(row) for id_ in rows_of(found, chosen)["id"]}
            mine = [job for job in loaded.jobs if job.id in ids]
            assert len({(job.spec.data.name, job.spec.seed) for job in mine}) == len(mine), row
    assert set(report.rows) <= {
        row for scale in SCALES for row in report.rows
        if any(len(rows_of(made_up(suite(name, scale).jobs), chosen)) for chosen in report.choices(row))
    }  # fmt: skip


@pytest.mark.parametrize("name", [name for name in NAMES if suite(name, "demo").report.published])
@pytest.mark.parametrize("scale", SCALES)
def test_every_row_of_a_published_table_has_its_training_at_both_scales_but_what_needs_more_than_two_cores(name, scale):
    loaded = suite(name, scale)
    found = made_up(loaded.jobs)
    empty = {row for row in loaded.report.rows
             if not any(len(rows_of(found, chosen)) for chosen in loaded.report.choices(row))}  # fmt: skip
    assert empty <= ({"TimeSformer-HR"} if (name, scale) == ("temporal", "demo") else set())


def ids(name: str, scale: str) -> set[str]:
    return {job.id for job in suite(name, scale).jobs}


@pytest.mark.parametrize(
    ("scale", "one", "other", "shared"),
    [
        ("paper", "kinetics400", "tokens", 2),
        ("paper", "kinetics400", "test_clips", 5),
        ("paper", "attention_schemes", "kinetics400", 1),
        ("paper", "attention_schemes", "temporal", 1),
        ("paper", "data_fraction", "training_cost", 3),
        ("demo", "data_fraction", "training_cost", 3),
        ("demo", "kinetics400", "kinetics600", 5),
        ("demo", "attention_schemes", "tokens", 2),
        ("demo", "attention_schemes", "xvit", 4),
        ("demo", "long_term", "test_clips", 3),
        ("demo", "long_term", "temporal", 3),
        ("demo", "temporal", "test_clips", 3),
    ],
)
def test_a_training_that_two_suites_ask_for_is_one(scale, one, other, shared):
    """By its id, so that it is run once; as many as the suites' headings say."""
    assert len(ids(one, scale) & ids(other, scale)) == shared


def test_table_1_is_ten_trainings_of_five_schemes_on_two_sets():
    loaded = suite("attention_schemes", "paper")
    pairs = {(job.spec.model.attention, job.spec.data.name) for job in loaded.jobs}
    assert len(loaded.jobs) == len(pairs) == 10
    first = loaded.jobs[0].spec
    assert (first.model.size, first.clip.size, first.clip.stride, first.recipe.epochs) == ("base", 224, 32, 15)
    assert (first.recipe.learning_rate, first.recipe.milestones, first.recipe.batch_size) == (0.005, (11, 14), 16)
