"""Which jobs a person names, and which of them can be compared."""

import pytest

from harness import contender
from harness.contender import chosen, differing, find, names, refuse
from harness.errors import HarnessError, SuiteError
from harness.files import Order
from results.record import Problem
from results.store import Store
from tests.harness.contenders import job_of, suite_of, write

RIGHT = [True, False] * 8


@pytest.fixture
def suite(tmp_path):
    return suite_of(tmp_path)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "runs"


def found(text, root, *sets):
    return find(str(text), Store(root), "demo", sets, root / "datasets.yaml")


def test_a_job_is_named_by_how_its_id_begins(suite, root):
    record = write(root, job_of(suite, "space"), RIGHT)
    assert found(record.id[:5], root).records == (record,)


def test_all_seeds_of_a_suites_variant_are_taken_and_those_not_run_told(suite, root):
    first = write(root, job_of(suite, "space"), RIGHT)
    assert found(f"{suite}:model.attention=space", root).missing == ("space · seed 1",)
    second = write(root, job_of(suite, "space", 1), RIGHT)
    side = found(f"{suite}:model.attention=space,data=motion", root)
    assert (side.records, side.seeds, side.missing) == ((first, second), [0, 1], ())
    assert found(f"{suite}:model.attention=space,seeds=1", root).records == (second,)


def test_values_may_have_commas_and_a_set_is_laid_over(suite, root):
    job = job_of(suite, "divided", 0, "recipe.jitter=[1.0, 1.5]")
    record = write(root, job, RIGHT)
    selector = f"{suite}:recipe.jitter=[1.0, 1.5],model.attention=divided,seeds=0"
    assert found(selector, root, "recipe.jitter=[1.0, 1.5]").records == (record,)
    assert found(f"{suite}:seeds=0,1,model.attention=divided", root, "recipe.jitter=[1.0, 1.5]").seeds == [0]


def test_an_unknown_or_ambiguous_job_is_told_with_those_that_are_near(suite, root):
    ids = sorted(write(root, job_of(suite, name), RIGHT).id for name in ("space", "divided"))
    for id_ in ids:
        (root / "jobs" / f"{id_}0").mkdir()
    with pytest.raises(HarnessError, match=r"more than one job begins so: ") as error:
        found(ids[0], root)
    assert "(" in str(error.value)
    with pytest.raises(HarnessError, match=r"no job in .* nearest: ") as error:
        found(ids[0][1:], root)
    assert ids[0] in str(error.value)
    with pytest.raises(HarnessError, match=r"begins so. Expected a job's id"):
        found("abc", root / "nowhere")


def test_a_job_without_a_test_is_told(suite, root):
    job = job_of(suite, "space")
    Order(job.spec, "demo", job.label, root, None).write()
    with pytest.raises(HarnessError, match=r"has no record yet; `run` its suite first"):
        found(job.id, root)
    with pytest.raises(
        HarnessError, match=r"no record yet.*run `python -m harness run .*--only 'model.attention=space'`"
    ):
        found(f"{suite}:model.attention=space", root)
    error = Problem(type="E", message="no", traceback="")
    write(root, job, RIGHT, tests=[], status="oom", error=error)
    with pytest.raises(HarnessError, match=r"ended as oom, without a test"):
        found(job.id, root)
    write(root, job, RIGHT, tests=[])
    with pytest.raises(HarnessError, match=r"has no test; `run`"):
        found(job.id, root)


def test_a_selector_of_several_variants_is_refused_with_their_names(suite, root):
    with pytest.raises(HarnessError, match=r"2 variants are that: space; divided. Add"):
        found(suite, root)


def test_a_mistake_in_a_selector_is_told_with_what_was_written(suite, root):
    with pytest.raises(SuiteError, match=r"unknown key 'model.atention'") as error:
        found(f"{suite}:model.atention=space", root)
    assert str(error.value).startswith(f"{suite}:model.atention=space: ")


def two(suite, root, a=None, b=None):
    left = write(root, job_of(suite, "space"), RIGHT, **(a or {}))
    right = write(root, job_of(suite, "divided"), RIGHT, **(b or {}))
    return found(left.id, root), found(right.id, root)


def test_a_job_is_not_compared_with_itself(suite, root):
    a, _ = two(suite, root)
    with pytest.raises(HarnessError, match=r"are both job .* nothing to compare"):
        refuse(a, found(f"{suite}:model.attention=space", root))


def test_other_videos_are_refused(suite, root):
    with pytest.raises(HarnessError, match=r"different lists of videos of motion: .* \(digest aa\).*\(digest bb\)"):
        refuse(*two(suite, root, {"digest": "aa"}, {"digest": "bb"}))
    spec = {**job_of(suite, "divided").spec.content(), "data": {"name": "appearance"}}
    with pytest.raises(HarnessError, match=r"on the data set motion, .* on appearance"):
        refuse(*two(suite, root, None, {"spec": spec}))
    refuse(*two(suite, root))


