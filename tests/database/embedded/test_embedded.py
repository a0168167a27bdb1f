"""The life of the embedded PostgreSQL: real servers, real kills."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from app.database.embedded import EmbeddedAddress, EmbeddedPostgres, cluster
from tests.database.embedded.conftest import StartService
from tests.database.embedded.running import (
    ask,
    data_and_pid,
    embedded,
    psql,
    runs,
    serving,
    storage,
    until,
)


def test_first_start_gives_an_empty_utf8_database_of_its_superuser(new_home: Path) -> None:
    with embedded(new_home) as address:
        assert address == EmbeddedAddress(address.socket_folder, 5432, "goods", "goods")
        database = ask(
            address,
            "SELECT pg_encoding_to_char(encoding), datlocprovider, datlocale, datctype, datdba::regrole "
            "FROM pg_database WHERE datname = current_database()",
        )
        assert database == "UTF8|b|C.UTF-8|C.UTF-8|goods"
        assert ask(address, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == "0"


def test_every_guarantee_is_in_force_and_statistics_are_collected(home: Path) -> None:
    with embedded(home) as address:
        for setting, value in {
            "fsync": "on",
            "full_page_writes": "on",
            "synchronous_commit": "on",
            "data_checksums": "on",
            "listen_addresses": "",
            "unix_socket_permissions": "0700",
            "max_connections": "100",
            "shared_buffers": "128MB",
            "TimeZone": "UTC",
        }.items():
            assert (setting, ask(address, f"SHOW {setting}")) == (setting, value)
        ask(address, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        assert int(ask(address, "SELECT count(*) FROM pg_stat_statements")) > 0


def test_values_of_a_refused_statement_stay_out_of_the_log(home: Path) -> None:
    with embedded(home) as address:
        with pytest.raises(subprocess.CalledProcessError):
            ask(address, "SELECT 1 / 0, 'a name that is private'")
        data, _ = data_and_pid(address)
    log = (data.parent / "server.log").read_text()
    assert "division by zero" in log
    assert "private" not in log


def test_the_socket_is_private_and_its_path_short(home: Path) -> None:
    with embedded(home) as address:
        folder = Path(address.socket_folder)
        assert folder.lstat().st_mode & 0o777 == 0o700
        assert len(f"{folder}/.s.PGSQL.5432") < 60
        data, _ = data_and_pid(address)
        assert data.stat().st_mode & 0o777 == 0o700
        assert (data.parent / "server.log").stat().st_mode & 0o077 == 0


def test_data_is_kept_and_the_second_start_is_quick(home: Path) -> None:
    with embedded(home) as address:
        ask(address, "CREATE TABLE short AS SELECT 7 AS number")
    began = time.monotonic()
    with embedded(home) as address:
        assert time.monotonic() - began < 1.5
        assert ask(address, "SELECT number FROM short") == "7"


def test_stop_ends_the_server_removes_the_socket_folder_and_may_be_repeated(home: Path) -> None:
    server = embedded(home)
    address = server.start()
    assert server.start() == address
    _, pid = data_and_pid(address)
    server.stop()
    server.stop()
    assert not runs(pid)
    assert not Path(address.socket_folder).exists()


def test_the_last_of_several_users_stops_the_server(home: Path, service: StartService) -> None:
    other = service(home)
    started = serving(other)
    with embedded(home) as address:
        assert address == started
        _, pid = data_and_pid(address)
        other.communicate()
        assert other.returncode == 0
        assert ask(address, "SELECT 1") == "1"
    assert not runs(pid)


def test_processes_that_start_at_once_share_one_server(new_home: Path, service: StartService) -> None:
    processes = [service(new_home) for _ in range(3)]
    assert len({serving(process) for process in processes}) == 1
    with embedded(new_home) as address:
        _, pid = data_and_pid(address)
        for process in processes:
            process.communicate()
            assert process.returncode == 0
        assert runs(pid)
    assert not runs(pid)


def test_the_server_of_a_killed_service_is_adopted(home: Path, service: StartService) -> None:
    killed = service(home)
    address = serving(killed)
    served = data_and_pid(address)
    killed.kill()
    killed.communicate()
    with embedded(home) as adopted:
        assert adopted == address
        assert data_and_pid(adopted) == served
    assert not runs(served[1])


def test_a_killed_server_comes_back_at_the_same_address_with_what_was_committed(home: Path) -> None:
    with embedded(home) as address:
        ask(address, "CREATE TABLE long AS SELECT generate_series(1, 1000) AS number")
        _, pid = data_and_pid(address)
        os.kill(pid, signal.SIGKILL)
        with embedded(home) as again:
            assert again == address
            assert ask(again, "SELECT sum(number) FROM long") == "500500"
        assert ask(address, "SELECT count(*) FROM long") == "1000"


def test_a_start_waits_for_what_a_killed_server_left_running(home: Path) -> None:
    with embedded(home) as address:
        data, pid = data_and_pid(address)
        # A backend that computes does not notice the death of its server before its statement ends.
        computing = "SELECT count(*) FROM generate_series(1, 8000000)"
        with subprocess.Popen(
            [*psql(address), "-c", computing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as client:
            find = f"SELECT pid FROM pg_stat_activity WHERE query = '{computing}'"
            until(lambda: ask(address, find))
            backend = int(ask(address, find))
            os.kill(pid, signal.SIGKILL)
            assert runs(backend)
            with embedded(home) as again:
                assert not runs(backend)
                assert ask(again, "SELECT 1") == "1"
            client.kill()
        assert "pre-existing shared memory block" in (data.parent / "server.log").read_text()


def test_a_pid_file_that_names_another_living_process_is_seen_through(home: Path) -> None:
    server = embedded(home)
    data, pid = data_and_pid(server.start())
    owner = data.stat().st_uid
    os.kill(pid, signal.SIGKILL)
    until(lambda: not runs(pid))
    other = subprocess.Popen(["sleep", "600"], user=owner if os.geteuid() == 0 else None)
    try:
        file = data / "postmaster.pid"
        file.write_text(file.read_text().replace(str(pid), str(other.pid), 1))
        with embedded(home) as address:
            assert ask(address, "SELECT 1") == "1"
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
        server.stop()


def test_a_pid_file_cut_short_by_a_crash_of_the_machine_is_no_obstacle(home: Path) -> None:
    with embedded(home) as address:
        data, _ = data_and_pid(address)
    (data / "postmaster.pid").touch()
    with embedded(home) as address:
        assert ask(address, "SELECT 1") == "1"


def test_ctrl_c_reaches_the_service_and_not_the_server(home: Path, service: StartService) -> None:
    started_it = service(home)
    data, pid = data_and_pid(serving(started_it))
    log = data.parent / "server.log"
    told_before = len(log.read_text())
    with embedded(home) as address:
        os.killpg(started_it.pid, signal.SIGINT)
        _, errors = started_it.communicate()
        assert "KeyboardInterrupt" in errors
        assert data_and_pid(address)[1] == pid
        assert "shutdown request" not in log.read_text()[told_before:]


@pytest.mark.parametrize("signal_", [signal.SIGINT, signal.SIGKILL])
def test_a_first_start_that_was_broken_off_leaves_nothing_in_the_way(
    new_home: Path, shelf: Path, service: StartService, signal_: signal.Signals
) -> None:
    broken_off = service(new_home)
    until(lambda: (new_home / "id").exists() and any(storage(new_home, shelf).glob("18.new-*")))
    os.killpg(broken_off.pid, signal_)
    broken_off.communicate()
    assert not (storage(new_home, shelf) / "18").exists()
    with embedded(new_home) as address:
        assert ask(address, "SELECT current_database()") == "goods"
    with embedded(new_home):
        assert {path.name for path in storage(new_home, shelf).iterdir()} == {"18", "server.log"}


def test_a_database_that_was_dropped_is_created_again(home: Path) -> None:
    with embedded(home) as address:
        ask(address, "DROP DATABASE goods", database="postgres")
    with embedded(home) as address:
        assert ask(address, "SELECT current_database()") == "goods"


def test_discarded_data_is_gone(new_home: Path, doomed_data: Path) -> None:
    server = embedded(new_home)
    assert data_and_pid(server.start())[0] == doomed_data
    server.discard()
    assert not doomed_data.exists()


def test_a_long_recovery_is_announced_and_waited_for(
    new_home: Path, slow_recovery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "LAUNCH_SECONDS", 1.0)
    told: list[str] = []

    def announce(text: str) -> None:
        if "recovering" in text:
            told.append(text)
            slow_recovery.unlink()

    with EmbeddedPostgres(new_home, announce=announce) as address:
        assert ask(address, "SELECT pg_is_in_recovery()") == "f"
    assert told == ["PostgreSQL is recovering from a crash; this may take minutes"]


def test_ctrl_c_while_the_server_starts_stops_it(
    new_home: Path, doomed_data: Path, slow_recovery: Path, service: StartService
) -> None:
    starting = service(new_home)
    until((doomed_data / "postmaster.pid").exists)
    until((doomed_data / "postmaster.pid").read_text)
    pid = int((doomed_data / "postmaster.pid").read_text().split()[0])
    os.killpg(starting.pid, signal.SIGINT)
    starting.communicate()
    assert not runs(pid)
    assert slow_recovery.exists()
