"""Applying a planned import: all of it in the caller's transaction, or nothing.

Rows are locked in the order of ids, as everything does that locks several. Then what the plan found is compared with
what is there now, in the fields that would be written; a single difference and nothing is.
"""

from typing import Any

from app.goods.models.documents import document
from app.goods.services.imports.conflicts import mark
from app.goods.services.origin import Origin

# A good's field is written if the plan found another value there. $1 import
_LOCK = """
SELECT count(*) FROM (
  SELECT FROM import_lines l JOIN goods g ON g.id = l.goods_id
  WHERE l.import_id = $1::bigint AND l.winning AND l.result = 'updated' ORDER BY g.id FOR UPDATE OF g
) locked
"""
_MARK_CONFLICTS = """
UPDATE import_lines l SET conflict = true
FROM import_lines w LEFT JOIN goods g ON g.id = w.goods_id
WHERE w.import_id = $1::bigint AND w.winning AND l.import_id = w.import_id AND l.line = w.line AND (
  (w.result = 'updated' AND (
    g.id IS NULL OR g.sku <> w.sku OR g.name <> w.before_name OR g.description <> w.before_description
    OR g.category <> w.before_category OR g.price <> w.before_price OR g.stock <> w.before_stock))
  OR (w.result = 'created' AND EXISTS (SELECT FROM goods taken WHERE taken.sku = w.sku)))
"""
# $2 actor, $3 request id
_CREATE = f"""
WITH created AS (
  INSERT INTO goods (sku, name, description, category, price, stock, created_at, updated_at)
  SELECT sku, name, coalesce(description, ''), coalesce(category, ''), price, coalesce(stock, 0), moment, moment
  FROM import_lines, (SELECT clock_timestamp() AS moment) clock
  WHERE import_id = $1::bigint AND winning AND result = 'created' ORDER BY line
  RETURNING *
), remembered AS (
  UPDATE import_lines l SET goods_id = created.id FROM created
  WHERE l.import_id = $1::bigint AND l.winning AND l.result = 'created' AND l.sku = created.sku
), movements AS (
  INSERT INTO stock_movements (goods_id, goods_version, delta, balance, reason, reference, actor, created_at)
  SELECT id, version, stock, stock, 'import', $1::bigint::text, $2::text, created_at FROM created WHERE stock > 0
)
INSERT INTO changes (goods_id, sku, operation, version, after, actor, request_id, at)
SELECT id, sku, 'create', version, {document("created")}, $2::text, $3::text, created_at FROM created ORDER BY id
"""  # noqa: S608 - constants only
_UPDATE = f"""
WITH old AS (
  SELECT g.*, l.line, greatest(clock_timestamp(), g.updated_at) AS moment,
    CASE WHEN l.before_name IS NULL THEN g.name ELSE l.name END AS new_name,
    CASE WHEN l.before_description IS NULL THEN g.description ELSE l.description END AS new_description,
    CASE WHEN l.before_category IS NULL THEN g.category ELSE l.category END AS new_category,
    CASE WHEN l.before_price IS NULL THEN g.price ELSE l.price END AS new_price,
    CASE WHEN l.before_stock IS NULL THEN g.stock ELSE l.stock END AS new_stock
  FROM import_lines l JOIN goods g ON g.id = l.goods_id
  WHERE l.import_id = $1::bigint AND l.winning AND l.result = 'updated'
), new AS (
  UPDATE goods g SET name = old.new_name, description = old.new_description, category = old.new_category,
    price = old.new_price, stock = old.new_stock, version = old.version + 1, updated_at = old.moment
  FROM old WHERE g.id = old.id
  RETURNING g.*
), movements AS (
  INSERT INTO stock_movements (goods_id, goods_version, delta, balance, reason, reference, actor, created_at)
  SELECT new.id, new.version, new.stock - old.stock, new.stock, 'import', $1::bigint::text, $2::text, new.updated_at
  FROM new JOIN old USING (id) WHERE new.stock <> old.stock
)
INSERT INTO changes (goods_id, sku, operation, version, before, after, actor, request_id, at)
SELECT new.id, new.sku, 'update', new.version, {document("old")}, {document("new")}, $2::text, $3::text,
  new.updated_at
FROM new JOIN old USING (id) ORDER BY new.id
"""  # noqa: S608 - constants only


async def conflicts_with_plan(connection: Any, import_id: int) -> int:
    """Lock the goods that the import changes, and mark and count the lines that no longer fit them."""
    return await mark(connection, import_id, _LOCK, _MARK_CONFLICTS)


async def write_plan(connection: Any, import_id: int, origin: Origin) -> None:
    """Change the goods as planned, after `conflicts_with_plan` found none in the same transaction.

    Raises asyncpg.UniqueViolationError when another transaction has just taken one of the new SKUs.
    """
    await connection.execute(_CREATE, import_id, origin.actor, origin.request_id)
    await connection.execute(_UPDATE, import_id, origin.actor, origin.request_id)
