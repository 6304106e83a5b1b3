"""What a person sees while a sweep runs: a live line a job on a terminal, plain lines elsewhere."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

PLAIN_EVERY_S = 5.0
"""At most one plain line a job in this time, but for its start and its end."""
WIDE = 120
"""Columns from which a line has room for a bar."""
STYLES = {"done": "green", "failed": "red", "oom": "red", "diverged": "red", "timeout": "yellow", "stopped": "yellow",
          "busy": "yellow"}  # fmt: skip


@dataclass
class Row:
    """One job as the display knows it."""

    label: str
    state: str = "queued"
    progress: dict[str, Any] = field(default_factory=dict)
    """What the job's progress.json says."""
    outcome: str = ""
    """Of an ended job: its accuracy, or what went wrong."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to this job in this sweep."""
        return self.state not in ("queued", "running")


class Display:
    """Shows the rows of a sweep; used as a context manager."""

    def __init__(self, console: Console, slots: int) -> None:
        self.console, self.slots = console, slots
        self.live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        self.said: dict[str, tuple[str, float]] = {}

    def __enter__(self) -> "Display":
        if self.live:
            self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self.live.stop()

    def show(self, rows: Sequence[Row]) -> None:
        """Bring what is shown up to date."""
        for row in rows:
            if row.ended or not self.live:
                self._say(row, summary(rows, self.slots))
        if self.live:
            self.live.update(_table(rows, summary(rows, self.slots), bars=self.console.width >= WIDE))

    def tell(self, text: str) -> None:
        """Print a line that is about no single job."""
        self.console.print(Text(text), soft_wrap=True)

    def _say(self, row: Row, whole: str) -> None:
        """Print a plain line when a job started, ended, or told something new a while after its last line."""
        text = line(row)
        before, at = self.said.get(row.label, ("queued", -PLAIN_EVERY_S))
        started = row.state == "running" and before == "queued"
        news = row.state == "running" and text != before and time.monotonic() - at >= PLAIN_EVERY_S
        ended = row.ended and text != before
        if started or news or ended:
            suffix = f"  [{whole}]" if ended and not self.live else ""
            self.console.print(Text(f"{row.label}: {text}{suffix}", style=STYLES.get(row.state, "")), soft_wrap=True)
            self.said[row.label] = (text, time.monotonic())


def line(row: Row) -> str:
    """One job in one line: where it is, loss, accuracy, clips a second, time left."""
    if row.state != "running":
        return f"{row.state}{row.outcome}"
    now = row.progress
    if now.get("state") != "training" or now.get("loss") is None:
        return str(now.get("state", "starting"))
    epoch = min(now["epoch"] + 1, now["epochs"])
    return (
        f"epoch {epoch}/{now['epochs']}  loss {now['loss']:.3f}  accuracy {now['accuracy']:.1%}  "
        f"{now['clips_per_s']:.0f} clips/s  {clock(now['eta_s'])} left"
    )


def summary(rows: Sequence[Row], slots: int) -> str:
    """The whole sweep: how many jobs ended, and the time left as far as the finished and running jobs tell."""
    ended = [row for row in rows if row.ended]
    running = [row for row in rows if row.state == "running"]
    text = f"{len(ended)} of {len(rows)} jobs"
    totals = [row.progress["elapsed_s"] for row in ended if "elapsed_s" in row.progress]
    shares = [(row.progress.get("elapsed_s", 0.0), row.progress.get("share", 0.0)) for row in running]
    totals += [elapsed / share for elapsed, share in shares if share > 0.05]
    if not totals or len(ended) == len(rows):
        return text
    each = sum(totals) / len(totals)
    left = sum(max(each - elapsed, 0.0) for elapsed, _ in shares) + each * (len(rows) - len(ended) - len(running))
    return f"{text}, about {clock(left / max(slots, 1))} left"


def clock(seconds: float) -> str:
    """`0:03:07`."""
    return str(timedelta(seconds=round(seconds)))


def _table(rows: Sequence[Row], whole: str, bars: bool) -> Group:
    table = Table.grid(padding=(0, 2))
    for row in rows:
        if row.state == "running":
            bar = [ProgressBar(total=1.0, completed=row.progress.get("share", 0.0), width=20)] if bars else []
            table.add_row(Text(row.label, no_wrap=True), *bar, Text(line(row), no_wrap=True, overflow="ellipsis"))
    return Group(table, Text(whole, style="bold"))
