import pytest
from pydantic import ValidationError

from harness.spec import JobSpec, Protocol, from_data
from harness.suite import load
from tests.conftest import PROJECT


@pytest.mark.parametrize("scale", ["demo", "paper"])
def test_a_job_survives_the_way_through_plain_data(scale):
    for job in load(PROJECT / "suites" / "attention_schemes.yaml", scale).jobs:
        again = JobSpec.from_plain(job.spec.plain())
        assert again == job.spec
        assert again.identity() == job.id


def test_text_is_never_taken_for_a_number():
    with pytest.raises(ValidationError):
        from_data(Protocol, {"clips": "1"})


def test_a_recipes_name_is_not_part_of_the_identity():
    spec = load(PROJECT / "suites" / "attention_schemes.yaml").jobs[0].spec
    plain = spec.plain()
    plain["recipe"]["name"] = "another"
    assert JobSpec.from_plain(plain).identity() == spec.identity()
