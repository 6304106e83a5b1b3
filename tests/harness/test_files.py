import pytest

from harness.files import Follower, Order, Progress, device_seconds, read_progress


def test_an_order_survives_the_way_through_its_file(order):
    folder = order.write()
    assert folder == order.root / "jobs" / order.spec.identity()
    assert Order.read(folder) == order


def test_progress_counts_attempts_and_the_seconds_of_all_of_them(tmp_path):
    assert read_progress(tmp_path) == {}
    first = Progress(tmp_path, epochs=3)
    first.before_s = 100.0
    first.tell("training", at_once=True, epoch=1)
    second = Progress(tmp_path, epochs=3)
    assert second.attempt == 2
    assert second.spent()[0] >= 100.0


def test_each_attempt_counts_the_devices_that_it_had(tmp_path):
    for devices, seconds in ((4, 10.0), (1, 100.0)):
        progress = Progress(tmp_path, epochs=3, devices=devices)
        progress.began -= seconds
        progress.tell("stopped", at_once=True)
    told = read_progress(tmp_path)
    assert told["elapsed_s"] == pytest.approx(110, abs=1)
    assert device_seconds(told) == pytest.approx(140, abs=1)
    assert device_seconds({"elapsed_s": 10.0, "devices": 4}) == 40  # told before anybody counted them
    assert device_seconds({}) == 0


def test_what_an_earlier_attempt_told_is_not_the_next_ones(tmp_path):
    Progress(tmp_path, epochs=3).tell("stopped", at_once=True, epoch=2)
    follower = Follower(tmp_path)
    assert follower.read() == {}
    Progress(tmp_path, epochs=3).tell("starting", at_once=True)
    assert follower.read()["state"] == "starting"


def test_an_attempt_that_goes_on_from_a_checkpoint_is_as_far_as_that(tmp_path):
    Progress(tmp_path, epochs=3).tell("stopped", at_once=True, epoch=2, share=0.7)
    Progress(tmp_path, epochs=3).tell("starting", at_once=True)
    assert read_progress(tmp_path)["epoch"] == 0
    Progress(tmp_path, epochs=3).tell("stopped", at_once=True, epoch=2, share=0.7)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "00000006-abc.pt").touch()
    Progress(tmp_path, epochs=3).tell("starting", at_once=True)
    assert (read_progress(tmp_path)["epoch"], read_progress(tmp_path)["share"]) == (2, 0.7)


def test_progress_is_written_at_most_once_a_second_unless_asked(tmp_path):
    progress = Progress(tmp_path, epochs=3)
    for epoch in range(100):
        progress.tell("training", epoch=epoch)
    assert read_progress(tmp_path)["epoch"] == 0
    progress.tell("training", epoch=100, at_once=True)
    assert read_progress(tmp_path)["epoch"] == 100


def test_a_damaged_progress_file_is_no_progress(tmp_path):
    (tmp_path / "progress.json").write_text('{"epoch": ', encoding="utf-8")
    assert read_progress(tmp_path) == {}
