"""Every command that a page shows is run, and its output is what the page says.

A block of kind `console` has commands (lines that begin with `$ `; a line goes on after a backslash at its end, or with
`> ` before the next) and what they print. Where the page shows no output none is compared. `...` stands for anything.
"""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.application import create_app
from app.config.conf import Settings
from app.database.db import DatabaseAddress
from app.database.embedded import EmbeddedAddress
from app.database.migrate import migrate
from app.goods.services.loading import load
from data.sample import read_catalogue
from tests.conftest import settings_for
from tests.serving import serving

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *(ROOT / "docs").rglob("*.md")]
    if "```" in path.read_text(encoding="utf-8")
)
# Why a command is not run. A command is named by its beginning; one that no page has fails the last test.
NOT_RUN = {
    "make": "it installs the project and does what tests/first_run.py tries from a fresh clone",
    "git clone": "the address is the reader's own",
    "cd goods-api": "there is no clone to go into",
    "cp db_secrets_example.yml": "it belongs to the commands below it",
    "GOODS_CONFIG=": "it needs a database with the names of the example; tests/commands does the same with its own",
    "DB_HOST=": "the database is the reader's own",
    "API_WORKERS=": "a service that goes on; tests/faults/test_server_processes.py starts several workers",
    "LOG_FORMAT=": "a service that goes on; tests/unit/test_logs.py holds both formats",
    ".venv/bin/goods import goods.csv": "the file is the reader's own; the how-to page runs one",
    "npx": "a program that is not installed here",
    "docker-compose": "it starts containers; tests/deploy runs the file and the lines about backups",
    "pg_dump": "tests/deploy/test_backup.py runs the lines of its page, against servers of its own",
    "createdb": "as pg_dump",
    "pg_restore": "as pg_dump",
    "git pull": "the clone is the reader's own",
    "kubectl": "it needs a cluster",
    "docker system": "it needs a container engine",
    "curl -s http://localhost:9090": "it needs a Prometheus; tests/monitoring runs one",
    "df -h": "what it prints is the reader's own",
    "promtool": "a program that is not everywhere; tests/monitoring/test_rules.py does the same",
    "sed -i": "it changes files of the checkout",
    "cp cluster_secrets_example.yml": "it belongs to the commands below it",
    "kind": "it makes a cluster",
    "docker build": "it needs a container engine; tests/deploy builds the image",
    "docker save": "as docker build",
    "terraform": "it needs a cluster; tests/deploy compares what would be applied",
}
_SERVICE = "http://127.0.0.1:8000"


@dataclass(frozen=True)
class Command:
    """One command of a page and the output that the page shows, if it does."""

    line: int
    text: str
    shown: str

    @property
    def reason(self) -> str | None:
        """The beginning under which it is listed as not run."""
        return next((start for start in NOT_RUN if self.text.startswith(start)), None)


def commands_of(page: Path) -> list[Command]:
    found: list[Command] = []
    lines = page.read_text(encoding="utf-8").splitlines()
    block: str | None = None
    for number, line in enumerate(lines, 1):
        if line.lstrip().startswith("```"):
            block = None if block is not None else line.strip().removeprefix("```").split(" ")[0]
        elif block == "console" and line.strip().startswith("$ "):
            found.append(Command(number, line.strip()[2:], ""))
        elif block == "console" and found:
            last = found[-1]
            goes_on = not last.shown and (last.text.endswith("\\") or line.startswith("> "))
            text = f"{last.text}\n{line.removeprefix('> ')}" if goes_on else last.text
            found[-1] = Command(last.line, text, last.shown if goes_on else f"{last.shown}{line}\n")
    return found


def matches(shown: str, printed: str) -> bool:
    """Whether the output is the shown one, `...` standing for anything; white space at line ends does not count."""
    parts = (re.escape(part) for part in re.split(r"\.\.\.", _trimmed(shown)))
    return re.fullmatch(".*?".join(parts), _trimmed(printed), re.DOTALL) is not None


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


@pytest.fixture(scope="module")
async def filled(postgres: EmbeddedAddress, connection: Any) -> AsyncIterator[str]:
    """The name of a database with the sample goods, to be copied for each page."""
    await connection.execute("CREATE DATABASE pages")
    settings = settings_for(postgres, DB_NAME="pages")
    await migrate(settings)
    await load(settings, read_catalogue(), actor="goods sample")
    yield "pages"
    await connection.execute("DROP DATABASE pages WITH (FORCE)")


@pytest.fixture
async def page_settings(postgres: EmbeddedAddress, connection: Any, filled: str) -> AsyncIterator[Settings]:
    await connection.execute(f"CREATE DATABASE page TEMPLATE {filled}")
    yield settings_for(postgres, DB_NAME="page")
    await connection.execute("DROP DATABASE page WITH (FORCE)")


def environ(settings: Settings) -> dict[str, str]:
    address = DatabaseAddress.of(settings)
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("DB_", "API_", "GOODS_", "LOG_"))
    }
    programs = f"{Path(sys.executable).parent}:{clean['PATH']}"
    ours = {"DB_HOST": address.host, "DB_PORT": str(address.port), "DB_USER": address.user, "DB_NAME": address.database}
    return {**clean, **ours, "PATH": programs, "LOG_LEVEL": "warning"}


async def printed(command: str, folder: Path, variables: dict[str, str]) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        "bash", "-o", "pipefail", "-c", command, cwd=folder, env=variables, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


@pytest.mark.skipif(shutil.which("curl") is None, reason="not run: there is no curl on this machine")
@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
async def test_a_pages_commands_do_what_it_says(page: Path, page_settings: Settings, tmp_path: Path) -> None:
    commands = [command for command in commands_of(page) if command.reason is None]
    if not commands:
        return
    async with serving(create_app(page_settings)) as url:
        for command in commands:
            text = command.text.replace(_SERVICE, url).replace(".venv/bin/goods", "goods")
            code, output = await printed(text, tmp_path, environ(page_settings))
            output = output.replace(url, _SERVICE)
            where = f"{page.name}:{command.line}: {command.text}"
            assert code == 0 or command.shown, f"{where}\n{output}"
            assert not command.shown or matches(command.shown, output), f"{where}\nprinted:\n{output}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_stand_in_console_blocks(page: Path) -> None:
    """In a block of another kind nobody would run them."""
    kinds = re.findall(r"^\s*```(\S+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert not {"sh", "bash", "shell", "shell-session"} & set(kinds)


def test_what_is_listed_as_not_run_is_somewhere() -> None:
    found = {command.reason for page in PAGES for command in commands_of(page)}
    assert set(NOT_RUN) <= found
