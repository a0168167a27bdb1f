"""Bands: into which parts an order is cut, so that the index of words knows in which of them a word's goods lie.

Each good has a mark for the band of its id, name and price among its words (`search_marks`, in a migration): no text
can hold one, for a word has no equals sign. So a list is searched band by band, and where a word is not, nothing is
read. Orders that change with each sale (stock, updated_at) have no bands, because a sale must not touch that index.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

_PER_DIGIT = 18  # bands of prices, for each number of digits
_IDS = 14  # bits of an id within a band
_LAST_ID = 2**63 - 1
_CHARACTERS = 3  # of a name
_LONGEST_NAME = 200
_LAST_CHARACTER = chr(0x10FFFF)
# The most bands that a filter of prices is made of: each is one more entry of the index to read along.
MOST_BETWEEN = 20
SKU_CHARACTERS = 2


@dataclass(frozen=True, slots=True)
class Bands:
    """The bands of one column: of a value, and the first and the last value that a band can have; in SQL, too."""

    letter: str
    of: Callable[[Any], Any]
    first: Callable[[Any], Any]
    last: Callable[[Any], Any]
    of_sql: str
    first_sql: str
    last_sql: str

    def mark(self, band: Any) -> str:
        """What the goods of a band have among their words."""
        return f"{self.letter}={band}"

    def beginning(self, band: Any, *, descending: bool) -> tuple[Any, ...]:
        """The position before the goods of a band, as if a page had ended there."""
        if self.letter == "i":
            return (self.last(band) + 1,) if descending else (self.first(band) - 1,)
        # No good has an id below 0.
        return (self.last(band), _LAST_ID) if descending else (self.first(band), -1)

    def end(self, band: Any, *, descending: bool) -> tuple[Any, ...]:
        """The position after the goods of a band."""
        if self.letter == "i":
            return (self.first(band),) if descending else (self.last(band),)
        return (self.first(band), -1) if descending else (self.last(band), _LAST_ID)


def price_band(price: Decimal) -> int:
    """What `search_price_band` computes."""
    cents = str(int(price * 100) + 10)
    return (len(cents) - 2) * _PER_DIGIT + (int(cents[:2]) - 10) // 5


def _lowest_price(band: int) -> Decimal:
    power, step = divmod(band, _PER_DIGIT)
    return Decimal((step * 5 + 10) * 10**power - 10).scaleb(-2)


def _last_name(band: str) -> str:
    # A shorter name is a band of its own; of a full beginning, no name is above this.
    return band if len(band) < _CHARACTERS else band + _LAST_CHARACTER * _LONGEST_NAME


_LOWEST_PRICE = (
    f"((rpad(({{band}} % {_PER_DIGIT} * 5 + 10)::text, {{band}} / {_PER_DIGIT} + 2, '0')::numeric - 10) / 100)"
)
BANDS = {
    "id": Bands(
        "i",
        of=lambda good: int(good) >> _IDS,
        first=lambda band: band << _IDS,
        last=lambda band: ((band + 1) << _IDS) - 1,
        of_sql=f"g.id >> {_IDS}",
        first_sql=f"({{band}} << {_IDS})",
        last_sql=f"((({{band}} + 1) << {_IDS}) - 1)",
    ),
    "name": Bands(
        "n",
        of=lambda name: name[:_CHARACTERS],
        first=lambda band: band,
        last=_last_name,
        of_sql=f"left(g.name, {_CHARACTERS})",
        first_sql="{band}",
        last_sql=f"({{band}} || repeat(chr({ord(_LAST_CHARACTER)}),"
        f" CASE WHEN length({{band}}) < {_CHARACTERS} THEN 0 ELSE {_LONGEST_NAME} END))",
    ),
    "price": Bands(
        "p",
        of=price_band,
        first=_lowest_price,
        last=lambda band: _lowest_price(band + 1) - Decimal("0.01"),
        of_sql="search_price_band(g.price)",
        first_sql=_LOWEST_PRICE,
        last_sql=f"({_LOWEST_PRICE.format(band='({band} + 1)')} - 0.01)",
    ),
}


def between(low: Decimal | None, high: Decimal | None) -> list[str]:
    """The marks of the prices between two bounds; none if there are too many."""
    if low is None or high is None or low > high:
        return []
    bands = range(price_band(low), price_band(high) + 1)
    return [BANDS["price"].mark(band) for band in bands] if len(bands) <= MOST_BETWEEN else []


def of_category(category: str) -> str:
    """The mark of a category."""
    return f"c={category}"


def of_sku(key: str) -> str:
    """The mark of SKUs that begin so, if the key is no shorter than SKU_CHARACTERS."""
    return f"s={key[:SKU_CHARACTERS]}"
