"""The real programs of the monitoring stack. Where one can't be had, what needs it is reported as not run."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

_LOCAL = Path(__file__).parents[2] / ".tools" / "bin"


@cache
def _found(name: str) -> str | None:
    """The program, if it is there and works: Alertmanager of some distributions starts only where it may mount."""
    folders = [os.environ.get("TOOLS"), str(_LOCAL)]
    for folder in folders:
        if folder and (path := shutil.which(name, path=folder)):
            break
    else:
        path = shutil.which(name)
    if path is None:
        return None
    ended = subprocess.run([path, "--version"], capture_output=True, timeout=30, check=False)
    return path if ended.returncode == 0 else None


def program(name: str) -> str:
    """The path of prometheus, promtool, alertmanager, amtool or postgres_exporter."""
    path = _found(name)
    if path is None:
        pytest.skip(
            f"not run: {name} is neither in the folder TOOLS, nor in .tools/bin, nor on PATH, or does not start"
        )
    return path


def run(name: str, *arguments: str | Path) -> str:
    """What it prints; an exit code that is not 0 fails the test with it."""
    ended = subprocess.run(
        [program(name), *map(str, arguments)],
        env={"GOGC": "400", **os.environ},  # Go collects its garbage less often: promtool is a quarter faster with it
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout
