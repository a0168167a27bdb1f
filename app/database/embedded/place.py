"""Where the embedded PostgreSQL keeps its files, and who they belong to.

An ordinary user's data lies in the checkout's `.goods`. PostgreSQL refuses to run as root, and another user cannot
reach a checkout in root's home; so root's data lies in /var/lib/goods-api, under an id that `.goods` holds.
"""

import fcntl
import hashlib
import os
import pwd
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

SYSTEM_FOLDER = Path("/var/lib/goods-api")
# Not the temp folder of the environment: a socket's path has at most 107 bytes, and every process of a user has to
# find the same one.
SOCKETS_FOLDER = Path("/tmp")  # noqa: S108 - the folder in it is private, and checked
ACCOUNTS = ("postgres", "nobody")


class EmbeddedPostgresError(Exception):
    """What is wrong with the embedded PostgreSQL, and the way out, as one line for a person."""


@dataclass(frozen=True)
class Account:
    """The user that the server runs as when it may not run as the current one."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Place:
    """The folders of one checkout's server.

    `locks` belongs to the current user; `storage`, with the data and the server's log, and `sockets` to the
    server's account.
    """

    locks: Path
    storage: Path
    sockets: Path
    account: Account | None

    def renew_sockets(self) -> None:
        """Make the socket folder, private and empty; called only while no server of this place runs.

        What a killed server left in it could be taken for a live server's. Raises EmbeddedPostgresError when
        somebody else has made the folder.
        """
        try:
            self.sockets.mkdir(mode=0o700)
        except FileExistsError:
            self.check_sockets()
            for leftover in self.sockets.iterdir():
                leftover.unlink()
        if self.account:
            os.chown(self.sockets, self.account.uid, self.account.gid, follow_symlinks=False)

    def remove_sockets(self) -> None:
        """Remove the socket folder, if there is one and it is ours."""
        with suppress(FileNotFoundError):
            self.check_sockets()
            for leftover in self.sockets.iterdir():
                leftover.unlink()
            self.sockets.rmdir()

    def remove(self) -> None:
        """Delete the data; called only while no server of this place runs."""
        shutil.rmtree(self.storage)
        if self.account:
            shutil.rmtree(self.locks)

    def check_sockets(self) -> None:
        """Raise EmbeddedPostgresError unless the socket folder is ours alone, FileNotFoundError without one."""
        found = self.sockets.lstat()
        owners = {os.geteuid(), self.account.uid if self.account else os.geteuid()}
        private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
        if not private or found.st_uid not in owners:
            raise EmbeddedPostgresError(f"{self.sockets} is not a private folder of ours: remove it and start again")


def find_place(home: Path) -> Place:
    """The folders for the checkout whose `.goods` is `home`; what is missing is made.

    Raises EmbeddedPostgresError and OSError.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    home = home.resolve()
    if os.geteuid() != 0:
        identity = _identity(home)
        storage = _folder(home / "postgres", 0o700)
        return Place(home, storage, _sockets(storage, identity), None)
    shelf = system_folder()
    identity = _identity_of_its_own(home, shelf)
    locks = _folder(shelf / identity, 0o711)
    _record_home(locks, home)
    storage = locks / "postgres"
    with locked(locks / "place.lock"):
        _folder(storage, 0o700)
        account = _account(storage.lstat().st_uid)
        os.chown(storage, account.uid, account.gid, follow_symlinks=False)
    return Place(locks, storage, _sockets(storage, identity), account)


def system_folder() -> Path:
    """Root's folder for what other users have to reach. Raises EmbeddedPostgresError when it is not root's."""
    shelf = _folder(SYSTEM_FOLDER, 0o755)
    found = shelf.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
        raise EmbeddedPostgresError(f"{shelf} has to be a folder that only root can write to: correct or remove it")
    return shelf


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file at `path` alone; the kernel gives it back when the process dies, however it dies."""
    descriptor = open_lock(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def open_lock(path: Path) -> int:
    """A descriptor of the lock file at `path`."""
    return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)


def _folder(path: Path, mode: int) -> Path:
    """Make a folder with exactly this mode; one that exists stays as it is."""
    with suppress(FileExistsError):
        path.mkdir(mode=mode)
        path.chmod(mode)
    return path


def _sockets(storage: Path, identity: str) -> Path:
    # The id is in it, so that the name cannot be guessed and taken; the path, so that a copied checkout differs.
    digest = hashlib.sha256(f"{storage} {identity}".encode(errors="surrogateescape")).hexdigest()
    return SOCKETS_FOLDER / f"goods-{os.geteuid()}-{digest[:10]}"


def _account(owner: int) -> Account:
    """Who owns the data already; while that is root, the first of ACCOUNTS that this machine has."""
    known = []
    for name in ACCOUNTS:
        with suppress(KeyError):
            known.append(pwd.getpwnam(name))
    if owner != 0:
        known = [entry for entry in known if entry.pw_uid == owner]
    if not known:
        raise EmbeddedPostgresError(
            "PostgreSQL does not run as root, and there is no user postgres or nobody to run it as: "
            "start as an ordinary user, or set DB_HOST"
        )
    return Account(known[0].pw_name, known[0].pw_uid, known[0].pw_gid)


def _identity(home: Path) -> str:
    """The id in `home`, made at the first call; of two processes that make one, both get the first's."""
    file = home / "id"
    if not file.exists():
        draft = home / f"id.{secrets.token_hex(6)}"
        draft.write_text(secrets.token_hex(6))
        with suppress(FileExistsError):
            file.hardlink_to(draft)
        draft.unlink()
    identity = file.read_text().strip()
    if not re.fullmatch(r"[0-9a-f]{12}", identity):
        raise EmbeddedPostgresError(f"{file} does not hold an id: restore it, or remove it to begin without data")
    return identity


def _identity_of_its_own(home: Path, shelf: Path) -> str:
    """The id in `home`; a new one when `home` is a copy of a checkout that still uses it."""
    identity = _identity(home)
    try:
        first = Path((shelf / identity / "home").read_text())
    except FileNotFoundError:
        return identity
    if first == home or not (first / "id").exists() or (first / "id").read_text().strip() != identity:
        return identity
    (home / "id").unlink()
    return _identity(home)


def _record_home(locks: Path, home: Path) -> None:
    draft = locks / f"home.{secrets.token_hex(6)}"
    draft.write_text(str(home))
    draft.rename(locks / "home")
