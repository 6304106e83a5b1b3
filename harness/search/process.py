"""The process of one worker of a search: `python -m harness.search.process <launcher's process id> <what it is told>`.

Exit codes as of `harness.worker`: 0 there is nothing more to begin, 75 stopped on request, its trial given back, 2
what a person must put right, told in the last line.
"""

import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

from harness import packages
from harness.control import Control
from harness.errors import HarnessError, Interrupted
from harness.worker import RECORDED, STOPPED, WRONG, die_with_parent


def main(told: dict[str, Any]) -> int:
    """Work at the study until nothing is left to begin."""
    packages.check()
    control = Control()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: control.stop("asked to stop by a signal"))
    try:
        work(told, control)
    except Interrupted as stopped:
        print(f"stopped: {stopped}", file=sys.stderr)
        return STOPPED
    except HarnessError as error:
        print(error, file=sys.stderr)
        return WRONG
    return RECORDED


def work(told: dict[str, Any], control: Control) -> None:
    """Work at a study until nothing is left to begin. Raises Interrupted and HarnessError."""
    from harness.search import session  # imports Optuna: after signals are set
    from harness.search.worker import Worker

    suite, root, datasets = (Path(told[key]) for key in ("suite", "root", "datasets"))
    here = session.begun(suite, told["scale"], told["sets"], root, datasets, told["storage"], told["study"])
    shared = here.joined(control.check, told["alone"])
    until = None if told["until"] is None else time.monotonic() + told["until"] - time.time()
    Worker(here.suite, shared, here.root, here.datasets, control, print, gpu=told["gpu"]).run(until)


if __name__ == "__main__":
    if int(sys.argv[1]):
        die_with_parent(int(sys.argv[1]))
    sys.exit(main(json.loads(sys.argv[2])))
