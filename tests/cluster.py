"""A SLURM cluster of real daemons on this machine: two nodes of two pretend GPUs, preemption by requeueing.

    python -m tests.cluster [--accounting]      start one, print what to export, end it with Ctrl-C

For the tests of the launcher, and for a newcomer to try it on (`make cluster`). Needs root, and Debian's packages
`slurmctld slurmd slurm-client munge`; for accounting (`sacct`) `slurmdbd mariadb-server` too.

Nothing is left behind, however this process ends: a keeper process waits for that, ends every process that has this
cluster in its environment (daemons, and jobs, which outlive their daemons on purpose), and removes the folder.
"""

import argparse
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGES = {
    "slurmctld": "slurmctld", "slurmd": "slurmd", "sbatch": "slurm-client", "squeue": "slurm-client",
    "scontrol": "slurm-client", "munged": "munge",
}  # fmt: skip
"""Program -> Debian's package with it."""
ACCOUNTING_PACKAGES = {"slurmdbd": "slurmdbd", "mariadbd": "mariadb-server", "sacct": "slurm-client"}
NODES = ("n1", "n2")
GPUS = 2
"""Pretend GPUs of a node, which SLURM counts and shares out like real ones."""
START_S = 60.0
PORTS = range(20000, 32000)
"""Below those that the kernel gives to outgoing connections, so that a daemon that is restarted finds its own free."""


def missing(accounting: bool = False) -> list[str]:
    """What a cluster needs and this machine lacks."""
    wanted = {**PACKAGES, **(ACCOUNTING_PACKAGES if accounting else {})}
    lacking = {package for program, package in wanted.items() if shutil.which(program) is None}
    return sorted(lacking) + ([] if os.geteuid() == 0 else ["root"])


