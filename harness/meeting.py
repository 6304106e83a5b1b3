"""Where the processes of one job that runs on several devices meet, in its folder: files alone, no torch.

<job>/ranks/<meeting>/
    address           where the first rank listens, on a port that was free
    problem-<rank>    why that rank's own work failed (JSON)
    ended-<rank>      the exit code of its process, written by who watches it (`harness.allocation`)
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results.record import Problem, Status
from results.store import write_atomic

TOLD_S = 20.0
"""How long to wait for word of a rank that is gone: its file system may tell late."""
LISTEN_EVERY_S = 0.1


@dataclass(frozen=True)
class Seat:
    """Which of a job's processes this is, from 0, and where they meet."""

    rank: int
    world: int
    local: int
    """Its place among those on its node, which is also its GPU's."""
    meeting: str
    """A name that no other attempt has."""

    def words(self) -> list[str]:
        """As arguments of `harness.worker`."""
        return [str(self.rank), str(self.world), str(self.local), self.meeting]

    @classmethod
    def of(cls, words: Sequence[str]) -> "Seat":
        """The inverse of `words`."""
        rank, world, local, meeting = words
        return cls(int(rank), int(world), int(local), meeting)

    def at(self, job: Path) -> "Meeting":
        """Its meeting in a job's folder."""
        return Meeting(job / "ranks" / self.meeting)


@dataclass(frozen=True)
class Meeting:
    """What ranks leave for each other."""

    folder: Path

    def tell_address(self, host: str, port: int) -> None:
        """Leave word of where the first rank listens."""
        write_atomic(self.folder / "address", json.dumps([host, port]))

    def address(self) -> tuple[str, int] | None:
        """Where the first rank listens; None as long as it does not."""
        found = self._listed("address")
        if not found:
            return None
        host, port = json.loads(found[0].read_text(encoding="utf-8"))
        return host, port

    def tell_problem(self, rank: int, status: Status, problem: Problem) -> None:
        """Leave word of why a rank's own work failed, for the record that the first rank writes."""
        told = {"rank": rank, "status": status, "problem": problem.model_dump()}
        write_atomic(self.folder / f"problem-{rank}", json.dumps(told))

    def problem(self, wait_s: float = 0.0) -> tuple[Status, Problem] | None:
        """The first rank's that failed by itself; None where none has said so within the time."""
        deadline = time.monotonic() + wait_s
        while not (found := sorted(self._listed("problem-"))):
            if time.monotonic() >= deadline:
                return None
            time.sleep(LISTEN_EVERY_S)
        told: dict[str, Any] = json.loads(found[0].read_text(encoding="utf-8"))
        problem = Problem(**told["problem"])
        return told["status"], problem.model_copy(update={"message": f"{problem.message} (in rank {told['rank']})"})

    def tell_end(self, rank: int, code: int) -> None:
        """Leave word of how a rank's process ended."""
        write_atomic(self.folder / f"ended-{rank}", str(code))

    def ended(self) -> dict[int, int]:
        """Rank -> exit code, of those whose process has ended."""
        found = self._listed("ended-")
        return {int(path.name.partition("-")[2]): int(path.read_text(encoding="utf-8")) for path in found}

    def _listed(self, prefix: str) -> list[Path]:
        """By listing the folder: a network file system remembers for a while that a single file was missing."""
        try:
            return [path for path in self.folder.iterdir() if path.name.startswith(prefix)]
        except FileNotFoundError:
            return []
