"""What a suite says of its search: what is right of it, and every way in which it is wrong."""

from pathlib import Path

import pytest

from harness.errors import SuiteError
from harness.search.block import SuiteMistakes
from harness.suite import load
from tests.harness.search.studies import FIRST, SPACE, SUITE, session, written

RATE = "    recipe.learning_rate: {float: [0.001, 0.1]}\n"
HEAD = "  trials: 6\n  space:\n"


def mistakes(tmp_path, search, head=SUITE):
    path = written(tmp_path, search, head)
    with pytest.raises(SuiteError) as caught:
        load(path)
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]


def test_a_search_is_read_with_its_suite(tmp_path):
    search = load(written(tmp_path)).search
    assert search is not None
    assert search.block.trials == 6
    assert search.block.objective[0].objective.quantity == "top1"
    assert (search.block.sampler.name, search.block.pruning.name) == ("tpe", "asha")
    assert search.own["recipe.learning_rate (recipe.optimizer sgd)"] == 0.005


def test_a_suite_without_one_has_none(tmp_path):
    assert load(written(tmp_path, "", SUITE.replace("search:\n", ""))).search is None


def test_a_trials_jobs_are_the_suites_with_its_settings_one_a_seed(tmp_path):
    search = session(tmp_path, head=SUITE.replace("search:", "  seeds: [3, 4]\nsearch:")).search
    _, point = search.space.settings(lambda parameter: search.own[parameter.name])
    jobs = search.jobs(point)
    assert [job.spec.seed for job in jobs] == [3, 4]
    assert [job.id for job in jobs] == [job.id for job in load(tmp_path / "tiny.yaml").jobs]


def test_a_scale_says_some_of_it_otherwise(tmp_path):
    scales = (
        "scales:\n  paper:\n    search: {trials: 50, space: {recipe.epochs: {int: [2, 9]}, recipe.momentum: null}}\n"
    )
    path = written(tmp_path, SPACE + scales)
    demo, paper = load(path, "demo").search, load(path, "paper").search
    assert (demo.block.trials, paper.block.trials) == (6, 50)
    assert {each.name: each.distribution.whole for each in paper.space.parameters}["recipe.epochs"] == (2, 9)
    assert [
        each.key for each in demo.space.parameters if each.key not in {one.key for one in paper.space.parameters}
    ] == ["recipe.momentum"]


def test_settings_that_no_training_can_have_are_found_before_it_begins(tmp_path):
    found = mistakes(
        tmp_path, f"{HEAD}    recipe.warmup_epochs: {{float: [0, 6]}}\n    recipe.epochs: {{int: [4, 8]}}\n"
    )
    assert len(found) == 1
    assert found[0].startswith(f"{FIRST + 2}: recipe") or found[0].startswith(f"{FIRST + 3}: recipe")
    assert "must be fewer than epochs" in found[0]


def test_settings_that_are_wrong_together_are_told_of_a_trial(tmp_path):
    search = session(tmp_path).search
    values = {**search.own, "recipe": "schedule cosine, milestones []", "recipe.epochs": 4}
    _, point = search.space.settings(lambda parameter: values[parameter.name])
    wrong = dict(point) | {"recipe.warmup_epochs": point["recipe.epochs"]}
    with pytest.raises(SuiteMistakes, match="warmup_epochs"):
        search.jobs(wrong)


