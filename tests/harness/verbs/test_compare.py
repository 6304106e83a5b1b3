"""`compare`, of records and scores that are made here, through the command line, and of jobs that were really run."""

import json
from dataclasses import replace

import numpy as np
import pytest

from harness import contender
from harness.verbs.compare import Price, _number, _readable, answer, compared, per_cost
from results import answers
from results.store import Store
from tests.harness.contenders import job_of, suite_of, write
from tests.harness.verbs.conftest import harness

VIDEOS = 200
WEAK = [index % 4 == 0 or index % 8 == 1 for index in range(VIDEOS)]
STRONG = [right or index % 4 == 3 for index, right in enumerate(WEAK)]


@pytest.fixture
def suite(tmp_path):
    return suite_of(tmp_path)


@pytest.fixture
def pair(suite, root):
    """(id of the weaker, id of the stronger)."""
    weak, strong = job_of(suite, "space"), job_of(suite, "divided")
    return write(root, weak, WEAK).id, write(root, strong, STRONG).id


def compare(root, *arguments):
    return harness("compare", *arguments, "--root", root)


def test_the_answer_comes_first_in_one_sentence(pair, root):
    ended = compare(root, *pair)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(
        "B (divided) is 25.0 points more accurate than A (space), 95 % interval 19.0 to 31.0 "
        "(p < 0.001, McNemar, 200 videos): the data tell them apart\n"
    )
    assert "They differ in model.attention space → divided" in ended.stdout
    assert "only A is right on 0 videos, only B is right on 50, no difference on 150" in ended.stdout
    assert "One seed each" in ended.stdout


def test_swapped_the_other_way_round(pair, root):
    ended = compare(root, pair[1][:8], pair[0][:8])
    assert ended.stdout.startswith(
        "B (space) is 25.0 points less accurate than A (divided), 95 % interval 19.0 to 31.0 ("
    )


def test_costs_stand_beside_accuracies_with_their_ratio(suite, root):
    a, b = job_of(suite, "space"), job_of(suite, "divided")
    first = write(root, a, WEAK)
    cost = first.cost.model_copy(update={"multiply_adds": 2 * first.cost.multiply_adds})
    measured = first.measured.model_copy(update={"train_s": 70.0, "devices": 2, "peak_memory_bytes": None})
    write(root, b, STRONG, cost=cost, measured=measured)
    ended = compare(root, a.id, b.id, "--json")
    costs = {row["name"]: row for row in json.loads(ended.stdout)["costs"]}
    assert costs["top-1"] | {"ratio": 0} == {"name": "top-1", "unit": "%", "a": 37.5, "b": 62.5, "difference": 25.0,
                                             "ratio": 0}  # fmt: skip
    assert costs["a video, all views"]["a"] == pytest.approx(first.cost.multiply_adds / 1e12)
    assert costs["a video, all views"]["ratio"] == pytest.approx(2.0)
    assert costs["training"]["ratio"] == pytest.approx(4.0)
    assert (costs["peak memory"]["b"], costs["peak memory"]["difference"]) == (None, None)
    assert costs["a video, all views"]["unit"] == "TMACs"
    shown = compare(root, a.id, b.id).stdout
    assert "a video, all views, GMACs" in shown
    assert "FLOP" not in shown
    told = "Times (points per training time too) and memory do not compare: A ran on 1 x cpu, B on 2 x cpu"
    assert told in " ".join(shown.split())


def test_accuracy_is_divided_by_the_main_costs(suite, root):
    a, b = job_of(suite, "space"), job_of(suite, "divided")
    first = write(root, a, WEAK)
    cost = first.cost.model_copy(update={"multiply_adds": 10**9})
    measured = first.measured.model_copy(update={"train_s": 90.0, "devices": 2})  # 3 device-minutes
    write(root, a, WEAK, cost=cost, measured=measured)
    write(root, b, STRONG, protocols=((2, 1),), cost=cost, measured=measured)
    tests, training = json.loads(compare(root, a.id, b.id, "--json").stdout)["per_cost"]
    assert tests == {"name": "top-1 per test cost", "unit": "points a TMAC", "a": pytest.approx(37_500),
                     "b": pytest.approx(31_250), "ratio": pytest.approx(5 / 6)}  # fmt: skip
    assert training == {"name": "top-1 per training time", "unit": "points a device-hour", "a": pytest.approx(750),
                        "b": pytest.approx(1250), "ratio": pytest.approx(5 / 3)}  # fmt: skip
    rows = [line.split() for line in compare(root, a.id, b.id).stdout.splitlines() if line.startswith("top-1 per")]
    assert rows == [
        ["top-1", "per", "test", "cost,", "points", "a", "GMAC", "37.5", "31.25", "0.83"],
        ["top-1", "per", "training", "time,", "points", "a", "device-minute", "12.5", "20.83", "1.67"],
    ]


