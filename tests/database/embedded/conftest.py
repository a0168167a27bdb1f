"""Homes for servers of a test's own, and processes that use them."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from app.database.embedded import EmbeddedPostgresError, place
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

StartService = Callable[[Path], "subprocess.Popen[str]"]


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
def kept_home(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A checkout's `.goods` that has been started and stopped once."""
    folder = tmp_path_factory.mktemp("checkout") / ".goods"
    with embedded(folder):
        pass
    yield folder
    shutil.rmtree(storage(folder, shelf))


@pytest.fixture
def home(kept_home: Path, shelf: Path) -> Iterator[Path]:
    """The same for every test: a first start takes ten times as long. It must be left undamaged."""
    yield kept_home
    stop_what_is_left(kept_home, shelf)


@pytest.fixture
def new_home(tmp_path: Path, shelf: Path) -> Iterator[Path]:
    """A checkout's `.goods` before its first start."""
    folder = tmp_path / "checkout" / ".goods"
    yield folder
    if folder.exists():
        stop_what_is_left(folder, shelf)
        shutil.rmtree(storage(folder, shelf), ignore_errors=True)  # a test may have discarded it


@pytest.fixture
def doomed_data(new_home: Path, kept_home: Path, shelf: Path) -> Path:
    """A copy of the data, at `new_home`, for a test to damage."""
    data = find_place(new_home).storage / "18"
    subprocess.run(["cp", "-a", storage(kept_home, shelf) / "18", data], check=True)
    return data


@pytest.fixture
def slow_recovery(doomed_data: Path, shelf: Path) -> Iterator[Path]:
    """Let the server on `doomed_data` recover for as long as this file is there."""
    folder = Path(tempfile.mkdtemp(dir=shelf))
    folder.chmod(0o755)
    gate = folder / "gate"
    gate.touch()
    with (doomed_data / "postgresql.auto.conf").open("a") as configuration:
        configuration.write("hot_standby = off\n")
        configuration.write(f"restore_command = 'while test -e {gate}; do sleep 0.01; done; false'\n")
    (doomed_data / "recovery.signal").touch()
    yield gate
    gate.unlink(missing_ok=True)


def stop_what_is_left(home: Path, shelf: Path) -> None:
    if any(storage(home, shelf).glob("*/postmaster.pid")):
        # Damaged data does not start, and then nothing runs.
        with suppress(EmbeddedPostgresError), embedded(home):
            pass


@pytest.fixture
def service(shelf: Path) -> Iterator[StartService]:
    """Starts processes that use the server on a home until their standard input is closed."""
    started: list[subprocess.Popen[str]] = []

    def start(home: Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", SERVICE, home, shelf],
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
