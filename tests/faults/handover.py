"""Services that take over from one another on one socket, while clients that repeat nothing use it."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx2

from app.database.db import DatabaseAddress
from tests.commands.conftest import PROGRAM, Program
from tests.conftest import until
from tests.faults.database import GOOD, Database

_CLIENTS = 8
# What a supervisor does: the socket becomes descriptor 3 of the process that is told about it.
_HAND_OVER = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3);"
    " os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1'); os.execv(sys.argv[2], sys.argv[2:])"
)


async def hand_over(folder: Path, *, times: int, requests: int) -> Counter[int]:
    """Replace the serving process so many times under load; how often which status was answered, none repeated."""
    outcomes: Counter[int] = Counter()
    over = asyncio.Event()

    async def ask(url: str) -> None:
        async with httpx2.AsyncClient(base_url=url, timeout=20, verify=False) as client:
            while not over.is_set() or outcomes.total() < requests:
                answer = await client.post("/goods", json=GOOD)
                outcomes[answer.status_code] += 1
                outcomes[(await client.get(answer.headers["location"])).status_code] += 1

    async with Database.running(folder / "postgres") as database:
        address = DatabaseAddress.of(database.settings())
        program = Program(
            {
                "DB_HOST": address.host, "DB_PORT": str(address.port), "DB_USER": address.user,
                "DB_NAME": address.database, "LOG_LEVEL": "error", "SHUTDOWN_DELAY": "0.3",
            }
        )  # fmt: skip
        with socket.create_server(("127.0.0.1", 0)) as shared:
            try:
                serving = await _started(program, shared)
                url = f"http://127.0.0.1:{shared.getsockname()[1]}"
                clients = [asyncio.create_task(ask(url)) for _ in range(_CLIENTS)]
                for _ in range(times):
                    following = await _started(program, shared)
                    reached = outcomes.total() + requests // (times + 1)
                    await until(lambda reached=reached: outcomes.total() >= reached, seconds=120)
                    serving.send_signal(signal.SIGTERM)
                    assert await asyncio.to_thread(serving.wait, 60) == 0
                    serving = following
                over.set()
                await asyncio.gather(*clients)
            finally:
                over.set()
                program.end()
    return outcomes


async def _started(program: Program, shared: socket.socket) -> "subprocess.Popen[str]":
    return await asyncio.to_thread(_start, program, shared)


def _start(program: Program, shared: socket.socket) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", _HAND_OVER, str(shared.fileno()), str(PROGRAM), "serve"],
        env=program.environ(),
        pass_fds=(shared.fileno(),),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    program.started.append(process)
    assert process.stderr is not None
    line = process.stderr.readline()
    assert line.startswith("Goods API"), line
    return process
