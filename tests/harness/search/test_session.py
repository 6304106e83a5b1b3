"""A suite's search with its storage and its name."""

import json

import pytest

from harness.errors import HarnessError
from tests.conftest import SMALL_SUITE
from tests.harness.search.stubs import begun, suite


def test_a_suite_without_a_search_is_told(tmp_path):
    path = tmp_path / "plain.yaml"
    path.write_text(SMALL_SUITE, encoding="utf-8")
    with pytest.raises(HarnessError, match=r"plain\.yaml: has no `search`"):
        begun(path, tmp_path / "runs")


def test_a_study_is_called_by_its_suite_or_by_its_person(tmp_path):
    path = suite(tmp_path)
    assert begun(path, tmp_path / "runs").folder == tmp_path / "runs" / "studies" / "tiny"
    assert begun(path, tmp_path / "runs", name="other").folder.name == "other"


def test_what_a_worker_is_told_makes_the_same_search(tmp_path):
    here = begun(suite(tmp_path), tmp_path / "runs")
    told = json.loads(json.dumps(here.arguments(None, here.keep())))
    assert told["suite"] == str(here.folder / "suite.yaml")
    again = begun(here.folder / "suite.yaml", here.root, told["storage"], told["study"])
    assert again.about() == here.about()
    assert again.folder == here.folder
    again.keep()  # of itself


def test_a_study_that_nobody_began_is_none(tmp_path):
    here = begun(suite(tmp_path), tmp_path / "runs")
    assert here.study() is None
    here.joined()
    assert [trial.state for trial in here.study().trials] == ["waiting"]