def test_accuracy_is_divided_by_no_cost_that_is_unknown_or_nothing():
    prices = [Price("top-1", "%", 50.0, 60.0), Price("a video, all views", "TMACs", None, 2.0),
              Price("training", "device-hours", 4.0, 0.0), Price("peak memory", "MiB", 1.0, 1.0)]  # fmt: skip
    tests, training = per_cost(prices)
    assert (tests.a, tests.b, tests.ratio) == (None, 30.0, None)
    assert (training.a, training.b, training.ratio) == (12.5, None, None)


def test_each_is_compared_by_its_own_test_where_none_is_common(suite, root):
    a, b = job_of(suite, "space"), job_of(suite, "divided")
    records = {record.id: record for record in (write(root, a, WEAK), write(root, b, STRONG, protocols=((2, 3),)))}
    found = json.loads(compare(root, a.id, b.id, "--json").stdout)
    assert found["answer"].startswith(
        "B (divided) is 25.0 points more accurate than A (space), each by its own test: 1x1 and 2x3, 95 % interval 19.0"
    )
    assert (found["test"], found["a"]["clips"], found["b"]["clips"], found["b"]["crops"]) == ("1x1 and 2x3", 1, 2, 3)
    assert found["notes"][0].startswith("No test is common to both: each was tested by its own, 1x1 and 2x3.")
    costs = {row["name"]: row for row in found["costs"]}
    assert (costs["top-1"]["a"], costs["top-1"]["b"]) == (37.5, 62.5)
    assert costs["a video, all views"]["ratio"] == pytest.approx(6.0)
    store = Store(root)
    in_reports = answers.comparing(records, store.job_folder)([(a.id, 1, 1, 16)], [(b.id, 2, 3, 16)])
    assert in_reports is not None
    assert {key: found["difference"][key] for key in ("mean", "low", "high", "p")} == {
        "mean": in_reports.mean, "low": in_reports.low, "high": in_reports.high, "p": in_reports.p
    }  # fmt: skip
    shown = " ".join(compare(root, a.id, b.id).stdout.split())
    assert "Test: each by its own, A 1x1 views of 16 pixels, B 2x3 of 16; only A is right on 0 videos" in shown


def test_a_common_test_is_not_told_as_an_own_one(pair, root):
    ended = compare(root, *pair)
    assert "own" not in ended.stdout
    assert "Test: 1x1 views of 16 pixels; only A" in ended.stdout


def test_classes_that_moved_are_named_and_marked(pair, root):
    shown = compare(root, *pair, "--classes", 1).stdout
    (row,) = [line for line in shown.splitlines() if line.startswith(("Moving", "class 3"))]
    assert row.split()[-2:] == ["than", "chance"]
    assert "+100.0" in row
    assert "1 of 4 classes of at least 10 videos moved more than chance explains" in shown
    assert "Classes that moved" not in compare(root, *pair, "--classes", 0).stdout


def test_equals_are_not_told_apart(suite, root):
    a, b = job_of(suite, "space"), job_of(suite, "divided")
    write(root, a, WEAK), write(root, b, WEAK)
    shown = compare(root, a.id, b.id).stdout
    assert shown.startswith("B (divided) is as accurate as A (space), 95 % interval -1.0 to 1.0 (p = 1, McNemar, ")
    assert "the data cannot tell them apart" in shown.split("\n")[0]
    assert "No class moved, of 4 classes" in shown


def test_seeds_of_a_suites_variants_are_compared_together(suite, root):
    generator = np.random.default_rng(0)
    for seed in (0, 1):
        for name, right in (("space", WEAK), ("divided", STRONG)):
            flipped = generator.random(VIDEOS) < 0.05
            write(root, job_of(suite, name, seed), np.array(right) ^ flipped)
    selectors = [f"{suite}:model.attention={name}" for name in ("space", "divided")]
    ended = compare(root, *selectors, "--json")
    found = json.loads(ended.stdout)
    assert (found["a"]["seeds"], found["b"]["seeds"], found["notes"]) == ([0, 1], [0, 1], [])
    assert found["difference"]["test"] == "permutation"
    assert found["difference"]["tells_apart"]
    assert "permutation, 2 and 2 seeds, 200 videos" in found["answer"]
    assert "in more of its seeds" in compare(root, *selectors).stdout


