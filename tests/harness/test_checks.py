import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from harness.checks import did_you_mean, problems, unknown
from harness.spec import Clip, Recipe, from_data


def told(kind, data) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        from_data(kind, data)
    return list(problems(caught.value, kind))


def test_each_kind_of_mistake_has_its_sentence():
    assert told(Clip, {"frames": "8", "size": 1.5, "std": 0, "sise": 3, "mean": None}) == [
        ("frames", "expected a whole number, got the text '8'"),
        ("size", "expected a whole number, got 1.5"),
        ("mean", "expected a number, got nothing"),
        ("std", "input should be greater than 0, got 0"),
        ("sise", "unknown key 'sise' (did you mean 'size'?); allowed: frames, stride, size, mean, std, bgr"),
    ]


def test_what_is_missing_or_not_among_the_allowed_is_said():
    sentences = dict(told(Recipe, {"name": "x", "optimizer": "adam", "schedule": "steps"}))
    assert sentences["optimizer"] == "'adam' is not allowed (did you mean 'adamw'?); allowed: sgd, adamw"
    assert sentences["epochs"] == "required, but not given"


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    label: str = ""


class Outer(BaseModel):
    one: Inner | None = None
    many: tuple[Inner, ...] = ()


def test_an_unknown_key_is_compared_with_those_of_the_model_in_which_it_stands():
    assert told(Outer, {"one": {"lable": "x"}, "many": [{}, {"labl": "y"}]}) == [
        ("one.lable", "unknown key 'lable' (did you mean 'label'?); allowed: label"),
        ("many.1.labl", "unknown key 'labl' (did you mean 'label'?); allowed: label"),
    ]


def test_a_hint_is_given_only_for_what_is_close():
    assert did_you_mean("divded", ["divided", "joint"]) == " (did you mean 'divided'?)"
    assert did_you_mean("zzz", ["divided", "joint"]) == ""
    assert unknown("word", "zzz", ["a", "b"]) == "unknown word 'zzz'; allowed: a, b"
