"""What search reads: each good's words and SKU in one form for all spellings, and the words there are.

Both are kept by triggers, so that whatever changes goods (a request, a bulk load, a person with psql) keeps them.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0002"
down_revision = "0001"

# Letters of every script in lower case. An explicit collation, because the database's own may know ASCII alone;
# the first is part of PostgreSQL 17, the second of most builds before it.
_LOWER_CASE = sa.text(
    "SELECT quote_ident(collname) FROM pg_collation WHERE collname IN ('pg_c_utf8', 'und-x-icu')"
    " AND collnamespace = 'pg_catalog'::regnamespace ORDER BY collname LIMIT 1"
)

# Everything that is neither letter, digit nor mark separates words. The ranges are written out, because what
# [:alnum:] means depends on the database's locale. In order: ASCII and Latin-1 signs, general punctuation to
# dingbats and arrows, CJK punctuation, small and vertical forms, pictographs.
_SEPARATORS = (
    r"[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u00d7\u00f7\u02b9-\u02df\u055a-\u055f\u0589\u058a\u05be\u05c0\u05c3\u060c\u061b\u061f\u06d4\u0964\u0965\u0e3f\u1680\u2000-\u2bff\u2e00-\u2e7f"
    r"\u3000-\u3004\u3007-\u3020\u3030-\u303f\u30fb\ufe00-\ufe6f\ufff0-\uffff\U0001f000-\U0001faff]+"
)
# Written without spaces between words: each sign is searched as a word.
_IDEOGRAPHS = r"([\u3041-\u30fa\u30fc-\u30ff\u3400-\u9fff\U00020000-\U000323af])"

# Marks of accents, apostrophes, and what only says how a text is set: soft hyphens, joiners, tatweel, byte order marks.
_TAKEN_OFF = r"[\u0300-\u036f''\u2019\u02bc\u00ad\u0640\u200c\u200d\u2060\ufeff]+"

# Decomposed, freed of those, lower case, put together again; letters that Unicode does not decompose are replaced one
# by one.
_SEARCH_TEXT = rf"""
CREATE FUNCTION search_text(original text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT btrim(regexp_replace(regexp_replace(normalize(replace(replace(replace(
    translate(
      lower(regexp_replace(normalize(original, NFKD), '{_TAKEN_OFF}', '', 'g') COLLATE {{collation}}),
      'øłđħŧıς', 'oldhtiσ'),
    'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), NFKC),
    '{_IDEOGRAPHS}', ' \1 ', 'g'), '{_SEPARATORS}', ' ', 'g'))
$$
"""
# A SKU, or what may be the beginning of one, without punctuation.
_SEARCH_KEY = """
CREATE FUNCTION search_key(original text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT replace(search_text(original), ' ', '')
$$
"""
# Each word once. No word is longer than 64 characters: an index entry has a limit.
_SEARCH_WORDS = """
CREATE FUNCTION search_words(original text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT array(SELECT DISTINCT left(word, 64) COLLATE "C" FROM string_to_table(search_text(original), ' ') word
    WHERE word <> '' ORDER BY 1)
$$
"""
# The beginning of a word (7 characters) with up to two of its characters left out, one when it is short. Two
# words that are two errors apart have one of these in common (the symmetric delete method).
_SEARCH_DELETIONS = """
CREATE FUNCTION search_deletions(word text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  WITH beginning AS (SELECT left(word, 7) AS b),
  places AS (SELECT generate_series(1, least(length(word), 7)) AS i)
  SELECT array(
    SELECT b FROM beginning
    UNION SELECT left(b, i - 1) || substr(b, i + 1) FROM beginning, places
    UNION SELECT left(b, p.i - 1) || substr(b, p.i + 1, q.i - p.i - 1) || substr(b, q.i + 1)
      FROM beginning, places p JOIN places q ON p.i < q.i WHERE length(word) >= 6)
$$
"""
_OF_THE_GOOD = """
  search_key({row}.sku),
  search_words(concat_ws(' ', {row}.name, {row}.description, {row}.sku, search_key({row}.sku)))"""
# No word is inserted while another transaction holds it: the index is not unique, nobody waits, and a word that
# two inserted at once is there twice, which does no harm.
_NEW_WORDS = """
  INSERT INTO search_dictionary (word, deletions)
  SELECT word, search_deletions(word) FROM (SELECT DISTINCT unnest(words) AS word FROM filled) found
  WHERE length(word) > 2 AND word !~ '[0-9]' AND NOT EXISTS (SELECT
    FROM search_dictionary d WHERE d.word = found.word)"""
_TRIGGERS = (
    f"""
CREATE FUNCTION goods_search_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  WITH filled AS (
    INSERT INTO goods_search (goods_id, sku_key, words)
    SELECT inserted.id, {_OF_THE_GOOD.format(row="inserted")} FROM inserted
    RETURNING words
  ) {_NEW_WORDS};
  RETURN NULL;
END $$
""",  # noqa: S608 - constants only
    f"""
CREATE FUNCTION goods_search_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  WITH filled AS (
    UPDATE goods_search SET (sku_key, words) = ROW ({_OF_THE_GOOD.format(row="NEW")}) WHERE goods_id = NEW.id
    RETURNING words
  ) {_NEW_WORDS};
  RETURN NULL;
END $$
""",  # noqa: S608 - constants only
    """
CREATE FUNCTION goods_search_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM goods_search s USING deleted WHERE s.goods_id = deleted.id;
  RETURN NULL;
END $$
""",
    """
CREATE FUNCTION goods_search_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  TRUNCATE goods_search, search_dictionary;
  RETURN NULL;
END $$
""",
    """
CREATE TRIGGER goods_search_insert AFTER INSERT ON goods REFERENCING NEW TABLE AS inserted
  FOR EACH STATEMENT EXECUTE FUNCTION goods_search_insert()
""",
    """
CREATE TRIGGER goods_search_update AFTER UPDATE OF sku, name, description ON goods
  FOR EACH ROW WHEN ((OLD.sku, OLD.name, OLD.description) IS DISTINCT FROM (NEW.sku, NEW.name, NEW.description))
  EXECUTE FUNCTION goods_search_update()
""",
    """
CREATE TRIGGER goods_search_delete AFTER DELETE ON goods REFERENCING OLD TABLE AS deleted
  FOR EACH STATEMENT EXECUTE FUNCTION goods_search_delete()
""",
    """
CREATE TRIGGER goods_search_truncate AFTER TRUNCATE ON goods
  FOR EACH STATEMENT EXECUTE FUNCTION goods_search_truncate()
""",
)
_FILL = f"""
WITH filled AS (
  INSERT INTO goods_search (goods_id, sku_key, words)
  SELECT goods.id, {_OF_THE_GOOD.format(row="goods")} FROM goods
  RETURNING words
) {_NEW_WORDS}
"""  # noqa: S608 - constants only


def upgrade() -> None:
    _create_functions()
    _create_tables()
    for statement in _TRIGGERS:
        op.execute(statement)
    op.execute(_FILL)


def _create_functions() -> None:
    collation = op.get_bind().execute(_LOWER_CASE).scalar() or '"default"'
    op.execute(_SEARCH_TEXT.format(collation=collation))
    for function in (_SEARCH_KEY, _SEARCH_WORDS, _SEARCH_DELETIONS):
        op.execute(function)


def _create_tables() -> None:
    text = sa.Text(collation="C")
    op.create_table(
        "goods_search",
        sa.Column("goods_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("sku_key", text, nullable=False),
        sa.Column("words", ARRAY(text), nullable=False),
    )
    op.create_index("goods_search_sku_key", "goods_search", ["sku_key"])
    # A short list of entries that are not in the index proper yet: each search reads all of it.
    op.create_index(
        "goods_search_words", "goods_search", ["words"], postgresql_using="gin",
        postgresql_with={"gin_pending_list_limit": 512},
    )  # fmt: skip
    op.create_table(
        "search_dictionary",
        sa.Column("word", text, nullable=False),
        sa.Column("deletions", ARRAY(text), nullable=False),
    )
    op.create_index("search_dictionary_word", "search_dictionary", ["word"])
    op.create_index(
        "search_dictionary_deletions", "search_dictionary", ["deletions"], postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )  # fmt: skip


def downgrade() -> None:
    for event in ("insert", "update", "delete", "truncate"):
        op.execute(f"DROP FUNCTION goods_search_{event} CASCADE")
    op.drop_table("search_dictionary")
    op.drop_table("goods_search")
    for function in ("deletions", "words", "key", "text"):
        op.execute(f"DROP FUNCTION search_{function}")
