from collections.abc import Sequence
from typing import Any

import pytest

from reports import assemble, conditions
from reports.metrics import Column, best_rows
from results.collect import frame
from results.outline import Claim, Condition, Outline
from results.record import Record
from tests.reports.conftest import make_record
from tests.reports.test_assemble import INFO, jobs_of

NAMES = {"appearance-space-0": "space", "appearance-joint-0": "joint", "appearance-divided-0": "divided"}


def made(*changes: dict[str, Any]) -> list[Record]:
    """Records of the first schemes, with these measurements, devices and threads."""
    records = []
    for attention, change in zip(("space", "joint", "divided"), changes, strict=False):
        record = make_record(attention, "appearance")
        facts = {"device": "A100", "threads": 2} | {key: change[key] for key in ("device", "threads") if key in change}
        times = {key: value for key, value in change.items() if key not in facts}
        records.append(
            record.model_copy(update={"environment": facts, "measured": record.measured.model_copy(update=times)})
        )
    return records


def unlike(*changes: dict[str, Any]) -> dict[str, str]:
    return {column: each.told for column, each in conditions.unlike(frame(made(*changes)), NAMES).items()}


def test_jobs_measured_alike_are_compared() -> None:
    assert unlike({}, {}, {}) == {}
    assert unlike({"load": 0.8}, {"load": 1.2}, {"load": None}) == {}


@pytest.mark.parametrize(
    ("changes", "column", "told"),
    [
        (({}, {"device": "H200"}, {}), "environment.device", "on different devices"),
        (({}, {"devices": 8}, {}), "devices", "on different numbers of devices"),
        (({}, {"threads": 1}, {}), "environment.threads", "with different numbers of CPU threads"),
    ],
)
def test_what_differs_is_told_with_the_jobs(changes: Sequence[dict[str, Any]], column: str, told: str) -> None:
    found = unlike(*changes)
    assert list(found) == [column]
    assert f"were measured {told}, so that none is marked as best" in found[column]
    assert ": joint" in found[column]
    assert ": space, divided" in found[column]


def test_many_jobs_are_counted() -> None:
    records = [make_record("space", "appearance", seed=seed, id=f"job{seed}") for seed in range(6)]
    records = [
        each.model_copy(update={"environment": {"device": "A" if seed else "B"}}) for seed, each in enumerate(records)
    ]
    found = conditions.unlike(frame(records), {each.id: each.id for each in records})
    assert "A: job1, job2, job3, job4 and 1 more; B: job0" in found["environment.device"].told


@pytest.mark.parametrize(
    ("loads", "uneven"), [((0.2, 0.9), False), ((1.0, 1.4), False), ((1.0, 1.6), True), ((3.0, 3.1), False)]
)
def test_a_load_is_uneven_where_some_jobs_waited_for_cores_and_others_did_not(
    loads: tuple[float, float], uneven: bool
) -> None:
    found = unlike(*({"load": load} for load in loads))
    assert bool(found) == uneven
    if uneven:
        assert f"load averages of {loads[0]} to {loads[1]} to each core." in found["load"]


def test_what_was_not_measured_or_failed_differs_from_nothing() -> None:
    assert unlike({}, {"device": "H200", "clips_per_s": None}) == {}
    (first, second) = made({}, {"device": "H200"})
    assert conditions.unlike(frame([first, second.model_copy(update={"status": "failed"})]), NAMES) == {}


def test_a_load_that_is_not_known_is_no_quiet_one() -> None:
    assert unlike({"load": None}, {"load": 9.0})["load"].endswith("9.0 to 9.0 to each core, and not known of 1 jobs.")


def test_claims_of_what_was_not_measured_alike_say_so() -> None:
    faster = Claim(claim="x", holds=(Condition(of={"seed": 0}, quantity="training_minutes", above=0.0),))
    better = Claim(claim="x", holds=(Condition(of={"seed": 0}, above=50.0),))
    records = frame(made({"load": 1.0}, {"load": 9.0}))
    findings = assemble.report(INFO, Outline(findings=(faster, better)), jobs_of(records), None, {}, []).findings
    told = [finding.evidence.endswith("; not measured alike, see below the table") for finding in findings]
    assert told == [True, False]


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({}, {"top1", "clips_per_s", "training_minutes", "peak_memory"}),
        ({"load": 9.0}, {"top1", "peak_memory"}),
        ({"threads": 9}, {"top1", "peak_memory"}),
        ({"devices": 9}, {"top1", "training_minutes"}),  # which are of all devices together
        ({"device": "H200"}, {"top1"}),
    ],
)
def test_what_was_not_measured_alike_has_no_best(changes: dict[str, Any], left: set[str]) -> None:
    why = conditions.unlike(frame(made({"load": 1.0}, {"load": 1.0} | changes)), NAMES)
    metrics = ("top1", "clips_per_s", "training_minutes", "peak_memory")
    columns = tuple(Column(metric, metric, metric, "", "measured") for metric in metrics)
    assert {each.metric for each in conditions.heeded(columns, why) if each.comparable} == left


def marked(outline: Outline, *changes: dict[str, Any]) -> tuple[set[str], Sequence[str]]:
    """Of a report of such records: the metrics that have a best, and the table's notes."""
    (table,) = assemble.report(INFO, outline, jobs_of(frame(made(*changes))), None, {}, []).tables
    return {each.metric for each in table.columns if best_rows(table.frame, each)}, table.notes


OF_COSTS = Outline(findings=(Claim(claim="x", holds=(Condition(of={"seed": 0}, quantity="gmacs", above=0.0),)),))


@pytest.mark.parametrize(("outline", "accuracies"), [(Outline(), {"top1"}), (OF_COSTS, set())])
def test_a_report_marks_no_best_speed_and_says_why(outline: Outline, accuracies: set[str]) -> None:
    assert marked(outline, {}, {}, {})[0] == {"clips_per_s", "peak_memory"} | accuracies
    best, notes = marked(outline, {}, {"device": "H200"}, {})
    assert best == accuracies
    assert any("on different devices" in note and "H200: joint" in note for note in notes)
