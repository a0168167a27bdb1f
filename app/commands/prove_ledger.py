"""`goods prove --ledger`: every good of the database against its ledger, and every change against both."""

import asyncio
import json
import sys
from dataclasses import dataclass

import typer
from rich.console import Console
from rich.progress import track

from app.commands.database import announce, database_settings
from app.config.conf import Settings
from app.database.errors import translate
from app.database.transactions import long_transaction
from app.goods.queries.ledger import LAST_ID, LOOK_AT_CHANGES, LOOK_AT_RANGE, Look

_STEP = 10_000  # ids
_SHOWN = 100  # what is wrong


@dataclass(slots=True)
class _Found:
    """What all steps together looked at, and what is wrong."""

    goods: int
    movements: int
    changes: int
    wrong: list[str]


def prove_ledger(settings: Settings) -> None:
    """Compare all stock with the ledger at one moment, while others may write. Exits with 1 if anything is wrong."""
    with database_settings(settings) as configured:
        try:
            found = asyncio.run(_prove(configured))
        except Exception as error:
            known = translate(error)
            if known is None:
                raise
            sys.exit(f"goods: cannot look at {configured.db_name} at {configured.db_host}: {known.detail}")
    looked_at = f"{found.goods:,} goods, {found.movements:,} movements and {found.changes:,} changes"
    for line in found.wrong[:_SHOWN]:
        typer.echo(line)
    if found.wrong:
        sys.exit(f"goods: {len(found.wrong):,} mistakes in {looked_at}")
    typer.echo(f"{looked_at}: everywhere stock is what the ledger says.")


async def _prove(settings: Settings) -> _Found:
    found = _Found(0, 0, 0, [])
    terminal = Console(stderr=True)
    async with long_transaction(settings, snapshot=True) as connection:
        last: int = await connection.fetchval(LAST_ID)
        steps = range(0, last, _STEP)
        for low in track(steps, "looking", console=terminal, disable=not terminal.is_terminal, transient=True):
            look = Look.of(await connection.fetchrow(LOOK_AT_RANGE, low, low + _STEP))
            changes, wrong = await connection.fetchrow(LOOK_AT_CHANGES, low, low + _STEP)
            found.goods += look.goods
            found.movements += look.movements
            found.changes += changes
            found.wrong += [str(good) for good in look.wrong]
            found.wrong += [
                f"good {goods_id} ({sku}): its change to version {version} moved {moved}, the ledger says {total}"
                for goods_id, sku, version, moved, total in json.loads(wrong or "[]")
            ]
    if len(found.wrong) > _SHOWN:
        announce(f"goods: showing the first {_SHOWN} mistakes")
    return found
