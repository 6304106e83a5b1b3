import json
from pathlib import Path

import pytest

from reports import jobs
from reports.jobs import Job
from results.record import Record
from tests.reports import examples
from tests.reports.test_site import Page

LABELS = {"a": "first", "b": "second", "c": "third"}


def write(folder: Path, *found: Job) -> list[jobs.Row]:
    asked = {job.id: examples.asked(job.record) for job in found if job.record}
    return jobs.write(iter(found), LABELS, examples.SUITE, folder, asked)


def done(id_: str = "a", log: str = "", **changes: object) -> Job:
    return Job(id_, "done", examples.record(id_, **changes), log)


def page(job: Job) -> Page:
    return Page(jobs.page(job, "first", examples.SUITE).decode())


def rewritten(folder: Path, *found: Job) -> set[str]:
    """Names of pages that another run wrote."""
    before = {path.name: path.stat().st_ino for path in folder.glob("*.html")}
    write(folder, *found)
    return {path.name for path in folder.glob("*.html") if before.get(path.name) != path.stat().st_ino}


def test_rows_stand_in_the_suite_s_order_with_those_that_did_not_run(tmp_path: Path):
    rows = write(tmp_path, Job("c", "failed", examples.failure("c")), done())
    assert [(row.label, row.state, row.tone, row.linked) for row in rows] == [
        ("first", "done", "good", True),
        ("second", "not run", "quiet", False),
        ("third", "failed", "bad", True),
    ]
    assert rows[2].told == "RuntimeError: no <memory> & no luck"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "c.html", "pages.json"]


def test_a_row_tells_numbers_and_leaves_out_what_was_not_measured(tmp_path: Path):
    row = write(tmp_path, done(top1=0.9))[0]
    told = dict(zip((heading.replace("\u00a0", " ") for heading, _ in jobs.COLUMNS), row.cells, strict=True))
    assert told == {
        "Top‑1, %": "90.0", "Training top‑1, %": "95.2", "Training, s": "89.8", "Testing, s": "4.7", "clips/s": "64",
        "Data wait, %": "30", "Memory, MiB": "96", "Latency, ms": "8.0",
    }  # fmt: skip
    empty = {"clips_per_s": None, "data_wait_share": None, "peak_memory_bytes": None, "latency_s": None}
    measured = examples.record("a").measured.model_copy(update=empty)
    assert write(tmp_path, done(measured=measured))[0].cells[4:] == ("", "", "", "")


def test_a_row_tells_of_its_suite_s_tests_alone_in_the_suite_s_order(tmp_path: Path):
    made = examples.record("a")
    tests = [made.tests[0].model_copy(update={"clips": clips, "top1": share}) for clips, share in ((5, 0.7), (1, 0.6))]
    job = Job("a", "done", made.model_copy(update={"tests": [*made.tests, *tests]}))
    *_, size = examples.asked(made)[0]

    def told(*asked: tuple[int, int]) -> str:
        wanted = {"a": [("motion", clips, crops, size) for clips, crops in asked]}
        return jobs.write([job], LABELS, examples.SUITE, tmp_path, wanted)[0].cells[0]

    crops = made.tests[0].crops
    assert told((1, crops), (5, crops)) == "60.0 / 70.0"
    assert told((5, crops), (9, crops)) == "70.0 / –"
    assert told((9, crops)) == told() == ""
    assert "70.0" in (tmp_path / "a.html").read_text()


def test_a_damaged_job_without_anything_to_show_has_its_problem_in_its_row(tmp_path: Path):
    row = write(tmp_path, Job("a", "damaged", problem="record.json: written by an older harness"))[0]
    assert (row.state, row.tone, row.linked) == ("damaged", "bad", False)
    assert row.told == "record.json: written by an older harness"


def test_only_what_changed_is_written_again(tmp_path: Path):
    write(tmp_path, done(), done("b", log="one"))
    assert rewritten(tmp_path, done(), done("b", log="one")) == set()
    assert rewritten(tmp_path, done(), done("b", log="two")) == {"b.html"}
    assert rewritten(tmp_path, done(top1=0.8), done("b", log="two")) == {"a.html"}


