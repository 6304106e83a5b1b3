import os
import subprocess
import sys

import pytest

from harness import packages, snapshot
from models.registry import FILES


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of one file a package."""
    folder = tmp_path / "project"
    for name in packages.NAMES:
        (folder / name / "__pycache__").mkdir(parents=True)
        (folder / name / "__init__.py").write_text(f'"""{name}"""\n', encoding="utf-8")
        (folder / name / "__pycache__" / "x.pyc").touch()
    monkeypatch.setattr(packages, "ROOT", folder)
    monkeypatch.delenv(FILES, raising=False)
    return folder


def test_the_same_content_is_kept_once_and_a_change_beside_it(project, tmp_path):
    first = snapshot.take(tmp_path)
    assert snapshot.take(tmp_path) == first
    (project / "harness" / "new.py").write_text("x = 1\n", encoding="utf-8")
    second = snapshot.take(tmp_path)
    assert second.folder != first.folder
    assert not (first.folder / "harness" / "new.py").exists()
    assert (second.folder / "harness" / "new.py").read_text(encoding="utf-8") == "x = 1\n"
    assert sorted(path.name for path in (tmp_path / "code").iterdir()) == sorted(
        [first.folder.name, second.folder.name]
    )
    assert not list(tmp_path.rglob("code/**/__pycache__"))


def test_a_renamed_file_is_another_content(project, tmp_path):
    (project / "harness" / "a.py").write_text("x\n", encoding="utf-8")
    first = snapshot.take(tmp_path)
    (project / "harness" / "a.py").rename(project / "harness" / "b.py")
    assert snapshot.take(tmp_path).folder != first.folder


def test_a_users_models_go_with_it(project, tmp_path, monkeypatch):
    own = tmp_path / "mine.py"
    own.write_text("x = 1\n", encoding="utf-8")
    monkeypatch.setenv(FILES, str(own))
    taken = snapshot.take(tmp_path)
    own.write_text("x = 2\n", encoding="utf-8")
    assert [path.read_text(encoding="utf-8") for path in taken.models] == ["x = 1\n"]
    assert taken.environment[FILES] == str(taken.models[0])
    assert snapshot.take(tmp_path).folder != taken.folder


def test_another_submission_may_make_it_at_the_same_time(project, tmp_path, monkeypatch):
    copyfile = snapshot.shutil.copyfile

    def meanwhile(*arguments):
        monkeypatch.setattr(snapshot.shutil, "copyfile", copyfile)
        snapshot.take(tmp_path)
        copyfile(*arguments)

    monkeypatch.setattr(snapshot.shutil, "copyfile", meanwhile)
    taken = snapshot.take(tmp_path)
    assert [path.name for path in (tmp_path / "code").iterdir()] == [taken.folder.name]


def test_python_takes_the_snapshot_and_nothing_else_and_knows_its_commit(tmp_path, monkeypatch):
    monkeypatch.delenv(FILES, raising=False)
    commit = packages.commit()
    taken = snapshot.take(tmp_path)
    code = "from harness import packages; packages.check(); print(packages.ROOT, packages.commit())"
    environment = {**os.environ, **taken.environment}
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=packages.ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout  # fmt: skip
    assert told == f"{taken.folder} {commit}\n"


def test_what_a_full_disk_cut_short_is_taken_away(project, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshot.shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        snapshot.take(tmp_path)
    assert list((tmp_path / "code").iterdir()) == []
