import errno
import gc
import os
import threading
from pathlib import Path

import pytest

from results.record import Record, RecordError
from results.store import Store, collector_paused, write_atomic


def test_what_is_written_is_read(tmp_path: Path, example: Record) -> None:
    store = Store(tmp_path)
    assert store.write(example) == tmp_path / "jobs" / example.id / "record.json"
    assert store.read(example.id) == example


def test_a_job_without_a_record_is_none(tmp_path: Path) -> None:
    (tmp_path / "jobs" / "abc").mkdir(parents=True)
    assert Store(tmp_path).read("abc") is None
    assert Store(tmp_path).read("never-planned") is None


def test_an_absent_root_holds_nothing(tmp_path: Path) -> None:
    assert Store(tmp_path / "absent").load() == ([], [])


def test_load_sorts_by_id_and_passes_over_what_is_no_record(tmp_path: Path, example: Record) -> None:
    store = Store(tmp_path)
    for id in ("c", "a", "b"):
        store.write(example.model_copy(update={"id": id}))
    (tmp_path / "jobs" / "running").mkdir()
    (tmp_path / "jobs" / "notes.txt").write_text("not a job")
    records, errors = store.load()
    assert [record.id for record in records] == ["a", "b", "c"]
    assert errors == []


def test_a_damaged_record_is_named_and_hides_no_other(tmp_path: Path, example: Record) -> None:
    store = Store(tmp_path)
    store.write(example)
    bad = store.record_path("damaged")
    write_atomic(bad, example.model_dump_json()[:100])
    records, errors = store.load()
    assert records == [example]
    assert [str(bad) in str(error) for error in errors] == [True]
    with pytest.raises(RecordError, match="damaged"):
        store.read("damaged")


def test_a_record_in_a_wrong_folder_is_named(tmp_path: Path, example: Record) -> None:
    store = Store(tmp_path)
    write_atomic(store.record_path("copied"), example.model_dump_json())
    assert f"holds the record of job {example.id}" in str(store.load()[1][0])


def test_a_record_that_is_a_folder_is_named(tmp_path: Path) -> None:
    Store(tmp_path).record_path("odd").mkdir(parents=True)
    assert "cannot be read" in str(Store(tmp_path).load()[1][0])


def test_a_full_disk_leaves_the_old_record(tmp_path: Path, example: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    store.write(example)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store.write(example.model_copy(update={"classes": 5}))
    assert store.read(example.id) == example
    assert list(store.job_folder(example.id).iterdir()) == [store.record_path(example.id)]


def test_a_folder_that_cannot_be_made_raises(tmp_path: Path, example: Record) -> None:
    (tmp_path / "jobs").write_text("a file where a folder is needed")
    with pytest.raises(OSError, match="jobs"):
        Store(tmp_path).write(example)


def test_a_reader_never_meets_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    texts = {letter * 100_000 for letter in "ab"}
    write_atomic(path, "a" * 100_000)
    seen: set[str] = set()

    def read() -> None:
        for _ in range(300):
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for text in sorted(texts) * 20:
        write_atomic(path, text)
    reader.join()
    assert seen <= texts


def test_text_is_written_as_it_is(tmp_path: Path) -> None:
    write_atomic(tmp_path / "new" / "file", "×\n±\r\n")
    assert (tmp_path / "new" / "file").read_bytes() == "×\n±\r\n".encode()
    write_atomic(tmp_path / "new" / "file", b"\x00\xff")
    assert (tmp_path / "new" / "file").read_bytes() == b"\x00\xff"


def test_the_collector_runs_again_after_a_failure() -> None:
    with pytest.raises(KeyError), collector_paused():
        _fail_without_collector()
    assert gc.isenabled()


def _fail_without_collector() -> None:
    assert not gc.isenabled()
    raise KeyError
