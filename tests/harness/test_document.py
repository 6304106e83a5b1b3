import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.document import read, scalar, written
from harness.errors import HarnessError, SuiteError

# No digits in texts: `0E0` is a number to us and a text to PyYAML, and that is meant.
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="ascii", categories=["L"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=10,
)


@given(PLAIN)
def test_it_reads_what_pyyaml_reads(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("yaml") / "x.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    assert read(path).data == data


def test_every_key_knows_its_line(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("a: 1\nb:\n  c: [1,\n      2]\n  d: {e: 3}\n", encoding="utf-8")
    document = read(path)
    assert document.lines[("b", "c", 1)] == 4
    assert document.lines[("b", "d", "e")] == 5
    assert document.line(("b", "nowhere", "deep")) == 2


def test_a_key_that_stands_twice_is_a_mistake_and_the_first_counts(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("a:\n  b: 1\n  b: 2\n", encoding="utf-8")
    document = read(path)
    assert document.data == {"a": {"b": 1}}
    assert [str(mistake) for mistake in document.mistakes] == [
        f"{path}:3: a.b: the key stands twice (first on line 2); keep one"
    ]


@pytest.mark.parametrize("text", ["1e3", "5e-3", "-2E+4", "1.5e2"])
def test_exponents_without_a_dot_are_numbers(tmp_path, text):
    path = tmp_path / "x.yaml"
    path.write_text(f"a: {text}\n", encoding="utf-8")
    assert read(path).data == {"a": float(text)}


@pytest.mark.parametrize(
    ("text", "value"),
    [("4", 4), ("0.50", 0.5), ("5e-3", 0.005), ("true", True), ("null", None), ("divided", "divided"),
     ("[1, 2]", "[1, 2]"), ("a: b", "a: b"), ("2021-02-24", "2021-02-24"), ("{", "{")],
)  # fmt: skip
def test_a_word_is_read_as_yaml_reads_it(text, value):
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


def test_a_value_is_written_as_a_file_has_it():
    assert [written(value) for value in ("a", 1, True, None, [1, 2])] == ["a", "1", "true", "null", "[1, 2]"]


def test_code_in_a_file_is_not_run(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("a: !!python/object/apply:os.getcwd []\n", encoding="utf-8")
    with pytest.raises(SuiteError, match="not valid YAML"):
        read(path)


def test_bytes_that_are_no_text_are_told(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(HarnessError, match="cannot be read as text"):
        read(path)
