"""A SLURM cluster of real daemons on this machine: two nodes, a low and a high partition, preemption by requeueing.

    python -m tests.cluster FOLDER      start one, print what to export, end it with Ctrl-C

For the tests of the launcher, and for a newcomer to try it on (`make cluster`). Needs root, and Debian's packages
`slurmctld slurmd slurm-client munge`.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
NODES = ("n1", "n2")
START_S = 60.0


def missing() -> list[str]:
    """What a cluster needs and this machine lacks."""
    lacking = [name for name in PROGRAMS if shutil.which(name) is None]
    return lacking + ([] if os.geteuid() == 0 else ["root"])


class Cluster:
    """Daemons in a folder; `environment` is what their commands (sbatch, squeue, ...) need."""

    def __init__(self, folder: Path, cpus: int = 2) -> None:
        self.folder, self.cpus = folder, cpus
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}

    def start(self) -> None:
        """Start munged, the controller and the nodes, and wait until the nodes are idle."""
        for name in ("state", "spool", "munge"):
            (self.folder / name).mkdir(mode=0o755)
        (self.folder / "slurm.conf").write_text(self.configuration(), encoding="utf-8")
        key = self.folder / "munge" / "key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        self.munged()
        self.slurmctld()
        for node in NODES:
            self.slurmd(node)
        self.wait_until_idle()

    def munged(self) -> None:
        """Start the daemon that signs messages."""
        munge = self.folder / "munge"
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        options = [f"--{option}={munge / name}" for option, name in files.items()]
        self.daemons["munged"] = subprocess.Popen(
            ["munged", "--foreground", "--force", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._wait(lambda: (munge / "socket").exists(), "munged made no socket")

    def slurmctld(self) -> None:
        """Start the controller; it takes up its state where there is some."""
        self._daemon("slurmctld", "slurmctld", "-D", "-i")

    def slurmd(self, node: str) -> None:
        """Start a node."""
        self._daemon(node, "slurmd", "-D", "-N", node)

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """End a daemon: `slurmctld`, or a node by its name."""
        daemon = self.daemons.pop(name)
        daemon.send_signal(number)
        daemon.wait(30)

    def stop(self) -> None:
        """End all jobs and daemons."""
        self.run("scancel", "--user=root", check=False)
        for name in reversed(list(self.daemons)):
            self.kill(name, signal.SIGTERM if name == "munged" else signal.SIGKILL)
        subprocess.run(["pkill", "-KILL", "-f", f"slurmstepd.*{self.folder}"], check=False)

    def run(self, *command: str, check: bool = True) -> str:
        """What a command of SLURM prints."""
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=check, timeout=60
        ).stdout  # fmt: skip

    def wait_until_idle(self) -> None:
        """Wait until all nodes can take jobs."""
        self._wait(
            lambda: (
                self.run("sinfo", "-h", "-N", "-p", "low", "-o", "%T", check=False).split() == ["idle"] * len(NODES)
            ),
            "the nodes did not become idle",
        )

    def configuration(self) -> str:
        """slurm.conf."""
        host, f = socket.gethostname(), self.folder
        control, *ports = _free_ports(1 + len(NODES))
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20 // len(NODES)
        nodes = "\n".join(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={self.cpus} RealMemory={memory}"
            for node, port in zip(NODES, ports, strict=True)
        )
        return f"""\
ClusterName=trial
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={control}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={f}/munge/socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={f}/state
SlurmdSpoolDir={f}/spool/%n
SlurmctldPidFile={f}/slurmctld.pid
SlurmdPidFile={f}/%n.pid
SlurmctldLogFile={f}/slurmctld.log
SlurmdLogFile={f}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=10
SlurmctldTimeout=30
SlurmdTimeout=20
MinJobAge=300
MaxArraySize=2001
MaxJobCount=20000
SchedulerParameters=sched_interval=1,sched_min_interval=100000
{nodes}
PartitionName=low Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE OverSubscribe=NO
PartitionName=high Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF OverSubscribe=NO
"""

    def _daemon(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.out").open("ab") as out:
            self.daemons[name] = subprocess.Popen(command, env=self.environment, stdout=out, stderr=out)

    def _wait(self, done, why: str) -> None:
        deadline = time.monotonic() + START_S
        while not done():
            ended = [name for name, daemon in self.daemons.items() if daemon.poll() is not None]
            if ended or time.monotonic() > deadline:
                raise RuntimeError(f"{why}; ended: {', '.join(ended) or 'none'}; logs in {self.folder}")
            time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    for each in held:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A cluster in a temporary folder, ended with the block."""
    with tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as folder:
        made = Cluster(Path(folder))
        try:
            made.start()
            yield made
        finally:
            made.stop()


if __name__ == "__main__":
    with cluster() as running:
        print(f"export SLURM_CONF={running.environment['SLURM_CONF']}", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            sys.exit(0)
