"""The process that runs one job: `python -m harness.worker <job folder> [<launcher's process id> [<seat>]]`.

A seat is its rank, the number of ranks, its place on its node, and the name of their meeting (`harness.meeting`). Exit
codes: 0 the job has a record (also of a failure), 75 stopped on request with a checkpoint (EX_TEMPFAIL: start it
again), 69 another process runs this job (EX_UNAVAILABLE), 2 nothing can be written, 70 another rank is gone or this
one's work failed (EX_SOFTWARE: start all again, but where a rank left word of a failure of its own).
"""

import ctypes
import os
import signal
import sys
import traceback
from pathlib import Path

from harness import packages
from harness.control import Control
from harness.errors import BusyError, HarnessError, Interrupted
from harness.files import Order
from harness.meeting import Seat

RECORDED, WRONG, BUSY, RANK_LOST, STOPPED = 0, 2, 69, 70, 75
PR_SET_PDEATHSIG = 1


def main(folder: Path, seat: Seat | None = None) -> int:
    """Run the job in this folder to its record."""
    packages.check()
    order = Order.read(folder)
    control = Control(order.spec.resources.timeout_min)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: control.stop("asked to stop by a signal"))
    from harness import job, ranks  # imports torch: after the guard, and after signals are set

    try:
        if seat and seat.rank:
            job.assist(order, control, seat)
            return RECORDED
        record = job.run(order, control, seat)
    except Interrupted as stopped:
        print(f"stopped: {stopped}", file=sys.stderr)
        return STOPPED
    except BusyError as busy:
        print(busy, file=sys.stderr)
        return BUSY
    except ranks.RankLost as lost:
        traceback.print_exc()
        print(lost, file=sys.stderr)
        return RANK_LOST
    except HarnessError as error:
        print(error, file=sys.stderr)
        return WRONG
    if record.error:
        print(record.error.traceback, file=sys.stderr)
    return RECORDED


def die_with_parent(launcher: int) -> None:
    """On Linux, be asked to stop when the launching process dies, however it dies: no job is left behind.

    A launcher that died before the kernel was asked sends nothing any more; then the parent is already another one,
    and this process ends at once.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != launcher:
        print(f"stopped: process {launcher}, which launched this job, is gone", file=sys.stderr)
        sys.exit(STOPPED)


if __name__ == "__main__":
    if sys.argv[2:]:
        die_with_parent(int(sys.argv[2]))
    sys.exit(main(Path(sys.argv[1]), Seat.of(sys.argv[3:]) if sys.argv[3:] else None))
