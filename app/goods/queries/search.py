"""Searching goods: by SKU, by words, and by what misspelt words were meant to be, in this order.

Each of these tiers is a list of its own, in the order that was asked for, and a page takes from one after the
other. What may be read is bounded, wherever in the order the goods lie:

- few goods match: their ids come from the index of words, and they are sorted;
- many match: the list is walked in its order, and goods that don't match are passed over. That ends soon if they lie
  near;
- if they don't, the list is searched band by band (see `bands`): the index of words says in which they are, and in a
  band the same two ways are open. An order without bands is walked further than others, and at last all that match are
  sorted.
"""

import json
from dataclasses import dataclass, replace
from typing import Any

from app.database.db import Pool
from app.goods.queries import bands
from app.goods.queries.bands import BANDS
from app.goods.queries.correction import Correction, corrected
from app.goods.queries.filters import Filters, conditions, where
from app.goods.queries.keyset import Order
from app.goods.queries.search_statements import (
    CORRECTED,
    SKU,
    TIERS,
    WORDS,
    Kind,
    Statements,
    by_sku,
    edge,
    statements,
)
from app.goods.schemas.list import GoodsFilter

FEW = 5_000
FEW_AT_ONCE = 2_000  # before it is known that the goods are not few
WALKED = 10_000
FEW_IN_A_BAND = 3_000
WALKED_IN_A_BAND = 4_000
WALKED_AT_ONCE = 1_000  # before the bands are searched
FEWEST_SAMPLED = 8  # bands of ids: with less goods it costs little to see how many are found
_ALL = 2**62
_ASKED = "SELECT search_key($1::text), search_words($1::text), (SELECT coalesce(max(id), 0) FROM goods)"
__all__ = ["CORRECTED", "SKU", "TIERS", "WORDS", "Search"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A search's text as the database writes it, and the last good's id."""

    key: str
    words: list[str]
    last_id: int

    def samples(self) -> list[str]:
        """The marks of bands of ids from within; none if there are so few bands that a sample is no gain."""
        last = BANDS["id"].of(self.last_id)
        return [BANDS["id"].mark(last * part // 3) for part in (1, 2)] if last >= FEWEST_SAMPLED else []


class Search:
    """The goods that a text finds."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(self, wanted: GoodsFilter, tier: int, position: tuple[Any, ...]) -> list[tuple[int, str]]:
        """Up to `wanted.limit` goods and one more, from `position` in `tier` on: each one's tier and JSON text."""
        asked = await self._asked(wanted)
        found: list[tuple[int, str]] = []
        all_known = False
        for current in TIERS[tier:] if asked.key else ():
            correction = None
            if current == CORRECTED:
                correction = await corrected(self._pool, asked.words, all_known=all_known)
                if correction is None:
                    break
            reading = _Reading(self._pool, wanted, asked, current, correction)
            documents = await reading.documents(position, limit=wanted.limit + 1 - len(found))
            all_known = current == WORDS and reading.found
            found += [(current, document) for document in documents]
            if len(found) > wanted.limit:
                break
            position = ()
        return found

    async def count(self, wanted: GoodsFilter) -> int:
        """How many goods match: an estimate of PostgreSQL's if `wanted.count` says so."""
        filters = Filters.of(wanted)
        asked = await self._asked(wanted)
        if not asked.key:
            return 0
        correction = await corrected(self._pool, asked.words)
        n = 1 + len(filters.values)
        groups = correction.groups if correction else []
        tiers = [by_sku(f"${n}::text"), f"s.words @> ${n + 1}::text[]"]
        if groups:
            tiers.append(" AND ".join(f"s.words && ${n + 2 + m}::text[]" for m in range(len(groups))))
        found = [*conditions(filters.names), f"({' OR '.join(f'({tier})' for tier in tiers)})"]
        matching = f"FROM goods_search s JOIN goods g ON g.id = s.goods_id{where(found)}"
        values = (*filters.values, asked.key, asked.words, *groups)
        if wanted.count == "exact":
            rows = await self._pool.read(f"SELECT count(*) {matching}", *values)
            return int(rows[0][0])
        rows = await self._pool.read(f"EXPLAIN (FORMAT JSON) SELECT 1 {matching}", *values)
        return int(json.loads(rows[0][0])[0]["Plan"]["Plan Rows"])

    async def _asked(self, wanted: GoodsFilter) -> Asked:
        return Asked(*(await self._pool.read(_ASKED, wanted.q))[0])


class _Reading:
    """The reading of one tier."""

    def __init__(self, pool: Pool, wanted: GoodsFilter, asked: Asked, tier: int, correction: Correction | None) -> None:
        self.found = False  # whether any good is known to be in the tier, filtered or not
        self._pool = pool
        self._order = Order.of(wanted.sort)
        self._filters = Filters.of(wanted)
        # What has the SKU is found by another index, which needs no help from that of words.
        self._asked = asked
        self._marks = [bands.of_category(wanted.category)] if wanted.category is not None and tier != SKU else []
        self._between = bands.between(wanted.min_price, wanted.max_price) if tier != SKU else []
        groups = correction.groups if correction else []
        self._tier = (asked.key, *([asked.words] if tier != SKU else []), *groups)
        self._kind = Kind(
            self._order, self._filters.names, tier, len(groups), marked=False, between=bool(self._between), after=False
        )
        self._sku_marks = [bands.of_sku(asked.key)] if tier == SKU else []
        # The index of words has SKUs by their beginning, but not by a shorter one.
        self._banded = self._order.column in BANDS and (tier != SKU or len(asked.key) >= bands.SKU_CHARACTERS)
        self._missing = 0
        self._position: tuple[Any, ...] = ()

    async def documents(self, position: tuple[Any, ...], *, limit: int) -> list[str]:
        """The next goods, from `position` on."""
        self._missing, self._position = limit, position
        few = FEW_AT_ONCE if self._banded else FEW
        many = await self._seem_many(few)
        if not many:
            rows = await self._few(few)
            many, self.found = rows[0]["many"], rows[0]["found"]
        if many and "out_of_stock" in self._filters.names:
            # Few goods may be without stock, and no mark says which: each sale would have to write it.
            rows = await self._read("sold_out", self._marks, limit, FEW)
            many = rows[0]["many"]
        if not many:
            return _documents(rows)
        return await (self._by_bands() if self._banded else self._by_walks())

    async def _seem_many(self, few: int) -> bool:
        """Whether samples have so many that all of them, whose number nobody knows, are likely more than few."""
        samples = self._asked.samples() if self._kind.tier != SKU else []
        for mark in samples:
            # Goods that were loaded together lie together: they may fill one sample, but not two.
            rows = await self._read("few", [*self._marks, mark], 0, 2 * few // BANDS["id"].of(self._asked.last_id))
            if not rows[0]["many"]:
                return False
            self.found = True
        return bool(samples)

    async def _by_walks(self) -> list[str]:
        documents, ended = await self._walks(WALKED)
        return documents if ended else documents + _documents(await self._few(_ALL))

    async def _by_bands(self) -> list[str]:
        documents, ended = await self._walks(WALKED_AT_ONCE)
        while not ended:
            rows = await self._read("banded", [*self._marks, *self._sku_marks], self._missing, FEW_IN_A_BAND)
            many = next((n for n, row in enumerate(rows) if row["many"]), None)
            found = _documents(rows[:many])
            documents += found
            self._missing -= len(found)
            if many is None or not self._missing:
                break
            near, ended = await self._of_a_band(rows[many]["band"])
            documents += near
        return documents

    async def _of_a_band(self, band: Any) -> tuple[list[str], bool]:
        """The next goods, from a band that has many, and whether no more are missing or there."""
        which, descending = BANDS[self._order.column], self._order.descending
        start = which.beginning(band, descending=descending)
        if not self._position or (self._position > start) == descending:
            self._position = start
        documents, ended = await self._walk(WALKED_IN_A_BAND)
        if ended or which.of(self._position[0]) != band:
            return documents, ended
        rows = await self._few(_ALL, which.mark(band))
        documents += _documents(rows)
        self._missing -= len(_documents(rows))
        self._position = which.end(band, descending=descending)
        return documents, not self._missing

    async def _walks(self, goods: int) -> tuple[list[str], bool]:
        """What walks of so many goods each find, and whether no more are missing or there."""
        documents: list[str] = []
        while True:
            near, ended = await self._walk(goods)
            documents += near
            # Another walk may find as many as this one.
            if ended or len(near) < self._missing:
                return documents, ended

    async def _walk(self, goods: int) -> tuple[list[str], bool]:
        """What a walk of so many goods finds, and whether no more are missing or there."""
        rows = await self._read("walked", self._marks, self._missing, goods)
        self._missing -= len(rows)
        if self._missing:
            filters = self._filters.on(self._order.column) if self._order.column in BANDS else self._filters
            sql = edge(self._order, filters.names, after=bool(self._position))
            last = await self._pool.read(sql, *filters.values, *self._position, goods)
            self._position = tuple(last[0]) if last else self._position
            return _documents(rows), not last
        return _documents(rows), True

    async def _few(self, most: int, *marks: str) -> Any:
        return await self._read("few", [*self._marks, *marks], self._missing, most)

    async def _read(self, which: str, marks: list[str], *bounds: int) -> Any:
        texts: Statements = statements(replace(self._kind, marked=bool(marks), after=bool(self._position)))
        lists = [marks] * bool(marks) + [self._between] * bool(self._between)
        return await self._pool.read(
            getattr(texts, which), *self._filters.values, *self._position, *lists, *self._tier, *bounds
        )


def _documents(rows: Any) -> list[str]:
    return [row["document"] for row in rows if row["document"] is not None]
