"""`goods export`: what `GET /goods/export` answers, straight from the database."""

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import BinaryIO

import typer
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from app.commands.database import announce, database_settings
from app.config.conf import Settings
from app.database.db import Database
from app.errors.domain import GoodsApiError
from app.goods.queries.export import GoodsExports
from app.goods.queries.lists import GoodsLists
from app.goods.schemas.export import FORMATS, GoodsExport
from app.metrics.database import DatabaseMetrics
from app.metrics.goods import GoodsMetrics


def export(settings: Settings, *, output: Path | None, **options: str | None) -> None:
    """Write the goods that `options` (the query parameters of `GET /goods/export`) leave to `output`, or to stdout.

    A file appears under its name when it is complete. Without logs: they would go where the goods go.
    """
    wanted = _wanted(options)
    with database_settings(settings) as configured:
        try:
            with _opened(output) as stream:
                count = asyncio.run(_write(configured, wanted, stream))
        except BrokenPipeError:
            raise  # who reads has enough: typer ends quietly
        except OSError as error:
            sys.exit(f"goods: cannot write {output or 'to standard output'}: {error.strerror}")
        except GoodsApiError as error:
            sys.exit(f"goods: cannot export {configured.db_name} at {configured.db_host}: {error.detail}")
    if output is not None:
        announce(f"{count} goods exported")


def _wanted(options: dict[str, str | None]) -> GoodsExport:
    try:
        return GoodsExport.model_validate({name: value for name, value in options.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        option = f"--{str(first['loc'][0]).replace('_', '-')}"
        raise typer.BadParameter(first["msg"], param_hint=f"'{option}'") from None


async def _write(settings: Settings, wanted: GoodsExport, stream: BinaryIO) -> int:
    """Write all of it, and give the number of goods. Raises what the database and the stream raise."""
    registry = CollectorRegistry()  # nobody asks this process for its metrics
    metrics = GoodsMetrics(registry)
    database = Database(settings, DatabaseMetrics(registry))
    count = 0
    await database.open()
    try:
        stream.write(FORMATS[wanted.format].head)
        exports = GoodsExports(database, GoodsLists(database, metrics), metrics)
        async with aclosing(exports.parts(wanted)) as parts:
            async for part in parts:
                stream.write(part.text)
                count += part.goods
        stream.flush()
        return count
    finally:
        await database.close()


@contextmanager
def _opened(output: Path | None) -> Iterator[BinaryIO]:
    """Where to write: standard output, or a file that appears, or is replaced, when the block ends well."""
    if output is None or str(output) == "-":
        yield sys.stdout.buffer
        return
    target = output.resolve()  # the file that a link names, not the link
    if target.exists() and not target.is_file():
        with target.open("wb") as stream:  # a device or a named pipe stays what it is
            yield stream
        return
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as stream:
            yield stream
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
