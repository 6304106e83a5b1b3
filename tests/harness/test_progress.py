import io

from rich.console import Console

from harness.progress import Display, Row, clock, line, summary

TRAINING = {
    "state": "training", "epoch": 2, "epochs": 9, "loss": 0.5, "accuracy": 0.75,
    "clips_per_s": 99.6, "eta_s": 61, "elapsed_s": 30.0, "share": 0.25,
}  # fmt: skip


def test_a_running_job_tells_epoch_loss_accuracy_rate_and_time_left():
    told = line(Row("a", "running", TRAINING))
    assert told == "epoch 3/9  loss 0.500  accuracy 75.0%  100 clips/s  0:01:01 left"
    assert line(Row("a", "running", {"state": "testing"})) == "testing"
    assert line(Row("a", "running")) == "starting"
    assert line(Row("a", "failed", outcome=": no memory")) == "failed: no memory"


def test_the_sweep_tells_what_is_left_from_what_is_known():
    done = Row("a", "done", {"elapsed_s": 100.0})
    running = Row("b", "running", {"elapsed_s": 40.0, "share": 0.4})
    assert summary([done, running, Row("c")], slots=1) == "1 of 3 jobs, about 0:02:40 left"
    assert summary([Row("a")], slots=1) == "0 of 1 jobs"
    assert summary([done], slots=1) == "1 of 1 jobs"


def test_plain_output_has_a_line_for_the_start_the_end_and_no_flood():
    told = io.StringIO()
    with Display(Console(file=told, width=120), slots=1) as display:
        row = Row("a")
        display.show([row])
        row.state, row.progress = "running", TRAINING
        for epoch in range(50):
            row.progress = {**TRAINING, "epoch": epoch}
            display.show([row])
        row.state, row.outcome = "done", " in 3 s"
        display.show([row])
        display.show([row])
    lines = told.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("a: epoch 1/9")
    assert lines[1].startswith("a: done in 3 s  [1 of 1 jobs")


def test_a_terminal_keeps_one_live_line_a_running_job():
    screen = io.StringIO()
    with Display(Console(file=screen, width=120, force_terminal=True), slots=2) as display:
        display.show([Row("a", "running", TRAINING), Row("b", "running"), Row("c")])
    assert "epoch 3/9" in screen.getvalue()
    assert "0 of 3 jobs" in screen.getvalue()


def test_markup_in_a_label_is_text():
    told = io.StringIO()
    Display(Console(file=told, width=120), slots=1).show([Row("[red]x[/red]", "done", outcome=": [oops]")])
    assert "[red]x[/red]: done: [oops]" in told.getvalue()


def test_the_clock():
    assert clock(3667.4) == "1:01:07"