class Cluster:
    """Daemons in a folder; `environment` is what their commands (sbatch, squeue, ...) need."""

    def __init__(self, folder: Path, cpus: int = 2, accounting: bool = False) -> None:
        self.folder, self.cpus, self.accounting = folder, cpus, accounting
        self.daemons: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf"), "CLUSTER_FOLDER": str(folder)}

    def start(self) -> None:
        """Start the daemons, and wait until the nodes are idle."""
        for name in ("state", "spool", "munge", *NODES):
            (self.folder / name).mkdir(mode=0o755)
        for node in NODES:
            for index in range(GPUS):
                (self.folder / node / f"gpu{index}").symlink_to("/dev/null")  # SLURM wants a device
        (self.folder / "gres.conf").write_text(self.gres(), encoding="utf-8")
        self.control, *self.ports = _free_ports(3 + len(NODES))
        (self.folder / "slurm.conf").write_text(self.configuration(), encoding="utf-8")
        key = self.folder / "munge" / "key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        self.munged()
        if self.accounting:
            self.slurmdbd()
        self.slurmctld()
        for node in NODES:
            self.slurmd(node)
        self.wait_until_idle()

    def munged(self) -> None:
        """Start the daemon that signs messages."""
        munge = self.folder / "munge"
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        self._daemon("munged", "munged", "--foreground", "--force",
                     *(f"--{option}={munge / name}" for option, name in files.items()))  # fmt: skip
        self._wait(lambda: (munge / "socket").exists(), "munged made no socket")

    def slurmdbd(self) -> None:
        """Start a database and the daemon that keeps the accounts in it."""
        data, socket_, port = self.folder / "database", self.folder / "database.socket", self.ports[-1]
        options = [
            f"--datadir={data}",
            "--user=root",
            "--innodb-log-file-size=4M",
            "--innodb-flush-log-at-trx-commit=0",
        ]
        with (self.folder / "database.out").open("wb") as out:
            subprocess.run(
                ["mariadb-install-db", "--no-defaults", *options, "--auth-root-authentication-method=normal",
                 "--skip-name-resolve"],
                env=self.environment, stdout=out, stderr=out, check=True,
            )  # fmt: skip
        self._daemon("mariadbd", "mariadbd", "--no-defaults", *options, f"--socket={socket_}", f"--port={port}",
                     "--bind-address=127.0.0.1", "--skip-grant-tables", "--skip-name-resolve")  # fmt: skip
        self._wait(socket_.exists, "mariadbd made no socket")
        accounts = self.folder / "slurmdbd.conf"
        accounts.write_text(self.accounts(), encoding="utf-8")
        accounts.chmod(0o600)
        self._daemon("slurmdbd", "slurmdbd", "-D")
        self._wait(lambda: _answers(self.ports[-2]), "slurmdbd opened no port")
        self.run("sacctmgr", "--immediate", "add", "cluster", "trial")

    def slurmctld(self) -> None:
        """Start the controller; it takes up its state where there is some."""
        self._daemon("slurmctld", "slurmctld", "-D", "-i")

    def slurmd(self, node: str) -> None:
        """Start a node."""
        self._daemon(node, "slurmd", "-D", "-N", node)

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """End a daemon: `slurmctld`, `slurmdbd`, or a node by its name."""
        daemon = self.daemons.pop(name)
        daemon.send_signal(number)
        daemon.wait(30)

    def kill_node(self, node: str) -> None:
        """End a node with all that runs on it, as a power cut does."""
        self.kill(node)
        for mark in (f"CLUSTER_DAEMON={node}", f"SLURMD_NODENAME={node}"):  # steps, and what they run
            _kill_all(mark, self.environment["SLURM_CONF"])

    def forget(self) -> None:
        """Let the controller know of no job any more, as `MinJobAge` after their end."""
        self.kill("slurmctld")
        shutil.rmtree(self.folder / "state")
        (self.folder / "state").mkdir()
        self.slurmctld()
        self.wait_until_idle()

    def correct(self, statement: str) -> None:
        """Change the accounts, by SQL."""
        command = ["mariadb", "--no-defaults", f"--socket={self.folder / 'database.socket'}", "accounts"]
        subprocess.run([*command, f"--execute={statement}"], env=self.environment, check=True)

    def run(self, *command: str, check: bool = True) -> str:
        """What a command of SLURM prints."""
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=check, timeout=60
        ).stdout  # fmt: skip

    def clear(self) -> None:
        """End all jobs at once, and wait until the nodes are idle."""
        self.run("scancel", "--signal=KILL", "--full", "--user=root", check=False)
        self.run("scancel", "--user=root", check=False)
        self._wait(lambda: not self.run("squeue", "--noheader"), "jobs did not end")
        self.wait_until_idle()

    def wait_until_idle(self) -> None:
        """Wait until all nodes can take jobs."""
        self._wait(
            lambda: (
                self.run("sinfo", "-h", "-N", "-p", "low", "-o", "%T", check=False).split() == ["idle"] * len(NODES)
            ),
            "the nodes did not become idle",
        )

    def gres(self) -> str:
        """gres.conf."""
        return "".join(f"NodeName={node} Name=gpu File={self.folder}/{node}/gpu[0-{GPUS - 1}]\n" for node in NODES)

    def accounts(self) -> str:
        """slurmdbd.conf."""
        f = self.folder
        return f"""\
AuthType=auth/munge
AuthInfo=socket={f}/munge/socket
DbdHost={socket.gethostname()}
DbdAddr=127.0.0.1
DbdPort={self.ports[-2]}
SlurmUser=root
PidFile={f}/slurmdbd.pid
LogFile={f}/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={self.ports[-1]}
StorageUser=root
StorageLoc=accounts
"""

    def configuration(self) -> str:
        """slurm.conf."""
        host, f = socket.gethostname(), self.folder
        nodes = "\n".join(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={self.cpus} RealMemory=16000 "
            f"Gres=gpu:{GPUS}"
            for node, port in zip(NODES, self.ports, strict=False)
        )
        accounting = f"""\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={self.ports[-2]}
AccountingStoragePass={f}/munge/socket
AccountingStorageTRES=gres/gpu
"""
        none = "AccountingStorageType=accounting_storage/none\n"
        return f"""\
ClusterName=trial
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={self.control}
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
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=2000
GresTypes=gpu
JobAcctGatherType=jobacct_gather/none
{accounting if self.accounting else none}ReturnToService=2
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=10
SlurmctldTimeout=30
SlurmdTimeout=10
MinJobAge=300
MaxArraySize=2001
MaxJobCount=20000
SchedulerParameters=sched_interval=1,sched_min_interval=100000
{nodes}
PartitionName=low Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE OverSubscribe=NO
PartitionName=high Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=10 PreemptMode=OFF OverSubscribe=NO
"""

    def _daemon(self, name: str, *command: str) -> None:
        environment = {**self.environment, "CLUSTER_DAEMON": name}  # a node's steps inherit it
        with (self.folder / f"{name}.out").open("ab") as out:
            self.daemons[name] = subprocess.Popen(command, env=environment, stdout=out, stderr=out)

    def _wait(self, done: Callable[[], bool], why: str) -> None:
        deadline = time.monotonic() + START_S
        while not done():
            ended = [name for name, daemon in self.daemons.items() if daemon.poll() is not None]
            if ended or time.monotonic() > deadline:
                raise RuntimeError(f"{why}; ended: {', '.join(ended) or 'none'}; logs in {self.folder}")
            time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    return [port for port in random.Random().sample(PORTS, 10 * count) if not _answers(port)][:count]


