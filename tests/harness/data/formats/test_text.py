import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.formats import text
from harness.data.formats.text import Mistakes
from harness.data.videos import DatasetError


def test_byte_order_marks_and_line_ends_of_any_system_are_read(tmp_path):
    path = tmp_path / "list.csv"
    path.write_bytes(b"\xef\xbb\xbfa\r\nb\rc\n")
    assert text.text(path) == "a\nb\nc\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a\nb\xff\n", r"list\.csv:2: cannot be read: byte 0xff is not UTF-8"),
        (b"a\n\0b", r"list\.csv:2: .*zero byte"),
        ("a".encode("utf-16"), r"list\.csv:1: cannot be read"),
    ],
)
def test_what_is_no_text_is_told_with_its_line(tmp_path, content, said):
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=said):
        text.text(path)


@pytest.mark.parametrize("name", ["absent", ".", "a\0b"])
def test_a_file_that_cannot_be_opened_is_told(tmp_path, name):
    with pytest.raises(DatasetError, match="cannot be read"):
        text.text(tmp_path / name)


def test_mistakes_are_told_at_once_and_cut(tmp_path):
    mistakes = Mistakes()
    mistakes.tell()
    for line in range(100_000):
        mistakes.add(tmp_path, line, "wrong")
    with pytest.raises(DatasetError) as caught:
        mistakes.tell()
    first, second, *_, last = str(caught.value).splitlines()
    assert (first, second, last) == (f"{tmp_path}: wrong", f"{tmp_path}:1: wrong", "... and 99,980 more")
    assert len(str(caught.value).splitlines()) == text.MISTAKES_SHOWN + 1


@pytest.mark.parametrize("name", ["", " ", "a\0", "a\nb", "\ud800", "\x7f"])
def test_what_no_file_can_be_called_is_told(name):
    assert text.name_problem(name)


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1).filter(str.strip))
def test_any_other_text_can_be_a_name(name):
    assert text.name_problem(name) == ""


def test_fields_keep_separators_within_quotes_and_their_line(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text('a, b\n\n"x, ""y""",1\n,\n"open,1\nc,2\n', encoding="utf-8")
    mistakes = Mistakes()
    assert list(text.rows(path, ",", mistakes)) == [(1, ["a", "b"]), (3, ['x, "y"', "1"]), (6, ["c", "2"])]
    assert mistakes.found == [f"{path}:5: a quote that is not closed, or text behind it, read '\"open,1'"]


@pytest.mark.parametrize(
    ("value", "number"),
    [(7, 7), ("7", 7), ("007", 7), (0, 0)]
    + [(wrong, None) for wrong in (-1, "-1", "1.0", 1.0, True, None, "", " 1", "9" * 5000, "٣", [1], 10**9)],
)
def test_whole_numbers(value, number):
    assert text.whole(value) == number


def test_entries_know_their_lines(tmp_path):
    path = tmp_path / "list.json"
    path.write_text('\n[\n {"a": 1}, 7,\n\n "x"\n]\n', encoding="utf-8")
    assert list(text.json_entries(path)) == [(3, {"a": 1}), (3, 7), (5, "x")]
    path.write_text("[]", encoding="utf-8")
    assert list(text.json_entries(path)) == []


@given(st.lists(st.dictionaries(st.text(), st.integers() | st.text() | st.none())))
def test_entries_are_those_of_the_list(tmp_path_factory, listed):
    path = tmp_path_factory.mktemp("json") / "list.json"
    path.write_text(json.dumps(listed, indent=1), encoding="utf-8")
    assert [entry for _, entry in text.json_entries(path)] == listed


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{}", ":1: expected a JSON list"),
        ("", ":1: expected a JSON list"),
        ('[\n{"a": 1', ":2: not valid JSON"),
        ("[1\n2]", ":1: not valid JSON: a comma"),
        ("[1,\n]", ":2: not valid JSON"),
        ("[\n\n", ":3: not valid JSON"),
        ("[1]\n[2]", ":1: not valid JSON: something follows"),
        ('[1,\n{"a": 1, "a": 2}]', ":2: not valid JSON: the key 'a' stands twice"),
        ("[1,\n" + "9" * 5000 + "]", ":2: not valid JSON: Exceeds"),
        ("[1,\n" + "[" * 100_000, ":2: not valid JSON"),
    ],
)
def test_broken_lists_are_told_with_their_line(tmp_path, content, said):
    path = tmp_path / "list.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DatasetError, match=rf"list\.json{said}"):
        list(text.json_entries(path))


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "Expecting value"), ('{"a": 1}\n,', "something follows"), ('{"a": 1, "a": 1}', "the key 'a' stands twice")],
)
def test_broken_objects_are_told(tmp_path, content, said):
    path = tmp_path / "labels.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DatasetError, match=rf"labels\.json:1: not valid JSON: {said}"):
        text.json_object(path)
    path.write_text(' {"a": [1]} \n', encoding="utf-8")
    assert text.json_object(path) == {"a": [1]}


def test_a_long_value_is_shown_by_its_beginning():
    assert text.shown({"id": "é" * 100}) == '{"id": "' + "\\u00e9" * 12
