from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import pytest

from results.answers import Tested
from results.claims import Finding, judge
from results.collect import DAMAGED, NOT_RUN, Unrecorded, frame
from results.outline import Claim, Condition
from results.paired import Difference
from results.record import Cost, Record

UNITS = {"top1": "%", "class_mean": "%", "difference": "points", "gmacs": "GMACs", "device_minutes": "min"}
Make = Callable[..., Record]


def text(metric: str, value: float) -> str:
    return f"{value:{'+' if metric == 'difference' else ''}.1f} {UNITS[metric]}"


@pytest.fixture
def job(example: Record) -> Make:
    """A finished job of an attention scheme with these tests: top-1 by clips. `changes` replace fields."""

    def make(attention: str, seed: int = 0, data: str = "motion", tests: Any = None, **changes: Any) -> Record:
        spec = {**example.spec, "model": {"name": "timesformer", "attention": attention}, "data": {"name": data}}
        made = [example.tests[0].model_copy(update={"clips": clips, "top1": top1})
                for clips, top1 in (tests or {1: 0.97}).items()]  # fmt: skip
        fields = {"id": f"{attention}-{data}-{seed}", "spec": {**spec, "seed": seed}, "tests": made}
        return example.model_copy(update=fields | changes)

    return make


def waiting(attention: str, seed: int = 0, status: str = NOT_RUN, cost: Cost | None = None) -> Unrecorded:
    spec = {"model": {"attention": attention}, "data": {"name": "motion"}, "seed": seed}
    return Unrecorded(f"{attention}-motion-{seed}", status, spec, cost)


def judged(records: Sequence[Record], *conditions: Condition, without: Sequence[Unrecorded] = ()) -> Finding:
    found = frame(records, without)
    names = {id_: " · ".join(id_.split("-")[:2]) for id_ in found["id"]}
    return judge(Claim(claim="it is so", holds=conditions), found, names, text)


def condition(attention: str = "joint", **changes: Any) -> Condition:
    return Condition(of={"model.attention": attention}, **changes)


@pytest.mark.parametrize(
    ("relation", "verdict"),
    [
        ({"above": 96.9}, "shown"),
        ({"above": 97.1}, "not shown"),
        ({"above": 90.0, "by": 6.9}, "shown"),
        ({"above": 90.0, "by": 7.1}, "not shown"),
        ({"below": 97.1}, "shown"),
        ({"below": 96.9}, "not shown"),
        ({"below": 99.0, "by": 1.9}, "shown"),
        ({"below": 99.0, "by": 2.1}, "not shown"),
        ({"near": 90.0, "by": 7.1}, "shown"),
        ({"near": 99.0, "by": 2.1}, "shown"),
        ({"near": 90.0, "by": 6.9}, "not shown"),
        ({"near": 99.0, "by": 1.9}, "not shown"),
        ({"above": "chance", "by": 71.9}, "shown"),
        ({"above": "chance", "by": 72.1}, "not shown"),
        ({"near": "chance", "by": 50.0}, "not shown"),
    ],
)
def test_a_condition_turns_at_its_bounds(job: Make, relation: dict[str, Any], verdict: str) -> None:
    assert judged([job("joint")], condition(**relation)).verdict == verdict


def test_equal_is_neither_above_nor_below(job: Make) -> None:
    pair = [job("joint"), job("space")]
    of_space = {"model.attention": "space"}
    assert judged(pair, condition(above=of_space)).verdict == "not shown"
    assert judged(pair, condition(below=of_space)).verdict == "not shown"
    assert judged(pair, condition(near=of_space)).verdict == "shown"


@pytest.mark.parametrize(("weakest", "verdict"), [(0.9, "shown"), (0.7, "not shown")])
def test_it_must_hold_for_each_variant(job: Make, weakest: float, verdict: str) -> None:
    records = [job("joint"), job("space", tests={1: weakest}), job("axial", tests={1: 0.8})]
    others = {"model.attention": "axial"}
    both = [condition("joint", above=others), condition("space", above=others)]
    assert judged(records, *both).verdict == verdict
    low = Condition(of={"model.attention": "axial"}, below={"data.name": "motion"})
    assert judged(records, low).verdict == verdict  # than all others of the set, and not than itself


