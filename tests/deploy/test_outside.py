"""The compose file with a PostgreSQL that is elsewhere, whose roles are made as the how-to says."""

import re
import uuid
from collections.abc import Iterator

import httpx2
import pytest

from tests.conftest import until
from tests.deploy.composed import API, EXTERNAL, Project, published_ports
from tests.deploy.engine import POSTGRES, ROOT, docker, need_engine, tried
from tests.deploy.page import lines_below

pytestmark = pytest.mark.slow
_HOST = "db.example"
_PASSWORDS = {"goods_owner": "db_owner_password", "goods": "db_password", "goods_monitor": "db_monitor_password"}


@pytest.fixture
def project() -> Iterator[Project]:
    need_engine(POSTGRES)
    with published_ports():
        # Without TLS, which a server that is made for a test does not have.
        outside = {"DB_HOST": _HOST, "DB_SSLMODE": "disable"}
        project = Project(f"goods-test-{uuid.uuid4().hex[:8]}", files=(EXTERNAL,), environ=outside)
        yield project
        tried("rm", "--force", "--volumes", _server(project))
        project.destroy()


def _server(project: Project) -> str:
    return f"{project.name}-elsewhere"


def _statements() -> str:
    """The page's SQL, with the passwords that the test sets."""
    page = (ROOT / "docs" / "how-to" / "use-your-own-postgresql.md").read_text(encoding="utf-8")
    sql = re.search(r"```sql\n(.+?)```", page, re.DOTALL)
    assert sql is not None
    return re.sub(r"CREATE ROLE (\w+) LOGIN PASSWORD '\.\.\.'", r"CREATE ROLE \1 LOGIN PASSWORD 'of-\1'", sql[1])


async def _elsewhere(project: Project) -> None:
    """A server that has the roles, in a network where the services find it."""
    name = _server(project)
    docker(
        "run", "--detach", f"--name={name}", f"--network={project.name}_outside", f"--network-alias={_HOST}",
        "-e", "POSTGRES_PASSWORD=of-this-test", "-e", "POSTGRES_DB=goods", POSTGRES,
        "postgres", "-c", "shared_preload_libraries=pg_stat_statements",
    )  # fmt: skip
    ready = "pg_isready --quiet --host=127.0.0.1 --username=postgres"
    await until(lambda: tried("exec", name, *ready.split()).returncode == 0, seconds=60)
    docker(
        "exec", "--interactive", name, "psql", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "goods", stdin=_statements()
    )


async def test_the_database_may_be_elsewhere(project: Project) -> None:
    lines = [line for line in lines_below("run-with-compose.md", "With a PostgreSQL outside") if " set " in line]
    assert [line.split()[-1] for line in lines] == list(_PASSWORDS.values())
    for role, secret in _PASSWORDS.items():
        project.compose("run", "--rm", "--no-TTY", "init-secrets", "set", secret, stdin=f"of-{role}\n")
    project.compose("create", "--build", "api", "postgres-exporter", seconds=600)
    await _elsewhere(project)
    project.up("api", "postgres-exporter")
    await until(lambda: set(project.states().values()) == {"healthy"}, seconds=60)
    assert set(project.states()) == {"api", "postgres-exporter"}
    assert httpx2.post(f"{API}/goods", json={"name": "Elsewhere", "price": "1.00"}, timeout=10).status_code == 201
    looked = tried("exec", _server(project), "psql", "-XAtqU", "postgres", "goods", "-c", "SELECT name FROM goods")
    assert looked.stdout.strip() == "Elsewhere"
    exporter = project.container("postgres-exporter")
    said = docker("exec", exporter, "wget", "-q", "-O", "-", "http://127.0.0.1:9187/metrics")
    assert re.findall(r"^pg_up .*", said, re.MULTILINE) == ["pg_up 1"]
