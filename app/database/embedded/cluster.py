"""One data folder and the PostgreSQL server on it. Whoever calls holds the place's start lock."""

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from app.database.embedded.place import EmbeddedPostgresError, Place
from app.database.embedded.processes import NO_PROCESS, is_server_on
from app.database.embedded.programs import Programs, one_line

USER = "goods"  # the cluster's superuser: whoever reaches the private socket owns the data anyway
DATABASE = "goods"
PORT = 5432  # only a part of the socket's name

CREATE_SECONDS = 600.0
LAUNCH_SECONDS = 10.0  # longer is crash recovery
RECOVERY_SECONDS = 1800.0  # it replays what was written since the last checkpoint, on any disk
ORPHAN_SECONDS = 60.0  # a killed server's backends end by themselves, a busy one after its statement
SILENT_SECONDS = 15.0
STOP_SECONDS = 30.0
STOP_AT_ONCE_SECONDS = 15.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 1.0
LOG_BYTES = 10_000_000  # a larger log is put aside at the next start

# For a small machine; ALTER SYSTEM can change them.
SIZES = {
    "shared_buffers": "128MB",
    "max_connections": "100",
    "effective_cache_size": "512MB",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Statements and their values stay out of the log, and a refused write is one line.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}
# What the service relies on, whatever else is set.
GUARANTEES = {
    "listen_addresses": "''",
    "unix_socket_permissions": "0700",
    "shared_preload_libraries": "pg_stat_statements",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
}
# What the server says at its start when its predecessor is not quite gone.
PREDECESSOR = ("pre-existing shared memory block", "already exists", "is empty")
# What a server says that will answer, or end, by itself.
BUSY = ("starting up", "recovery", "shutting down", "not yet accepting")


@dataclass(frozen=True)
class _Problem:
    """Why there is no server yet, and for how many seconds that may pass by itself."""

    text: str
    patience: float


