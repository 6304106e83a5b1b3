import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from results.record import SCHEMA_VERSION, Epoch, Problem, Record, RecordError, Test, parse


def changed(example: Record, **changes: Any) -> str:
    return json.dumps(json.loads(example.model_dump_json()) | changes)


def test_a_record_reads_back_as_it_was(example: Record) -> None:
    assert parse(example.model_dump_json(), "text") == example


@given(loss=st.floats(allow_nan=False), accuracy=st.floats(0, 1), clips=st.integers(0, 10**12))
def test_an_epoch_reads_back_as_it_was(loss: float, accuracy: float, clips: int) -> None:
    epoch = Epoch(epoch=0, loss=loss, accuracy=accuracy, learning_rate=1e-3, clips=clips)
    assert Epoch.model_validate_json(epoch.model_dump_json()) == epoch


def test_a_diverged_loss_stays_plain_json(example: Record) -> None:
    diverged = example.model_copy(update={"epochs": [example.epochs[0].model_copy(update={"loss": math.nan})]})
    text = diverged.model_dump_json()
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert math.isnan(parse(text, "text").epochs[0].loss)


def test_a_newer_version_is_named_before_all_else(example: Record) -> None:
    text = changed(example, schema_version=SCHEMA_VERSION + 1, colour="unknown field", epochs="another form")
    with pytest.raises(
        RecordError, match=rf"^r\.json: schema_version {SCHEMA_VERSION + 1}: written by a newer .* update the harness$"
    ):
        parse(text, "r.json")


def test_an_older_version_is_refused(example: Record) -> None:
    with pytest.raises(RecordError, match=r"older harness .* run its job again"):
        parse(changed(example, schema_version=0), "r.json")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"status": "fine"}, "status 'fine': Input should be 'done', 'failed'"),
        ({"colour": "red"}, "colour 'red': Extra inputs are not permitted"),
        ({"id": "../elsewhere"}, "id '../elsewhere': String should match"),
        ({"classes": -1, "scale": "huge"}, "and 1 more"),
        ({"tests": [{}]}, r"tests.0.clips: Field required"),
    ],
)
def test_a_mistake_is_told_with_file_key_and_value(example: Record, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(RecordError) as caught:
        parse(changed(example, **changes), "jobs/x/record.json")
    assert str(caught.value).startswith("jobs/x/record.json: ")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"schema_version": 1'])
def test_text_that_is_no_record_is_a_record_error(text: str) -> None:
    with pytest.raises(RecordError, match=r"^half\.json: "):
        parse(text, "half.json")


def test_a_record_cannot_be_edited(example: Record) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        example.status = "failed"  # type: ignore[misc]


@pytest.mark.parametrize("top1", [-0.01, 1.01, 97.0])
def test_an_accuracy_is_a_share(example: Record, top1: float) -> None:
    with pytest.raises(ValidationError, match="top1"):
        Test(**example.tests[0].model_dump() | {"top1": top1})


def test_what_did_not_decode_is_told_in_a_line_for_each_split(example: Record) -> None:
    assert example.undecodable == [
        "1 of 800 training videos did not decode; the first is motion/12.mp4: no frames",
        "1 of 200 validation videos did not decode; the first is motion/17.mp4: moov atom not found",
    ]
    clean = example.model_copy(update={"skipped": {}, "tests": [], "splits": None})
    assert clean.undecodable == []


def test_an_error_is_told_on_one_line_whole_unless_it_is_very_long() -> None:
    assert Problem(type="E", message="a:\n  - b\n  + c", traceback="").line == "a: - b + c"
    assert Problem(type="E", message="", traceback="").line == "E"
    assert Problem(type="E", message="\x1b[31mred\a", traceback="").line == "\ufffd[31mred\ufffd"
    assert Problem(type="E", message="x" * 1000, traceback="").line == "x" * 400 + " ..."


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda spec: {}, "model.name is missing, or is no str"),
        (lambda spec: spec | {"model": "x"}, "model.name is missing"),
        (lambda spec: {key: value for key, value in spec.items() if key != "clip"}, "clip.frames is missing"),
        (lambda spec: spec | {"clip": spec["clip"] | {"frames": "many"}}, "clip.frames is missing, or is no int"),
    ],
)
def test_a_record_of_which_nobody_can_say_what_was_trained_is_damaged(
    example: Record, spoil: Callable[[dict[str, Any]], dict[str, Any]], told: str
) -> None:
    spec = json.loads(example.model_dump_json())["spec"]
    with pytest.raises(RecordError, match=f"spec: {told}"):
        parse(changed(example, spec=spoil(spec)), "record.json")
