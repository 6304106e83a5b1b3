"""What a person can put right, told in one line; the command line catches these once and exits with code 2.

HarnessError
├── SuiteError      a suite file or a --set / --only argument is wrong: every mistake at once
├── BusyError       another process holds what this one needs
├── OutputError     the output folder cannot be written
└── Interrupted     the person (or the cluster) asked to stop; finished work and checkpoints are kept
"""

from collections.abc import Sequence
from dataclasses import dataclass


class HarnessError(Exception):
    """Base of everything that is told without a traceback."""


@dataclass(frozen=True, order=True)
class Mistake:
    """One mistake in a person's input: where it stands and what is wrong."""

    file: str
    line: int
    key: str
    problem: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.problem}" if self.key else f"{place}: {self.problem}"


class SuiteError(HarnessError):
    """All mistakes of a suite, one a line."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(dict.fromkeys(sorted(mistakes)))
        super().__init__("\n".join(map(str, self.mistakes)))


class BusyError(HarnessError):
    """Another process holds the lock."""


class OutputError(HarnessError):
    """The output folder cannot be written."""


class Interrupted(HarnessError):
    """Stopped on request, at a point from which the work goes on."""
