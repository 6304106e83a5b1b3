import pytest
from pydantic import ValidationError

from harness.data.formats.entry import Entry
from harness.data.formats.kinetics import Kinetics
from harness.data.videos import DatasetError


def test_a_format_must_say_how_it_is_read(tmp_path):
    with pytest.raises(TypeError, match="abstract"):
        Entry(format="x", root=tmp_path)


def test_paths_are_relative_to_the_annotations_in_the_root(tmp_path):
    entry = Kinetics.model_validate_json(f'{{"format": "kinetics", "root": "{tmp_path}", "annotations": "lists"}}')
    assert entry.at("a.csv") == tmp_path / "lists" / "a.csv"
    assert entry.at("/abs/a.csv").as_posix() == "/abs/a.csv"


def test_names_are_those_of_the_file_that_is_said_or_there(tmp_path):
    entry = Kinetics(format="kinetics", root=tmp_path)
    assert entry.names() == ()
    (tmp_path / "classes.txt").write_text("sit\n")
    assert entry.names() == ("sit",)
    with pytest.raises(DatasetError, match=r"names\.json: cannot be read"):
        entry.model_copy(update={"class_names": "names.json"}).names()


def test_the_first_file_that_is_there_is_taken_and_others_are_told(tmp_path):
    entry = Kinetics(format="kinetics", root=tmp_path)
    with pytest.raises(DatasetError, match=r"no file a\.csv or b\.csv in it$"):
        entry.one_of("a.csv", "b.csv", "c.csv")
    (tmp_path / "c.csv").touch()
    assert entry.one_of("a.csv", "b.csv", "c.csv") == tmp_path / "c.csv"
    with pytest.raises(DatasetError, match=r"no file a\.csv in it; there are c\.csv$"):
        entry.one_of("a.csv")
    with pytest.raises(DatasetError, match=r"^there is no folder .*lists$"):
        entry.model_copy(update={"annotations": "lists"}).one_of("a.csv")


def test_classes_that_are_said_or_listed_are_counted_without_reading(tmp_path):
    entry = Kinetics(format="kinetics", root=tmp_path)
    assert entry.quick_count() is None
    (tmp_path / "classes.txt").write_text("sit\nclap\n")
    assert entry.quick_count() == 2
    assert entry.model_copy(update={"classes": 7}).quick_count() == 7


@pytest.mark.parametrize("wrong", [{"classes": 0}, {"decoder": "opencv"}, {"flip": 1}, {"root": "a\0b"}, {"x": 1}])
def test_other_values_are_refused(tmp_path, wrong):
    with pytest.raises(ValidationError):
        Kinetics.model_validate({"format": "kinetics", "root": tmp_path, **wrong})
