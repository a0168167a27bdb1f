"""Programs from npm, installed from their lock files when they are not there yet."""

import fcntl
import shutil
import subprocess
from pathlib import Path

import pytest


def installed(folder: Path) -> Path:
    """The folder's node_modules; skips the test where they can't be had. Tests run side by side, and one installs."""
    modules = folder / "node_modules"
    with (folder / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (modules / ".package-lock.json").exists():  # written when all of it is there
            return modules
        if shutil.which("npm") is None:
            pytest.skip("not run: there is no npm on this machine")
        install = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        ended = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        if ended.returncode:
            pytest.skip(f"not run: npm could not install what {folder.name} needs: {ended.stderr[-200:]}")
    return modules
