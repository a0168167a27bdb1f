"""A service and a database that are killed while clients write, and what the clients' journal says afterwards."""

import signal
import socket
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from app.database.db import DatabaseAddress
from tests.api.stock_rush import assert_ledgers_are_right
from tests.commands.conftest import Program, Serving
from tests.faults.database import Database
from tests.faults.journal import Journal

_CLIENTS = 8
_BETWEEN = 25  # requests that are answered between two kills


@dataclass(frozen=True)
class Survived:
    """What the clients went through."""

    outcomes: Counter[str]
    repeated: int


async def survive_kills(folder: Path, *, of_service: int, of_database: int) -> Survived:
    """Kill both with SIGKILL so many times while clients write; assert that no answer was a lie."""
    async with Database.running(folder / "postgres") as database:
        address = DatabaseAddress.of(database.settings())
        program = Program(
            {
                "DB_HOST": address.host,
                "DB_PORT": str(address.port),
                "DB_USER": address.user,
                "DB_NAME": address.database,
                "LOG_LEVEL": "error",
            }
        )
        port = str(_free_port())
        try:
            serving = await _started(program, port)
            journal = Journal(serving.url)
            await journal.begin(_CLIENTS)
            # In turn, so that one's recovery is met by the other's.
            for turn in range(max(of_service, of_database)):
                await journal.goes_on(_BETWEEN)
                if turn < of_database:
                    await database.kill_and_start()
                    await journal.goes_on(_BETWEEN)
                if turn < of_service:
                    serving.process.send_signal(signal.SIGKILL)
                    serving.process.wait(timeout=60)
                    serving = await _started(program, port)
            await journal.goes_on(_BETWEEN)
            await journal.end()
            async with database.session() as session:
                await journal.compare(session)
                await assert_ledgers_are_right(session)
        finally:
            program.end()
        return Survived(journal.outcomes, journal.repeated)


async def _started(program: Program, port: str) -> Serving:
    serving = program.serve(stdout=subprocess.DEVNULL, API_PORT=port)
    await serving.ready()
    return serving


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
