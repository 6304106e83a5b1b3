import pytest

from harness.control import Control, TimeLimit
from harness.errors import Interrupted


def test_a_control_lets_on_until_it_is_asked_to_stop():
    control = Control()
    control.check()
    control.stop("a signal")
    with pytest.raises(Interrupted, match="a signal"):
        control.check()


def test_the_time_limit_is_in_minutes(monkeypatch):
    control = Control(timeout_min=2)
    control.check()
    monkeypatch.setattr("time.monotonic", lambda: control.started + 121)
    with pytest.raises(TimeLimit, match="2 minutes"):
        control.check()
