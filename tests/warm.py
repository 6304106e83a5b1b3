"""Commands whose processes begin with torch imported: each is forked from a process that has it, seconds sooner.

    subprocess.run(warm.command("harness", "plan", suite))    is `python -m harness plan suite`

The command is a real process, which the caller starts, signals and waits for as ever: a relay, that lends the fork its
streams, environment and working folder, hands signals on and ends as it did. The fork has another process id, and is
killed with its relay. What begins a process anew (what it imports, what its environment says before it does) is no
business of such a test: take `sys.executable` for that.
"""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

LAUNCHER = "LAUNCHER"
"""Among a command's words: the id of the process that the fork was forked by."""
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def command(module: str, *words: object) -> list[str]:
    """What runs `python -m module words` in a warm process; `-c` as the module runs code, with what is imported."""
    return [sys.executable, "-I", "-S", __file__, _server(os.getpid()), module, *map(str, words)]


@cache
def _server(user: int) -> str:
    """The address of a server for this process, which ends with it."""
    folder = tempfile.TemporaryDirectory(prefix="warm-")
    address = str(Path(folder.name, "socket"))
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.warm", address], cwd=Path(__file__).parent.parent, stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip

    def end() -> None:
        server.communicate()  # the end of its input is its end
        folder.cleanup()

    atexit.register(end)
    while not Path(address).exists():
        assert server.poll() is None, "the warm process ended"
        time.sleep(0.02)
    return address


def serve(address: str) -> None:
    """Fork whatever is asked for, until the input ends."""
    import seaborn  # noqa: F401
    import torch._dynamo  # noqa: F401  as an optimizer does with its first step

    from harness import cost
    from models.catalog import TimeSformerOptions

    cost.count(TimeSformerOptions(size="demo"), 2, 16, 2)  # torch imports more with the first one

    with socket.socket(socket.AF_UNIX) as door:
        door.bind(f"{address}.new")
        door.listen(64)
        Path(f"{address}.new").rename(address)
        while True:
            ready, _, _ = select.select([door, sys.stdin], [], [])
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            if sys.stdin in ready:
                return
            caller, _ = door.accept()
            if os.fork() == 0:
                door.close()
                _keep(caller)
            caller.close()


def _keep(caller: socket.socket) -> None:
    """In a process of its own: fork the command, hand it signals, and tell how it ended; never returns."""
    message, streams, _, _ = socket.recv_fds(caller, 1 << 20, 3)
    while not message.endswith(b"\n"):
        message += caller.recv(1 << 20)
    process = os.fork()
    if process == 0:
        caller.close()
        _become(json.loads(message), streams)
    for each in streams:
        os.close(each)
    ended = os.pidfd_open(process)
    while ended not in (ready := select.select([caller, ended], [], [])[0]):
        number = caller.recv(1) if caller in ready else b""
        os.kill(process, number[0] if number else signal.SIGKILL)  # no relay any more: no command
        if not number:
            break
    _, status = os.waitpid(process, 0)
    caller.sendall(f"{os.waitstatus_to_exitcode(status)}".encode())
    os._exit(0)


def _become(asked: dict, streams: list[int]) -> None:
    """Be what `python -m` or `python -c` would be, up to its exit code; never returns."""
    import runpy

    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.setsid()
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    module, *words = asked["words"]
    sys.path[:1] = [asked["cwd"], *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv = [module, *(str(os.getppid()) if word == LAUNCHER else word for word in words)]
    sys.stdin = open(0, encoding="utf-8")  # noqa: SIM115  the server's own is another file
    if module == "-c":
        code, *sys.argv[1:] = words
        _leave(lambda: exec(code, {"__name__": "__main__"}))
    if module != "harness":
        sys.modules.pop(module, None)  # it is run, not imported
    _leave(lambda: runpy.run_module(module, run_name="__main__", alter_sys=True))


def _leave(work: Callable[[], object]) -> None:
    """Do it and end, as the interpreter does, but without taking down all that was imported, which takes longer."""
    code: object = 0
    try:
        work()
    except SystemExit as ended:
        code = ended.code
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        code = -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    if code == -signal.SIGINT:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(int(code or 0))


def relay(address: str, words: list[str]) -> int:
    """Ask for a command, hand it what comes for this process, and give its exit code; a signal's is negative."""
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(address)
        for number in FORWARDED:
            signal.signal(number, lambda number, _: caller.send(bytes([number])))
        asked = {"words": words, "cwd": str(Path.cwd()), "environment": dict(os.environ)}
        message = json.dumps(asked).encode() + b"\n"
        sent = socket.send_fds(caller, [message], [0, 1, 2])
        caller.sendall(message[sent:])
        return int(caller.recv(16))


def main() -> None:
    """The server, where it is started as a module, else a relay."""
    if __spec__:
        serve(sys.argv[1])
        return
    code = relay(sys.argv[1], sys.argv[2:])
    if code < 0:
        if -code != signal.SIGKILL:  # whose handling cannot be set
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    main()
