import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.formats.labels import numbering, read_names
from harness.data.videos import DatasetError


def names_of(tmp_path, content, file="classes.txt"):
    (tmp_path / file).write_text(content, encoding="utf-8")
    return read_names(tmp_path / file)


def test_names_are_read_in_the_order_of_their_numbers(tmp_path):
    assert names_of(tmp_path, "\ufeffsit\r\nstand up\r\n\n") == ("sit", "stand up")
    assert names_of(tmp_path, '["sit", "stand"]', "a.json") == ("sit", "stand")
    assert names_of(tmp_path, '{"\\"stand up\\"": 1, "sit": "0"}', "b.json") == ("sit", "stand up")


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("c.txt", "a\n\nb\n", r"c\.txt:2: a class without a name"),
        ("c.txt", "", r"c\.txt:1: a class without a name"),
        ("c.txt", "a\nb\na\n", r"c\.txt:3: the class 'a' stands twice"),
        ("c.json", json.dumps({"a": 0, "b": 2}), "numbered 0, 1, 2"),
        ("c.json", json.dumps({"a": 0, "b": True}), "numbered 0, 1, 2"),
        ("c.json", "[1]", "expected a list of class names"),
        ("c.json", "7", "expected a list of class names"),
    ],
)
def test_broken_lists_of_names_are_told(tmp_path, file, content, said):
    with pytest.raises(DatasetError, match=said):
        names_of(tmp_path, content, file)


def numbers(*trained, tested=(), names=(), count=None, by=None, most=100):
    return numbering(trained, tested, names, count, by, most)


def test_numbers_reach_as_far_as_written_unless_the_count_is_known():
    made = numbers("0", "2", tested=["3"])
    assert (made.classes, dict(made.numbers)) == (("0", "1", "2", "3"), {"0": 0, "2": 2, "3": 3})
    assert numbers("0", count=3).classes == ("0", "1", "2")
    assert numbers("1", names=("sit", "stand")).classes == ("sit", "stand")


@pytest.mark.parametrize(
    ("label", "given", "said"),
    [
        ("3", {"count": 3}, "from 0 to 2, read '3'"),
        ("2", {"names": ("a", "b")}, "from 0 to 1, read '2'"),
        ("-1", {}, "from 0, read '-1'"),
        ("1.0", {}, "from 0, read '1.0'"),
        ("100", {}, "more classes than there are videos"),
        ("9" * 5000, {}, "whole number from 0"),
    ],
)
def test_labels_out_of_range_are_told(label, given, said):
    made = numbers("0", "1", label, **given)
    assert label not in made.numbers
    assert said in made.problem(label)


def test_labels_that_begin_at_1_beyond_the_last_class_are_explained():
    made = numbers("1", "2", "3", count=3)
    assert made.problem("3").endswith("read '3'; the labels begin at 1, and classes are numbered from 0")
    assert made.problem("x").endswith("from 0 to 2, read 'x'")
    assert numbers("0", "3", count=3).problem("3").endswith("from 0 to 2, read '3'")
    assert "begin at 1" in numbers("1", "2", names=("a", "b")).problem("2")


@pytest.mark.parametrize(
    ("trained", "tested", "number", "said"),
    [
        ((1, 2, 3), (2,), 1, "the labels begin at 1, and classes are numbered from 0: number them so, or say "),
        ((0, 1, 5), (1,), 5, "no training video has the label 2, 3, 4, and classes are numbered 0, 1, 2, ...: "),
        ((0, 1), (2,), 2, "no training video has the label 2, and"),
        ((0, 100), (), 100, "no training video has the label 1, 2, 3, 4, 5, 6, 7, 8, ..., and"),
    ],
)
def test_numbers_that_are_left_out_are_told(trained, tested, number, said):
    made = numbers(*map(str, trained), tested=[*map(str, tested)], most=1000)
    at, problem = made.gap(trained)
    assert (at, problem[: len(said)]) == (number, said)
    assert problem.endswith(f"say how many classes there are: `classes: {len(made.classes)}`")


def test_no_number_is_missed_where_the_classes_are_known_or_named():
    assert numbers("0", "1", tested=["1"]).gap({0, 1}) is None
    assert numbers("1", "5", count=6).gap({1, 5}) is None
    assert numbers("1", names=("a", "b", "c")).gap({1}) is None
    assert numbers("sit", "stand", tested=["7"]).gap({0}) is None
    assert numbers("1", "5", by="names").gap({0}) is None


def test_names_are_numbered_by_the_list_or_else_in_alphabetical_order():
    made = numbers("stand", "sit", "b c")
    assert (made.classes, made.numbers["sit"]) == (("b c", "sit", "stand"), 1)
    assert numbers("a", names=("b", "a")).numbers == {"b": 0, "a": 1}


def test_with_a_list_a_label_may_be_either():
    made = numbers("0", "1", tested=["stand"], names=("sit", "stand"))
    assert made.numbers == {"sit": 0, "stand": 1, "0": 0, "1": 1}
    assert numbers("0", names=("sit", "stand"), by="names").numbers == {"sit": 0, "stand": 1}
    assert numbers("0", "sit", names=("sit", "stand"), by="numbers").numbers == {"0": 0}


def test_a_class_that_only_validation_names_is_told():
    made = numbers("sitting", "standing", tested=["siting"])
    assert made.problem("siting") == "the class 'siting' is not a class of the training list (did you mean 'sitting'?)"
    made = numbers("sitting", names=("sitting",))
    assert made.problem("siting") == "the class 'siting' is not in the list of classes (did you mean 'sitting'?)"


def test_a_number_among_names_and_a_name_among_numbers_are_told():
    made = numbers("sit", "stand", "7")
    assert "7" not in made.numbers
    assert "say `labels: names`" in made.problem("7")
    assert numbers("sit", "stand", "7", by="names").classes == ("7", "sit", "stand")
    assert "whole number" in numbers("0", "1", "sit").problem("sit")


def test_names_that_are_numbers_must_be_told_apart():
    with pytest.raises(DatasetError, match="say `labels: numbers` or `labels: names`"):
        numbers("1", names=("1", "2"))
    assert numbers("1", names=("1", "2"), by="names").numbers["1"] == 0
    assert numbers("1", names=("1", "2"), by="numbers").numbers["1"] == 1
    assert numbers("1", names=("0", "1")).numbers["1"] == 1


@given(st.lists(st.text(max_size=3) | st.integers(-2, 12).map(str), min_size=1), st.booleans())
def test_every_text_has_a_number_of_a_class_or_a_problem(texts, known):
    made = numbers(*texts, count=5 if known else None)
    for text in texts:
        number = made.numbers.get(text)
        assert made.problem(text) if number is None else 0 <= number < len(made.classes)
