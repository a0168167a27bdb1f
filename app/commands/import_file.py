"""`goods import`: plan a file, show what it would do, and apply it."""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from app import __version__
from app.commands.database import announce, database_settings
from app.commands.migrate import migrate_or_exit
from app.config.conf import Settings
from app.database.errors import translate
from app.database.transactions import long_transaction
from app.goods.imports.options import ImportOptions
from app.goods.imports.reading import ImportFileError, LineReader
from app.goods.queries.import_rows import ImportRow, Result, import_rows
from app.goods.services.imports.counts import Counts
from app.goods.services.imports.running import plan_file, run
from app.goods.services.origin import Origin
from app.logs.pipeline import configure_logging

_CHUNK = 1 << 18  # bytes
_SHOWN = 10  # lines of each kind
_ORIGIN = Origin("goods import", "")


@dataclass(frozen=True, slots=True)
class Choice:
    """What the person wants done with the plan. Without `yes` they are asked; `refused` is a file for those lines."""

    plan_only: bool
    yes: bool
    refused: Path | None


def import_file(settings: Settings, file: Path, options: ImportOptions, choice: Choice) -> None:
    """Plan `file` and, if it is wanted, apply the plan. Exits with 1 if that fails, with 2 if nobody can be asked."""
    if not (choice.plan_only or choice.yes or sys.stdin.isatty()):
        announce("goods: there is no terminal to ask on: --yes applies the file, --plan only shows what it would do")
        sys.exit(2)
    # A person reads the summary; what the log has to say to them is what went wrong.
    level = "debug" if settings.log_level == "debug" else "warning"
    configure_logging(level=level, form=settings.log_format, version=__version__)
    with database_settings(settings) as configured:
        migrate_or_exit(configured)
        try:
            asyncio.run(_import(configured, file, options, choice))
        except ImportFileError as error:
            place = "" if error.line is None else f" line {error.line}:"
            sys.exit(f"goods: {file}:{place} {error.detail}; nothing was changed")
        except _FileError as error:
            sys.exit(f"goods: {file}: {error}; nothing was changed")
        except Exception as error:
            known = translate(error)
            if known is None:
                raise
            sys.exit(f"goods: {known.detail} Nothing was changed.")


class _FileError(Exception):
    """The file can't be opened or read."""


async def _import(settings: Settings, file: Path, options: ImportOptions, choice: Choice) -> None:
    with _chunks_of(file) as chunks:
        import_id, counts = await plan_file(settings, options, LineReader(chunks, options), _ORIGIN)
    async with long_transaction(settings) as connection:
        await _show(connection, import_id, counts)
        if choice.refused is not None:
            await _write_refused(connection, import_id, choice.refused)
    if choice.plan_only:
        typer.echo(f"Nothing was changed. This is import {import_id}.")
    elif not (counts.created or counts.updated):
        typer.echo("There is nothing to change.")
    elif choice.yes or _agreed():
        await _apply(settings, import_id)
    else:
        typer.echo("Nothing was changed.")


async def _apply(settings: Settings, import_id: int) -> None:
    conflicts = await run(settings, import_id, "apply", _ORIGIN)
    if conflicts:
        sys.exit(f"goods: lines that count on values that somebody has just changed: {conflicts}; nothing was changed")
    typer.echo(f"Applied, as import {import_id}.")


def _agreed() -> bool:
    return input("Apply? [y/N] ").strip().lower() in ("y", "yes")


@contextmanager
def _chunks_of(file: Path) -> Iterator[Iterator[bytes]]:
    """The file's bytes in chunks; a bar on a terminal shows how far it is read. Raises _FileError."""
    columns = (TextColumn("reading"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    try:
        stream = file.open("rb")
    except OSError as error:
        raise _FileError(error.strerror or str(error)) from error
    with stream, Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading", total=os.fstat(stream.fileno()).st_size or None)

        def chunks() -> Iterator[bytes]:
            try:
                while chunk := stream.read(_CHUNK):
                    progress.advance(task, len(chunk))
                    yield chunk
            except OSError as error:
                raise _FileError(error.strerror or str(error)) from error

        yield chunks()


async def _show(connection: Any, import_id: int, counts: Counts) -> None:
    for name in ("created", "updated", "unchanged", "refused"):
        typer.echo(f"{name:<10}{getattr(counts, name):>12,}")
    headings: dict[Result, str] = {"updated": "To change", "refused": "Refused"}
    for result, heading in headings.items():
        rows = await import_rows(connection, import_id, result=result, limit=_SHOWN, winning=result == "updated")
        if rows:
            typer.echo(f"\n{heading}:")
        for row in rows:
            typer.echo(f"  line {row.line}  {_said(row)}")
        more = getattr(counts, result) - len(rows)
        if rows and more:
            typer.echo(f"  and {more:,} more" + (" (--refused FILE writes them all)" if result == "refused" else ""))
    typer.echo()


def _said(row: ImportRow) -> str:
    if row.problem is not None:
        return f"{row.sku or ''}  {row.problem}".lstrip()
    return f"{row.sku}  " + ", ".join(f"{field} {old} -> {new}" for field, (old, new) in row.changes.items())


async def _write_refused(connection: Any, import_id: int, target: Path) -> None:
    """The refused lines as they came, under the file's own header, so that they can be mended and imported."""
    header = await connection.fetchval("SELECT header FROM imports WHERE id = $1", import_id)
    with target.open("w", encoding="utf-8", newline="") as stream:
        if header is not None:
            stream.write(header + "\n")
        async for [raw] in connection.cursor(
            "SELECT raw FROM import_lines WHERE import_id = $1 AND result = 'refused' ORDER BY line", import_id
        ):
            stream.write(raw + "\n")
