"""Planning an import: what each line of the file would do, decided once and stored, before anything is changed."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, TypeAlias

from app.goods.imports.reading import LineReader
from app.goods.services.imports.counts import Counts, counts_of

_COLUMNS = ("line", "sku", "name", "description", "category", "price", "stock", "problem", "raw")
_NEEDS_NAME_AND_PRICE = (
    "no good has this SKU, and a new one needs a name and a price: map them to columns, or set them with a constant"
)

# The lines as they were read wait in a temporary table, which costs no log, and are stored once, with their results.
_STAGING = """
CREATE TEMPORARY TABLE staged (
  line bigint, sku text COLLATE "C", name text, description text, category text, price numeric(12,2), stock integer,
  problem text, raw text
) ON COMMIT DROP
"""
# A line is refused if it could not be read, or would make a good without name or price. The last of the others
# wins for its SKU; the earlier ones share in what becomes of it. $1 import, $2 why the new good is refused
_PLAN = """
WITH judged AS (
  SELECT s.*, g.id AS goods_id, g.name AS old_name, g.description AS old_description, g.category AS old_category,
    g.price AS old_price, g.stock AS old_stock,
    coalesce(s.problem, CASE WHEN g.id IS NULL AND (s.name IS NULL OR s.price IS NULL) THEN $2::text END) AS trouble
  FROM staged s LEFT JOIN goods g ON g.sku = s.sku
), ranked AS (
  SELECT *, trouble IS NULL
    AND line = max(line) FILTER (WHERE trouble IS NULL) OVER (PARTITION BY sku) AS winning
  FROM judged
), compared AS (
  SELECT *,
    CASE WHEN winning AND name <> old_name THEN old_name END AS before_name,
    CASE WHEN winning AND description <> old_description THEN old_description END AS before_description,
    CASE WHEN winning AND category <> old_category THEN old_category END AS before_category,
    CASE WHEN winning AND price <> old_price THEN old_price END AS before_price,
    CASE WHEN winning AND stock <> old_stock THEN old_stock END AS before_stock
  FROM ranked
), decided AS (
  SELECT *, bool_or(winning AND (goods_id IS NULL
    OR num_nonnulls(before_name, before_description, before_category, before_price, before_stock) > 0
  )) OVER (PARTITION BY sku) AS changes
  FROM compared
)
INSERT INTO import_lines (import_id, line, result, winning, goods_id, sku, name, description, category, price, stock,
  before_name, before_description, before_category, before_price, before_stock, problem, raw)
SELECT $1::bigint, line, CASE
    WHEN trouble IS NOT NULL THEN 'refused'
    WHEN NOT changes THEN 'unchanged'
    WHEN winning AND goods_id IS NULL THEN 'created'
    ELSE 'updated' END,
  winning, CASE WHEN winning THEN goods_id END, sku, name, description, category, price, stock,
  before_name, before_description, before_category, before_price, before_stock, trouble,
  CASE WHEN trouble IS NOT NULL THEN raw END
FROM decided ORDER BY line
"""
_PLANNED = """
UPDATE imports SET state = 'planned', header = $2, problem = NULL, progress = 1, planned_at = clock_timestamp(),
  created = $3, updated = $4, unchanged = $5, refused = $6
WHERE id = $1
"""


Records: TypeAlias = Iterator[tuple[Any, ...]] | AsyncIterator[tuple[Any, ...]]


async def plan(connection: Any, import_id: int, reader: LineReader, records: Records | None = None) -> Counts:
    """Store what each line that `reader` gives would do. Part of the caller's transaction.

    `records` are the reader's, where they are not simply `records_of(reader)`.

    Raises ImportFileError when the file as a whole can't be read, and the driver's errors.
    """
    await connection.execute(_STAGING)
    await connection.copy_records_to_table(
        "staged", records=records or records_of(reader), columns=_COLUMNS, timeout=None
    )
    await connection.execute("ANALYZE staged")
    await connection.execute(_PLAN, import_id, _NEEDS_NAME_AND_PRICE)
    # Later steps join these lines with what they write. Without figures PostgreSQL expects one line and loops over all
    # of them for each: 20,000 lines then take two minutes instead of two seconds, and more the square of that.
    await connection.execute("ANALYZE import_lines")
    counts = await counts_of(connection, import_id)
    await connection.execute(
        _PLANNED, import_id, reader.header, counts.created, counts.updated, counts.unchanged, counts.refused
    )
    return counts


def records_of(reader: LineReader) -> Iterator[tuple[Any, ...]]:
    """The lines as they are staged."""
    for line in reader:
        # Only a refused line is kept as it came, and one that may yet be refused.
        doubtful = line.problem is not None or line.name is None or line.price is None
        yield (
            line.number, line.sku, line.name, line.description, line.category, line.price, line.stock,
            line.problem, line.raw if doubtful else None,
        )  # fmt: skip
