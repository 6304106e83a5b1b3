"""A study in a real PostgreSQL server."""

import os
import subprocess
import sys
import time

import pytest

from harness.search import storage
from harness.search.storage import StorageError
from tests import postgres
from tests.conftest import PROJECT
from tests.harness.search import stub_worker
from tests.harness.search.stubs import assert_ended, begun, joined, suite
from tests.harness.verbs.conftest import harness
from tests.postgres import PASSWORD

pytestmark = pytest.mark.skipif(bool(postgres.lacking()), reason="no PostgreSQL here: apt-get install postgresql")


@pytest.fixture(scope="module")
def server():
    with postgres.server() as running:
        yield running


def wait_for(done, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_two_workers_share_a_study_through_a_restart_of_its_server(server, tmp_path):
    path, log = suite(tmp_path, ("trials: 6", "trials: 8")), tmp_path / "told.txt"
    words = [sys.executable, stub_worker.__file__, path, tmp_path / "runs", log, 300, 0.4]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "STORAGE": server.url(), "OMP_NUM_THREADS": "1"}
    workers = [
        subprocess.Popen(list(map(str, words)), env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    try:
        wait_for(lambda: log.exists() and "told" in log.read_text(encoding="utf-8"))
        server.stop()
        time.sleep(3)
        server.start()
        said = [worker.communicate(timeout=180)[1] for worker in workers]
        assert [worker.returncode for worker in workers] == [0, 0], said
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    shared = joined(begun(path, tmp_path / "runs", server.url()))
    found = assert_ended(shared, 8)
    shared.storage._backend.engine.dispose()
    assert all(not trial.user_attrs.get("slot", "").startswith("again") for trial in found)
    for each in said:
        assert each.count("does not answer") == each.count("answers again") <= 2, each
        assert PASSWORD not in each
        assert "se%3A" not in each
    assert any("tried again for up to 15 minutes" in each for each in said)
    assert not (tmp_path / "runs" / "studies").exists()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"password": "wr:on@g"}, 'password authentication failed for user "searcher"'),
        ({"database": "none"}, 'database "none" does not exist'),
        ({"user": "nobody"}, 'password authentication failed for user "nobody"'),
    ],
)
def test_what_is_wrong_is_told_in_a_line_without_the_password(server, tmp_path, changes, told):
    url = server.url(**changes)
    ended = harness("search", suite(tmp_path), "--root", tmp_path / "runs", "--storage", url)
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert told in line
    assert f":***@127.0.0.1:{server.port}/" in line
    assert all(word not in line for word in (PASSWORD, "se%3A", "wr:on", "wr%3A"))


def test_a_server_that_is_not_there_is_told(tmp_path):
    (port,) = postgres._free_ports(1)
    with pytest.raises(StorageError, match=f"127.0.0.1:{port}/studies cannot be reached: .*refused") as refused:
        storage.opened(f"postgresql+psycopg://searcher:secret@127.0.0.1:{port}/studies", tmp_path, "tiny")
    assert "secret" not in str(refused.value)


def test_two_that_make_the_tables_at_once_both_have_them(server, tmp_path):
    environment = {**os.environ, "PGPASSWORD": PASSWORD}
    for name in ("fresh1", "fresh2"):
        command = [server.programs / "createdb", "-h", "127.0.0.1", "-p", str(server.port), "-U", postgres.USER, name]
        subprocess.run(command, env=environment, check=True)
        code = (
            "import sys; from pathlib import Path; from harness.search.storage import opened; print('in', flush=True)"
        )
        code += "; sys.stdin.readline(); opened(sys.argv[1], Path('.'), 'x')"
        words = [sys.executable, "-c", code, server.url(database=name)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        both = [subprocess.Popen(words, cwd=PROJECT, **pipes) for _ in range(3)]
        for each in both:
            assert each.stdout.readline() == "in\n"
        for each in both:
            each.stdin.write("\n")
            each.stdin.flush()
        said = [each.communicate(timeout=60)[1] for each in both]
        assert [each.returncode for each in both] == [0] * 3, said
