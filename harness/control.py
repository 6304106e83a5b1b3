"""Asking a running job to stop: at the next step it saves a checkpoint and ends, and a later run goes on from there."""

import time

from harness.errors import HarnessError, Interrupted


class TimeLimit(HarnessError):
    """The job's own time limit (`resources.timeout_min`) has passed."""


class Control:
    """What a job looks at between steps. Signal handlers and the time limit speak to it; it speaks by exceptions."""

    def __init__(self, timeout_min: float | None = None) -> None:
        self.reason: str | None = None
        self.timeout_min = timeout_min
        self.started = time.monotonic()

    def stop(self, reason: str) -> None:
        """Ask the job to stop at its next step."""
        self.reason = reason

    def check(self) -> None:
        """Raise Interrupted or TimeLimit when the job should stop now."""
        if self.reason:
            raise Interrupted(self.reason)
        if self.timeout_min is not None and time.monotonic() - self.started > 60 * self.timeout_min:
            raise TimeLimit(f"the limit of {self.timeout_min:g} minutes (resources.timeout_min) has passed")
