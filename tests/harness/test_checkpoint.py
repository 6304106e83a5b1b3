import pytest
import torch

from harness.checkpoint import CheckpointError, Checkpoints, weights_digest


def state(value: float) -> dict:
    return {"model": {"w": torch.full((3,), value)}, "position": int(value)}


def test_the_newest_of_the_last_two_is_taken_and_older_ones_go(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.latest() == (None, [])
    for step in (1, 2, 30):
        checkpoints.save(state(step), step)
    name, notes = checkpoints.latest()
    assert (checkpoints.read(name)["position"], notes) == (30, [])
    assert len(list(checkpoints.folder.iterdir())) == 2


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-50], lambda data: b"", lambda data: data[:90] + b"?" + data[91:]]
)
def test_a_damaged_checkpoint_is_passed_over_and_said(tmp_path, damage):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(state(1), 1)
    newest = checkpoints.save(state(2), 2)
    newest.write_bytes(damage(newest.read_bytes()))
    name, (note,) = checkpoints.latest()
    assert checkpoints.read(name)["position"] == 1
    assert newest.name in note
    assert "damaged" in note


def test_one_that_is_not_what_its_name_says_cannot_be_read(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    path = checkpoints.save(state(1), 1)
    path.write_bytes(b"no")
    with pytest.raises(CheckpointError, match=rf"checkpoint {path.name} cannot be read on .* \(its digest differs\)"):
        checkpoints.read(path.name)
    path.unlink()
    with pytest.raises(CheckpointError, match="No such file"):
        checkpoints.read(path.name)


def test_one_that_a_file_system_shows_late_is_waited_for(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path)
    path = checkpoints.save(state(1), 1)
    hidden = path.rename(tmp_path / "hidden")
    monkeypatch.setattr("harness.checkpoint.time.sleep", lambda seconds: hidden.rename(path))
    assert checkpoints.read(path.name, 60)["position"] == 1


def test_when_all_are_damaged_there_is_none(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(state(1), 1).write_bytes(b"no")
    assert checkpoints.latest()[0] is None


def test_a_write_that_fails_leaves_the_old_checkpoint_and_nothing_else(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(state(1), 1)

    def full_disk(state, file):
        file.write(b"half")
        raise RuntimeError("PytorchStreamWriter failed writing file: file write failed")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="is the disk full"):
        checkpoints.save(state(2), 2)
    assert len(list(checkpoints.folder.iterdir())) == 1
    assert checkpoints.read(checkpoints.latest()[0])["position"] == 1


def test_what_a_killed_write_left_is_removed_by_the_next(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.folder.mkdir()
    (checkpoints.folder / ".writing-1").write_bytes(b"half")
    checkpoints.save(state(1), 1)
    assert len(list(checkpoints.folder.iterdir())) == 1


def test_clear_leaves_nothing(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(state(1), 1)
    checkpoints.clear()
    assert not checkpoints.folder.exists()


def test_the_digest_sees_every_bit_name_and_shape():
    weights = {"a": torch.zeros(2, 2), "b": torch.ones(3)}
    digest = weights_digest(weights)
    assert digest == weights_digest(dict(reversed(weights.items())))
    flipped = {**weights, "b": torch.tensor([1.0, 1.0, 1.0000001])}
    assert len({digest, weights_digest(flipped), weights_digest({**weights, "a": torch.zeros(4)})}) == 3
