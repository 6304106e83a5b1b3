"""The cluster for tests leaves nothing behind, however its user ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import cluster
from tests.conftest import PROJECT
from tests.harness.sweeps import lacking


def processes(conf: str) -> list[str]:
    """What runs with this cluster in its environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"SLURM_CONF={conf}".encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


@pytest.mark.skipif(bool(lacking()), reason=f"no SLURM here: {lacking()}")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_newcomers_cluster_ends_with_its_process(number):
    command = [sys.executable, "-m", "tests.cluster"]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said = iter(process.stdout.readline, "")
    conf = next(line for line in said if line.startswith("export ")).strip().removeprefix("export SLURM_CONF=")
    environment = {**os.environ, "SLURM_CONF": conf}
    subprocess.run(
        ["sbatch", "--output=/dev/null", "--wrap=sleep 600"], env=environment, check=True, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not any("sleep 600" in each for each in processes(conf)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert any("slurmstepd" in each for each in processes(conf))
    process.send_signal(number)
    assert process.communicate(timeout=60)[1] == ""
    while (processes(conf) or Path(conf).parent.exists()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes(conf) == []
    assert not Path(conf).parent.exists()
    assert process.returncode == (0 if number == signal.SIGINT else -signal.SIGKILL)


def test_what_is_missing_is_named(monkeypatch, capsys):
    monkeypatch.setattr(cluster.shutil, "which", lambda program: None if "slurm" in program else program)
    monkeypatch.setattr(cluster.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(sys, "argv", ["cluster", "--accounting"])
    assert cluster.main() == 2
    told = "SLURM's daemons cannot be started here: apt-get install -y slurmctld slurmd slurmdbd; run this as root\n"
    assert capsys.readouterr().err == told


def test_ports_are_free_and_below_those_of_outgoing_connections():
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    found = cluster._free_ports(6)
    assert len(set(found)) == 6
    assert max(found) < lowest