class Cluster:
    """The data of one major version at one place."""

    def __init__(self, place: Place, programs: Programs, announce: Callable[[str], None]) -> None:
        self._place = place
        self._programs = programs
        self._announce = announce
        self._major = programs.major()
        self.data = place.storage / self._major
        self.log = place.storage / "server.log"
        self._pid_file = self.data / "postmaster.pid"

    def prepare(self) -> None:
        """Create the data folder unless it is there, whole or not at all.

        Raises EmbeddedPostgresError when there is data that this version cannot read.
        """
        for unfinished in self._place.storage.glob("*.new-*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        if self.data.exists() and any(self.data.iterdir()):
            self._refuse_unless_readable()
            return
        for other in self._place.storage.glob("*/PG_VERSION"):
            if other.parent.name.isdigit():
                self._refuse(other.parent, other.read_text().strip())
        self._create()

    def _refuse_unless_readable(self) -> None:
        try:
            version = (self.data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            version = ""
        if not version:
            raise EmbeddedPostgresError(
                f"{self.data} is damaged, it has no PG_VERSION: restore it from a backup, "
                "or delete the folder to begin without data"
            )
        if version != self._major:
            self._refuse(self.data, version)

    def _refuse(self, folder: Path, version: str) -> None:
        raise EmbeddedPostgresError(
            f"the data in {folder} is of PostgreSQL {version}, and this is {self._major}: dump it with pg_dump "
            f"of {version} and load it anew, or delete the folder to begin without data"
        )

    def _create(self) -> None:
        self._announce(f"creating a PostgreSQL {self._major} database in {self.data}")
        # A name of its own: the initdb of a killed service may still be writing under an earlier one.
        unfinished = self._place.storage / f"{self._major}.new-{secrets.token_hex(4)}"
        try:
            done = self._programs.run(
                "initdb",
                *("-D", unfinished, "-U", USER, "--encoding=UTF8"),
                *("--locale-provider=builtin", "--locale=C.UTF-8", "--lc-messages=C"),
                *("--auth-local=trust", "--auth-host=reject", "--no-instructions"),
                *(f"--set={name}={value}" for name, value in SIZES.items()),
                seconds=CREATE_SECONDS,
            )
            if done.returncode != 0:
                said = one_line(done.stderr)
                raise EmbeddedPostgresError(f"initdb could not create {self.data}: {said}")
            unfinished.rename(self.data)
            _sync_folder(self._place.storage)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def start(self) -> None:
        """Bring the server up, or adopt the one that a killed service left; then there is a database.

        Waits for crash recovery and for what a killed server left to end. Raises EmbeddedPostgresError with
        the last lines of the server's log.
        """
        began, pause = time.monotonic(), FIRST_PAUSE_SECONDS
        while (problem := self._bring_up()) is not None:
            if time.monotonic() - began > problem.patience:
                raise EmbeddedPostgresError(problem.text)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        self._create_database()

    def _bring_up(self) -> _Problem | None:
        pid = self._server_pid()
        return self._launch() if pid is None else self._adopt(pid)

    def _adopt(self, pid: int) -> _Problem | None:
        """Use the running server, if it answers at our socket that it serves our data."""
        with suppress(FileNotFoundError):
            self._place.check_sockets()
        answer = self._ask("SHOW data_directory")
        served = Path(answer.stdout.strip())
        if answer.returncode == 0 and served.exists() and served.samefile(self.data):
            return None
        busy = any(word in answer.stderr for word in BUSY)
        return _Problem(
            f"process {pid} has {self.data} open and does not serve it at {self._place.sockets} "
            f"({one_line(answer.stderr or answer.stdout)}): stop it with `kill -INT {pid}` and start again",
            RECOVERY_SECONDS if busy else SILENT_SECONDS,
        )

    def _launch(self) -> _Problem | None:
        self._forget_dead_server()
        self._place.renew_sockets()
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.rename(self.log.with_suffix(".log.1"))
        read_before = self.log.stat().st_size if self.log.exists() else 0
        options = " ".join(f"-c {name}={value}" for name, value in GUARANTEES.items())
        done = self._programs.run(
            "pg_ctl",
            *("start", "-w", "-s", "-t", f"{LAUNCH_SECONDS:.0f}", "-D", self.data, "-l", self.log),
            *("-o", f"{options} -k {self._place.sockets} -p {PORT}"),
            seconds=LAUNCH_SECONDS + 30,
        )
        if done.returncode == 0:
            return None
        said = self._log_since(read_before) or done.stderr
        if self._server_pid() is not None:
            self._announce("PostgreSQL is recovering from a crash; this may take minutes")
            return _Problem(f"PostgreSQL does not end its recovery: {one_line(said)}", RECOVERY_SECONDS)
        return _Problem(
            f"PostgreSQL did not start on {self.data}: {one_line(said)} (more in {self.log})",
            ORPHAN_SECONDS if any(sign in said for sign in PREDECESSOR) else 0.0,
        )

    def _log_since(self, position: int) -> str:
        with suppress(FileNotFoundError), self.log.open("rb") as log:
            log.seek(position)
            return log.read().decode(errors="replace")
        return ""

    def stop(self) -> None:
        """Stop the server, if one runs, and remove its socket folder.

        Raises EmbeddedPostgresError when it still runs after STOP_SECONDS and STOP_AT_ONCE_SECONDS.
        """
        pid = self._server_pid()
        if pid is not None and not (self._stop("fast", STOP_SECONDS) or self._stop("immediate", STOP_AT_ONCE_SECONDS)):
            raise EmbeddedPostgresError(
                f"PostgreSQL on {self.data} does not stop: end its process with `kill -QUIT {pid}`"
            )
        self._place.remove_sockets()

    def _stop(self, mode: str, seconds: float) -> bool:
        done = self._programs.run(
            "pg_ctl",
            *("stop", "-w", "-s", "-m", mode, "-t", f"{seconds:.0f}", "-D", self.data),
            seconds=seconds + 30,
        )
        return done.returncode == 0 or self._server_pid() is None

    def _create_database(self) -> None:
        found = self._ask(f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'")  # noqa: S608 - a constant
        if found.returncode == 0 and not found.stdout.strip():
            found = self._ask(f"CREATE DATABASE {DATABASE} OWNER {USER}")
        if found.returncode != 0:
            raise EmbeddedPostgresError(
                f"cannot use the PostgreSQL on {self.data}: {one_line(found.stderr)} (more in {self.log})"
            )

    def _ask(self, statement: str) -> subprocess.CompletedProcess[str]:
        return self._programs.run(
            "psql",
            *("-XAtq", "-h", self._place.sockets, "-p", str(PORT), "-U", USER, "-d", "postgres"),
            *("-c", statement),
            seconds=60,
        )

    def _server_pid(self) -> int | None:
        """The process that serves our data. The pid file alone proves nothing: the number may be another's now."""
        try:
            pid = abs(int(self._pid_file.read_text().partition("\n")[0]))
        except (FileNotFoundError, ValueError):
            return None
        return pid if is_server_on(self.data, pid) else None

    def _forget_dead_server(self) -> None:
        """Put a number that no process has into a dead server's pid file.

        PostgreSQL would refuse to start when a process of ours has got the dead one's number. The file stays,
        for it names the shared memory by which PostgreSQL knows that backends of the dead server are still
        writing.
        """
        with suppress(FileNotFoundError):
            descriptor = os.open(self._pid_file, os.O_RDWR | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "r+", errors="replace") as file:
                pid, _, rest = file.read().partition("\n")
                if not pid.strip().lstrip("-").isdigit():  # cut short by a crash of the machine
                    self._pid_file.unlink()
                    return
                file.seek(0)
                file.write(f"{NO_PROCESS}\n{rest}")
                file.truncate()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
