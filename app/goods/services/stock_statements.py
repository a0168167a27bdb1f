"""The statements that move stock. See `statements` for what they have in common with those that change a good."""

from app.goods.models.documents import document, movement_document
from app.goods.services.statement import Statement
from app.goods.services.statements import CONDITIONS_FAIL, ETAG, LOCKED

# The balance is judged as a bigint: of two numbers that the column can hold, the sum may be one that it can't.
_VERDICT = """
    WHEN balance < 0 THEN 'stock-too-low'
    WHEN balance > 2147483647 THEN 'stock-too-high'
    ELSE 'moved' END AS verdict"""

# $1 id, $2 versions that are wanted or null, $3 versions that are not wanted or null, $4 actor, $5 request id,
# $6 delta, $7 reason, $8 reference
MOVE = Statement(
    ctes=f"""{LOCKED}, judged AS (
  SELECT *, greatest(clock_timestamp(), updated_at) AS moment, CASE{CONDITIONS_FAIL}{_VERDICT}
  FROM (SELECT *, stock::bigint + $6::integer AS balance FROM old) wanted
), new AS (
  UPDATE goods g SET stock = j.balance, version = j.version + 1, updated_at = j.moment
  FROM judged j WHERE g.id = j.id AND j.verdict = 'moved'
  RETURNING g.*
), movement AS (
  INSERT INTO stock_movements (goods_id, goods_version, delta, balance, reason, reference, actor, created_at)
  SELECT id, version, $6::integer, stock, $7::text, $8::text, $4::text, updated_at FROM new
  RETURNING *
), entry AS (
  INSERT INTO changes (goods_id, sku, operation, version, before, after, actor, request_id, at)
  SELECT new.id, new.sku, 'stock', new.version, {document("old")}, {document("new")}, $4::text, $5::text,
    new.updated_at
  FROM new JOIN old USING (id)
)""",  # noqa: S608 - constants only
    result=f"""
SELECT j.verdict, j.version AS current, j.stock AS available, j.id, m.goods_version AS version,
  {movement_document("m")}::text AS document
FROM judged j LEFT JOIN movement m ON true
""",  # noqa: S608 - constants only
    parameters=8,
    status="201",
    headers=f"json_build_object('ETag', {ETAG})",
    body="document",
    succeeded="verdict = 'moved'",
)

# Lines, in their order: $1 id or null, $2 sku or null, $3 delta. $4 actor, $5 request id, $6 reason, $7 reference.
# Every basket locks its goods in the order of their ids, which never change, so no two wait for each other.
BASKET = Statement(
    ctes=f"""
WITH lines AS (
  SELECT * FROM unnest($1::bigint[], $2::text[], $3::integer[]) WITH ORDINALITY AS t (goods_id, sku, delta, n)
), old AS MATERIALIZED (
  SELECT g.* FROM goods g WHERE g.id = ANY ($1::bigint[]) OR g.sku = ANY ($2::text[]) ORDER BY g.id FOR UPDATE
), placed AS MATERIALIZED (
  SELECT l.n, l.delta, o.id, o.stock, o.updated_at FROM lines l JOIN old o ON o.id = l.goods_id
  UNION ALL
  SELECT l.n, l.delta, o.id, o.stock, o.updated_at FROM lines l JOIN old o ON o.sku = l.sku
), balances AS MATERIALIZED (
  SELECT n, delta, id, stock + sum(delta) OVER (PARTITION BY id ORDER BY n) AS balance FROM placed
), judged AS MATERIALIZED (
  SELECT n, l.delta, balance, CASE
    WHEN balance IS NULL THEN 'goods-not-found'{_VERDICT}
  FROM lines l LEFT JOIN balances USING (n)
), refused AS MATERIALIZED (
  SELECT * FROM judged WHERE verdict <> 'moved' ORDER BY verdict <> 'goods-not-found', n LIMIT 1
), totals AS MATERIALIZED (
  SELECT id, stock + sum(delta) AS balance, greatest(clock_timestamp(), updated_at) AS moment
  FROM placed WHERE NOT EXISTS (SELECT FROM refused) GROUP BY id, stock, updated_at
), new AS (
  UPDATE goods g SET stock = t.balance, version = g.version + 1, updated_at = t.moment
  FROM totals t WHERE g.id = t.id
  RETURNING g.*
), movements AS (
  INSERT INTO stock_movements (goods_id, goods_version, delta, balance, reason, reference, actor, created_at)
  SELECT new.id, new.version, b.delta, b.balance, $6::text, $7::text, $4::text, new.updated_at
  FROM balances b JOIN new USING (id) ORDER BY b.n
  RETURNING *
), entries AS (
  INSERT INTO changes (goods_id, sku, operation, version, before, after, actor, request_id, at)
  SELECT new.id, new.sku, 'stock', new.version, {document("old")}, {document("new")}, $4::text, $5::text,
    new.updated_at
  FROM new JOIN old USING (id) ORDER BY new.id
)""",  # noqa: S608 - constants only
    result=f"""
SELECT coalesce(r.verdict, 'moved') AS verdict,
  (SELECT array_agg(j.n - 1 ORDER BY j.n) FROM judged j WHERE j.verdict = r.verdict) AS refused_lines,
  -r.delta::bigint AS requested, (r.balance - r.delta)::bigint AS available,
  '{{"movements":[' || coalesce((SELECT string_agg({movement_document("m")}::text, ',' ORDER BY m.id)
    FROM movements m), '') || ']}}' AS document
FROM (SELECT) one LEFT JOIN refused r ON true
""",  # noqa: S608 - constants only
    parameters=7,
    status="201",
    headers="'{}'::json",
    body="document",
    succeeded="verdict = 'moved'",
)
