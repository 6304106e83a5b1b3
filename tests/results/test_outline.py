import json
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from results.collect import NOT_RUN, Unrecorded, frame
from results.literature import names, published
from results.outline import Axis, Claim, Condition, Curves, Fact, Outline, rows_of
from results.record import Record

CONDITION = {"of": {"seed": 0}, "above": 3}


def read(**data: Any) -> Outline:
    return Outline.model_validate_json(json.dumps(data))


def problems(**data: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        read(**data)
    return [(".".join(map(str, each["loc"])), each["msg"]) for each in caught.value.errors()]


def condition(**changes: Any) -> dict[str, Any]:
    return {"findings": [{"claim": "x", "holds": [{"of": {}, **changes}]}]}


def test_a_suite_that_says_nothing_shows_its_variants_alone() -> None:
    outline = read()
    assert (outline.published, outline.rows, outline.figures, outline.findings) == ((), {}, (), ())
    assert outline.others


def test_what_is_said_of_one_scale_is_left_out_at_the_other() -> None:
    figures = [{"name": name, "title": "x", "panels": [{"x": "seed"}], "scale": scale}
               for name, scale in (("a", "demo"), ("b", "paper"), ("c", None))]  # fmt: skip
    findings = [{"claim": name, "holds": [CONDITION], "scale": scale} for name, scale in (("a", "demo"), ("b", None))]
    outline = read(figures=figures, findings=findings, published=["table1"], rows={"A": {"seed": 0}})
    demo, paper = outline.at("demo"), outline.at("paper")
    assert ["".join(each.name for each in at.figures) for at in (demo, paper)] == ["ac", "bc"]
    assert ["".join(each.claim for each in at.findings) for at in (demo, paper)] == ["ab", "b"]
    assert (paper.published, paper.rows) == (outline.published, outline.rows)


def test_a_row_is_of_one_choice_or_of_several() -> None:
    outline = read(rows={"A": {"seed": 0}, "B": [{"seed": 1}, {"seed": None}]})
    assert outline.choices("A") == ({"seed": 0},)
    assert outline.choices("B") == ({"seed": 1}, {"seed": None})


@pytest.mark.parametrize(
    ("given", "relation", "than"),
    [
        ({"above": 0}, "above", 0),
        ({"near": "chance", "by": 10}, "near", "chance"),
        ({"below": {"seed": 1}}, "below", {"seed": 1}),
    ],
)
def test_a_condition_has_one_relation(given: dict[str, Any], relation: str, than: Any) -> None:
    (claim,) = read(**condition(**given)).findings
    assert (claim.holds[0].relation, claim.holds[0].than) == (relation, than)


@pytest.mark.parametrize(
    ("data", "key", "told"),
    [
        (condition(above=1, below=2), "findings.0.holds.0", "needs one of above, below, near; has above and below"),
        (condition(), "findings.0.holds.0", "needs one of above, below, near; has none"),
        (condition(above="chancy"), "findings.0.holds.0.above", "expected a number, chance, or values that jobs have"),
        (condition(above=True), "findings.0.holds.0.above", "expected a number, chance, or values that jobs have"),
        (condition(above=[1]), "findings.0.holds.0.above", "expected a number, chance, or values that jobs have"),
        (condition(above={"seed": [1]}), "findings.0.holds.0.above", "such as {data: motion}, got {'seed': [1]}"),
        (condition(above=1, by=-1), "findings.0.holds.0.by", "greater than or equal to 0"),
        (condition(above=1, minus=3), "findings.0.holds.0.minus", "such as {data: motion}, got 3"),
        (condition(above=1, quantity="speed"), "findings.0.holds.0.quantity", "Input should be 'top1'"),
        ({"findings": [{"claim": "x", "holds": []}]}, "findings.0.holds", "expected one at least, got an empty list"),
        ({"figures": [{"name": "a", "title": "x", "panels": []}]}, "figures.0.panels", "expected one at least"),
        ({"figures": [{"name": "A b", "title": "x", "panels": [{"x": "y"}]}]}, "figures.0.name", "should match"),
        ({"rows": {"A": 3}}, "rows.A", "or a list of such, got 3"),
        ({"rows": {"A": []}}, "rows.A", "or a list of such, got []"),
        ({"rows": {"A": [{"seed": {}}]}}, "rows.A", "or a list of such, got [{'seed': {}}]"),
        ({"metrics": ["top2"]}, "metrics.0", "Input should be 'parameters'"),
        ({"others": 1}, "others", "valid boolean"),
        ({"figure": []}, "figure", "Extra inputs"),
    ],
)
def test_each_mistake_is_one_sentence_at_its_key(data: dict[str, Any], key: str, told: str) -> None:
    ((found, problem),) = problems(**data)
    assert found == key
    assert told in problem


def test_a_table_has_room_for_facts_that_are_published() -> None:
    known = {metric for name in names() for metric in published(name)["metric"]}
    assert set(get_args(Fact)) <= known
    assert read().metrics == get_args(Fact)


def job(example: Record, id_: str, attention: str, *clips: int | str) -> Record:
    spec = {**example.spec, "model": {**example.spec["model"], "attention": attention}}
    tests = [example.tests[0].model_copy(update={"clips": each}) for each in clips]
    return example.model_copy(update={"id": id_, "spec": spec, "tests": tests})


@pytest.mark.parametrize(
    ("chosen", "ids"),
    [
        ({}, ["a", "a", "b", "c", "d"]),
        ({"model.attention": "joint"}, ["a", "a", "d"]),
        ({"model.attention": "joint", "test.clips": 10}, ["a", "d"]),
        ({"test.clips": "cover"}, ["b", "c", "d"]),
        ({"model.attention": "axial"}, []),
        ({"model.colour": "red"}, []),
        ({"data.fraction": None}, ["c"]),
        ({"data.fraction": 1}, ["a", "a", "b"]),
    ],
)
def test_jobs_are_chosen_by_all_of_these_values(example: Record, chosen: dict[str, Any], ids: list[str]) -> None:
    """Those that have no test yet (c and d) answer to every test."""
    spec = {**example.spec, "data": {"name": "motion", "fraction": 1.0}}
    records = [
        each.model_copy(update={"spec": {**each.spec, "data": spec["data"]}})
        for each in (job(example, "a", "joint", 1, 10), job(example, "b", "divided", "cover"))
    ]
    waiting = [Unrecorded("c", NOT_RUN, {"model": {"attention": "divided"}}),
               Unrecorded("d", NOT_RUN, {"model": {"attention": "joint"}, "data": {"fraction": 0.5}})]  # fmt: skip
    assert rows_of(frame(records, waiting), chosen)["id"].tolist() == ids


def test_a_claim_can_be_made_in_python_too() -> None:
    """As suites' tests do."""
    claim = Claim(claim="x", holds=(Condition(of={}, above=1.0),))
    figure = Curves(name="a", title="x", panels=(Axis(x="seed"),))
    assert Outline(findings=(claim,), figures=(figure,)).at("demo").findings == (claim,)


COSTLY = {"findings": [{"claim": "x", "holds": [CONDITION | {"quantity": "gmacs"}]}]}


@pytest.mark.parametrize(
    ("data", "asks"),
    [
        ({}, True),
        ({"findings": [{"claim": "x", "holds": [CONDITION]}]}, True),
        (COSTLY, False),
        ({"figures": [{"name": "a", "title": "t", "y": "peak_memory", "panels": [{"x": "seed"}]}]}, False),
        ({"figures": [{"name": "a", "title": "t", "panels": [{"x": "seed"}]}]}, True),
        ({**COSTLY, "published": ["table1"]}, True),
        (
            {"figures": [], "published": ["text"], "metrics": ["training_time"], "rows": {"TimeSformer": {}}, **COSTLY},
            False,
        ),
    ],
)
def test_a_suite_of_costs_alone_asks_no_accuracy(data: dict[str, Any], asks: bool) -> None:
    assert read(**data).asks_accuracy == asks
