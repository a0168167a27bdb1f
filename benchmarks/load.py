"""The load: wrk for HTTP, pgbench for the same statements without a service, and what each round gave."""

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.database.embedded import EmbeddedAddress
from app.database.embedded.programs import find_programs
from benchmarks.servers import Server, cpu_seconds

CONNECTIONS = 32
_PLAIN = {"LC_ALL": "C", "PGOPTIONS": "-c statement_timeout=0"}  # searches are slow enough to meet the role's deadline

# What wrk says at the end, for a program to read. Latencies are in microseconds.
_DONE = """
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('\\n@{"requests": %d, "seconds": %f, "errors": %d, "p50": %d, "p99": %d}\\n',
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class Round:
    """One round: requests a second, what failed, milliseconds, and CPU seconds for 1,000 requests."""

    rate: float
    errors: int = 0
    p50: float = 0.0
    p99: float = 0.0
    server_cpu: float = 0.0
    database_cpu: float = 0.0


def http_round(
    server: Server, script: str, *, seconds: float, postmaster: int, connections: int = CONNECTIONS
) -> Round:
    """One round of wrk, with a Lua script that makes the requests."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script + _DONE)
        file.flush()
        before = server.cpu_seconds(), cpu_seconds(postmaster)
        said = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "30s", "-s", file.name, server.url],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        after = server.cpu_seconds(), cpu_seconds(postmaster)
    found = json.loads(said.rpartition("@")[2])
    thousands = max(found["requests"], 1) / 1000
    return Round(
        found["requests"] / found["seconds"],
        found["errors"],
        found["p50"] / 1000,
        found["p99"] / 1000,
        (after[0] - before[0]) / thousands,
        (after[1] - before[1]) / thousands,
    )


def pgbench_round(
    address: EmbeddedAddress, database: str, script: str, *, seconds: float, postmaster: int,
    connections: int = CONNECTIONS,
) -> Round:  # fmt: skip
    """One round of pgbench: a script of ours, prepared, as many connections as wrk has."""
    program = find_programs(None).folder / "pgbench"
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        before = cpu_seconds(postmaster)
        said = subprocess.run(
            [
                program, "-n", "-M", "prepared", "-c", str(connections), "-j", "1", "-T", f"{seconds:g}",
                "-f", file.name, "-h", address.socket_folder, "-p", str(address.port), "-U", address.user, database,
            ],
            capture_output=True, text=True, check=True, env={**os.environ, **_PLAIN},
        ).stdout  # fmt: skip
        after = cpu_seconds(postmaster)
    rate = float(re.search(r"tps = ([\d.]+)", said)[1])  # type: ignore[index]  # pgbench says it always
    failed = re.search(r"number of failed transactions: (\d+)", said)
    return Round(
        rate,
        int(failed[1]) if failed else 0,
        1000 * CONNECTIONS / rate,
        0.0,
        0.0,
        (after - before) / (rate * seconds) * 1000,
    )


def postmaster_of(data: Path) -> int:
    return int((data / "postmaster.pid").read_text().split()[0])


Measure = Callable[[float], Round]  # seconds -> what a round of so long gave