def test_chance_is_that_of_the_jobs_own_classes(job: Make) -> None:
    records = [job("space", tests={1: 0.2}, classes=6), job("joint", tests={1: 0.2}, classes=4)]
    near = {"near": "chance", "by": 4.0}
    assert judged(records, condition("space", **near)).verdict == "shown"
    assert judged(records, condition("joint", **near)).verdict == "not shown"
    both = judged(records, Condition(of={}, above="chance"))
    assert both.verdict == "not shown"
    assert both.evidence.endswith("(asked for: above chance, 16.7 %, 25.0 %)")


@pytest.mark.parametrize(("first", "verdict"), [(0.40, "not shown"), (0.30, "shown")])
def test_what_one_gains_over_another_is_in_points(job: Make, first: float, verdict: str) -> None:
    gain = condition(above=10.0, minus={"model.attention": "space"})
    found = judged([job("joint", tests={1: 0.45}), job("space", tests={1: first})], gain)
    assert found.verdict == verdict
    assert found.evidence == (
        f"joint · motion 45.0 % less space · motion {100 * first:.1f} % (asked for: above 10.0 points)"
    )


def test_a_gain_must_hold_over_each_of_those_taken_off(job: Make) -> None:
    records = [job("joint", tests={1: 0.9}), job("space", tests={1: 0.2}), job("axial", tests={1: 0.85})]
    others = condition(above=10.0, minus={"model.attention": "axial"})
    everyone = condition(above=10.0, minus={"data.name": "motion"})
    assert [judged(records[:2], condition(above=10.0, minus={"model.attention": "space"})).verdict,
            judged(records, others).verdict, judged(records, everyone).verdict] == [
        "shown", "not shown", "not shown"
    ]  # fmt: skip


def test_seeds_are_one_value_with_its_spread(job: Make) -> None:
    seeds = [job("joint", seed, tests={1: top1}) for seed, top1 in enumerate((0.7, 0.8, 0.9))]
    found = judged(seeds, condition(above=79.0))
    assert found == Finding(
        "it is so", "shown", "joint · motion 80.0 % (± 10.0 points, 3 seeds) (asked for: above 79.0 %)"
    )
    assert judged(seeds, condition(above=81.0)).verdict == "not shown"


def test_a_seed_that_is_missing_leaves_the_mean_unknown(job: Make) -> None:
    found = judged([job("joint"), job("joint", 1)], condition(above=50.0), without=[waiting("joint", 2)])
    assert found == Finding(
        "it is so", "not measured", "joint · motion measured in 2 of 3 seeds only (asked for: above 50.0 %)"
    )


@pytest.mark.parametrize("status", ["failed", "oom", "timeout", "diverged"])
def test_a_job_that_failed_measured_nothing(job: Make, status: str) -> None:
    failed = job("joint", status=status)
    assert judged([failed], condition(above=0.0)).verdict == "not measured"
    minutes = condition(above=0.0, quantity="device_minutes")
    assert judged([failed], minutes).verdict == "not measured"
    assert judged([job("joint")], minutes).verdict == "shown"


@pytest.mark.parametrize("status", [NOT_RUN, DAMAGED])
def test_nothing_is_measured_where_no_record_can_be_read(status: str) -> None:
    found = judged([], condition(near="chance"), without=[waiting("joint", status=status)])
    assert (found.verdict, found.evidence) == (
        "not measured", "joint · motion not measured (asked for: within 0.0 points of chance)"
    )  # fmt: skip


def test_what_was_counted_needs_no_run() -> None:
    costs = {name: Cost(parameters=1, multiply_adds=adds * 10**9, attention_multiply_adds=1)
             for name, adds in (("joint", 3), ("space", 2))}  # fmt: skip
    above = condition(quantity="gmacs", above={"model.attention": "space"}, by=0.5)
    found = judged([], above, without=[waiting(name, cost=cost) for name, cost in costs.items()])
    assert found == Finding(
        "it is so", "shown", "joint · motion 3.0 GMACs (asked for: more than 0.5 GMACs above space · motion 2.0 GMACs)"
    )


@pytest.mark.parametrize("part", ["of", "minus", "above"])
def test_where_no_job_is_meant_nothing_is_claimed(job: Make, part: str) -> None:
    """As where `--only` leaves it out."""
    chosen: dict[str, Any] = {key: {"model.attention": "joint"} for key in ("of", "minus", "above")}
    found = judged([job("joint")], Condition(**{**chosen, part: {"model.attention": "axial"}}))
    assert found.verdict == "not measured"
    assert "no such job" in found.evidence


