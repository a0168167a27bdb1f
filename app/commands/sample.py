"""`goods sample`, and what `goods serve` does for an empty embedded database."""

import asyncio
import csv
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from app import __version__
from app.commands.database import announce, database_settings
from app.commands.migrate import migrate_or_exit
from app.config.conf import Settings
from app.goods.services.loading import NotEmpty, load
from app.logs.pipeline import configure_logging
from data.sample import SampleGood, generate, read_catalogue

_COLUMNS = ("sku", "name", "description", "category", "price", "stock")


def sample(settings: Settings, *, count: int | None, output: Path | None) -> None:
    """Write `count` goods as CSV to `output`, or load them into the database, which must be empty."""
    goods = read_catalogue() if count is None else generate(count)
    if output is not None:
        with _opened(output) as stream:
            _write_csv(stream, goods)
        return
    configure_logging(level=settings.log_level, form=settings.log_format, version=__version__)
    with database_settings(settings) as configured:
        migrate_or_exit(configured)
        try:
            loaded = asyncio.run(load(configured, goods, actor="goods sample"))
        except NotEmpty:
            sys.exit("goods: the database holds goods already: sample goods are loaded into an empty one only")
        announce(f"{loaded} sample goods loaded")


def load_catalogue_if_empty(settings: Settings) -> None:
    """Load the shipped catalogue, unless there are goods already."""
    try:
        loaded = asyncio.run(load(settings, read_catalogue(), actor="goods sample"))
    except NotEmpty:
        return
    announce(f"{loaded} sample goods loaded (SAMPLE=no leaves the catalogue empty)")


@contextmanager
def _opened(output: Path) -> Iterator[TextIO]:
    if str(output) == "-":
        yield sys.stdout
        return
    with output.open("w", newline="", encoding="utf-8") as stream:
        yield stream


def _write_csv(stream: TextIO, goods: Iterable[SampleGood]) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(tuple(getattr(good, column) for column in _COLUMNS) for good in goods)
