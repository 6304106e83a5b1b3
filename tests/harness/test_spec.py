import pytest
from pydantic import ValidationError

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