def _answers(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def _kill_all(*marks: str) -> int:
    """SIGKILL to every process but this one whose environment holds all these; how many there were."""
    found = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
            if all(mark.encode() in environment for mark in marks) and int(folder.name) != os.getpid():
                os.kill(int(folder.name), signal.SIGKILL)
                found += 1
        except (OSError, ProcessLookupError):
            continue  # ended meanwhile
    return found


def keep(folder: Path, parent: int) -> None:
    """Wait for the cluster's process to say so or to end, then end all that is of the cluster."""
    while os.getppid() == parent and not select.select([sys.stdin], [], [], 0.5)[0]:
        pass
    configuration = f"SLURM_CONF={folder}/slurm.conf"
    # Jobs have the variables of who submitted them. What else a person runs in a terminal with SLURM_CONF is theirs.
    while _kill_all(f"CLUSTER_FOLDER={folder}") + _kill_all("SLURM_JOB_ID=", configuration):
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def cluster(accounting: bool = False) -> Iterator[Cluster]:
    """A cluster in a temporary folder, ended with the block."""
    made = Cluster(Path(tempfile.mkdtemp(prefix="slurm-")), accounting=accounting)
    keeper = subprocess.Popen(
        [sys.executable, __file__, "--keep", str(made.folder), str(os.getpid())],
        stdin=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        made.start()
        yield made
    finally:
        keeper.communicate()
        for daemon in made.daemons.values():
            daemon.wait()


def main() -> int:
    """Start a cluster for a person, and end it with Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounting", action="store_true", help="with slurmdbd, so that sacct answers")
    parser.add_argument("--keep", nargs=2, metavar=("FOLDER", "PARENT"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.keep:
        keep(Path(given.keep[0]), int(given.keep[1]))
        return 0
    if lacking := missing(given.accounting):
        packages = " ".join(each for each in lacking if each != "root")
        remedies = [f"apt-get install -y {packages}"] * bool(packages) + ["run this as root"] * ("root" in lacking)
        print(f"SLURM's daemons cannot be started here: {'; '.join(remedies)}", file=sys.stderr)
        return 2
    with cluster(given.accounting) as running:
        print(f"Two nodes, {', '.join(NODES)}, with {GPUS} pretend GPUs each; Ctrl-C ends them. In another terminal:\n")
        print(f"export SLURM_CONF={running.environment['SLURM_CONF']}", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
