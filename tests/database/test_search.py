"""What search reads is always what the goods say, whoever wrote them; and reading it goes by the indexes."""

import asyncio
import random
import unicodedata
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.config.conf import Settings
from app.database.db import DatabaseAddress
from app.database.embedded import EmbeddedAddress
from app.database.migrate import known_revisions, migrate, run_alembic
from app.goods.queries.bands import BANDS, of_category, of_sku, price_band
from app.goods.schemas.list import GoodsFilter
from tests.conftest import Service, settings_for, until
from tests.proof.reference_search import search_key, search_text, search_words

_INSERT = """
INSERT INTO goods (sku, name, description, price, created_at, updated_at) VALUES ($1, $2, $3, 1, now(), now())
"""
_COLUMNS = "sku, name, price, created_at, updated_at"
_WRITES = [
    "UPDATE goods SET name = name || ' changed' WHERE id % 2 = 0",
    "UPDATE goods SET description = 'whole new ' || id, stock = 3",
    "UPDATE goods SET sku = lower(sku) || '.X' WHERE id < 4",
    "UPDATE goods SET name = name",
    "UPDATE goods SET price = id * 17.5, category = 'c' || id % 2",
    "UPDATE goods SET price = price + 0.01",
    f"""INSERT INTO goods ({_COLUMNS}) SELECT sku, 'upserted', 1, now(), now() FROM goods
    ON CONFLICT (sku) DO UPDATE SET name = EXCLUDED.name""",
    "DELETE FROM goods WHERE id IN (2, 3)",
    f"""WITH moved AS (DELETE FROM goods WHERE id > 7 RETURNING *)
    INSERT INTO goods ({_COLUMNS}) SELECT 'again-' || sku, name, price, created_at, updated_at FROM moved""",
    f"""MERGE INTO goods USING (VALUES ('C/0'), ('merged')) v (sku) ON goods.sku = v.sku
    WHEN MATCHED THEN DELETE
    WHEN NOT MATCHED THEN INSERT ({_COLUMNS}) VALUES (v.sku, 'from a merge', 1, now(), now())""",
    "DELETE FROM goods WHERE false",
]
_KEPT = "SELECT goods_id, sku_key, words FROM goods_search ORDER BY goods_id"
_GOODS = "SELECT id, sku, name, description, category, price FROM goods ORDER BY id"


def expected(goods: list[Any]) -> list[tuple[int, str, list[str]]]:
    """What `goods_search` should hold."""
    kept = []
    for good in goods:
        key = search_key(good["sku"])
        words = {word for text in (good["name"], good["description"], good["sku"], key) for word in search_words(text)}
        kept.append((good["id"], key, [*sorted(words), *marks(good, key)]))
    return kept


def marks(good: Any, key: str) -> list[str]:
    """What a good's words end with."""
    of_columns = [BANDS[column].mark(BANDS[column].of(good[column])) for column in ("id", "name", "price")]
    return [of_category(good["category"]), *of_columns, of_sku(key)]


async def assert_kept(connection: Any) -> None:
    kept = expected(await connection.fetch(_GOODS))
    assert [tuple(row) for row in await connection.fetch(_KEPT)] == kept
    in_dictionary = {row["word"] for row in await connection.fetch("SELECT word FROM search_dictionary")}
    held = {word for _, _, words in kept for word in words}
    assert {word for word in held if len(word) > 2 and not set(word) & set("0123456789=")} <= in_dictionary
    assert not any("=" in word for word in in_dictionary), "a mark is no word"


@pytest.mark.usefixtures("service")
async def test_whatever_writes_goods_keeps_what_search_reads(connection: Any) -> None:
    await connection.executemany(_INSERT, [(f"A-{n}", f"Lantern {n}", f"Für Nr. {n}, blue{n % 2}") for n in range(5)])
    await assert_kept(connection)
    columns = ("sku", "name", "price", "created_at", "updated_at")
    moment = await connection.fetchval("SELECT now()")
    rows = [(f"C/{n}", f"Größe {n} éclair", 1, moment, moment) for n in range(5)]
    await connection.copy_records_to_table("goods", records=rows, columns=columns)
    await assert_kept(connection)
    for statement in _WRITES:
        await connection.execute(statement)
        await assert_kept(connection)
    await connection.execute("DELETE FROM goods")
    await assert_kept(connection)
    await connection.execute("TRUNCATE goods")
    assert await connection.fetchval("SELECT count(*) FROM search_dictionary") == 0


@pytest.mark.usefixtures("service")
async def test_what_is_rolled_back_leaves_no_words(connection: Any) -> None:
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(_INSERT, "A", "Lantern", "")
    await transaction.rollback()
    for table in ("goods_search", "search_dictionary"):
        assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0


@pytest.fixture
async def second(settings: Settings) -> AsyncIterator[Any]:
    """Another connection to the same database, which does not wait for locks."""
    opened = await asyncpg.connect(**DatabaseAddress.of(settings).connect_arguments())
    await opened.execute("SET lock_timeout = '1ms'")
    yield opened
    await opened.close()


