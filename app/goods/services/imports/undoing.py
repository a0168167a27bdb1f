"""Undoing an applied import: what it created goes, what it changed gets its values back, in one transaction.

It is applying read backwards, with the same locks and the same comparison: a field that is no longer what the
import left there stops the whole undo.
"""

from typing import Any

from app.goods.models.documents import document
from app.goods.services.imports.conflicts import mark
from app.goods.services.origin import Origin

# $1 import
_LOCK = """
SELECT count(*) FROM (
  SELECT FROM import_lines l JOIN goods g ON g.id = l.goods_id
  WHERE l.import_id = $1 AND l.winning AND l.result IN ('created', 'updated') ORDER BY g.id FOR UPDATE OF g
) locked
"""
_MARK_CONFLICTS = """
UPDATE import_lines l SET conflict = true
FROM import_lines w LEFT JOIN goods g ON g.id = w.goods_id
WHERE w.import_id = $1 AND w.winning AND l.import_id = w.import_id AND l.line = w.line AND (
  (w.result = 'updated' AND (g.id IS NULL OR g.sku <> w.sku
    OR (w.before_name IS NOT NULL AND g.name <> w.name)
    OR (w.before_description IS NOT NULL AND g.description <> w.description)
    OR (w.before_category IS NOT NULL AND g.category <> w.category)
    OR (w.before_price IS NOT NULL AND g.price <> w.price)
    OR (w.before_stock IS NOT NULL AND g.stock <> w.stock)))
  OR (w.result = 'created' AND (g.id IS NULL
    OR (g.sku, g.name, g.description, g.category, g.price, g.stock)
    <> (w.sku, w.name, coalesce(w.description, ''), coalesce(w.category, ''), w.price, coalesce(w.stock, 0)))))
"""
# $2 actor, $3 request id
_DELETE = f"""
WITH gone AS (
  DELETE FROM goods g USING import_lines l
  WHERE l.import_id = $1::bigint AND l.winning AND l.result = 'created' AND g.id = l.goods_id
  RETURNING g.*, greatest(clock_timestamp(), g.updated_at) AS moment
), movements AS (
  INSERT INTO stock_movements (goods_id, goods_version, delta, balance, reason, reference, actor, created_at)
  SELECT id, version + 1, -stock, 0, 'undo', $1::bigint::text, $2::text, moment FROM gone WHERE stock > 0
)
INSERT INTO changes (goods_id, sku, operation, version, before, actor, request_id, at)
SELECT id, sku, 'delete', version + 1, {document("gone")}, $2::text, $3::text, moment FROM gone ORDER BY id
"""  # noqa: S608 - constants only
_RESTORE = f"""
WITH old AS (
  SELECT g.*, greatest(clock_timestamp(), g.updated_at) AS moment, l.before_name, l.before_description,
    l.before_category, l.before_price, l.before_stock
  FROM import_lines l JOIN goods g ON g.id = l.goods_id
  WHERE l.import_id = $1::bigint AND l.winning AND l.result = 'updated'
), new AS (
  UPDATE goods g SET name = coalesce(old.before_name, old.name),
    description = coalesce(old.before_description, old.description),
    category = coalesce(old.before_category, old.category), price = coalesce(old.before_price, old.price),
    stock = coalesce(old.before_stock, old.stock), version = old.version + 1, updated_at = old.moment
  FROM old WHERE g.id = old.id
  RETURNING g.*
), movements AS (
  INSERT INTO stock_movements (goods_id, goods_version, delta, balance, reason, reference, actor, created_at)
  SELECT new.id, new.version, new.stock - old.stock, new.stock, 'undo', $1::bigint::text, $2::text, new.updated_at
  FROM new JOIN old USING (id) WHERE new.stock <> old.stock
)
INSERT INTO changes (goods_id, sku, operation, version, before, after, actor, request_id, at)
SELECT new.id, new.sku, 'update', new.version, {document("old")}, {document("new")}, $2::text, $3::text,
  new.updated_at
FROM new JOIN old USING (id) ORDER BY new.id
"""  # noqa: S608 - constants only


async def conflicts_with_result(connection: Any, import_id: int) -> int:
    """Lock the goods that the import changed, and mark and count the lines whose good is no longer as it left it."""
    return await mark(connection, import_id, _LOCK, _MARK_CONFLICTS)


async def take_back(connection: Any, import_id: int, origin: Origin) -> None:
    """Undo the changes, after `conflicts_with_result` found none in the same transaction."""
    await connection.execute(_DELETE, import_id, origin.actor, origin.request_id)
    await connection.execute(_RESTORE, import_id, origin.actor, origin.request_id)
