"""`report`, from whole and from damaged records."""

import csv
import json
import subprocess
from functools import partial

import pytest

from harness.suite import load
from harness.verbs import report
from results.collect import NOT_RUN, Unrecorded, frame
from results.record import Cost
from results.store import Store
from tests.harness.search import studies
from tests.harness.verbs.conftest import REPORT, harness


def test_report_is_rendered_again_from_the_records(finished):
    suite, root = finished
    page = root / "reports" / "small" / "index.html"
    page.unlink()
    ended = harness("report", suite, "--root", root)
    assert ended.returncode == 0
    assert "Small" in page.read_text(encoding="utf-8")
    assert {path.name for path in page.parent.iterdir()} >= {"index.html", "table1.csv", "table1.md", "table1.tex"}


def test_a_damaged_record_is_named_and_the_others_still_load(finished, tmp_path):
    suite, root = finished
    copy = tmp_path / "runs"
    subprocess.run(["cp", "-r", root, copy], check=True)
    jobs = json.loads(harness("status", suite, "--root", copy, "--json").stdout)[0]["jobs"]
    record = copy / "jobs" / jobs[0]["id"] / "record.json"
    record.write_text(record.read_text(encoding="utf-8")[:200], encoding="utf-8")
    for command in ("status", "report", "run"):
        ended = harness(command, suite, "--root", copy)
        assert ended.returncode == 2, command
        assert str(record) in (ended.stdout + ended.stderr).replace("\n", "")
        assert "Traceback" not in ended.stderr
    states = [job["state"] for job in json.loads(harness("status", suite, "--root", copy, "--json").stdout)[0]["jobs"]]
    assert states == ["damaged", "done"]


