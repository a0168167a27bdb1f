"""The servers that are measured: how each is started, what it costs in CPU time, and its end."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

_HERE = Path(__file__).parent
_ROOT = _HERE.parent
_TICKS = os.sysconf("SC_CLK_TCK")
Command = tuple[list[str], dict[str, str]]  # arguments, and settings beside those of its database
_PATIENCE = 60.0  # seconds until a server answers


@dataclass
class Server:
    """One running server. `database` says whether PostgreSQL's CPU time is part of its cost."""

    name: str
    port: int
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.process.pid)

    def memory_mib(self) -> float:
        """What it and its children have in RAM."""
        return sum(_resident(pid) for pid in family(self.process.pid)) / 1024


def family(pid: int) -> list[int]:
    """A process and all that it has started."""
    found = [pid]
    with suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += family(int(child))
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and all that it has started, those that have ended included."""
    total = 0
    for member in family(pid):
        with suppress(OSError):
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15]))
    return total / _TICKS


def _resident(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1])
    return 0


def ours(**changes: str) -> Command:
    """Goods API as it is shipped: metrics, JSON access log and request ids on, one worker."""
    return [str(Path(sys.executable).parent / "goods"), "serve"], {"LOG_FORMAT": "json", **changes}


def ours_without(parts: str) -> Command:
    return [sys.executable, "-m", "benchmarks.without"], {"LOG_FORMAT": "json", "WITHOUT": parts}


def textbook() -> Command:
    return [str(_HERE / "peers" / "textbook" / ".venv" / "bin" / "python"), "benchmarks/peers/textbook/app.py"], {}


def fastify() -> Command:
    return ["node", "benchmarks/peers/fastify/app.js"], {}


def floor(module: str) -> Command:
    return [sys.executable, "-m", f"benchmarks.floor.{module}"], {}


@contextmanager
def running(name: str, port: int, command: Command, environ: dict[str, str], logs: Path) -> Iterator[Server]:
    """The server, once it answers; its log goes to a file, as one process's log does."""
    arguments, changes = command
    variables = {**os.environ, **environ, **changes, "PORT": str(port), "API_PORT": str(port), "HOST": "127.0.0.1"}
    with (logs / f"{name.replace(' ', '-')}.log").open("wb") as log:
        process = subprocess.Popen(arguments, cwd=_ROOT, env=variables, stdout=log, stderr=subprocess.STDOUT)
        try:
            _until_it_answers(port, process)
            yield Server(name, port, process)
        finally:
            process.terminate()
            process.wait(30)


def _until_it_answers(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        with suppress(OSError):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/goods/1", timeout=5)
            except urllib.error.HTTPError as answer:
                if answer.code == 503:
                    raise OSError from answer
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"port {port}: {process.args!r} does not serve")
        time.sleep(0.05)
