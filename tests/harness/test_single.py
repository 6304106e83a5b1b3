import pytest

from harness.errors import HarnessError
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
    with pytest.raises(HarnessError) as caught:
        job("timesformer", ["model.attention=jont", "clip.size=0"])
    first, second = str(caught.value).splitlines()
    assert first.startswith("clip.size: input should be greater than")
    assert second.startswith("model.attention: 'jont' is not allowed (did you mean 'joint'?)")


def test_mistakes_name_no_command_for_several_ask_for_a_job():
    with pytest.raises(HarnessError, match=r"^data\.name: the data set 'mine' is not configured"):
        job("timesformer", ["data=mine"])
    with pytest.raises(HarnessError, match=r"^name a model"):
        job(" ", [])
