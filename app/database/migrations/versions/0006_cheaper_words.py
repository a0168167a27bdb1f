"""The same words for a third of the work: what a new good costs in its search entry.

Results stay as they were for every text, so nothing is filled anew; and functions are replaced, which locks no table.
docs/decisions has a page with the figures.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

# Text of ASCII alone needs no normalisation: of all that search_text does, lower case, the apostrophe and the
# separators are left. Here and below PL/pgSQL, which calls these expressions without starting the executor.
_SEARCH_KEY = """
CREATE OR REPLACE FUNCTION search_key(original text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  IF octet_length(original) = length(original) THEN
    RETURN regexp_replace(lower(original COLLATE "C"), '[^a-z0-9]+', '', 'g');
  END IF;
  RETURN replace(search_text(original), ' ', '');
END $$
"""
# Spaces are no match for the regular expression, because each match costs as much as a good part of the text; so
# there may be empty words, which are taken out of the array. Making a tsvector of an array sorts its words by their
# bytes and drops those that are there twice: what DISTINCT and ORDER BY do, without a query. It takes up to a megabyte.
_SEARCH_WORDS = """
CREATE OR REPLACE FUNCTION search_words(original text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  written text;
BEGIN
  IF octet_length(original) = length(original) THEN
    written := regexp_replace(lower(replace(original COLLATE "C", '''', '')), '[^a-z0-9 ]+', ' ', 'g');
  ELSE
    written := search_text(original);
  END IF;
  IF octet_length(written) > 1000000 THEN
    RETURN array(SELECT DISTINCT left(word, 64) COLLATE "C" FROM string_to_table(written, ' ') word
      WHERE word <> '' ORDER BY 1);
  END IF;
  RETURN tsvector_to_array(array_to_tsvector(array_remove(string_to_array(written, ' '), '')::varchar(64)[]::text[]));
END $$
"""
# A session's plan is made once, for its first statement's number of rows: a subquery with LIMIT is looked up in the
# index for each word, where NOT EXISTS may be planned to read the whole dictionary.
_IS_NEW = """length(word) > 2 AND word !~ '[0-9]'
    AND (SELECT true FROM search_dictionary d WHERE d.word = found.word LIMIT 1) IS NULL"""
# Nearly always every word is known, so only that is asked at first. DISTINCT waits until one is not: planned for a bulk
# load, it makes room for a bulk's words each time.
_INSERT = f"""
CREATE OR REPLACE FUNCTION goods_search_insert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  any_is_new boolean;
BEGIN
  WITH filled AS (
    INSERT INTO goods_search (goods_id, sku_key, words)
    SELECT id, key, search_words(concat_ws(' ', name, description, sku, key))
    FROM (SELECT id, name, description, sku, search_key(sku) AS key FROM inserted OFFSET 0) good
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
  key text := search_key(NEW.sku);
  all_words text[] := search_words(concat_ws(' ', NEW.name, NEW.description, NEW.sku, key));
BEGIN
  UPDATE goods_search SET sku_key = key, words = all_words WHERE goods_id = NEW.id;
  INSERT INTO search_dictionary (word, deletions)
  SELECT word, search_deletions(word) FROM unnest(all_words) found (word) WHERE {_IS_NEW};
  RETURN NULL;
END $$
"""  # noqa: S608 - constants only

# As 0002 has them.
_FORMER_SEARCH_KEY = """
CREATE OR REPLACE FUNCTION search_key(original text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT replace(search_text(original), ' ', '')
$$
"""
_FORMER_SEARCH_WORDS = """
CREATE OR REPLACE FUNCTION search_words(original text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT array(SELECT DISTINCT left(word, 64) COLLATE "C" FROM string_to_table(search_text(original), ' ') word
    WHERE word <> '' ORDER BY 1)
$$
"""
_FORMER_ENTRY = """
  search_key({row}.sku),
  search_words(concat_ws(' ', {row}.name, {row}.description, {row}.sku, search_key({row}.sku)))"""
_FORMER_NEW_WORDS = """
  INSERT INTO search_dictionary (word, deletions)
  SELECT word, search_deletions(word) FROM (SELECT DISTINCT unnest(words) AS word FROM filled) found
  WHERE length(word) > 2 AND word !~ '[0-9]' AND NOT EXISTS (SELECT
    FROM search_dictionary d WHERE d.word = found.word)"""
_FORMER_INSERT = f"""
CREATE OR REPLACE FUNCTION goods_search_insert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  WITH filled AS (
    INSERT INTO goods_search (goods_id, sku_key, words)
    SELECT inserted.id, {_FORMER_ENTRY.format(row="inserted")} FROM inserted
    RETURNING words
  ) {_FORMER_NEW_WORDS};
  RETURN NULL;
END $$
"""  # noqa: S608 - constants only
_FORMER_UPDATE = f"""
CREATE OR REPLACE FUNCTION goods_search_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  WITH filled AS (
    UPDATE goods_search SET (sku_key, words) = ROW ({_FORMER_ENTRY.format(row="NEW")}) WHERE goods_id = NEW.id
    RETURNING words
  ) {_FORMER_NEW_WORDS};
  RETURN NULL;
END $$
"""  # noqa: S608 - constants only


def upgrade() -> None:
    for function in (_SEARCH_KEY, _SEARCH_WORDS, _INSERT, _UPDATE):
        op.execute(function)


def downgrade() -> None:
    for function in (_FORMER_SEARCH_KEY, _FORMER_SEARCH_WORDS, _FORMER_INSERT, _FORMER_UPDATE):
        op.execute(function)
