"""The statements that change a good.

Each is one round trip and its own transaction: the row, its version, the ledger entry and the change entry go in
together or not at all.

A row is locked before anything is computed from it, and what is computed is computed from the locked row: the
`old` CTE waits for other writers, and the verdict on the request's conditions is passed on what they left. The
change entry's number (`seq`) and time are taken after that lock, so for one good they ascend with the version.
"""

from app.goods.models.documents import document
from app.goods.services.statement import Statement

ETAG = """format('"%s-%s"', id, version)"""

# Several goods, of several requests, one array for each: $1 skus, no two alike, $2 names, $3 descriptions,
# $4 categories, $5 prices, $6 stocks, $7 actors, $8 request ids. $9 is how long it may wait for any one lock, such as
# that of somebody who is creating the same SKU (the session's own lock_timeout if it is null). A SKU that is taken has
# no row in the result, and harms none of the others. In the order of their SKUs, so that two such statements that want
# some of the same never wait for each other.
CREATE = Statement(
    ctes=f"""
WITH items AS (
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::numeric[], $6::int[], $7::text[], $8::text[])
    AS t (sku, name, description, category, price, stock, actor, request_id)
), created AS (
  INSERT INTO goods (sku, name, description, category, price, stock, created_at, updated_at)
  SELECT sku, name, description, category, price, stock, moment, moment
  FROM items, (SELECT clock_timestamp() AS moment) clock
  WHERE (SELECT set_config('lock_timeout', $9::text, true)) IS NOT NULL
  ORDER BY sku COLLATE "C"
  ON CONFLICT (sku) DO NOTHING
  RETURNING *
), movement AS (
  INSERT INTO stock_movements (goods_id, goods_version, delta, balance, reason, actor, created_at)
  SELECT c.id, c.version, c.stock, c.stock, 'initial', i.actor, c.created_at
  FROM created c JOIN items i USING (sku) WHERE c.stock > 0
), entry AS (
  INSERT INTO changes (goods_id, sku, operation, version, after, actor, request_id, at)
  SELECT c.id, c.sku, 'create', c.version, {document("c")}, i.actor, i.request_id, c.created_at
  FROM created c JOIN items i USING (sku)
  RETURNING sku, goods_id, version, after
)""",  # noqa: S608 - constants only
    # The document that the change entry keeps, which PostgreSQL has made once.
    result="SELECT sku, goods_id AS id, version, after::text AS document FROM entry",
    parameters=9,
    status="201",
    headers=f"json_build_object('ETag', {ETAG}, 'Location', '/goods/' || id)",
    body="document",
    succeeded="true",
)

# Precedes each statement that changes what is there. $1 id, $2 versions that are wanted or null, $3 versions
# that are not wanted or null.
LOCKED = """
WITH old AS (
  SELECT * FROM goods WHERE id = $1::bigint FOR UPDATE
)"""
CONDITIONS_FAIL = """
    WHEN version <> ALL ($2::bigint[]) THEN 'precondition-failed'
    WHEN version = ANY ($3::bigint[]) THEN 'precondition-failed'"""

# Null leaves a column as it is: $6 sku, $7 name, $8 description, $9 category, $10 price, $11 stock.
# Null asks for nothing: $12 version, $13 created_at, $14 updated_at. $4 actor, $5 request id.
UPDATE = Statement(
    ctes=f"""{LOCKED}, wanted AS (
  SELECT *, coalesce($6::text, sku) AS new_sku, coalesce($7::text, name) AS new_name,
    coalesce($8::text, description) AS new_description, coalesce($9::text, category) AS new_category,
    coalesce($10::numeric, price) AS new_price, coalesce($11::integer, stock) AS new_stock
  FROM old
), judged AS (
  SELECT *, greatest(clock_timestamp(), updated_at) AS moment, CASE{CONDITIONS_FAIL}
    WHEN version <> $12::bigint THEN 'version-conflict'
    WHEN created_at <> $13::timestamptz THEN 'created_at'
    WHEN updated_at <> $14::timestamptz THEN 'updated_at'
    WHEN (sku, name, description, category, price, stock)
       = (new_sku, new_name, new_description, new_category, new_price, new_stock) THEN 'unchanged'
    ELSE 'changed' END AS verdict
  FROM wanted
), new AS (
  UPDATE goods g SET sku = j.new_sku, name = j.new_name, description = j.new_description,
    category = j.new_category, price = j.new_price, stock = j.new_stock,
    version = j.version + 1, updated_at = j.moment
  FROM judged j WHERE g.id = j.id AND j.verdict = 'changed'
  RETURNING g.*
), movement AS (
  INSERT INTO stock_movements (goods_id, goods_version, delta, balance, reason, actor, created_at)
  SELECT new.id, new.version, new.stock - old.stock, new.stock, 'count', $4::text, new.updated_at
  FROM new JOIN old USING (id) WHERE new.stock <> old.stock
), entry AS (
  INSERT INTO changes (goods_id, sku, operation, version, before, after, actor, request_id, at)
  SELECT new.id, new.sku, 'update', new.version, {document("old")}, {document("new")}, $4::text, $5::text,
    new.updated_at
  FROM new JOIN old USING (id)
)""",  # noqa: S608 - constants only
    result=f"""
SELECT j.verdict, j.version AS current, coalesce(new.version, j.version) AS version, j.id,
  coalesce(new.stock <> j.stock, false) AS counted,
  CASE WHEN new.id IS NULL THEN {document("j")} ELSE {document("new")} END::text AS document
FROM judged j LEFT JOIN new ON true
""",  # noqa: S608 - constants only
    parameters=14,
    status="200",
    headers=f"json_build_object('ETag', {ETAG})",
    body="document",
    succeeded="verdict IN ('changed', 'unchanged')",
)

# $4 actor, $5 request id
DELETE = f"""{LOCKED}, judged AS (
  SELECT *, greatest(clock_timestamp(), updated_at) AS moment, CASE{CONDITIONS_FAIL}
    ELSE 'changed' END AS verdict
  FROM old
), gone AS (
  DELETE FROM goods g USING judged j WHERE g.id = j.id AND j.verdict = 'changed' RETURNING j.*
), movement AS (
  INSERT INTO stock_movements (goods_id, goods_version, delta, balance, reason, actor, created_at)
  SELECT id, version + 1, -stock, 0, 'delete', $4::text, moment FROM gone WHERE stock > 0
), entry AS (
  INSERT INTO changes (goods_id, sku, operation, version, before, actor, request_id, at)
  SELECT id, sku, 'delete', version + 1, {document("gone")}, $4::text, $5::text, moment FROM gone
)
SELECT verdict, version, stock FROM judged
"""  # noqa: S608 - constants only
