"""The statement that creates and changes many goods at once. See `statements` for what they all have in common."""

from app.goods.models.documents import document
from app.goods.services.statement import Statement

# Goods, one row for each SKU: $1 number, $2 sku, $3 name, $4 description, $5 category, $6 price, $7 stock; null leaves
# a field as it is. Items: $8 index, $9 the number of the good. $10 refused items' results, a JSON array. $11 the
# problem of a new good without name or price. $12 whether the rest is written although some are refused.
# $13 actor, $14 request id
BULK = Statement(
    ctes=f"""
WITH items AS (
  SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::text[], $6::numeric[], $7::int[])
    AS t (n, sku, name, description, category, price, stock)
), old AS MATERIALIZED (
  SELECT g.* FROM goods g WHERE g.sku IN (SELECT sku FROM items) ORDER BY g.id FOR UPDATE OF g
), judged AS MATERIALIZED (
  SELECT i.n, i.sku, o.id, o.version, coalesce(i.name, o.name) AS name,
    coalesce(i.description, o.description, '') AS description, coalesce(i.category, o.category, '') AS category,
    coalesce(i.price, o.price) AS price, coalesce(i.stock, o.stock, 0) AS stock,
    greatest(clock_timestamp(), o.updated_at) AS moment, CASE
      WHEN o.id IS NULL AND (i.name IS NULL OR i.price IS NULL) THEN 'refused'
      WHEN o.id IS NULL THEN 'created'
      WHEN (coalesce(i.name, o.name), coalesce(i.description, o.description), coalesce(i.category, o.category),
        coalesce(i.price, o.price), coalesce(i.stock, o.stock))
        = (o.name, o.description, o.category, o.price, o.stock) THEN 'unchanged'
      ELSE 'updated' END AS verdict
  FROM items i LEFT JOIN old o ON o.sku = i.sku
), allowed AS MATERIALIZED (
  SELECT $12::boolean OR NOT EXISTS (SELECT FROM judged WHERE verdict = 'refused') AS go
), created AS (
  INSERT INTO goods (sku, name, description, category, price, stock, created_at, updated_at)
  SELECT sku, name, description, category, price, stock, moment, moment FROM judged, allowed
  WHERE go AND verdict = 'created' ORDER BY n
  RETURNING *
), updated AS (
  UPDATE goods g SET name = j.name, description = j.description, category = j.category, price = j.price,
    stock = j.stock, version = g.version + 1, updated_at = j.moment
  FROM judged j, allowed WHERE go AND g.id = j.id AND j.verdict = 'updated'
  RETURNING g.*
), movements AS (
  INSERT INTO stock_movements (goods_id, goods_version, delta, balance, reason, actor, created_at)
  SELECT id, version, stock, stock, 'initial', $13::text, created_at FROM created WHERE stock > 0
  UNION ALL
  SELECT u.id, u.version, u.stock - o.stock, u.stock, 'count', $13::text, u.updated_at
  FROM updated u JOIN old o USING (id) WHERE u.stock <> o.stock
), entries AS (
  INSERT INTO changes (goods_id, sku, operation, version, before, after, actor, request_id, at)
  SELECT id, sku, 'create', version, NULL, {document("created")}, $13::text, $14::text, created_at FROM created
  UNION ALL
  SELECT u.id, u.sku, 'update', u.version, {document("o")}, {document("u")}, $13::text, $14::text, u.updated_at
  FROM updated u JOIN old o USING (id)
  ORDER BY 1
), outcomes AS (
  SELECT j.n, j.verdict, coalesce(c.id, j.id) AS id, coalesce(c.version, u.version, j.version) AS version
  FROM judged j LEFT JOIN created c USING (sku) LEFT JOIN updated u ON u.id = j.id
), results AS (
  SELECT place.index, row_to_json((SELECT r FROM (SELECT place.index, o.verdict AS status, o.id, o.version,
    CASE WHEN o.verdict = 'refused' THEN $11::json END AS problem) r)) AS result
  FROM unnest($8::int[], $9::int[]) place (index, n) JOIN outcomes o USING (n)
  UNION ALL
  SELECT (refused ->> 'index')::int, refused FROM json_array_elements($10::json) refused
)""",  # noqa: S608 - constants only
    result="""
SELECT go,
  (SELECT coalesce(array_agg(place.index ORDER BY place.index), '{}')
    FROM unnest($8::int[], $9::int[]) place (index, n) JOIN judged USING (n) WHERE verdict = 'refused') AS refused,
  (SELECT count(*) FROM created) AS created,
  (SELECT count(*) FROM updated) AS updated,
  (SELECT count(*) FROM created WHERE stock > 0) AS initial,
  (SELECT count(*) FROM updated u JOIN old o USING (id) WHERE u.stock <> o.stock) AS counted,
  '{"results":[' || coalesce((SELECT string_agg(result::text, ',' ORDER BY index) FROM results), '') || ']}'
    AS document
FROM allowed
""",
    parameters=14,
    status="200",
    headers="'{}'::json",
    body="document",
    succeeded="go",
)
