"""Several worker processes on one port, under uvicorn's supervisor."""

import fcntl
import itertools
import logging
import os
import signal
import socket
import sys
import tempfile
import threading
from functools import lru_cache
from multiprocessing import parent_process
from pathlib import Path

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.importer import import_from_string
from uvicorn.supervisors import multiprocess

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client's own name for it
_HEALTH_SECONDS = 10  # within which a worker has to say that it lives

log = logging.getLogger("goods.workers")


class _Worker(multiprocess.Process):
    """A worker that makes its own server: settings and connections can't be handed from process to process."""

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        # Ctrl-C at a terminal goes to a whole process group. The parent passes it on: here it would arrive twice.
        os.setpgid(0, 0)
        threading.Thread(target=_end_with_parent, daemon=True).start()
        threading.Thread(target=self.always_pong, daemon=True).start()
        try:
            server: uvicorn.Server = import_from_string(str(self.config.app))()
        except (Exception, SystemExit):
            log.exception("a worker cannot be made", extra={"event": "worker.failed"})
            sys.exit(STARTUP_FAILURE)  # any other code would have it tried again, for ever
        self._server = server
        server.run(sockets)

    def pong(self) -> None:
        # uvicorn would make a server here, in the health thread, while the main thread makes another.
        self.child_conn.recv()
        self.child_conn.send(self._server is not None and self._server.started)


class _Supervisor(multiprocess.Multiprocess):
    """Passes a second and a third signal on to the workers, which stop in steps."""

    def handle_int(self) -> None:
        self._stop()

    def handle_term(self) -> None:
        self._stop()

    def handle_hup(self) -> None:
        # The terminal is gone. uvicorn would replace the workers one by one, each beside the one that it replaces:
        # with one index too many.
        self._stop()

    def _stop(self) -> None:
        if not self.should_exit.is_set():
            self.should_exit.set()
            return
        for process in self.processes:
            if process.pid is not None and process.exitcode is None:
                os.kill(process.pid, signal.SIGTERM)

    def join_all(self) -> None:
        for process in self.processes:
            while process.exitcode is None:
                process.process.join(0.1)
                self.handle_signals()


def serve_workers(server_factory: str, *, bound: socket.socket, workers: int) -> None:
    """Serve on the socket with `workers` processes until a signal comes; one that dies is replaced.

    `server_factory` is an import string ("module:function") of what makes a uvicorn.Server in each worker. When that
    or the application's start fails, all workers are stopped and the process ends with uvicorn's code for it.
    """
    config = uvicorn.Config(
        server_factory,
        workers=workers,
        log_config=None,
        access_log=False,
        timeout_worker_healthcheck=_HEALTH_SECONDS,
    )
    multiprocess.Process = _Worker  # type: ignore[misc]  # uvicorn has no other place to name its workers' class
    with tempfile.TemporaryDirectory(prefix="goods-metrics-") as folder:
        os.environ[_FOLDER] = folder
        supervisor = _Supervisor(config, [bound])
        supervisor.run()
        del os.environ[_FOLDER]
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        sys.exit(STARTUP_FAILURE)


def listening(host: str, port: int) -> socket.socket:
    """A socket bound to the address; it refuses connections until it is served. Raises OSError when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
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


def _end_with_parent() -> None:
    """Stop like at a signal when the parent was killed: nobody else would ever stop this worker."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
