"""Who uses the embedded PostgreSQL: the first one in starts it, the last one out stops it."""

import fcntl
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from app.database.embedded.cluster import DATABASE, PORT, USER, Cluster
from app.database.embedded.place import EmbeddedPostgresError, Place, find_place, locked, open_lock
from app.database.embedded.programs import find_programs, installed_package


@dataclass(frozen=True)
class EmbeddedAddress:
    """Where the server answers: a Unix socket in a private folder, so there is no password."""

    socket_folder: str
    port: int
    user: str
    database: str


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")


class EmbeddedPostgres:
    """The PostgreSQL server of one checkout, whose `.goods` folder is `home`.

    Any number of processes may use it at the same time, each through an object of its own. A process that is killed
    leaves the server to those that remain, or to the next one that starts.
    """

    def __init__(self, home: Path, *, announce: Callable[[str], None] = _tell) -> None:
        self._home = home
        self._announce = announce
        self._use: _Use | None = None

    def start(self) -> EmbeddedAddress:
        """Start the server, or join those that use it; data and database are created when absent.

        Returns when it answers: in a fraction of a second, or after a crash when the server has recovered.
        Raises EmbeddedPostgresError.
        """
        with _told_plainly(self._home):
            if self._use is None:
                self._use = self._join()
        return EmbeddedAddress(str(self._use.place.sockets), PORT, USER, DATABASE)

    def stop(self) -> None:
        """Leave the server, and stop it when nobody else uses it. Again, or in a forked child: nothing.

        Raises EmbeddedPostgresError when the server does not stop.
        """
        self._leave()

    def discard(self) -> None:
        """Like `stop`, and delete the data unless somebody else uses it: for data that a test has made."""
        self._leave(discard=True)

    def __enter__(self) -> EmbeddedAddress:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _leave(self, *, discard: bool = False) -> None:
        use = self._use
        if use is None or use.process != os.getpid():
            return
        self._use = None
        with _told_plainly(self._home), locked(use.place.locks / "start.lock"):
            if use.leave() and discard:
                use.place.remove()

    def _join(self) -> "_Use":
        installed_package()  # before a folder is made for what is not there
        place = find_place(self._home)
        if place.account:
            self._announce(f"running as root: PostgreSQL runs as {place.account.name}, its data is in {place.storage}")
        programs = find_programs(place.account)
        _refuse_unquotable(programs.folder, place.storage)
        cluster = Cluster(place, programs, self._announce)
        with locked(place.locks / "start.lock"):
            use = _Use(place, cluster)
            try:
                cluster.prepare()
                cluster.start()
            except BaseException:  # Ctrl-C as well: what has been started would stay
                with suppress(EmbeddedPostgresError, OSError):
                    use.leave()
                raise
        return use


class _Use:
    """One process's use of a server: a shared lock that the kernel gives back when the process dies."""

    def __init__(self, place: Place, cluster: Cluster) -> None:
        self.place = place
        self.process = os.getpid()
        self._cluster = cluster
        self._lock = open_lock(place.locks / "users.lock")
        fcntl.flock(self._lock, fcntl.LOCK_SH)

    def leave(self) -> bool:
        """End the use, and the server with the last one. The caller holds the start lock.

        Whether this was the last one, so that the server has been stopped.
        """
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            self._cluster.stop()
            return True
        finally:
            os.close(self._lock)


def _refuse_unquotable(*paths: Path) -> None:
    """pg_ctl hands its paths to a shell between double quotes and does not escape them."""
    for path in paths:
        if re.search(r'["$`\\\n]', str(path)):
            raise EmbeddedPostgresError(
                f'the path {path} holds one of " $ ` \\, which pg_ctl cannot take: move the checkout, or set DB_HOST'
            )


@contextmanager
def _told_plainly(home: Path) -> Iterator[None]:
    """What the system refuses, such as a full disk or a folder of another user, as a line for a person."""
    try:
        yield
    except OSError as error:
        raise EmbeddedPostgresError(
            f"the embedded PostgreSQL of {home} cannot work: {error}; make that possible, or set DB_HOST"
        ) from error
