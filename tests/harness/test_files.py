from harness.files import Order, Progress, read_progress


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
    assert second.elapsed_s >= 100.0


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
