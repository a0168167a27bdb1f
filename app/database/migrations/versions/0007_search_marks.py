"""What a search is narrowed by joins the words it is found by, so that one index knows both.

Each good's words get *marks*, which no text can hold because they have an equals sign: its category, and the band of
its id, name, price and SKU. The index of words then says where in an order a word's goods lie.

Goods stay in service meanwhile. The table is built anew beside the old one, which the old triggers keep; only to take
up what was written since, and to change places, are writes of goods locked out (about a second for a million goods),
and searches for the moment of the renaming. Older instances go on: they ask for words, and those are still there.
"""

from importlib import import_module

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0007"
down_revision = "0006"

# Bands by the first two digits, in steps of five: 1.00 to 1.39, 1.40 to 1.89 ... 9.40 to 9.89, 9.90 to 13.99 and so
# on. In whole numbers, which every PostgreSQL computes alike. The ten keep the smallest prices in it. One expression,
# without a query, so that PostgreSQL puts it where it is called: the trigger asks for it with each change of a good.
_CENTS = "(trunc(price * 100) + 10)::text"
_PRICE_BAND = f"""
CREATE FUNCTION search_price_band(price numeric) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT (length({_CENTS}) - 2) * 18 + (left({_CENTS}, 2)::integer - 10) / 5
$$
"""
MARKS = 5  # each good has so many, after its words
_MARKS = """
CREATE FUNCTION search_marks(id bigint, sku_key text, name text, category text, price numeric) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT ARRAY['c=' || category, 'i=' || (id >> 14), 'n=' || left(name, 3), 'p=' || search_price_band(price),
    's=' || left(sku_key, 2)] COLLATE "C"
$$
"""
# Like 0006's, but that marks are no words. `key` is the SKU's, which is computed once.
_WORDS = "search_words(concat_ws(' ', {row}.name, {row}.description, {row}.sku, {key}))"
_OF_THE_GOOD = "search_marks({row}.id, {key}, {row}.name, {row}.category, {row}.price)"
_IS_NEW = """length(word) > 2 AND word !~ '[0-9=]'
    AND (SELECT true FROM search_dictionary d WHERE d.word = found.word LIMIT 1) IS NULL"""
_INSERT = f"""
CREATE OR REPLACE FUNCTION goods_search_insert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  any_is_new boolean;
BEGIN
  WITH filled AS (
    INSERT INTO goods_search (goods_id, sku_key, words)
    SELECT g.id, g.key, {_WORDS.format(row="g", key="g.key")} || {_OF_THE_GOOD.format(row="g", key="g.key")}
    FROM (SELECT *, search_key(sku) AS key FROM inserted OFFSET 0) g
    RETURNING words
  )
  SELECT true INTO any_is_new FROM (SELECT unnest(words) AS word FROM filled) found WHERE {_IS_NEW} LIMIT 1;
  IF any_is_new THEN
    INSERT INTO search_dictionary (word, deletions)
    SELECT word, search_deletions(word) FROM (
      SELECT DISTINCT unnest(s.words) AS word FROM inserted
      CROSS JOIN LATERAL (SELECT words FROM goods_search WHERE goods_id = inserted.id OFFSET 0) s
    ) found WHERE {_IS_NEW};
  END IF;
  RETURN NULL;
END $$
"""  # noqa: S608 - constants only
_UPDATE = f"""
CREATE OR REPLACE FUNCTION goods_search_update() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  key text;
  all_words text[];
BEGIN
  IF (OLD.sku, OLD.name, OLD.description) IS NOT DISTINCT FROM (NEW.sku, NEW.name, NEW.description) THEN
    UPDATE goods_search SET words = trim_array(words, {MARKS}) || {_OF_THE_GOOD.format(row="NEW", key="sku_key")}
    WHERE goods_id = NEW.id;
    RETURN NULL;
  END IF;
  key := search_key(NEW.sku);
  all_words := {_WORDS.format(row="NEW", key="key")};
  UPDATE goods_search SET sku_key = key, words = all_words || {_OF_THE_GOOD.format(row="NEW", key="key")}
  WHERE goods_id = NEW.id;
  INSERT INTO search_dictionary (word, deletions)
  SELECT word, search_deletions(word) FROM unnest(all_words) found (word) WHERE {_IS_NEW};
  RETURN NULL;
END $$
"""  # noqa: S608 - constants only
# What moves within its band changes no mark: most changes of a price by a little, and all of stock.
_UPDATE_TRIGGER = """
CREATE OR REPLACE TRIGGER goods_search_update AFTER UPDATE OF {columns} ON goods
  FOR EACH ROW WHEN (({old}) IS DISTINCT FROM ({new}))
  EXECUTE FUNCTION goods_search_update()
"""
_EVERY = f"""
SELECT s.goods_id, s.sku_key, s.words || {_OF_THE_GOOD.format(row="g", key="s.sku_key")}
FROM goods_search s JOIN goods g ON g.id = s.goods_id"""  # noqa: S608 - constants only
# That a column is not null is a constraint with a name of its own from PostgreSQL 18 on.
_RENAME_CONSTRAINTS = """
DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT conname FROM pg_constraint WHERE conrelid = 'goods_search'::regclass LOOP
    EXECUTE format('ALTER TABLE goods_search RENAME CONSTRAINT %I TO %I', name, replace(name, '_built', ''));
  END LOOP;
END $$
"""


