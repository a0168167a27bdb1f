"""Signals, drains and workers: whole processes, which the functions of server_programs.py are the programs of."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


class Program:
    """One of the functions of `server_programs` in a process of its own."""

    def __init__(self, call: str, output: Path, *, delay: float) -> None:
        self._output = output
        with output.open("wb") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-c", f"from tests.faults import server_programs; server_programs.{call}"],
                stdout=stream,
                env={**os.environ, "TEST_DELAY": str(delay)},
                start_new_session=True,
            )

    def said(self, pattern: str, *, times: int = 1) -> list[Any]:
        """Wait until the pattern was said often enough."""

        def found() -> list[Any]:
            return re.findall(pattern, self._output.read_text())

        _until(lambda: len(found()) >= times)
        return found()

    def get(self, path: str = "/") -> str:
        port = int(self.said(r"listening \S+ (\d+)")[0])
        command = ["curl", "--silent", "--max-time", "20", f"http://127.0.0.1:{port}{path}"]
        return subprocess.run(command, check=False, capture_output=True, text=True).stdout

    def workers(self) -> dict[int, int]:
        """The process id of each index, once both have answered."""
        found: dict[int, int] = {}

        def both() -> bool:
            answer = self.get()
            if answer:
                found[int(answer.split()[0])] = int(answer.split()[1])
            return len(found) >= 2

        _until(both)
        return found


def _until(condition: Callable[[], Any], *, seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"  # nobody here reaps an orphan


@contextmanager
def _running(call: str, output: Path, *, delay: float = 0) -> Iterator[Program]:
    program = Program(call, output, delay=delay)
    try:
        yield program
    finally:
        program.process.kill()
        program.process.wait()


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_first_and_a_second_skips_the_delay(tmp_path: Path, first: signal.Signals) -> None:
    with _running("one_process()", tmp_path / "out", delay=60) as program:
        assert program.get()
        program.process.send_signal(first)
        program.said("draining")
        assert program.get()  # it serves on
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(10) == 0
        assert program.said(r"draining|lifespan-ended|cleaned-up") == ["draining", "lifespan-ended", "cleaned-up"]


def test_the_delay_ends_by_itself(tmp_path: Path) -> None:
    with _running("one_process()", tmp_path / "out", delay=0.5) as program:
        assert program.get()
        started = time.monotonic()
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(10) == 0
        assert time.monotonic() - started > 0.5


def test_a_third_signal_waits_for_no_request(tmp_path: Path) -> None:
    with _running("one_process()", tmp_path / "out") as program:
        port = program.said(r"listening \S+ (\d+)")[0]
        with subprocess.Popen(["curl", "--silent", f"http://127.0.0.1:{port}/hang"]) as client:
            program.said("hanging")
            program.process.send_signal(signal.SIGTERM)
            program.said("draining")
            with pytest.raises(subprocess.TimeoutExpired):
                program.process.wait(0.5)
            program.process.send_signal(signal.SIGTERM)
            program.process.send_signal(signal.SIGINT)
            assert program.process.wait(10) == 0
        assert client.returncode != 0
        program.said("cleaned-up")


def test_a_worker_that_was_killed_comes_back_with_its_index_and_all_drain(tmp_path: Path) -> None:
    with _running("two_workers()", tmp_path / "out", delay=0.2) as program:
        before = program.workers()
        assert sorted(before) == [0, 1]
        folder = Path(program.get().split()[2])
        assert folder.is_dir()
        os.kill(before[0], signal.SIGKILL)
        program.said("listening", times=3)
        after = program.workers()
        assert after[1] == before[1]
        assert after[0] != before[0]
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(10) == 0
        said = program.said(r"(draining|lifespan-ended|cleaned-up)(?: (\d+))?")
        assert sorted(said[:-1]) == [
            (what, str(pid)) for what in ("draining", "lifespan-ended") for pid in sorted(map(str, after.values()))
        ]
        assert said[-1] == ("cleaned-up", "")
        assert not folder.exists()


def test_ctrl_c_counts_once_for_workers_and_a_second_signal_reaches_them(tmp_path: Path) -> None:
    with _running("two_workers()", tmp_path / "out", delay=60) as program:
        program.workers()
        os.killpg(program.process.pid, signal.SIGINT)  # as a terminal does
        program.said("draining", times=2)
        with pytest.raises(subprocess.TimeoutExpired):
            program.process.wait(1)
        assert program.get()
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(10) == 0


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    with _running("two_workers()", tmp_path / "out") as program:
        workers = program.workers()
        program.process.kill()
        program.said("lifespan-ended", times=2)
        _until(lambda: all(_is_gone(pid) for pid in workers.values()))


def test_workers_that_cannot_start_end_the_whole(tmp_path: Path) -> None:
    with _running("two_workers('broken_server')", tmp_path / "out") as program:
        assert program.process.wait(20) == 3