@pytest.mark.parametrize(
    ("search", "line", "told"),
    [
        ("  trials: 6\n", 0, "search.space: required, but not given"),
        ("  trials: 6\n  space: {}\n", 1, "search.space: names no key to search"),
        (f"  space:\n{RATE}", 0, "search: says nothing of its end; give trials, device_hours or hours"),
        (f"  trials: 0\n  space:\n{RATE}", 0, "search.trials: input should be greater than or equal to 1"),
        (f"{HEAD}{RATE}  sampler: tpee\n", 3, "'tpee' is not allowed (did you mean 'tpe'?)"),
        (f"{HEAD}{RATE}  pruner: {{name: asha, reduction: 1}}\n", 3, "greater than or equal to 2"),
        (f"{HEAD}{RATE}  objective: {{maximize: top}}\n", 3, "'top' is not allowed (did you mean 'top5'?)"),
        (f"{HEAD}{RATE}  objective: {{maximize: top1, minimize: latency}}\n", 3, "one of the two"),
        (f"{HEAD}{RATE}  objective: {{minimize: latency}}\n  pruner: asha\n", 0, "pruned by accuracy alone"),
        (f"{HEAD}{RATE}  objective: [{{maximize: top1}}, {{minimize: latency}}]\n  sampler: cma_es\n", 0,
         "cma_es seeks one"),
        (f"{HEAD}{RATE}  trails: 6\n", 3, "unknown key 'trails' (did you mean 'trials'?)"),
        (f"{HEAD}    recipe.lerning_rate: {{float: [0.1, 1]}}\n", 2,
         "no training of this suite has the key recipe.lerning_rate (did you mean 'recipe.learning_rate'?)"),
        (f"{HEAD}    seeds: [1, 2]\n", 2, "unknown key to search 'seeds'"),
        (f"{HEAD}    recipe.learning_rate: {{float: [0.1, 0.001]}}\n", 2, "low < high, not [0.1, 0.001]"),
        (f"{HEAD}    recipe.learning_rate: {{float: [0, 0.1], log: true}}\n", 2, "log needs a low end above 0"),
        (f"{HEAD}    recipe.learning_rate: {{float: [0.001, 0.1], int: [1, 2]}}\n", 2, "expected one of float"),
        (f"{HEAD}    recipe.learning_rate: 0.1\n", 2, "expected a mapping of keys to values"),
        (f"{HEAD}    recipe.learning_rate: [0.1, 0.1]\n", 2, "a choice stands twice"),
        (f"{HEAD}    recipe.learning_rate: {{float: [0.1, 1]}}\n", 2,
         "does not hold the suite's own 0.005, which is trial 0"),
        (f"{HEAD}    recipe.optimizer: [sgd, adam]\n", 2, "'adam' is not allowed (did you mean 'adamw'?)"),
        (f"{HEAD}    recipe.learning_rate: {{float: [-1.0, 0.1]}}\n", 2,
         "recipe.learning_rate: input should be greater than 0"),
        (f"{HEAD}    recipe.momentum: {{float: [0.8, 0.9], when: {{recipe.optimiser: sgd}}}}\n", 2,
         "when: recipe.optimiser is not searched above"),
        (f"{HEAD}{RATE}  first: [{{recipe.learning_rate: 7.0}}]\n", 3,
         "recipe.learning_rate is not in its distribution"),
        (f"{HEAD}{RATE}  first: [{{recipe.momentum: 0.9}}]\n", 3, "is not searched"),
        (f"  trials: 1\n  space:\n{RATE}  first: [{{recipe.learning_rate: 0.01}}]\n", 0, "1 trials do not hold"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(tmp_path, search, line, told):
    found = mistakes(tmp_path, search)
    assert len(found) == 1
    number = int(found[0].partition(":")[0])
    assert number in (FIRST + line, FIRST - 1 if line == 0 else FIRST + line)
    assert told in found[0]


def test_a_search_is_of_one_variant_on_one_device(tmp_path):
    several = SUITE.replace("search:", "matrix: {model.attention: [divided, joint]}\nsearch:")
    assert (
        "a suite that is searched has one variant, its own recipe; this has 2" in mistakes(tmp_path, SPACE, several)[0]
    )
    devices = SUITE.replace("search:", "resources: {gpus_per_node: 8}\nsearch:")
    assert "a trial trains on one device, `resources` ask for 8" in mistakes(tmp_path, SPACE, devices)[0]


def test_two_objectives_are_never_pruned(tmp_path):
    aims = "  objective: [{maximize: top1}, {minimize: device_minutes}]\n"
    assert session(tmp_path, SPACE + aims).search.block.pruning.name == "none"


def test_the_suite_of_the_project_is_read_at_both_scales():
    for scale in ("demo", "paper"):
        search = load(Path("suites/scratch_search.yaml"), scale).search
        assert search is not None
        assert search.own["recipe.optimizer"] == "sgd"


@pytest.mark.parametrize(
    ("ranges", "told"),
    [
        ("{float: [0.001, 0.1]}, {float: [0.01, 0.5], when: {recipe.optimizer: sgd}}", "never two hold together"),
        ("{float: [0.001, 0.1], when: {recipe.optimizer: sgd}}, {int: [1, 2], when: {recipe.optimizer: [adamw, sgd]}}",
         "never two hold together"),
        ("{float: [0.001, 0.1], when: {recipe.optimizer: sgd}}, {float: [0.1, 1], when: {recipe.optimizer: adam}}",
         "unknown value of recipe.optimizer 'adam' (did you mean 'adamw'?); allowed: sgd, adamw"),
    ],
)  # fmt: skip
def test_ranges_of_one_key_hold_one_at_a_time(tmp_path, ranges, told):
    found = mistakes(tmp_path, f"{HEAD}    recipe.optimizer: [sgd, adamw]\n    recipe.learning_rate: [{ranges}]\n")
    assert len(found) == 1
    assert told in found[0]


def test_only_what_a_step_leads_to_is_tried(tmp_path):
    sizes = "    clip.size: {int: [16, 48], step: 16}\n"  # 25 pixels would be no multiple of the patch
    assert load(written(tmp_path, HEAD + sizes)).search
    assert "step 20 does not lead from 16 to 48" in mistakes(tmp_path, HEAD + sizes.replace("step: 16", "step: 20"))[0]
