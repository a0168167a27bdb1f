"""A real PgBouncer in transaction mode, in front of a test's PostgreSQL."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.database.embedded import EmbeddedAddress

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
_PATIENCE = 20.0  # seconds


@contextmanager
def bouncing(address: EmbeddedAddress, folder: Path) -> Iterator[dict[str, object]]:
    """The settings that lead through it, for as long as the block runs."""
    assert PROGRAM is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Whoever the server's private socket folder belongs to may go in.
    account = pwd.getpwuid(Path(address.socket_folder).stat().st_uid).pw_name
    configuration = folder / "pgbouncer.ini"
    user = f"user = {account}\n" if os.geteuid() == 0 else ""
    configuration.write_text(
        f"[databases]\n* = host={address.socket_folder} port={address.port} user={address.user}\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n"
        f"default_pool_size = 8\nmax_client_conn = 500\nlogfile =\n{user}"
    )
    for path in [folder, configuration, *folder.parents]:
        with suppress(PermissionError):
            path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o644))
        if path == Path(folder.anchor) / "tmp":
            break
    process = subprocess.Popen([PROGRAM, str(configuration)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        _wait_for(port, process)
        yield {"DB_HOST": "127.0.0.1", "DB_PORT": port, "DB_SSLMODE": "disable", "DB_PREPARED_STATEMENTS": "no"}
    finally:
        process.terminate()
        process.wait(timeout=_PATIENCE)


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    began = time.monotonic()
    while True:
        assert process.poll() is None, "pgbouncer has ended"
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert time.monotonic() - began < _PATIENCE
        time.sleep(0.02)