def test_one_part_that_does_not_hold_is_worse_than_one_that_is_unknown(job: Make) -> None:
    parts = {"shown": condition(above=90.0), "not shown": condition(above=99.0),
             "not measured": condition("space", above=1.0)}  # fmt: skip
    records, without = [job("joint")], [waiting("space")]
    verdicts = {
        found: judged(records, *(parts[each] for each in found.split(", ")), without=without).verdict
        for found in ("shown, not measured", "not measured, not shown, shown", "shown, not shown", "shown, shown")
    }
    assert list(verdicts.values()) == ["not measured", "not shown", "not shown", "shown"]


def clips(count: int) -> dict[str, Any]:
    return {"model.attention": "joint", "test.clips": count}


def test_keys_of_tests_choose_among_the_tests_of_a_job(job: Make) -> None:
    records = [job("joint", tests={1: 0.4, 10: 0.6})]
    assert judged(records, Condition(of=clips(10), above=50.0)).verdict == "shown"
    assert judged(records, Condition(of=clips(1), above=50.0)).verdict == "not shown"
    assert judged(records, Condition(of={}, above=50.0)).verdict == "not shown"  # each of its tests
    gain = judged(records, Condition(of=clips(10), minus=clips(1), above=5.0))
    assert gain.verdict == "shown"
    assert gain.evidence == (
        "joint · motion (10 × 3 of 32) 60.0 % less joint · motion (1 × 3 of 32) 40.0 % (asked for: above 5.0 points)"
    )


def test_a_quantity_of_the_job_is_told_once_for_all_its_tests(job: Make) -> None:
    found = judged([job("joint", tests={1: 0.4, 10: 0.6})], condition(quantity="device_minutes", below=1.0))
    assert found.evidence == "joint · motion 0.7 min (asked for: below 1.0 min)"


def test_a_test_that_is_not_made_yet_is_not_measured(job: Make) -> None:
    found = judged([job("joint", tests={1: 0.4})], Condition(of=clips(10), above=50.0), without=[waiting("joint", 1)])
    assert found.verdict == "not measured"


def test_tests_of_different_sizes_are_no_seeds(job: Make) -> None:
    record = job("joint", tests={1: 0.4})
    larger = record.tests[0].model_copy(update={"size": 48, "top1": 0.6})
    found = judged([record.model_copy(update={"tests": [*record.tests, larger]})], condition(above=30.0))
    assert found.evidence == (
        "joint · motion (1 × 3 of 32) 40.0 %, joint · motion (1 × 3 of 48) 60.0 % (asked for: above 30.0 %)"
    )


def test_the_evidence_says_what_was_found_and_what_was_asked_for_each_once(job: Make) -> None:
    records = [job("space", tests={1: 0.25}), job("joint"), job("axial", tests={1: 0.9})]
    found = judged(
        records,
        condition("space", near="chance", by=10.0),
        condition("joint", above=80.0),
        condition("axial", above=80.0),
        condition("joint", above={"model.attention": "space"}, by=2),
        condition("joint", above={"model.attention": "axial"}),
    )
    assert found.evidence.split("; ") == [
        "space · motion 25.0 % (asked for: within 10.0 points of chance, 25.0 %)",
        "joint · motion 97.0 %, axial · motion 90.0 % (asked for: above 80.0 %)",
        "joint · motion 97.0 % (asked for: more than 2.0 points above space · motion 25.0 %, above axial · motion 90.0"
        " %)",
    ]


def test_an_empty_frame_of_a_suite_can_be_judged() -> None:
    assert judge(Claim(claim="x", holds=(condition(above=1.0),)), frame([]), {}, text).verdict == "not measured"
    assert isinstance(frame([]), pd.DataFrame)