def upgrade() -> None:
    op.execute(_PRICE_BAND)
    op.execute(_MARKS)
    seen = _seen()
    _build(f"{_EVERY} ORDER BY g.id")
    # The first time for what was written in the meantime, the second for what was written during the first.
    again = _seen()
    _take_up_since(seen)
    op.execute("LOCK TABLE goods IN SHARE ROW EXCLUSIVE MODE")
    _take_up_since(again)
    _take_its_place()
    op.execute(_INSERT)
    op.execute(_UPDATE)
    op.execute(_trigger(marked=True))


def _seen() -> str:
    found: str = op.get_bind().execute(sa.text("SELECT pg_current_snapshot()::text")).scalar_one()
    return found


def _take_up_since(seen: str) -> None:
    """Put right the rows of goods that transactions wrote which a snapshot may not have seen."""
    since = f"age(g.xmin) <= age(pg_snapshot_xmin('{seen}')::xid)"
    op.execute(f"DELETE FROM goods_search_built b USING goods g WHERE g.id = b.goods_id AND {since}")  # noqa: S608 - constants only
    op.execute("DELETE FROM goods_search_built b WHERE NOT EXISTS (SELECT FROM goods g WHERE g.id = b.goods_id)")
    op.execute(f"INSERT INTO goods_search_built {_EVERY} WHERE {since}")


def downgrade() -> None:
    # Writes of goods wait for all of it.
    op.execute("LOCK TABLE goods IN SHARE ROW EXCLUSIVE MODE")
    _build(f"SELECT goods_id, sku_key, trim_array(words, {MARKS}) FROM goods_search")  # noqa: S608 - constants only
    _take_its_place(pending=512)
    earlier = import_module("app.database.migrations.versions.0006_cheaper_words")
    for function in (earlier._INSERT, earlier._UPDATE):  # noqa: SLF001 - as they were
        op.execute(function)
    op.execute(_trigger(marked=False))
    op.execute("DROP FUNCTION search_marks")
    op.execute("DROP FUNCTION search_price_band")


def _trigger(*, marked: bool) -> str:
    compared = [f"{{row}}.{column}" for column in ("sku", "name", "description")]
    if marked:
        compared += ["{row}.category", "search_price_band({row}.price)"]
    old, new = (", ".join(compared).format(row=row) for row in ("OLD", "NEW"))
    columns = "sku, name, description" + (", category, price" if marked else "")
    return _UPDATE_TRIGGER.format(columns=columns, old=old, new=new)


def _build(rows: str) -> None:
    """The table that takes the place of `goods_search`, filled and indexed."""
    text = sa.Text(collation="C")
    op.create_table(
        "goods_search_built",
        sa.Column("goods_id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("sku_key", text, nullable=False),
        sa.Column("words", ARRAY(text), nullable=False),
    )
    op.execute(f"INSERT INTO goods_search_built {rows}")
    op.create_primary_key("goods_search_built_pkey", "goods_search_built", ["goods_id"])
    op.create_index("goods_search_built_sku_key", "goods_search_built", ["sku_key"])
    op.create_index("goods_search_built_words", "goods_search_built", ["words"], postgresql_using="gin")
    op.execute("ANALYZE goods_search_built")


def _take_its_place(pending: int = 64) -> None:
    # A list of entries that are not in the index proper yet: a search reads all of it for each band that it looks at.
    op.execute(f"ALTER INDEX goods_search_built_words SET (gin_pending_list_limit = {pending})")
    op.drop_table("goods_search")
    op.rename_table("goods_search_built", "goods_search")
    for name in ("sku_key", "words"):
        op.execute(f"ALTER INDEX goods_search_built_{name} RENAME TO goods_search_{name}")
    op.execute(_RENAME_CONSTRAINTS)
