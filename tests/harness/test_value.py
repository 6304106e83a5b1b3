import pytest
from pydantic import ValidationError

from harness.value import Value


class Size(Value):
    height: int
    share: float = 0.5


def test_a_value_is_what_was_said_and_cannot_be_changed():
    assert Size(height=3) == Size(height=3, share=0.5)
    assert hash(Size(height=3)) == hash(Size(height=3))
    with pytest.raises(ValidationError, match="frozen"):
        Size(height=3).height = 4


@pytest.mark.parametrize(
    "said",
    [
        {"height": "3"},
        {"height": 3.0},
        {"height": True},
        {"height": 3, "width": 4},
        {"height": 3, "share": float("nan")},
    ],
)
def test_nothing_is_converted_passed_over_or_infinite(said):
    with pytest.raises(ValidationError):
        Size(**said)