@pytest.mark.usefixtures("service")
async def test_two_that_bring_the_same_new_words_do_not_wait_for_each_other(connection: Any, second: Any) -> None:
    async with connection.transaction():
        await connection.execute(_INSERT, "A", "entirely new words", "")
        await second.execute(_INSERT, "B", "entirely new words", "")
        await second.execute("UPDATE goods SET name = 'words entirely new and newer' WHERE sku = 'B'")
        await connection.execute("UPDATE goods SET name = 'newer words' WHERE sku = 'A'")
    await assert_kept(connection)


async def test_words_that_are_twice_in_the_dictionary_are_offered_once(
    service: Service, connection: Any, second: Any
) -> None:
    async with connection.transaction():
        await connection.execute(_INSERT, "A", "Lantern", "")
        await second.execute(_INSERT, "B", "Lantern", "")
    assert await connection.fetchval("SELECT count(*) FROM search_dictionary WHERE word = 'lantern'") == 2
    answer = await service.parts.goods_lists.page(GoodsFilter.model_validate({"q": "latern", "count": "exact"}))
    assert (len(answer.documents), answer.count) == (2, 2)


_ASSIGNED = st.characters(exclude_categories=["Cs", "Cn"], exclude_characters="\0")
_NASTY = st.sampled_from(
    "aZ09éÉÅßẞøØıİſΣσςŒæ'’ʼ-_/ .,٣์灯かがガﾗﾟ々・한ㄱﷺ①²½™№ﬁǅйЙ́̈ͅ\u00ad\u200b\ufeff\U0001d400\U0001f9f0\U0002f800\U000e0041"
)


@settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(_ASSIGNED, max_size=40) | st.text(_NASTY, max_size=40) | st.text(_NASTY | _ASSIGNED, max_size=12))
@example(text="ΟΔΟΣ ΣΑΣ")
@example(text="İstanbul ıI")
@example(text="\u1e9e" * 70)
@example(text="\ufdfa" * 40)
@example(text="e\u0301\u0323'\u0301")
@example(text="\u1100\u1161\u11a8")
@example(text="%s {0} \\1 \\g<0> $1")
async def test_the_database_writes_words_as_they_are_meant(connection: Any, text: str) -> None:
    row = await connection.fetchrow("SELECT search_text($1), search_key($1), search_words($1)", text)
    assert tuple(row) == (search_text(text), search_key(text), list(search_words(text)))
    again = await connection.fetchval("SELECT search_words($1)", search_text(text))
    assert again == row[2], "what was put in one form stays in it"
    assert all(word == unicodedata.normalize("NFC", word) for word in row[2])


async def test_all_letters_that_there_are_are_written_as_they_are_meant(connection: Any) -> None:
    """Each assigned character, alone and beside a letter and an accent."""
    letters = [chr(n) for n in range(1, 0x110000) if unicodedata.category(chr(n)) not in ("Cs", "Cn", "Co")]
    texts = [text for letter in letters for text in (letter, f"x{letter}\u0301y")]
    rows = await connection.fetch(
        "SELECT search_text(text) FROM unnest($1::text[]) WITH ORDINALITY AS t (text, n)", texts
    )
    differing = [text for text, row in zip(texts, rows, strict=True) if row[0] != search_text(text)]
    assert differing == []


@pytest.mark.parametrize("errors", [1, 2])
async def test_words_that_are_near_share_a_deletion(connection: Any, errors: int) -> None:
    source = random.Random(errors)
    pairs = []
    for _ in range(1500):
        word = "".join(source.choices("abcde", k=source.randint(4 if errors == 1 else 8, 12)))
        pairs.append((word, misspelt(word, errors, source)))
    rows = await connection.fetch(
        "SELECT word, other FROM unnest($1::text[], $2::text[]) t (word, other)"
        " WHERE length(other) > 2 AND NOT search_deletions(word) && search_deletions(other)",
        *map(list, zip(*pairs, strict=True)),
    )
    assert rows == []


def misspelt(word: str, errors: int, source: random.Random) -> str:
    for _ in range(errors):
        at = source.randrange(len(word))
        letter = source.choice("abcdexyz")
        changes = (
            word[:at] + letter + word[at:],
            word[:at] + letter + word[at + 1 :],
            word[:at] + word[at + 1 :],
            word[:at] + word[at : at + 2][::-1] + word[at + 2 :],
        )
        word = source.choice(changes)
    return word


@pytest.fixture
async def older(postgres: EmbeddedAddress, connection: Any) -> AsyncIterator[Settings]:
    """Settings of a database of the release before search."""
    await connection.execute("CREATE DATABASE older")
    configured = settings_for(postgres, DB_NAME="older")
    await run_alembic(DatabaseAddress.of(configured), "0001")
    yield configured
    await connection.execute("DROP DATABASE older WITH (FORCE)")


async def test_the_migration_takes_up_the_goods_that_are_there(older: Settings) -> None:
    opened = await asyncpg.connect(**DatabaseAddress.of(older).connect_arguments())
    try:
        await opened.executemany(_INSERT, [(f"A/{n}", f"Çelik {n}", "gut, besser") for n in range(20)])
        assert await migrate(older) == "migrated"
        await assert_kept(opened)
        await opened.execute(_INSERT, "new", "Afterwards", "")
        await assert_kept(opened)
        await run_alembic(DatabaseAddress.of(older), "0001", down=True)
        await opened.execute(_INSERT, "newer", "Without search", "")
        await migrate(older)
        await assert_kept(opened)
    finally:
        await opened.close()


