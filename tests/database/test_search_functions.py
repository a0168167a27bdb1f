"""Words are made faster than they were, and are the same: what is stored was made by the functions before."""

import itertools
import unicodedata
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.config.conf import Settings
from app.database.db import DatabaseAddress
from app.database.embedded import EmbeddedAddress
from app.database.migrate import run_alembic
from data.sample import generate
from tests.conftest import settings_for

_ASCII = [chr(n) for n in range(1, 128)]
_KINDS = "aZz09 '\t\x7f-_.`[@{:/"  # beginnings and ends of what is a word and what is not
_MADE = "SELECT search_text(text), search_key(text), search_words(text) FROM unnest($1::text[]) text"
_KEPT = "SELECT goods_id, sku_key, words FROM goods_search ORDER BY goods_id"
_WORDS = "SELECT word, deletions FROM search_dictionary ORDER BY word"
_INSERT = """
INSERT INTO goods (sku, name, description, price, created_at, updated_at)
SELECT sku, name, description, 1, now(), now()
FROM unnest($1::text[], $2::text[], $3::text[]) t (sku, name, description)
"""


async def at_revision(postgres: EmbeddedAddress, connection: Any, name: str, revision: str) -> AsyncIterator[Any]:
    await connection.execute(f"CREATE DATABASE {name}")
    configured: Settings = settings_for(postgres, DB_NAME=name)
    await run_alembic(DatabaseAddress.of(configured), revision)
    opened = await asyncpg.connect(**DatabaseAddress.of(configured).connect_arguments())
    await opened.execute("SET statement_timeout = 0")
    yield opened
    await opened.close()
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
async def former(postgres: EmbeddedAddress, connection: Any) -> AsyncIterator[Any]:
    """A connection to a database with the functions as they were at first."""
    async for opened in at_revision(postgres, connection, "former", "0005"):
        yield opened


@pytest.fixture(scope="module")
async def cheaper(postgres: EmbeddedAddress, connection: Any) -> AsyncIterator[Any]:
    """A connection to a database with the functions that took their place, before words were joined by marks."""
    async for opened in at_revision(postgres, connection, "cheaper", "0006"):
        yield opened


async def assert_same(former: Any, connection: Any, texts: Sequence[str]) -> None:
    for at in range(0, len(texts), 20_000):
        some = texts[at : at + 20_000]
        made, were = [await opened.fetch(_MADE, some) for opened in (connection, former)]
        assert [text for text, now, before in zip(some, made, were, strict=True) if now != before] == []


async def test_ascii_is_written_as_it_was(former: Any, connection: Any) -> None:
    texts = ["".join(signs) for length in (0, 1, 2) for signs in itertools.product(_ASCII, repeat=length)]
    texts += ["".join(signs) for length in (3, 4) for signs in itertools.product(_KINDS, repeat=length)]
    texts += [f"x{sign}Y {sign} z{sign}{sign}9" for sign in _ASCII]
    await assert_same(former, connection, texts)


@pytest.mark.slow
async def test_each_letter_among_others_is_written_as_it_was(former: Any, connection: Any) -> None:
    letters = [chr(n) for n in range(1, 0x110000) if unicodedata.category(chr(n)) not in ("Cs", "Cn", "Co")]
    await assert_same(former, connection, [f"{letter} A'{letter}B-{letter}\u0301c 9{letter}" for letter in letters])


_SIGNS = st.characters(exclude_categories=["Cs", "Cn"], exclude_characters="\0")
_NASTY = st.sampled_from("aZ09éÅßøİſΣσςŒæ'’ʼ-_/ .٣์灯かがﾗﾞ한ㄱﷺ①½™№ﬁй́̈ͅ\u00ad\u200b\ufeff\u3099\ufe20\U0001f9f0\U0002f800")
_TEXT = (
    st.text(st.sampled_from(_ASCII), max_size=80)
    | st.text(st.sampled_from("ab '-"), max_size=300)
    | st.text(_NASTY | st.sampled_from(_ASCII), max_size=60)
    | st.text(_SIGNS, max_size=40)
)


@hypothesis_settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(texts=st.lists(_TEXT, min_size=1, max_size=10))
@example(texts=["a" * 64, "a" * 65, "a" * 64 + "b " + "a" * 64 + "c", "é" * 70, "灯" * 70, "\u1e9e" * 70])
@example(texts=["b a  a' 'b a-b", " ' ", "''", "\x7f", " a", "a ", "\ta\n"])
async def test_any_text_is_written_as_it_was(former: Any, connection: Any, texts: list[str]) -> None:
    await assert_same(former, connection, texts)


async def test_texts_of_any_length_are_written_as_they_were(former: Any, connection: Any) -> None:
    """Below and above what fits into a tsvector."""
    words = [f"{n:x}" * 3 for n in range(100_000)]
    assert len(" ".join(words[:70_000])) < 1_000_000 < len(" ".join(words))
    await assert_same(former, connection, [" ".join(words[:70_000]), " ".join(words)])


async def test_null_is_no_text(connection: Any) -> None:
    assert tuple(await connection.fetchrow("SELECT search_key(NULL), search_words(NULL)")) == (None, None)


@pytest.mark.parametrize("at_once", [1, 16, 500])
async def test_goods_are_entered_as_they_were(former: Any, cheaper: Any, at_once: int) -> None:
    """However many come with one statement, with new words or without, then with other names and SKUs."""
    goods = [(good.sku, good.name, good.description) for good in generate(500)]
    goods += [(f"{sku}/b", f"{name} ünique {number % 7}th", "") for number, (sku, name, _) in enumerate(goods)]
    for opened in (former, cheaper):
        await opened.execute("TRUNCATE goods RESTART IDENTITY")
        for at in range(0, len(goods), at_once):
            await opened.execute(_INSERT, *map(list, zip(*goods[at : at + at_once], strict=True)))
    assert await cheaper.fetch(_KEPT) == await former.fetch(_KEPT)
    assert await cheaper.fetch(_WORDS) == await former.fetch(_WORDS)
    for opened in (former, cheaper):
        await opened.execute("UPDATE goods SET sku = 'Neu.' || sku, name = 'größer than ' || name WHERE id % 3 = 0")
        await opened.execute("UPDATE goods SET description = 'quite unheard-of words' WHERE id % 5 = 0")
    assert await cheaper.fetch(_KEPT) == await former.fetch(_KEPT)
    assert await cheaper.fetch(_WORDS) == await former.fetch(_WORDS)
