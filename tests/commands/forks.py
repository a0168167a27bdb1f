"""Runs of the program without the half second that each would take to load: children of a process that has loaded it.

A child has arguments, an environment and standard streams of its own, as a new process has, and runs the same `main`.
What it does not show is that the program starts: `serve` is a process from the beginning in every test, and so is what
tests/commands/test_program.py runs without forks.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from app import commands

_SECONDS = 120


class Forks:
    """The process that has loaded the program, and is asked for a child for each run."""

    def __init__(self) -> None:
        self._asking, answering = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._asking.settimeout(_SECONDS)
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import answer; answer({answering.fileno()})"],
            pass_fds=[answering.fileno()],
        )
        answering.close()

    def run(self, arguments: list[str], environ: dict[str, str], stdin: int) -> "subprocess.CompletedProcess[str]":
        """Run `goods` with these arguments to its end."""
        with Path(os.devnull).open("rb") as nothing, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given = nothing.fileno() if stdin == subprocess.DEVNULL else stdin
            asked = json.dumps([arguments, environ]).encode()
            socket.send_fds(self._asking, [asked], [given, out.fileno(), err.fileno()])
            code = int(self._asking.recv(100))
            return subprocess.CompletedProcess(["goods", *arguments], code, _text(out), _text(err))

    def end(self) -> None:
        self._asking.close()
        self._process.wait(_SECONDS)


def _text(written: IO[bytes]) -> str:
    written.seek(0)
    return written.read().decode().replace("\r\n", "\n")


def answer(descriptor: int) -> None:
    """Load the program, and make children until nobody asks any more."""
    for name in ("application", *(f"commands.{path.stem}" for path in Path(commands.__path__[0]).glob("[a-z]*.py"))):
        import_module(f"app.{name}")
    with socket.socket(fileno=descriptor) as answering:
        while True:
            asked, streams, _, _ = socket.recv_fds(answering, 1_000_000, 3)
            if not asked:
                return
            child = os.fork()
            if child == 0:
                answering.close()
                _be_the_program(streams, *json.loads(asked))
            for stream in streams:
                os.close(stream)
            _, status = os.waitpid(child, 0)
            answering.send(str(os.waitstatus_to_exitcode(status)).encode())


def _be_the_program(streams: list[int], arguments: list[str], environ: dict[str, str]) -> None:
    from app.cli import main  # noqa: PLC0415 - loaded already, and not by those who import this module to ask

    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = ["goods", *arguments]
    code: Any = 1
    try:
        main()
        code = 0
    except SystemExit as ended:
        code = ended.code
    if isinstance(code, str):  # as the interpreter does at its end
        sys.stderr.write(f"{code}\n")
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)
