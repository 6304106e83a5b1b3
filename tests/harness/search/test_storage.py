"""Where a study is kept, and what is told of a storage that is damaged, shut or gone."""

import os
import re

import optuna
import pytest

from harness.control import Control
from harness.errors import HarnessError, Interrupted
from harness.search import storage
from harness.search.storage import Patience, StorageError, Unreachable
from tests.harness.search.stubs import assert_ended, begun, joined, suite


@pytest.fixture
def here(tmp_path):
    return begun(suite(tmp_path), tmp_path / "runs")


@pytest.fixture
def journal(here):
    """Of a study with one trial."""
    shared = joined(here)
    shared.tell(shared.ask().trial, optuna.trial.TrialState.COMPLETE, [1.0])
    return here.folder / "journal.log"


def run_out(shared):
    while turn := shared.ask():
        shared.tell(turn.trial, optuna.trial.TrialState.COMPLETE, [1.0])


@pytest.mark.parametrize("left", ['{"op_code":5,"torn', "\0" * 5000, "garbage"])
def test_half_a_line_that_somebody_left_is_no_loss(here, journal, left):
    whole = journal.read_bytes()
    with journal.open("a", encoding="utf-8") as file:
        file.write(left)
    shared = joined(here)
    assert len(shared.trials()) == 1
    run_out(shared)
    assert_ended(shared, 6)
    assert journal.read_bytes().startswith(whole)
    assert left.encode() not in journal.read_bytes()
    assert len(joined(here).counted()) == 6


def test_a_journal_cut_within_its_last_line_goes_on(here, journal):
    journal.write_bytes(journal.read_bytes()[:-7])
    shared = joined(here)
    (trial,) = shared.trials()
    assert trial.state == optuna.trial.TrialState.RUNNING  # how it ended was not written; its worker is gone
    trial.user_attrs["worker"]["born"] = 0
    run_out(shared)
    assert_ended(shared, 6)


def test_a_line_that_is_none_of_a_study_is_told_with_its_place(here, journal):
    lines = journal.read_bytes().splitlines(keepends=True)
    for place in (3, len(lines)):
        journal.write_bytes(b"".join([*lines[:place], b"<<<<<<< HEAD\n", *lines[place:]]))
        with pytest.raises(StorageError, match=f"{re.escape(str(journal))}:{place + 1}: no entry of a study's journal"):
            here.joined()


@pytest.mark.filterwarnings("ignore:The existing lock file")  # as older Optuna tells it
def test_a_lock_that_a_killed_process_left_is_broken(here, journal, monkeypatch):
    monkeypatch.setattr(storage.JournalFileSymlinkLock.__init__, "__defaults__", (3,))
    (journal.parent / "journal.log.lock").symlink_to(journal)
    run_out(joined(here))
    assert_ended(joined(here), 6)
    assert not [path.name for path in journal.parent.iterdir() if "lock" in path.name]


def test_a_lock_that_another_broke_is_given_up_without_a_word(here, journal):
    lock = storage._Lock(journal)
    lock.acquire()
    (journal.parent / "journal.log.lock").unlink()
    lock.release()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "shut").mkdir(mode=0o555)
    with pytest.raises(StorageError, match="cannot be written: Permission denied; choose another with --storage"):
        storage.opened(str(tmp_path / "shut" / "journal.log"), tmp_path, "tiny")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("/proc/1/journal.log", "the study's storage /proc/1/journal.log cannot be written: "),
        ("{}", " is a folder; name a file in it, or a URL"),
        ("{}/file/journal.log", "cannot be written: File exists; choose another with --storage"),
        ("postgresql+psycopg://u:se@cret@h:port/d", "the study's storage postgresql+psycopg://... is no URL such as "),
        ("postgre://u:secret@h/d", "postgre://u:***@h/d cannot be reached: Can't load plugin"),
        ("mysql+nothing://u:secret@h/d", "mysql+nothing://u:***@h/d cannot be reached: Can't load plugin"),
        ("postgresql+pg8000://u:secret@h/d", "pg8000://u:***@h/d needs a driver that is not installed: No module"),
        ("sqlite:////nowhere/study.db", "sqlite:////nowhere/study.db cannot be reached: unable to open database file"),
    ],
)
def test_a_storage_that_cannot_be_is_told_in_a_line_without_its_password(tmp_path, url, told):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError) as refused:
        storage.opened(url.format(tmp_path), tmp_path, "tiny")
    assert told in str(refused.value)
    assert "cret" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_study_in_sqlite(tmp_path):
    here = begun(suite(tmp_path), tmp_path / "runs", f"sqlite:///{tmp_path}/study.db")
    shared = joined(here)
    run_out(shared)
    assert_ended(shared, 6)
    shared.storage._backend.engine.dispose()
    assert not here.folder.exists()


def test_nothing_is_made_for_who_only_looks(here):
    assert here.study() is None
    assert not here.root.exists()


@pytest.mark.parametrize("name", ["a/b", "../up", ".", "", "/root"])
def test_a_name_that_is_no_folders_is_refused(here, name):
    if name:
        with pytest.raises(HarnessError, match=r"--study .*: a folder is called by it"):
            begun(here.suite.path, here.root, name=name)


def test_a_relative_path_is_of_where_the_command_began(here, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert begun(here.suite.path, here.root, "some/journal.log").url == str(tmp_path / "some" / "journal.log")


class Gone:
    """Fails a few times."""

    def __init__(self, times, error):
        self.left, self.error = times, error

    def __call__(self):
        self.left -= 1
        if self.left >= 0:
            raise self.error
        return "here"


@pytest.mark.parametrize("error", [OSError("no route"), optuna.exceptions.StorageInternalError("x"), Unreachable("y")])
def test_a_storage_that_does_not_answer_is_asked_again_and_said_once(error):
    said = []
    patience = Patience("db", said.append)
    patience.pause = lambda seconds: None
    assert patience.tried(Gone(3, error)) == "here"
    assert [line.split(" (")[0] for line in said] == [
        "the study's storage db does not answer", "the study's storage db answers again",
    ]  # fmt: skip
    assert patience.back > 0


def test_patience_ends():
    patience = Patience("db", lambda text: None, limit_s=0.0)
    patience.pause = lambda seconds: None
    with pytest.raises(Unreachable, match="db did not answer for 0 minutes: no route; the same command goes on"):
        patience.tried(Gone(99, OSError("no route")))


def test_who_waits_for_a_storage_can_be_stopped():
    control, patience = Control(), Patience("db", lambda text: None)
    control.stop("by a person")
    patience.check = control.check
    with pytest.raises(Interrupted, match="by a person"):
        patience.tried(Gone(99, OSError("no route")))


def test_mistakes_are_not_tried_again():
    said = []
    with pytest.raises(KeyError):
        Patience("db", said.append).tried(Gone(1, KeyError("no study")))
    assert said == []
