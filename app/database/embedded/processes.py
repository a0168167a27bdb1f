"""Whether a process is the PostgreSQL server on a data folder."""

import subprocess
from pathlib import Path

NO_PROCESS = 2**31 - 1  # above every system's highest process id


def is_server_on(data: Path, pid: int) -> bool:
    """Whether process `pid` is a PostgreSQL server on `data`, and not one that got a dead server's number."""
    process = Path("/proc") / str(pid)
    if not Path("/proc/self").exists():
        return _names(data, _command_line_by_ps(pid))
    try:
        if (process / "comm").read_text().strip() != "postgres":
            return False
        # A server stays in its data folder, whatever path it was started with.
        return (process / "cwd").samefile(data)
    except PermissionError:
        # Root in a container may not look into another user's process, but may read its command line.
        return _names(data, (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    except (FileNotFoundError, ProcessLookupError):  # ended, or ended and not yet collected by its parent
        return False


def _names(data: Path, command_line: str) -> bool:
    return f"postgres -D {data} " in command_line


def _command_line_by_ps(pid: int) -> str:
    return subprocess.run(  # noqa: S603 - a number is all that is passed
        ["/bin/ps", "-o", "command=", "-p", str(pid)],
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
        timeout=30,
    ).stdout