def test_a_page_that_is_gone_or_cut_short_is_written_again(tmp_path: Path):
    write(tmp_path, done(), done("b"))
    whole = (tmp_path / "a.html").read_bytes()
    (tmp_path / "a.html").write_bytes(whole[:100])
    (tmp_path / "b.html").unlink()
    assert rewritten(tmp_path, done(), done("b")) == {"a.html", "b.html"}
    assert (tmp_path / "a.html").read_bytes() == whole


def test_pages_of_jobs_that_are_the_suite_s_no_more_go(tmp_path: Path):
    write(tmp_path, done(), done("b"))
    write(tmp_path, done())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "pages.json"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 3, "../../x": ["0", 1]}'])
def test_damaged_stamps_only_cost_the_writing(tmp_path: Path, text: str):
    write(tmp_path, done())
    (tmp_path.parent / "x.html").write_text("not ours")
    (tmp_path / jobs.STAMPS).write_text(text)
    assert rewritten(tmp_path, done()) == {"a.html"}
    assert json.loads((tmp_path / jobs.STAMPS).read_text()).keys() == {"a"}
    assert (tmp_path.parent / "x.html").exists()


def test_a_page_holds_all_of_the_record():
    made = examples.records()[0]
    text = page(Job(made.id, "done", made, "the log's end")).text
    for told in ("98.0", "94.0–100.0", "200 of 200", "1 min 38 s", "attention", "divided", "jitter", "[1.0, 1.125]",
                 "made-up processor", "clip_17.mp4", "moov atom not found", "taken up after a restart",
                 "the log's end", "2026-01-01 00:00 to 00:01 UTC", "290 k", "38.7 M", "no videos"):  # fmt: skip
        assert told in text


def test_a_failure_s_page_holds_its_traceback():
    text = page(Job("a", "failed", examples.failure("a"))).text
    assert "Traceback:\n  here < there" in text
    assert "Accuracy of each class" not in text
    assert "Training loss" not in text


def test_a_log_alone_makes_a_page():
    shown = page(Job("a", "running", None, "epoch 1", "no sign of life for 20 minutes"))
    assert "epoch 1" in shown.text
    assert "no sign of life for 20 minutes" in shown.text
    assert "Configuration" not in shown.text


def test_of_very_many_undecodable_videos_the_first_are_listed():
    skipped = {f"{place:04d}.mp4": "no frames" for place in range(1000)}
    text = page(done(skipped=skipped)).text
    assert "0199.mp4" in text
    assert "0200.mp4" not in text
    assert "And 800 more, in the job's record.json" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(9.94, "9.9 s"), (59.96, "60.0 s"), (97.7, "1 min 38 s"), (3599.4, "59 min 59 s"), (90_000, "25 h 0 min")],
)
def test_durations_are_told_as_people_do(seconds: float, text: str):
    measured = examples.record("a").measured.model_copy(update={"wall_s": seconds})
    assert text in page(done(measured=measured)).text


def test_a_log_s_end_is_its_last_whole_lines_without_colours(tmp_path: Path):
    path = tmp_path / "log.txt"
    assert jobs.tail(path) == ""
    path.write_bytes(b"\x1b[31mred\x1b[0m\n\xff broken\n")
    assert jobs.tail(path) == "red\n\ufffd broken"
    path.write_text("".join(f"line {place} {'x' * 100}\n" for place in range(1000)))
    lines = jobs.tail(path).splitlines()
    assert len(lines) == jobs.LINES
    assert lines[-1].startswith("line 999 ")
    path.write_text("y" * 50_000 + "\nlast\n")
    assert jobs.tail(path) == "last"


def test_a_record_of_a_job_that_failed_before_it_read_its_data_has_a_page():
    early: Record = examples.failure("a").model_copy(update={"splits": None, "spec": {}, "environment": {}})
    assert "RuntimeError" in page(Job("a", "failed", early)).text