@pytest.mark.parametrize(("p", "verdict"), [(0.6, "not shown"), (0.001, "shown")])
def test_what_is_above_by_no_more_than_chance_could_is_not_shown_to_be(job: Make, p: float, verdict: str) -> None:
    records = [job("space", tests={1: 0.5}), job("joint", tests={1: 0.6})]
    asked: list[Any] = []

    def compare(a: Sequence[Tested], b: Sequence[Tested]) -> Difference:
        asked.append((a, b))
        low = -0.1 if p > 0.05 else 0.02
        return Difference(0.1, low, 0.2, p, "McNemar", 200, 30, 50, (1, 1))

    above = Condition(of={"model.attention": "joint"}, above={"model.attention": "space"})
    names = {record.id: record.id for record in records}
    found = judge(Claim(claim="x", holds=(above,)), frame(records), names, text, compare)
    assert found.verdict == verdict
    assert ("the videos do not tell joint-motion-0 and space-motion-0 so far apart" in found.evidence) == (p > 0.05)
    assert asked == [((("space-motion-0", 1, 3, 32),), (("joint-motion-0", 1, 3, 32),))]
    by = above.model_copy(update={"by": 5.0})  # of which the interval from 2 points says nothing
    assert judge(Claim(claim="x", holds=(by,)), frame(records), names, text, compare).verdict == "not shown"


def test_without_scores_of_videos_a_comparison_is_not_measured(job: Make) -> None:
    records = [job("space", tests={1: 0.5}), job("joint", tests={1: 0.6})]
    above = Condition(of={"model.attention": "joint"}, above={"model.attention": "space"})
    names = {record.id: record.id for record in records}
    found = judge(Claim(claim="x", holds=(above,)), frame(records), names, text, lambda _a, _b: None)
    assert found.verdict == "not measured"
    assert "the scores of joint-motion-0 and space-motion-0 video by video are missing" in found.evidence


def told_apart(low: float, high: float) -> Callable[..., Difference]:
    return lambda _a, _b: Difference((low + high) / 2, low, high, 0.01, "McNemar", 200, 30, 50, (1, 1))


def found_by(records: Sequence[Record], asked: Condition, compare: Callable[..., Difference | None]) -> Finding:
    names = {record.id: record.id.rpartition("-")[0] for record in records}
    return judge(Claim(claim="x", holds=(asked,)), frame(records), names, text, compare)


@pytest.mark.parametrize(
    ("relation", "low", "high", "verdict"),
    [
        ({"above": 10.0}, 0.11, 0.3, "shown"),
        ({"above": 10.0}, 0.09, 0.3, "not shown"),
        ({"above": 10.0, "by": 5.0}, 0.11, 0.3, "not shown"),
        ({"below": 30.0}, 0.1, 0.29, "shown"),
        ({"below": 30.0}, 0.1, 0.31, "not shown"),
        ({"above": 0.0}, 0.01, 0.3, "shown"),
    ],
)
def test_a_gain_on_the_same_videos_must_be_certain_of_them(
    job: Make, relation: dict[str, Any], low: float, high: float, verdict: str
) -> None:
    gain = Condition(of=clips(10), minus=clips(1), **relation)
    found = found_by([job("joint", tests={1: 0.4, 10: 0.6})], gain, told_apart(low, high))
    assert found.verdict == verdict
    assert "by means alone" not in found.evidence


@pytest.mark.parametrize(
    "asked",
    [
        condition("joint", quantity="class_mean", above={"model.attention": "space"}),
        condition("joint", quantity="class_mean", below={"model.attention": "space"}),
        condition("joint", near={"model.attention": "space"}, by=50.0),
        condition("joint", minus={"model.attention": "space"}, near=20.0, by=50.0),
    ],
)
def test_a_comparison_without_an_interval_says_so(job: Make, asked: Condition) -> None:
    pair = [job("space", tests={1: 0.5}), job("joint", tests={1: 0.6})]
    pair[0].tests[0] = pair[0].tests[0].model_copy(update={"class_mean": 0.3})
    assert found_by(pair, asked, told_apart(-0.5, 0.5)).evidence.endswith(", by means alone)")


def test_a_gain_over_other_videos_is_of_means_alone(job: Make) -> None:
    pair = [job("joint", data="motion", tests={1: 0.6}), job("joint", data="long", tests={1: 0.4})]
    gain = Condition(of={"data.name": "motion"}, minus={"data.name": "long"}, above=5.0)
    found = found_by(pair, gain, lambda _a, _b: None)
    assert (found.verdict, found.evidence.endswith("(asked for: above 5.0 points, by means alone)")) == ("shown", True)


def test_what_stands_beside_no_other_accuracy_is_no_comparison(job: Make) -> None:
    found = found_by([job("joint")], condition(above=80.0), told_apart(-0.5, 0.5))
    assert (found.verdict, "by means" in found.evidence) == ("shown", False)
