"""What a newcomer does, and what may happen to them: run as `python3 tests/first_run.py` in a checkout.

`make run` serves sample goods from a real database; Ctrl-C leaves no process behind; a second run serves within three
seconds and has kept its data; so does one after the service was killed, and one after PostgreSQL was. Needs nothing but
Python, and prints a line for each thing that it saw.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[1]
URL = "http://127.0.0.1:8000"
FIRST_RUN_SECONDS = 600  # installs everything
PROMISED_SECONDS = 3.0


def get(path: str) -> Any:
    with urllib.request.urlopen(URL + path, timeout=5) as answer:  # noqa: S310 - a fixed address of this machine
        return json.load(answer)


def send(path: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(  # noqa: S310 - a fixed address of this machine
        URL + path, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - as above
        return json.load(answer)


def wait_for(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found = condition()
        except OSError:
            found = None
        if found:
            return found
        time.sleep(0.02)  # between two looks, bounded by the deadline
    sys.exit(f"FAILED: {what} did not happen within {seconds:g} seconds")


def processes() -> dict[int, str]:
    """The processes of this checkout's service and database, by command line: a PostgreSQL works in its data folder."""
    places = [str(CHECKOUT)]
    identity = CHECKOUT / ".goods" / "id"
    if identity.exists():  # made when root runs it: the data is elsewhere then
        places.append(f"/var/lib/goods-api/{identity.read_text().strip()}")
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        if re.search(r"bin/goods serve|bin/postgres |^postgres: ", command):
            where = f"{command} {_works_in(folder)}"
            if any(f" {place}" in f" {where}" for place in places):
                found[int(folder.name)] = command
    return found


def _works_in(process: Path) -> str:
    try:
        return str((process / "cwd").readlink())
    except OSError:  # another user's, and we may not look: its command line has to do
        return ""


class Run:
    """One `make run`, in a process group of its own, as a terminal would have it."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.make = subprocess.Popen(["make", "run"], cwd=CHECKOUT, start_new_session=True)

    def serving(self, seconds: float) -> float:
        def served() -> Any:
            if self.make.poll() is not None:
                sys.exit(f"FAILED: make run ended with {self.make.returncode}")
            return get("/readyz")

        wait_for(served, seconds, "serving")
        return time.monotonic() - self.started

    def interrupt(self) -> None:
        """Ctrl-C: the terminal sends SIGINT to the whole foreground group."""
        os.killpg(self.make.pid, signal.SIGINT)
        self.make.wait(timeout=30)
        wait_for(lambda: not processes(), 10, "the end of every process")

    def kill(self, pattern: str) -> None:
        """SIGKILL for the processes whose command matches."""
        victims = [pid for pid, command in processes().items() if re.search(pattern, command)]
        if not victims:
            sys.exit(f"FAILED: nothing to kill matches {pattern}")
        for pid in victims:
            os.kill(pid, signal.SIGKILL)


def say(text: str) -> None:
    print(f"first run: {text}", flush=True)  # noqa: T201 - its report


def second_run(what: str, kept: int) -> Run:
    run = Run()
    seconds = run.serving(60)
    if get(f"/goods/{kept}")["name"] != "Kept":
        sys.exit(f"FAILED: {what}: the good was not kept")
    verdict = "within" if seconds <= PROMISED_SECONDS else "NOT within"
    say(f"{what}: served after {seconds:.2f} s ({verdict} {PROMISED_SECONDS:g} s), data kept")
    if seconds > PROMISED_SECONDS:
        sys.exit(1)
    return run


def main() -> None:
    run = Run()
    seconds = run.serving(FIRST_RUN_SECONDS)
    goods = get("/goods?limit=3&count=exact")
    if goods["count"] < 900:
        sys.exit(f"FAILED: only {goods['count']} sample goods")
    say(f"make run served after {seconds:.0f} s; {goods['count']} goods, the first is {goods['items'][0]['name']!r}")
    kept = send("/goods", {"name": "Kept", "price": "1.00", "stock": 3})["id"]
    run.interrupt()
    say(f"Ctrl-C: make ended with {run.make.returncode}, no process left")

    run = second_run("second run", kept)
    run.kill(r"bin/goods serve")
    run.make.wait(timeout=30)
    say(f"service killed: {len(processes())} processes of PostgreSQL survive it")

    run = second_run("after kill -9 of the service", kept)
    run.kill(r"bin/postgres ")
    wait_for(lambda: not any("postgres" in command for command in processes().values()), 20, "PostgreSQL's end")
    say("PostgreSQL killed")
    run.interrupt()

    run = second_run("after kill -9 of PostgreSQL", kept)
    run.interrupt()
    say("passed")


if __name__ == "__main__":
    main()
