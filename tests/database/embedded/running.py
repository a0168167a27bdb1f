"""What the tests of the embedded PostgreSQL look at: its answers, its processes, its files."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from app.database.embedded import EmbeddedAddress, EmbeddedPostgres
from app.database.embedded.cluster import DATABASE, USER
from app.database.embedded.programs import find_programs


def embedded(home: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(home, announce=lambda _: None)


def psql(address: EmbeddedAddress, database: str = DATABASE) -> list[str]:
    """The command line of a client of the server."""
    program = str(find_programs(None).folder / "psql")
    return [program, "-XAtq", "-h", address.socket_folder, "-p", str(address.port), "-U", USER, "-d", database]


def ask(address: EmbeddedAddress, statement: str, *, database: str = DATABASE) -> str:
    """What the server answers to one statement: rows on lines, columns between bars."""
    command = [*psql(address, database), "-v", "ON_ERROR_STOP=1", "-c", statement]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def data_and_pid(address: EmbeddedAddress) -> tuple[Path, int]:
    """The data folder that the server says it has, and the server's process."""
    data = Path(ask(address, "SHOW data_directory"))
    return data, int((data / "postmaster.pid").read_text().split()[0])


def runs(pid: int) -> bool:
    """Whether the process is there and has not ended; whether its parent has collected it does not matter."""
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(condition: Callable[[], object], *, seconds: float = 20.0) -> None:
    """Wait for something that is going to happen."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def serving(process: subprocess.Popen[str]) -> EmbeddedAddress:
    """The address that a service process tells once it has a server."""
    assert process.stdout
    folder = process.stdout.readline().strip()
    assert folder, process.communicate()
    return EmbeddedAddress(folder, 5432, USER, DATABASE)


def storage(home: Path, shelf: Path) -> Path:
    """Where the data of `home` lies."""
    return (shelf / (home / "id").read_text() if os.geteuid() == 0 else home) / "postgres"
