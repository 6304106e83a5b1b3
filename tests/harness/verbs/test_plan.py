"""`plan`, beside `status`."""

import json

from tests.harness.verbs.conftest import harness


def test_status_and_plan_say_the_same_as_json(finished):
    suite, root = finished
    (status,) = json.loads(harness("status", suite, "--root", root, "--json").stdout)
    plan = json.loads(harness("plan", suite, "--root", root, "--json").stdout)
    assert [job["state"] for job in status["jobs"]] == ["done", "done"]
    assert [job["id"] for job in status["jobs"]] == [job["id"] for job in plan["jobs"]]
    assert all(job["tests"][0]["videos"] == 200 for job in status["jobs"])
    assert all(job["multiply_adds"] > 0 and job["device_hours"] > 0 for job in plan["jobs"])
    shown = harness("status", suite, "--root", root)
    assert "divided  done   top-1 " in shown.stdout
