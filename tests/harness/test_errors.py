from harness.errors import Mistake, SuiteError


def test_mistakes_are_told_once_each_in_the_order_of_the_file():
    late, early = Mistake("x.yaml", 9, "b", "wrong"), Mistake("x.yaml", 2, "a", "wrong too")
    error = SuiteError([late, early, late])
    assert str(error) == "x.yaml:2: a: wrong too\nx.yaml:9: b: wrong"
    assert error.mistakes == (early, late)


def test_what_has_no_line_or_key_is_told_without():
    assert str(Mistake("--set", 0, "x=1", "wrong")) == "--set: x=1: wrong"
    assert str(Mistake("x.yaml", 3, "", "no suite")) == "x.yaml:3: no suite"
