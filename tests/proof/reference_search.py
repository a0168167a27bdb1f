"""The search as it is meant, slow and plain: what the service finds is held against it.

It shares no code with the service, and no normalisation or distance of a library's but Unicode's own tables.
"""

import re
import unicodedata
from array import array
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

SKU, WORDS, CORRECTED = range(3)
_REPLACED = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "ı": "i", "ς": "σ", "ß": "ss", "æ": "ae", "œ": "oe"}
)
_TAKEN_OFF = re.compile("[\u0300-\u036f'\u2019\u02bc\u00ad\u0640\u200c\u200d\u2060\ufeff]")
_IDEOGRAPH = re.compile("([\u3041-\u30fa\u30fc-\u30ff\u3400-\u9fff\U00020000-\U000323af])")
_SEPARATORS = re.compile(
    "[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00bf\u00d7\u00f7\u02b9-\u02df\u055a-\u055f\u0589\u058a\u05be\u05c0\u05c3\u060c\u061b\u061f\u06d4\u0964\u0965\u0e3f\u1680\u2000-\u2bff\u2e00-\u2e7f"
    "\u3000-\u3004\u3007-\u3020\u3030-\u303f\u30fb\ufe00-\ufe6f\ufff0-\uffff\U0001f000-\U0001faff]+"
)


class Good(NamedTuple):
    """What search and its filters look at."""

    id: int
    sku: str
    name: str
    description: str
    category: str
    price: Decimal
    stock: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Good":
        """The good that the API answered."""
        fields = {name: document[name] for name in cls._fields}
        moments = {name: datetime.fromisoformat(fields[name]) for name in ("created_at", "updated_at")}
        return cls(**{**fields, **moments, "price": Decimal(fields["price"])})


class Found(NamedTuple):
    """One good that was found."""

    tier: int
    id: int


def search_text(text: str) -> str:
    """One form for all spellings; words are separated by single spaces."""
    bare = _TAKEN_OFF.sub("", unicodedata.normalize("NFKD", text))
    # One by one: Python's lower() looks at the neighbours of a sigma.
    lower = "".join(character.lower() for character in bare).translate(_REPLACED)
    apart = _IDEOGRAPH.sub(r" \1 ", unicodedata.normalize("NFKC", lower))
    return _SEPARATORS.sub(" ", apart).strip(" ")


def search_key(text: str) -> str:
    """A SKU without punctuation."""
    return search_text(text).replace(" ", "")


@lru_cache(maxsize=10_000)  # a million goods share some hundred descriptions
def search_words(text: str) -> tuple[str, ...]:
    """The words, each once, sorted, cut to 64 characters."""
    return tuple(sorted({word[:64] for word in search_text(text).split(" ") if word}))


def distance(one: str, other: str) -> int:
    """Characters wrong, missing, too many, or swapped with their neighbour (optimal string alignment)."""
    table = [[max(i, j) if 0 in (i, j) else 0 for j in range(len(other) + 1)] for i in range(len(one) + 1)]
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            wrong = table[i - 1][j - 1] + (one[i - 1] != other[j - 1])
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, wrong)
            if i > 1 and j > 1 and (one[i - 1], one[i - 2]) == (other[j - 2], other[j - 1]):
                table[i][j] = min(table[i][j], table[i - 2][j - 2] + 1)
    return table[-1][-1]


class Catalogue:
    """Goods, and a list of the holders of each word."""

    def __init__(self, goods: Iterable[Good]) -> None:
        self.goods: list[Good] = list(goods)
        self._keys = [search_key(good.sku) for good in self.goods]
        self._holders: dict[str, array[int]] = {}
        for number, (good, key) in enumerate(zip(self.goods, self._keys, strict=True)):
            texts = (good.name, good.description, good.sku, key)
            for word in {word for text in texts for word in search_words(text)}:
                self._holders.setdefault(word, array("I")).append(number)

    def find(
        self,
        q: str,
        *,
        sort: str = "id",
        category: str | None = None,
        min_price: str = "0",
        max_price: str = "Infinity",
        in_stock: str | None = None,
    ) -> list[Found]:
        """All goods that the text finds, in the order of the list."""
        key = search_key(q)
        by_sku = {number for number, other in enumerate(self._keys) if key and other.startswith(key)}
        by_words = self._holding([[word] for word in search_words(q)]) - by_sku
        by_corrected = self._holding(self.corrected(q)) - by_sku - by_words
        found: list[Found] = []
        for tier, numbers in enumerate((by_sku, by_words, by_corrected)):
            goods = [
                good
                for good in (self.goods[number] for number in numbers)
                if category in (None, good.category)
                and Decimal(min_price) <= good.price <= Decimal(max_price)
                and in_stock in (None, "true" if good.stock else "false")
            ]
            column = sort.removeprefix("-")
            goods.sort(key=lambda good: (getattr(good, column), good.id), reverse=sort.startswith("-"))
            found += [Found(tier, good.id) for good in goods]
        return found

    def corrected(self, q: str) -> list[list[str]]:
        """The words, each with all that it may stand for; none if there is nothing or too much to replace."""
        words = search_words(q)
        if sum(word not in self._holders for word in words) > 5:
            return []
        groups = [[word, *self._forms(word)] if word in self._holders else self._meant(word) for word in words]
        return groups if all(groups) and groups != [[word] for word in words] else []

    def _forms(self, word: str) -> list[str]:
        """Words that are one or two letters longer or shorter at the end."""
        if len(word) < 3 or re.search("[0-9]", word):
            return []
        return [
            other
            for other in self._candidates()
            if other != word and abs(len(other) - len(word)) <= 2 and (other.startswith(word) or word.startswith(other))
        ][:50]

    def _candidates(self) -> list[str]:
        return sorted(other for other in self._holders if len(other) > 2 and not re.search("[0-9]", other))

    def _meant(self, word: str) -> list[str]:
        if len(word) < 3 or re.search("[0-9]", word):
            return []
        candidates = self._candidates()
        beginning = [other for other in candidates if other.startswith(word)]
        if beginning:
            return beginning[:50]
        for errors in range(1, 1 + (0 if len(word) < 4 else 1 if len(word) < 8 else 2)):
            near = [other for other in candidates if abs(len(other) - len(word)) <= errors]
            near = [other for other in near if distance(word, other) == errors]
            if near:
                return near[:50]
        return []

    def _holding(self, groups: list[list[str]]) -> set[int]:
        """The numbers of the goods that hold a word of each group; none without groups."""
        found: set[int] | None = None
        for group in groups:
            holders = {number for word in group for number in self._holders.get(word, ())}
            found = holders if found is None else found & holders
        return found or set()
