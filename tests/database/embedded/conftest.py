"""Homes for servers of a test's own, and processes that use them."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.database.embedded import EmbeddedAddress, place
from app.database.embedded.place import find_place
from tests.database.embedded.running import embedded, storage

SERVICE = """
import pathlib, sys
from app.database.embedded import EmbeddedPostgres, place
place.SYSTEM_FOLDER = pathlib.Path(sys.argv[2])
with EmbeddedPostgres(pathlib.Path(sys.argv[1])) as address:
    print(address.socket_folder, flush=True)
    sys.stdin.read()
"""

StartService = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def shelf() -> Iterator[Path]:
    """Root's folder for data; not below pytest's own, where the server's account cannot go."""
    folder = Path(tempfile.mkdtemp(prefix="goods-tests-", dir="/var/tmp"))
    folder.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, "SYSTEM_FOLDER", folder)
        yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def template(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data as the first start makes it: a copy takes a tenth of the time."""
    home = tmp_path_factory.mktemp("template")
    with embedded(home):
        pass
    return storage(home, shelf) / "18"


@pytest.fixture
def new_home(tmp_path: Path, shelf: Path) -> Iterator[Path]:
    """A checkout's `.goods` before its first start; whatever server a test leaves on it is stopped."""
    folder = tmp_path / "checkout" / ".goods"
    yield folder
    if not folder.exists():
        return
    if any(storage(folder, shelf).glob("*/postmaster.pid")):
        with embedded(folder):
            pass
    shutil.rmtree(storage(folder, shelf))


@pytest.fixture
def home(new_home: Path, template: Path) -> Path:
    """A checkout's `.goods` with data in it."""
    data = find_place(new_home).storage / "18"
    subprocess.run(["cp", "-a", template, data], check=True)
    return new_home


@pytest.fixture(scope="module")
def running(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAddress]:
    """A server for tests that only look at it."""
    home = tmp_path_factory.mktemp("running")
    subprocess.run(["cp", "-a", template, find_place(home).storage / "18"], check=True)
    server = embedded(home)
    yield server.start()
    server.discard()


@pytest.fixture
def service(new_home: Path, shelf: Path) -> Iterator[StartService]:
    """Starts processes that use the server on `home` until their standard input is closed."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVICE, new_home, shelf],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            process.communicate()
