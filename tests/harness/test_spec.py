import pytest
from pydantic import ValidationError

from harness import checks
from harness.single import job
from harness.spec import JobSpec, Protocol, from_data
from harness.suite import load
from tests.conftest import PROJECT


@pytest.mark.parametrize("scale", ["demo", "paper"])
def test_a_job_survives_the_way_through_plain_data(scale):
    for each in load(PROJECT / "suites" / "attention_schemes.yaml", scale).jobs:
        again = JobSpec.from_plain(each.spec.plain())
        assert again == each.spec
        assert again.identity() == each.id


def test_text_is_never_taken_for_a_number():
    with pytest.raises(ValidationError):
        from_data(Protocol, {"clips": "1"})


@pytest.mark.parametrize("clips", ["3", "covers", 0, -1, True, 1.0, None])
def test_clips_are_a_number_or_cover_and_a_mistake_is_told_once(clips):
    with pytest.raises(ValidationError) as caught:
        from_data(Protocol, {"clips": clips})
    assert list(checks.problems(caught.value, Protocol)) == [
        ("clips", f"expected a whole number from 1, or cover, got {clips!r}")
    ]


def test_the_number_of_views_is_unknown_where_it_depends_on_the_video():
    assert Protocol(clips=10, crops=3).views == 30
    assert from_data(Protocol, {"clips": "cover"}).views is None


@pytest.mark.parametrize(
    ("data", "sets", "processes"),
    [
        ("motion", [], 0),
        ("motion", ["resources.loader_workers=3"], 3),
        ("k400", ["resources.cpus=6"], 6),
        ("k400", ["resources.cpus=6", "resources.loader_workers=0"], 0),
    ],
)
def test_as_many_processes_decode_as_there_are_cpus_but_for_the_embedded_sets(data, sets, processes):
    assert job("timesformer", [f"data={data}", *sets]).loader_workers == processes


@pytest.mark.parametrize(
    "change", ["clip.bgr=true", "recipe.mixup=0.4", "recipe.augment=rand", "recipe.random_erasing=0.5"]
)
def test_what_changes_the_clips_is_part_of_the_identity(change):
    assert job("timesformer", [change]).identity() != job("timesformer", []).identity()


def test_a_recipes_name_is_not_part_of_the_identity():
    spec = load(PROJECT / "suites" / "attention_schemes.yaml").jobs[0].spec
    plain = spec.plain()
    plain["recipe"]["name"] = "another"
    assert JobSpec.from_plain(plain).identity() == spec.identity()


@pytest.mark.parametrize(
    ("model", "same"), [("timesformer", True), ("i3d", False), ("slowfast", False), ("x3d", False)]
)
def test_a_micro_batch_is_part_of_the_identity_of_batch_norms_alone(model, same):
    whole, parts = (job(model, sets).identity() for sets in ([], ["resources.micro_batch=2"]))
    assert (whole == parts) == same
