"""The `goods` program as a person runs it: a process of its own, with an embedded database of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.config.conf import Settings
from app.database.embedded import EmbeddedPostgres
from app.database.embedded.place import find_place
from tests.commands.forks import Forks
from tests.conftest import until

PROGRAM = Path(sys.executable).with_name("goods")


@dataclass
class Program:
    """Runs `goods` with settings of the test's own."""

    settings: dict[str, str]
    forks: Forks | None = None
    started: "list[subprocess.Popen[str]]" = field(default_factory=list)

    def environ(self, **more: str) -> dict[str, str]:
        """The environment, without the settings that whoever runs the tests may have."""
        names = ("DB_", "API_", "LOG_", "GOODS_", "SAMPLE", "EMBEDDED_", "METRICS_")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(names)}
        return {**clean, **self.settings, **more}

    def run(self, *arguments: str, stdin: int = subprocess.DEVNULL, **more: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        if self.forks is not None:
            return self.forks.run([*arguments], self.environ(**more), stdin)
        return subprocess.run(
            [PROGRAM, *arguments], env=self.environ(**more), stdin=stdin, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip

    def end(self) -> None:
        """Leave nothing running."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def serve(self, *arguments: str, stdout: int = subprocess.PIPE, **more: str) -> "Serving":
        """Start `goods serve`, on a free port, and wait until it tells where it is.

        A pipe that nobody reads is full after some hundred log lines, and then the service waits.
        """
        process = subprocess.Popen(
            [PROGRAM, "serve", *arguments],
            env=self.environ(**{"API_PORT": "0", **more}),
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if line.startswith("Goods API"):
                return Serving(process, line.split()[-1], "".join(said))
        raise AssertionError("".join(said))


@dataclass
class Serving:
    """A running `goods serve`."""

    process: "subprocess.Popen[str]"
    url: str
    said: str

    async def ready(self) -> None:
        async def answers() -> bool:
            try:
                async with httpx2.AsyncClient(verify=False) as client:
                    return (await client.get(f"{self.url}/readyz")).status_code == 200
            except httpx2.TransportError:
                return False

        await until(answers)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
        """Ask it to stop; give its exit code and what it wrote on stdout and stderr."""
        self.process.send_signal(how)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


def _discard(home: Path) -> None:
    place = find_place(home)
    if any(place.storage.glob("*/postmaster.pid")):  # of a program that was killed
        server = EmbeddedPostgres(home, announce=lambda _: None)
        server.start()
        server.discard()
    else:
        place.remove()


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    forks = Forks()
    yield forks
    forks.end()


@pytest.fixture
def program(tmp_path: Path, forks: Forks) -> Iterator[Program]:
    """The program with a home of its own, which nothing is left of afterwards."""
    home = tmp_path / "home"
    program = Program({"EMBEDDED_HOME": str(home)}, forks)
    yield program
    program.end()
    if home.exists():
        _discard(home)


@pytest.fixture
async def goods(settings: Settings, connection: Any, forks: Forks) -> AsyncIterator[Program]:
    """The program on the run's own database, which is empty: to start one for each test takes seconds.

    Its `serve` is a process from the beginning; what ends by itself is forked, see `tests.commands.forks`.
    """
    await connection.execute("TRUNCATE goods, stock_movements, changes, imports RESTART IDENTITY CASCADE")
    program = Program(
        {
            "DB_HOST": str(settings.db_host),
            "DB_PORT": str(settings.db_port),
            "DB_USER": settings.db_user,
            "DB_NAME": settings.db_name,
            "LOG_LEVEL": "warning",
        },
        forks,
    )
    yield program
    program.end()
