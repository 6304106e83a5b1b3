import pytest

from harness.errors import SuiteError
from harness.single import job


def test_a_model_stands_at_its_defaults_under_what_is_set():
    spec = job("timesformer", ["model.attention=joint", "clip.frames=32"])
    assert (spec.model.name, spec.model.attention, spec.clip.frames, spec.clip.size) == (
        "timesformer",
        "joint",
        32,
        224,
    )


def test_every_mistake_is_told():
    with pytest.raises(SuiteError) as caught:
        job("timesformer", ["model.attention=jont", "clip.size=0"])
    assert len(caught.value.mistakes) == 2