def test_the_test_with_most_views_is_taken_unless_one_is_asked_for(suite, root):
    a, b = two(suite, root, {"protocols": ((1, 1), (2, 3))}, {"protocols": ((2, 3), (1, 1), (1, 3))})
    match, others = chosen(a, b, None)
    assert (match.name, match.a.clips, match.b.crops, others) == ("2x3", 2, 3, ["1x1"])
    assert chosen(a, b, "1x1")[0].name == "1x1"


def test_tests_that_not_both_have_are_refused_with_those_that_both_have(suite, root):
    a, b = two(suite, root, None, {"protocols": ((1, 1), (1, 3))})
    with pytest.raises(HarnessError, match=r"not both were tested so; both have 1x1 \(.*: 1x1; .*: 1x1, 1x3\)"):
        chosen(a, b, "1x3")
    with pytest.raises(HarnessError, match=r"expected CLIPSxCROPS"):
        chosen(a, b, "three")
    a, b = two(suite, root, None, {"protocols": ((1, 3), (2, 3))})
    with pytest.raises(
        HarnessError,
        match=r"not tested by the same protocol; they have none in common \(.*: 1x1; .*: 1x3, 2x3\). `run`",
    ):
        chosen(a, b, None)


def test_two_with_one_test_each_of_their_own_are_compared_by_these(suite, root):
    a, b = two(suite, root, None, {"protocols": ((2, 3),)})
    match, others = chosen(a, b, None)
    assert (match.name, match.own, others) == ("1x1 and 2x3", True, [])
    assert ((match.a.clips, match.a.crops), (match.b.clips, match.b.crops)) == ((1, 1), (2, 3))
    for asked in ("1x1", "2x3", "1x3"):
        with pytest.raises(HarnessError, match=r"none in common \(.*: 1x1; .*: 2x3\). Without --test each is compared"):
            chosen(a, b, asked)
    larger = found(write(root, job_of(suite, "divided"), RIGHT, size=32).id, root)
    assert chosen(a, larger, None)[0].name == "1x1 and 1x1@32"


def test_a_common_test_is_no_test_of_its_own(suite, root):
    match, _ = chosen(*two(suite, root), None)
    assert (match.name, match.own) == ("1x1", False)


def test_seeds_of_one_variant_with_other_tests_are_not_of_one_own_test(suite, root):
    write(root, job_of(suite, "space"), RIGHT)
    other = found(write(root, job_of(suite, "divided"), RIGHT, protocols=((2, 3),)).id, root)
    write(root, job_of(suite, "space", 1), RIGHT, protocols=((1, 3),))
    with pytest.raises(HarnessError, match=r"space: none that all of its seeds have; .*: 2x3"):
        chosen(found(f"{suite}:model.attention=space", root), other, None)
    write(root, job_of(suite, "space", 1), RIGHT, protocols=((1, 1), (1, 3)))
    with pytest.raises(HarnessError, match=r"space: 1x1; .*: 2x3"):
        chosen(found(f"{suite}:model.attention=space", root), other, None)


def test_each_at_the_crop_of_its_training_is_one_protocol(suite, root):
    a = write(root, job_of(suite, "space"), RIGHT)
    b = write(root, job_of(suite, "space", 0, "clip.size=32"), RIGHT)
    sides = found(a.id, root), found(b.id, root)
    match, _ = chosen(*sides, None)
    assert (match.name, match.a.size, match.b.size) == ("1x1", 16, 32)
    assert names(*sides) == ("size 16", "size 32")
    larger = write(root, job_of(suite, "divided"), RIGHT, size=32)
    match, _ = chosen(found(larger.id, root), sides[1], "1x1@32")
    assert (match.a.size, match.b.size) == (32, 32)


def test_what_tells_two_apart_is_their_name(suite, root):
    a, b = two(suite, root)
    assert differing(a, b) == {"model.attention": ("space", "divided")}
    assert names(a, b) == ("space", "divided")
    again = found(write(root, job_of(suite, "space", 1), RIGHT).id, root)
    assert names(a, again) == ("seed 0", "seed 1")
    other = write(root, job_of(suite, "space", 1, "recipe.epochs=3"), RIGHT, spec={
        **b.records[0].spec, "model": {"name": "slowfast"}, "seed": 1})  # fmt: skip
    assert names(a, found(other.id, root)) == ("timesformer", "slowfast")
    assert contender.differing(a, found(other.id, root))["model.size"] == ("demo", None)


def test_a_test_that_only_some_seeds_have_is_none(suite, root):
    write(root, job_of(suite, "space"), RIGHT, protocols=((1, 1), (1, 3)))
    write(root, job_of(suite, "space", 1), RIGHT)
    side = found(f"{suite}:model.attention=space", root)
    assert [side.name(test) for test in side.tests] == ["1x1"]
    assert len(side.each(side.tests[0])) == 2
