"""The shipped compose file, unchanged, as a project of the test's own: what somebody runs here keeps its data."""

import fcntl
import json
import re
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from tests.deploy.engine import IMAGE, ROOT, can_be_had, docker, tried

FILE = ROOT / "docker-compose.yml"
EXTERNAL = ROOT / "docker-compose.external-db.yml"
SHIPPED: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = SHIPPED["services"]
API = "http://127.0.0.1:8000"
PROMETHEUS = "http://127.0.0.1:9090"
ALERTMANAGER = "http://127.0.0.1:9093"
# Answers every POST, and says on its standard output what it was told.
_RECEIVER = """
import http.server, sys
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.path, self.rfile.read(int(self.headers["Content-Length"])).decode(), flush=True)
        self.send_response(200); self.end_headers(); self.wfile.write(b"ok")
http.server.HTTPServer(("", 8080), Receiver).serve_forever()
"""


def runnable(service: str) -> bool:
    """Whether the service's image can be had on this machine."""
    return SERVICES[service]["image"] == IMAGE or can_be_had(SERVICES[service]["image"])


@contextmanager
def published_ports() -> Iterator[None]:
    """The ports that the file publishes, for one test at a time. Who else has them here keeps them."""
    with (Path(tempfile.gettempdir()) / "goods-compose.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        for port in (8000, 9090, 9093, 3000):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    pytest.skip(f"not run: something listens on port {port}, which the compose file publishes")
        yield


@dataclass(frozen=True)
class Project:
    """The compose file under a name of its own."""

    name: str
    files: tuple[Path, ...] = ()  # besides the one that is shipped
    environ: Mapping[str, str] = field(default_factory=dict)

    def compose(self, *arguments: str, seconds: float = 300, stdin: str | None = None) -> str:
        return docker(*self._project(), *arguments, seconds=seconds, stdin=stdin, environ=self.environ)

    def _project(self) -> list[str]:
        return ["compose", "-p", self.name, *(f"--file={file}" for file in (FILE, *self.files))]

    def up(self, *services: str) -> None:
        self.compose("up", "--build", "--detach", *services, seconds=600)

    def run_page(self, lines: list[str], folder: Path) -> None:
        """Run a page's lines for this project, files of theirs in `folder`. The last one starts the API alone."""
        for line in lines:
            ours = line.replace("docker-compose", f"docker compose --project-directory {ROOT} -p {self.name} -f {FILE}")
            if ours.endswith(" up -d"):
                ours += " api"
            ended = subprocess.run(["bash", "-c", ours], cwd=folder, capture_output=True, timeout=300, check=False)
            assert ended.returncode == 0, f"{line}\n{ended.stderr.decode()[-4000:]}"

    def states(self) -> dict[str, str]:
        """Of each running service its health, or `running` where it has no check."""
        lines = self.compose("ps", "--format", "json").splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return {state["Service"]: state["Health"] or state["State"] for state in found}

    def container(self, service: str) -> str:
        return self.compose("ps", "--all", "--quiet", service).strip()

    def sql(self, role: str, statement: str) -> "subprocess.CompletedProcess[str]":
        """Run one statement as a role, over TCP and with the password from the role's own secret."""
        secret = {"goods": "application/db_password", "goods_monitor": "monitor/db_monitor_password"}[role]
        command = (
            f'PGPASSWORD="$(cat /run/secrets/{secret})" psql -XAtq -v ON_ERROR_STOP=1'
            f' -h 127.0.0.1 -U {role} -d goods -c "$1"'
        )
        return tried("exec", self.container("postgres"), "bash", "-c", command, "sql", statement)

    def receive(self) -> None:
        """Start what stands in for Slack, under the name `receiver`, where Alertmanager can reach it."""
        network = ("--network", f"{self.name}_monitoring", "--network-alias", "receiver")
        label = f"--label=com.docker.compose.project={self.name}"
        docker("run", "--detach", "--name", self.receiver, label, *network, IMAGE, "python", "-c", _RECEIVER)

    @property
    def receiver(self) -> str:
        return f"{self.name}-receiver"

    def received(self) -> str:
        return docker("logs", self.receiver)

    def left(self) -> list[str]:
        """Containers, volumes and networks that there are of this project."""
        mine = ("--filter", f"label=com.docker.compose.project={self.name}", "--quiet")
        listings = (("ps", "--all"), ("volume", "ls"), ("network", "ls"))
        return [line for listing in listings for line in docker(*listing, *mine).split()]

    def destroy(self) -> None:
        tried("rm", "--force", self.receiver)
        tried(*self._project(), "down", "--volumes", "--remove-orphans", seconds=180, environ=self.environ)


def targets() -> dict[str, str]:
    """Of each target that Prometheus has its job and health."""
    answer = httpx2.get(f"{PROMETHEUS}/api/v1/targets?state=active", timeout=10).json()
    return {target["labels"]["job"]: target["health"] for target in answer["data"]["activeTargets"]}


def queried(expression: str) -> list[Any]:
    """What Prometheus answers to a query: pairs of time and value."""
    answer = httpx2.get(f"{PROMETHEUS}/api/v1/query", params={"query": expression}, timeout=10).json()
    return [sample["value"] for sample in answer["data"]["result"]]


def versions(project: Project) -> str:
    """What really runs: a stand-in has the tag of another version."""
    programs = {"postgres": "postgres", "postgres-exporter": "postgres_exporter"}
    found = []
    for service in ("postgres", "postgres-exporter", "prometheus", "alertmanager"):
        said = tried("exec", project.container(service), programs.get(service, service), "--version")
        version = re.search(r"\d+\.\d+(\.\d+)?", said.stdout + said.stderr)
        found.append(f"{service} {version[0] if version else '?'}")
    return ", ".join(found)
