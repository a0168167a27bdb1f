"""Several worker processes on one port, under uvicorn's supervisor."""

import fcntl
import itertools
import os
import socket
import tempfile
from functools import lru_cache
from pathlib import Path

import uvicorn
from uvicorn.importer import import_from_string
from uvicorn.supervisors import multiprocess

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client's own name for it


class _Worker(multiprocess.Process):
    """A worker that makes its own server: settings and connections can't be handed from process to process."""

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        # Made before uvicorn's health thread asks for it as well: two threads would make two.
        self.server.config.load()
        super().target(sockets)

    @property
    def server(self) -> uvicorn.Server:
        if self._server is None:
            self._server = import_from_string(str(self.config.app))()
        assert self._server is not None  # noqa: S101 - just made
        return self._server


def serve_workers(server_factory: str, *, bound: socket.socket, workers: int) -> None:
    """Serve on the socket with `workers` processes until a signal comes; one that dies is replaced.

    `server_factory` is an import string ("module:function") of what makes a uvicorn.Server in each worker.
    """
    config = uvicorn.Config(server_factory, workers=workers, log_config=None, access_log=False)
    # uvicorn has no other place to say which class its workers are of.
    multiprocess.Process = _Worker  # type: ignore[misc]
    with tempfile.TemporaryDirectory(prefix="goods-metrics-") as folder:
        os.environ[_FOLDER] = folder
        multiprocess.Multiprocess(config, [bound]).run()


def listening(host: str, port: int) -> socket.socket:
    """A socket bound to the address; it refuses connections until it is served. Raises OSError when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((host, port))
    bound.set_inheritable(True)
    return bound


@lru_cache(maxsize=1)
def worker_index() -> int:
    """Which worker this process is: 0 when there is only one.

    The lowest number that no other worker holds. It is held by a lock, which the kernel frees when the worker ends, so
    the worker that takes its place gets the same number.
    """
    folder = os.environ.get(_FOLDER)
    if folder is None:
        return 0
    for index in itertools.count():
        handle = os.open(Path(folder) / f"worker-{index}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
        else:
            return index
    raise AssertionError  # counting does not end
