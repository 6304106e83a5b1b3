import pytest

from harness.meeting import Seat
from results.record import Problem

SEAT = Seat(1, 4, 1, "12.0.0")


def test_a_seat_is_words_and_back():
    assert Seat.of(SEAT.words()) == SEAT


def test_nothing_is_known_of_a_meeting_that_nobody_came_to(tmp_path):
    meeting = SEAT.at(tmp_path)
    assert (meeting.address(), meeting.problem(), meeting.ended()) == (None, None, {})


def test_an_address_and_ends_are_read_by_the_others(tmp_path):
    SEAT.at(tmp_path).tell_address("node-3", 40123)
    for rank, code in ((0, 0), (11, -9)):
        SEAT.at(tmp_path).tell_end(rank, code)
    assert SEAT.at(tmp_path).address() == ("node-3", 40123)
    assert SEAT.at(tmp_path).ended() == {0: 0, 11: -9}
    assert Seat(1, 4, 1, "12.1.0").at(tmp_path).ended() == {}  # queued again: another meeting


@pytest.mark.parametrize("status", ["failed", "oom"])
def test_a_problem_names_its_rank(tmp_path, status):
    SEAT.at(tmp_path).tell_problem(3, status, Problem(type="ValueError", message="no", traceback="..."))
    found, problem = SEAT.at(tmp_path).problem()
    assert found == status
    assert problem.message == "no (in rank 3)"
