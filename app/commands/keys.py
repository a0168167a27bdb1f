"""`goods keys`: make, list and revoke API keys."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

import typer
from prometheus_client import CollectorRegistry

from app import __version__
from app.access import statements
from app.access.keys import NAME, Scope, digest_of, new_key
from app.commands.database import announce, database_settings
from app.commands.migrate import migrate_or_exit
from app.config.conf import Settings
from app.database.db import Database, Pool
from app.errors.domain import GoodsApiError, NameTaken
from app.logs.context import ANONYMOUS
from app.logs.pipeline import configure_logging
from app.metrics.database import DatabaseMetrics

_SECONDS = 2  # until running services have heard of it


def create(settings: Settings, name: str, *, scope: Scope, days: int | None) -> None:
    """Make a key and print it on standard output, alone; what is said about it goes to stderr."""
    if not NAME.fullmatch(name) or name == ANONYMOUS:
        sys.exit(f"goods: {name!r} can be no key's name: 1 to 64 of a-z, 0-9, and . _ - within; not {ANONYMOUS}")
    key = new_key()
    try:
        [[expires_at]] = _run(settings, lambda pool: pool.fetch(statements.CREATE, name, digest_of(key), scope, days))
    except NameTaken:
        sys.exit(f"goods: there is, or was, a key {name}: choose another name, as it stands in the history")
    until = f"until {_moment(expires_at)}" if expires_at else "until it is revoked"
    announce(f"{name} may {_MAY[scope]}, {until}. This is its key, which is shown once and stored nowhere:")
    typer.echo(key)


def show(settings: Settings) -> None:
    """Print all keys, those that are not valid any more included."""
    rows = _run(settings, lambda pool: pool.read(statements.LIST))
    columns = ("name", "scope", "state", "created", "last used", "expires")
    table = [columns, *(_shown(row) for row in rows)]
    widths = [max(len(row[n]) for row in table) for n in range(len(columns))]
    for row in table:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def revoke(settings: Settings, name: str) -> None:
    """Make a key worthless, for ever."""
    if not _run(settings, lambda pool: pool.fetch(statements.REVOKE, name)):
        sys.exit(f"goods: there is no key {name}; `goods keys list` shows those there are")
    announce(f"{name} is revoked; running services refuse it within {_SECONDS} seconds")


_MAY: dict[Scope, str] = {"read": "read", "write": "read and write", "admin": "do everything, imports included"}


def _run(settings: Settings, ask: Callable[[Pool], Awaitable[Sequence[Any]]]) -> Sequence[Any]:
    """What the database answers. Exits if it does not; raises the errors of rules that were broken."""
    configure_logging(level="warning", form=settings.log_format, version=__version__)
    with database_settings(settings) as configured:
        migrate_or_exit(configured)
        try:
            return asyncio.run(_asked(configured, ask))
        except NameTaken:
            raise
        except GoodsApiError as error:
            sys.exit(f"goods: {configured.db_name} at {configured.db_host}: {error.detail}")


async def _asked(settings: Settings, ask: Callable[[Pool], Awaitable[Sequence[Any]]]) -> Sequence[Any]:
    database = Database(settings, DatabaseMetrics(CollectorRegistry()))  # nobody asks this process for its metrics
    await database.open()
    try:
        return await ask(database.primary)
    finally:
        await database.close()


def _shown(row: Any) -> tuple[str, ...]:
    moments = (row["created_at"], row["last_used_at"], row["expires_at"])
    created, used, expires = (_moment(moment) if moment else "never" for moment in moments)
    return (row["name"], row["scope"], row["state"], created, used, expires)


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}Z"