def test_its_table_has_the_papers_rows_and_what_was_measured_in_columns_of_its_own(finished):
    suite, root = finished
    assert harness("report", suite, "--root", root).returncode == 0
    with (root / "reports" / "small" / "table1.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["scheme"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["Space", "Joint Space-Time", "Divided Space-Time", "Sparse Local Global", "Axial"]
    assert {name for name, row in rows.items() if row["top1_percent motion 1 × 1 of 16"]} == {
        "Space", "Divided Space-Time"
    }  # fmt: skip
    assert rows["Joint Space-Time"]["paper top1 k400"] == "78.1"


SUITE = """\
title: Made up
base:
  model: {name: timesformer, size: demo}
  data: motion
  clip: {frames: 8, size: 32}
  recipe: demo
matrix:
  model.attention: [space, divided]
scales:
  paper: {data: ssv2, clip.size: 48, test: TEST}
"""


def loaded(tmp_path, rows=REPORT, test="{clips: 2, crops: 3}", matrix="", scale="demo"):
    path, text = tmp_path / "made_up.yaml", SUITE.replace("TEST", test).replace("scales:", f"{matrix}scales:")
    path.write_text((text.replace("ssv2", "[ssv2]") if matrix else text) + rows, encoding="utf-8")
    return load(path, scale)


def rows_of(suite):
    bare = frame([], [Unrecorded(job.id, NOT_RUN, job.spec.content()) for job in suite.jobs])
    return {job.label: report._rows(suite.jobs, suite.report, bare).get(job.id) for job in suite.jobs}


def test_jobs_stand_in_the_papers_rows(tmp_path):
    assert rows_of(loaded(tmp_path)) == {"space": "Space", "divided": "Divided Space-Time"}


def test_data_sets_and_seeds_share_a_row(tmp_path):
    suite = loaded(tmp_path, matrix="  data: [motion, appearance]\n  seeds: [[0, 1]]\n")
    assert len(suite.jobs) == 8
    assert set(rows_of(suite).values()) == {"Space", "Divided Space-Time"}
    assert all(("space" in label) == (row == "Space") for label, row in rows_of(suite).items())


def test_where_set_puts_several_variants_in_one_row_none_stands_there(tmp_path):
    path = loaded(tmp_path, matrix="  data: [motion]\n  data.fraction: [1.0]\n").path
    suite = load(path, sets=["data.fraction=[0.5, 1.0]"])
    assert len(suite.jobs) == 4
    assert set(rows_of(suite).values()) == {None}


@pytest.fixture
def asked(monkeypatch):
    """The crops that are counted, instead of counting them."""
    crops = []

    def job_cost(job, store, datasets, crop=None):
        crops.append((job.spec.data.name, crop))
        return Cost(parameters=5, multiply_adds=100 if job.spec.model.attention == "space" else 200,
                    attention_multiply_adds=1)  # fmt: skip

    monkeypatch.setattr(report, "job_cost", job_cost)
    return crops


@pytest.mark.parametrize(
    ("test", "views", "crop"),
    [
        ("{clips: 2, crops: 3}", 6, 48),
        ("{clips: cover, crops: 3}", None, 48),
        ("{clips: 1, crops: 1, size: 64}", 1, 64),
    ],
)
def test_rows_are_counted_at_the_papers_scale_with_all_views_of_its_test(tmp_path, asked, test, views, crop):
    cost_of = partial(report._cost, Store(tmp_path), tmp_path / "datasets.yaml")
    found = report._counted(loaded(tmp_path, test=test), tmp_path / "datasets.yaml", cost_of)
    costs = {"Space": 100, "Divided Space-Time": 200}
    assert {row: cost.multiply_adds for row, cost in found.items()} == {
        row: views and views * adds for row, adds in costs.items()
    }
    assert asked == [("ssv2", crop)] * 2


def test_what_was_not_run_is_counted_only_where_a_figure_shows_it(tmp_path, asked):
    figure = "report:\n  figures: [{name: a, title: t, y: QUANTITY, panels: [{x: clip.size}]}]\n"
    found = {}
    for quantity in ("gmacs", "top1"):
        suite = loaded(tmp_path, figure.replace("QUANTITY", quantity))
        standings = report.standing.of(suite.jobs, Store(tmp_path))
        cost_of = partial(report._cost, Store(tmp_path), tmp_path / "datasets.yaml")
        found[quantity] = report._frame(suite, standings, cost_of)
    assert found["gmacs"]["multiply_adds"].tolist() == [100, 200]
    assert found["top1"]["multiply_adds"].isna().all()
    assert set(found["top1"]["status"]) == {NOT_RUN}


FIGURE = "report:\n  figures: [{name: a, title: t, y: QUANTITY, panels: [{x: clip.size}]}]\n"


@pytest.mark.parametrize("scale", ["demo", "paper"])
def test_of_an_empty_root_it_is_said_at_once_that_nothing_was_measured(tmp_path, asked, capsys, scale):
    suite = loaded(tmp_path, REPORT, scale=scale)
    assert report.render(suite, Store(tmp_path / "runs"), tmp_path / "datasets.yaml") == []
    assert asked == []  # nothing was counted
    at = " --scale paper" if scale == "paper" else ""
    told = f"Nothing was measured yet. To measure it: python -m harness run {suite.path}{at} --root {tmp_path / 'runs'}"
    assert told in capsys.readouterr().out.replace("\n", "")
    folder = tmp_path / "runs" / "reports" / ("made_up" if scale == "demo" else "made_up-paper")
    assert told in (folder / "index.html").read_text(encoding="utf-8")
    assert not list(folder.glob("figures/*.svg"))


def test_what_was_counted_before_is_drawn_though_nothing_was_measured(tmp_path, asked, monkeypatch):
    suite, store, datasets = loaded(tmp_path, FIGURE.replace("QUANTITY", "gmacs")), Store(tmp_path), tmp_path / "d.yaml"
    standings = report.standing.of(suite.jobs, store)
    assert report._report(suite, store, datasets, standings, []).figures == ()
    known = Cost(parameters=5, multiply_adds=100, attention_multiply_adds=1)
    monkeypatch.setattr(report, "known_cost", lambda *_: known)
    assert [figure.name for figure in report._report(suite, store, datasets, standings, []).figures] == ["a"]
    assert asked == []


MINE = "mine: {format: kinetics, train: train.csv, val: val.csv, root: ., classes: 4}\n"


def of_mine(tmp_path, data):
    """The report of a suite of which another data set was laid over it."""
    datasets = tmp_path / "datasets.yaml"
    datasets.write_text(MINE, encoding="utf-8")
    path = loaded(tmp_path, matrix="  data: [motion]\n").path
    suite = load(path, sets=[f"data={data}"] if data else [], datasets_file=datasets)
    store = Store(tmp_path / "runs")
    return report._report(suite, store, datasets, report.standing.of(suite.jobs, store), [])


@pytest.mark.parametrize(
    ("data", "shown"), [("[mine]", False), ("", True), ("[motion]", True), ("[motion, mine]", True)]
)
def test_the_paper_stands_beside_the_data_sets_of_the_suite_alone(tmp_path, asked, data, shown):
    (table,) = of_mine(tmp_path, data).tables
    assert any(column.origin == "paper" for column in table.columns) == shown
    assert (table.name, set(table.frame["scheme"]) >= {"Space", "Divided Space-Time"}) == ("table1", True)
    assert ("Joint Space-Time" in set(table.frame["scheme"])) == shown


def test_a_variant_has_one_name_in_its_row_and_its_job(tmp_path):
    suite = loaded(tmp_path, rows="", matrix="  data: [motion, appearance]\n  seeds: [[0, 1]]\n")
    rows = {job.label: report._bare(job) for job in suite.jobs}
    assert rows == {label: label.split(" · ")[1] for label in rows}
    (only, _) = loaded(tmp_path, rows="").jobs
    assert report._bare(only) == only.label == "space"


def test_a_search_is_told_how_to_run_whole(tmp_path):
    path = studies.written(tmp_path)
    kept = load(path, sets=["recipe.batch_size=5"], only=["model.attention=divided"])
    assert report._command(kept, Store(tmp_path / "runs")) == (
        f"python -m harness search {path} --set recipe.batch_size=5 --root {tmp_path / 'runs'}"
    )
