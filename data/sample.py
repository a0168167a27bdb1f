"""Sample goods: the store's own catalogue, and as many more from the same vocabulary as anyone needs.

`python -m data.sample` writes `sample_goods.csv` anew.
"""

import csv
import io
import itertools
import random
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from data.vocabulary import LINES, MAKERS, Line

_FILE = "sample_goods.csv"
_STRIDE = 37  # goods of one line lie apart from each other, as on the pages of a real catalogue
_ENDINGS = (99, 90, 49, 50, 95)
_SAME_PRICE = frozenset({"colour", "name", "pattern", "plant", "scent", "shape", "text", "tone"})  # of any choice


class SampleGood(NamedTuple):
    """One good; the price has two decimals."""

    sku: str
    name: str
    description: str
    category: str
    price: Decimal
    stock: int


class _Variant(NamedTuple):
    sku: str
    name: str
    description: str
    category: str
    cents: int


def generate(count: int, *, seed: int = 1) -> Iterator[SampleGood]:
    """Give `count` goods: the same ones each time, and the first ones of any larger count; SKUs are unique.

    The first round is the store's own catalogue; each further round is the same goods of another maker and series.
    """
    source = random.Random(seed)  # noqa: S311 - repeatable on purpose
    variants = _variants()
    for number in range(count):
        turn, place = divmod(number, len(variants))
        sku, name, description, category, cents = variants[place]
        chance = source.random()
        if turn:
            series, maker = divmod(turn - 1, len(MAKERS))
            name = f"{name}, {MAKERS[maker]} {series + 1}"
            sku = f"{sku}-{turn}"
            cents = _shop_price(cents * (0.8 + 0.5 * source.random()))
        yield SampleGood(sku, name, description, category, Decimal(cents).scaleb(-2), _stock(chance, cents))


def read_catalogue() -> Iterator[SampleGood]:
    """Give the shipped catalogue, about a thousand goods."""
    text = files("data").joinpath(_FILE).read_text(encoding="utf-8")
    for row in csv.DictReader(io.StringIO(text)):
        price, stock = Decimal(row["price"]), int(row["stock"])
        yield SampleGood(row["sku"], row["name"], row["description"], row["category"], price, stock)


def write_catalogue(path: Path) -> None:
    """Write the store's own catalogue as CSV."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(SampleGood._fields)
        writer.writerows(generate(len(_variants())))


@lru_cache(maxsize=1)
def _variants() -> tuple[_Variant, ...]:
    """Every combination of every line's choices, in the catalogue's order."""
    numbers: dict[str, int] = {}
    found = [variant for line in LINES for variant in _variants_of(line, numbers)]
    rows = range(0, len(found), _STRIDE)
    return tuple(found[row + column] for column in range(_STRIDE) for row in rows if row + column < len(found))


def _variants_of(line: Line, numbers: dict[str, int]) -> Iterator[_Variant]:
    slots = {slot: [_choice(text) for text in choices.split(" | ")] for slot, choices in line.choices.items()}
    combinations = list(itertools.product(*slots.values()))
    for combination in combinations:
        texts = dict(zip(slots, (text for text, _ in combination), strict=True))
        codes = dict(zip(slots, (code for _, code in combination), strict=True))
        prefix = line.sku.partition("-")[0]
        numbers[prefix] = numbers.get(prefix, 0) + 1
        name = line.name.format(**texts)
        note = line.note.format(**texts)
        yield _Variant(
            line.sku.format(n=f"{numbers[prefix]:04d}", **codes),
            name,
            note[0].upper() + note[1:],
            line.category,
            _price(
                line,
                {
                    slot: choices.index(choice) / max(1, len(choices) - 1)
                    for choice, (slot, choices) in zip(combination, slots.items(), strict=True)
                },
            ),
        )


def _choice(text: str) -> tuple[str, str]:
    shown, _, code = text.partition("=")
    return shown, code or shown


def _price(line: Line, places: dict[str, float]) -> int:
    """The price in cents between the line's bounds: the smallest of everything costs least, the largest most."""
    low, high = (int(Decimal(bound) * 100) for bound in (line.low, line.high))
    counted = [place for slot, place in places.items() if slot not in _SAME_PRICE]
    part = sum(counted) / len(counted) if counted else 0.0
    if part in (0, 1):
        return high if part else low
    return min(max(_shop_price(low * (high / low) ** part), low), high)


def _shop_price(cents: float) -> int:
    """A price as shops write it: 4.99 rather than 4.73; small ones to five cents."""
    if cents < 100:
        return max(5, round(cents / 5) * 5)
    whole = round(cents / 100)
    return whole * 100 - 100 + _ENDINGS[whole % len(_ENDINGS)]


def _stock(chance: float, cents: int) -> int:
    """Cheap things lie there in quantity; one in sixteen is sold out, one in twelve is low."""
    if chance < 0.06:
        return 0
    if chance < 0.14:
        return 1 + int(chance * 100) % 4
    most = 400 if cents < 500 else 120 if cents < 2000 else 40
    return 5 + int((chance - 0.14) / 0.86 * most)


if __name__ == "__main__":
    write_catalogue(Path(__file__).with_name(_FILE))
