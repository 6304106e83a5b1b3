import os
import signal
import subprocess
import sys
import time

import pytest

from harness.errors import BusyError
from harness.locks import hold, is_held

HOLDER = """
import sys, time
from pathlib import Path
from harness.locks import hold
with hold(Path(sys.argv[1]), "x"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_holder_is_told_who_holds_it(tmp_path):
    path = tmp_path / "lock"
    assert not is_held(path)
    with hold(path, "the folder"):
        assert is_held(path)
        with (
            pytest.raises(BusyError, match=f"the folder is in use by process {os.getpid()} on "),
            hold(path, "the folder"),
        ):
            pass
    assert not is_held(path)
    with hold(path, "the folder"):
        pass


def test_a_lock_is_given_back_when_its_holder_is_killed(tmp_path):
    path = tmp_path / "lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    assert is_held(path)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    assert not is_held(path)


def test_waiting_ends_when_the_holder_does(tmp_path):
    path = tmp_path / "lock"
    code = HOLDER.replace("sleep(60)", "sleep(1)")
    holder = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    holder.stdout.readline()
    began = time.monotonic()
    with hold(path, "x", wait_s=30):
        assert time.monotonic() > began
    holder.wait()
    holder.stdout.close()
