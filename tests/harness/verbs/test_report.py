"""`report`, from whole and from damaged records."""

import json
import subprocess

from tests.harness.verbs.conftest import harness


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