def test_json_has_all_that_is_shown_and_says_which_test(suite, root):
    a, b = job_of(suite, "space"), job_of(suite, "divided")
    write(root, a, WEAK, protocols=((1, 1), (2, 3)))
    write(root, b, STRONG, protocols=((2, 3), (1, 1)))
    found = json.loads(compare(root, a.id, b.id, "--json", "--test", "1x1").stdout)
    assert set(found) == {"answer", "a", "b", "differ", "test", "difference", "costs", "per_cost", "classes", "notes"}
    assert (found["test"], found["a"]["clips"], found["differ"]) == (
        "1x1",
        1,
        {"model.attention": ["space", "divided"]},
    )
    assert found["difference"]["mean"] == 0.25
    assert [row["mean"] for row in found["classes"]] == [1.0, 0.0, 0.0, 0.0]
    assert any("also tested by 2x3" in note for note in found["notes"])


def test_undecodable_videos_and_missing_seeds_are_told(suite, root):
    a, b = job_of(suite, "space"), job_of(suite, "divided")
    first = write(root, a, WEAK)
    test = first.tests[0].model_copy(update={"undecodable": {"v1": "damaged", "v2": "damaged"}})
    write(root, a, WEAK, tests=[test])
    write(root, b, STRONG)
    notes = json.loads(compare(root, f"{suite}:model.attention=space", b.id, "--json").stdout)["notes"]
    assert "2 videos did not decode for A: they count as wrong" in notes
    assert any("without space · seed 1, not tested yet" in note for note in notes)


def test_wrong_input_is_told_in_a_line(pair, suite, root):
    several = write(root, job_of(suite, "divided", 1), STRONG, protocols=((1, 3), (2, 3))).id
    (root / "jobs" / pair[1] / "scores" / "16.npz").unlink()
    for arguments, told in (
        ((pair[0], pair[0]), "nothing to compare"),
        (("nowhere", pair[1]), "nearest: "),
        ((pair[0], str(suite)), "2 variants are that"),
        ((pair[0], f"{suite.parent}/none.yaml:data=motion"), "no such file"),
        ((pair[0], pair[1], "--test", "10x3"), "both have 1x1"),
        ((pair[0], several), "they have none in common"),
        ((pair[0], pair[1]), "no such file of the scores of single videos"),
    ):
        ended = compare(root, *arguments)
        assert (ended.returncode, ended.stdout) == (2, ""), arguments
        assert told in ended.stderr
        assert "Traceback" not in ended.stderr


def test_jobs_that_were_run_are_compared(finished):
    suite, root = finished
    selectors = [f"{suite}:model.attention={name}" for name in ("space", "divided")]
    ended = harness("compare", *selectors, "--root", root, "--json")
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    accuracies = [json.loads((root / "jobs" / found[side]["jobs"][0] / "record.json").read_text())["tests"][0]["top1"]
                  for side in "ab"]  # fmt: skip
    assert found["difference"]["mean"] == pytest.approx(accuracies[1] - accuracies[0])
    assert found["difference"]["videos"] == 200
    assert found["classes"][0]["name"].startswith("Moving something")
    assert all(row["a"] is not None for row in found["costs"])


def test_small_numbers_are_shown_in_a_smaller_unit():
    assert _readable(Price("training", "device-hours", 0.05, None)) == Price("training", "device-minutes", 3.0, None)
    large = Price("training", "device-hours", 0.05, 2.0)
    assert _readable(large) == large
    assert Price("latency of a clip", "ms", 0.0, 1.0).ratio is None


def test_nothing_is_shown_as_less_than_nothing(pair, root):
    store = Store(root)
    sides = [contender.find(each, store, "demo", (), root / "datasets.yaml") for each in pair]
    found = compared(sides[0], sides[1], store, root / "datasets.yaml")
    for high in (0.0, 0.0004):
        less = replace(found, found=replace(found.found, mean=-0.02, low=-0.04, high=high))
        assert "2.0 points less accurate than A (space), 95 % interval 0.0 to 4.0 (" in answer(less)
    assert _number(-0.0, "+") == "0"


def test_means_that_differ_by_rounding_only_differ_by_nothing():
    price = Price("top-1", "%", 100 * ((0.1 + 0.2) / 2), 15.0)
    assert price.a != price.b
    assert str(price.difference) == "0.0"
    assert Price("top-1", "%", 15.0, 15.01).difference == pytest.approx(0.01)
