"""What every verb prints with, and counts by."""

import pytest

from harness import cost
from harness.verbs import shell
from harness.verbs.shell import known_cost, state_text, table
from results.record import Cost
from results.store import Store
from tests.harness.contenders import job_of, suite_of, write


@pytest.fixture
def counted(monkeypatch):
    """The crops that are counted, instead of counting them."""
    crops = []

    def count(options, frames, size, classes, *, crop=None):
        crops.append(crop)
        return Cost(parameters=5, multiply_adds=100 * (crop or size), attention_multiply_adds=1)

    monkeypatch.setattr(cost, "count", count)
    return crops


def test_a_view_of_another_crop_is_counted_once_for_all_seeds(tmp_path, counted):
    records = [write(tmp_path, job_of(suite_of(tmp_path), "space", seed), [True]) for seed in (0, 1)]
    store = Store(tmp_path)
    assert [shell.view_cost(record, 16, store) for record in records] == [record.cost for record in records]
    assert counted == []
    assert [shell.view_cost(record, 24, store).multiply_adds for record in records] == [2400, 2400]
    assert counted == [24]


@pytest.mark.parametrize("model", [{"name": "nobody's"}, {"name": "timesformer", "no such option": 1}])
def test_a_view_of_a_model_that_is_not_known_is_not_counted(tmp_path, counted, model):
    record = write(tmp_path, job_of(suite_of(tmp_path), "space"), [True])
    record = record.model_copy(update={"spec": {**record.spec, "model": model}})
    assert shell.view_cost(record, 24, Store(tmp_path)) is None


def test_what_is_known_of_a_job_is_what_was_counted_before(tmp_path, counted):
    job, store = job_of(suite_of(tmp_path), "space"), Store(tmp_path)
    assert known_cost(job, store, tmp_path / "datasets.yaml") is None
    made = shell.job_cost(job, store, tmp_path / "datasets.yaml")
    assert known_cost(job, store, tmp_path / "datasets.yaml") == made
    assert known_cost(job, store, tmp_path / "datasets.yaml", 24) is None


def test_tables_never_break_their_first_column():
    first, second = table("Job", "State").columns
    assert (first.no_wrap, second.no_wrap) == (True, False)


def test_a_state_keeps_its_word_whatever_its_colour():
    assert str(state_text("done")) == "done"
    assert str(state_text("a new one")) == "a new one"
