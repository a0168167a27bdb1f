"""Loading many goods into an empty catalogue, in one transaction, ledger and feed included."""

from collections.abc import Iterable
from typing import Any

import asyncpg

from app.config.conf import Settings
from app.database.db import DatabaseAddress
from app.goods.models.documents import document

_COLUMNS = ("sku", "name", "description", "category", "price", "stock")
_TIMEOUT = 3600.0  # seconds: ten million goods take a while

_STAGING = """
CREATE TEMPORARY TABLE staged (
  number bigint GENERATED ALWAYS AS IDENTITY, sku text, name text, description text, category text,
  price numeric(12,2), stock integer
) ON COMMIT DROP
"""
# What the CREATE statement does for one good, for all of them. $1 actor
_LOAD = f"""
WITH created AS (
  INSERT INTO goods (sku, name, description, category, price, stock, created_at, updated_at)
  SELECT sku, name, description, category, price, stock, now(), now() FROM staged ORDER BY number
  RETURNING *
), movements AS (
  INSERT INTO stock_movements (goods_id, goods_version, delta, balance, reason, actor, created_at)
  SELECT id, version, stock, stock, 'initial', $1::text, created_at FROM created WHERE stock > 0
)
INSERT INTO changes (goods_id, sku, operation, version, after, actor, request_id, at)
SELECT id, sku, 'create', version, {document("created")}, $1::text, '', created_at FROM created
"""  # noqa: S608 - constants only


class NotEmpty(Exception):
    """There are goods already."""


async def load(settings: Settings, goods: Iterable[Any], *, actor: str) -> int:
    """Load `goods` (objects with the six fields) and give their number. Raises NotEmpty and the driver's errors."""
    connection: Any = await asyncpg.connect(**DatabaseAddress.of(settings).connect_arguments())
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL statement_timeout = 0")
            await connection.execute("LOCK TABLE goods IN SHARE ROW EXCLUSIVE MODE")
            if await connection.fetchval("SELECT EXISTS (SELECT 1 FROM goods)"):
                raise NotEmpty
            await connection.execute(_STAGING)
            await connection.copy_records_to_table(
                "staged",
                records=(tuple(getattr(good, column) for column in _COLUMNS) for good in goods),
                columns=_COLUMNS,
                timeout=_TIMEOUT,
            )
            status: str = await connection.execute(_LOAD, actor, timeout=_TIMEOUT)
            await connection.execute("ANALYZE goods, goods_search", timeout=_TIMEOUT)
        return int(status.rsplit(maxsplit=1)[-1])
    finally:
        await connection.close()
