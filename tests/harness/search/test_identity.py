"""Who a worker is."""

import json
import os
import subprocess

from harness.search import identity


def test_each_is_another_and_all_of_one_machine():
    one, other = identity.myself(), identity.myself()
    assert one != other
    assert one["machine"] == other["machine"]
    assert json.loads(json.dumps(one)) == one
    assert one["born"] == identity.born(os.getpid()) > 0


def test_a_process_that_has_ended_is_gone_before_its_parent_asked():
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert identity.born(process.pid) is None
    process.wait()
    assert identity.born(process.pid) is None
