"""A PostgreSQL server on this machine for tests, in a temporary folder, on a free port of 127.0.0.1.

Needs Debian's package `postgresql`. The server refuses to run as root, so there it runs as the package's user.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster import _free_ports

PROGRAMS = Path("/usr/lib/postgresql")
"""Where Debian has them, a folder a version; they are not on the PATH."""
USER, PASSWORD, DATABASE = "searcher", "se:cr@et/word", "studies"
SERVER = "postgres"
"""The user that the package makes."""


def programs() -> Path | None:
    """The newest version's programs; None where there are none, or nobody to run them."""
    found = sorted(PROGRAMS.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    newest = found[-1].parent if found else Path(on_path).parent if on_path else None
    if newest is None or (os.geteuid() == 0 and (SERVER not in _users() or shutil.which("setpriv") is None)):
        return None
    return newest


def lacking() -> str:
    """Why the tests on a server are skipped here; never in CI, where that is a failure."""
    return "" if "CI" in os.environ or programs() else "postgresql"


def _users() -> set[str]:
    return {each.pw_name for each in pwd.getpwall()}


class Postgres:
    """A server in a folder, with a user and an empty database."""

    def __init__(self, folder: Path) -> None:
        found = programs()
        if found is None:
            raise RuntimeError("no PostgreSQL here: apt-get install -y postgresql")
        self.programs, self.folder, self.data = found, folder, folder / "data"
        (self.port,) = _free_ports(1)

    def url(self, *, user: str = USER, password: str = PASSWORD, database: str = DATABASE) -> str:
        """As Optuna takes it."""
        from urllib.parse import quote

        return f"postgresql+psycopg://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def make(self) -> None:
        """Make the server's folder, its user and its database, and leave it running."""
        secret = self.folder / "secret"
        secret.write_text(PASSWORD, encoding="utf-8")
        if os.geteuid() == 0:
            for path in (self.folder, secret):
                shutil.chown(path, SERVER, SERVER)
        asked = ("--auth=scram-sha-256", "--encoding=UTF8", "--no-sync")
        self._run("initdb", "-D", self.data, "-U", USER, "--pwfile", secret, *asked)
        self.start()
        command = [self.programs / "createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", USER, DATABASE]
        subprocess.run(command, env={**os.environ, "PGPASSWORD": PASSWORD}, check=True)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-p {self.port} -h 127.0.0.1 -k {self.folder} -F"
        self._run("pg_ctl", "-D", self.data, "-l", self.folder / "log.txt", "-w", "-o", options, "start")

    def stop(self) -> None:
        """Stop it at once, whatever its clients do."""
        self._run("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")

    def _run(self, program: str, *arguments: object) -> None:
        as_server = ["setpriv", f"--reuid={SERVER}", f"--regid={SERVER}", "--clear-groups"] if os.geteuid() == 0 else []
        words = [*as_server, self.programs / program, *arguments]
        ended = subprocess.run(
            list(map(str, words)), cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            check=False, env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
        if ended.returncode:
            raise RuntimeError(f"{program}: {ended.stderr}")


@contextmanager
def server() -> Iterator[Postgres]:
    """A server that ends with the block."""
    made = Postgres(Path(tempfile.mkdtemp(prefix="postgres-")))
    try:
        made.make()
        yield made
    finally:
        if (made.data / "postmaster.pid").exists():
            made.stop()
        shutil.rmtree(made.folder, ignore_errors=True)
