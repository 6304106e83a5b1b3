"""What every verb prints with."""

from harness.verbs.shell import state_text, table


def test_tables_never_break_their_first_column():
    first, second = table("Job", "State").columns
    assert (first.no_wrap, second.no_wrap) == (True, False)


def test_a_state_keeps_its_word_whatever_its_colour():
    assert str(state_text("done")) == "done"
    assert str(state_text("a new one")) == "a new one"