@pytest.mark.parametrize("letter", ["x", "ж", "\U0001d51e", "\U00020000", "\ufdfa", "\u3300", "\u0390", "灯"])
@pytest.mark.usefixtures("service")
async def test_the_longest_texts_can_be_stored(connection: Any, letter: str) -> None:
    # Random letters don't compress, which an index would make use of.
    source = random.Random(1)
    mixed = "".join(source.choices([letter, chr(ord(letter) + 1), chr(ord(letter) + 2)], k=10_000))
    for number, text in enumerate((letter * 10_000, mixed)):
        await connection.execute(_INSERT, text[: 64 - number], text[:200], text)
    await assert_kept(connection)


@pytest.mark.usefixtures("service")
async def test_ten_thousand_characters_of_different_words_can_be_stored(connection: Any) -> None:
    source = random.Random(1)
    text = " ".join("".join(source.choices("abcdefghijklmnopqrstuvwxyz", k=3)) for _ in range(2500))
    await connection.execute(_INSERT, "A", text[:200], text[:10_000])
    await assert_kept(connection)


async def test_bands_are_the_same_in_python_and_in_the_database_and_follow_the_order(connection: Any) -> None:
    cents = sorted({*range(2_500), *(10**n + m for n in range(3, 13) for m in (-11, -10, -1, 0)), 10**12 - 1})
    prices = [Decimal(n).scaleb(-2) for n in cents]
    rows = await connection.fetch("SELECT search_price_band(p) FROM unnest($1::numeric[]) p", prices)
    bands = [row[0] for row in rows]
    assert bands == [price_band(price) for price in prices] == sorted(bands)
    assert set(range(40)) <= set(bands), "no band is left out"


@pytest.mark.parametrize("column", ["id", "price"])
async def test_a_band_begins_where_the_one_before_ends(connection: Any, column: str) -> None:
    bands, step = BANDS[column], Decimal("0.01") if column == "price" else 1
    for band in range(200):
        first, last = bands.first(band), bands.last(band)
        assert bands.of(first) == bands.of(last) == band
        assert last + step == bands.first(band + 1)
        for sql, expected in ((bands.first_sql, first), (bands.last_sql, last)):
            typed = "$1::bigint" if column == "id" else "$1::integer"
            assert await connection.fetchval(f"SELECT {sql.format(band=typed)}", band) == expected


async def test_bands_of_names_are_in_the_order_of_names(connection: Any) -> None:
    last = "\U0010ffff"
    names = sorted(
        ["a", "ab", "abc", "abcd", f"abc{last * 197}", "abd", "b", last, last * 2, last * 200, "\ud7ff\ue000x"]
    )
    bands = BANDS["name"]
    for name in names:
        band = bands.of(name)
        good = "(SELECT $1::text AS name, $2::text AS band) g"
        last_sql = bands.last_sql.format(band="g.band")
        row = await connection.fetchrow(f"SELECT {bands.of_sql}, {last_sql} FROM {good}", name, band)
        assert tuple(row) == (band, bands.last(band))
        inside = [other for other in names if bands.first(band) <= other <= bands.last(band)]
        assert inside == [other for other in names if bands.of(other) == band]


async def test_marks_come_with_the_migration_and_go_with_it(older: Settings) -> None:
    """Those of goods that were written while the migration copied them, too."""
    opened = await asyncpg.connect(**DatabaseAddress.of(older).connect_arguments())
    address = DatabaseAddress.of(older)
    try:
        await run_alembic(address, known_revisions()[-2])
        await opened.executemany(_INSERT, [(f"A/{n}", f"Çelik {n}", "gut, besser") for n in range(20)])
        during = opened.transaction()
        await during.start()
        await opened.execute("UPDATE goods SET name = 'changed', price = 7 WHERE id % 3 = 0")
        await opened.execute("DELETE FROM goods WHERE id % 5 = 0")
        await opened.execute(_INSERT, "new", "Meanwhile", "")
        migrating = asyncio.create_task(run_alembic(address, known_revisions()[-1]))
        await until(lambda: opened.fetchval("SELECT count(*) FROM pg_locks WHERE mode = 'ShareRowExclusiveLock'"))
        await during.commit()
        await migrating
        await assert_kept(opened)
        await opened.execute("UPDATE goods SET price = 99")
        await opened.execute(_INSERT, "newer", "Afterwards", "")
        await assert_kept(opened)
        await run_alembic(address, known_revisions()[-2], down=True)
        assert (
            await opened.fetchval("SELECT count(*) FROM goods_search WHERE array_to_string(words, ' ') LIKE '%=%'") == 0
        )
        await opened.execute("UPDATE goods SET name = 'Another', price = 1")
        await run_alembic(address, known_revisions()[-1])
        await assert_kept(opened)
    finally:
        await opened.close()
