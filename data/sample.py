"""Provisional: replaced by the real catalogue."""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple


class SampleGood(NamedTuple):
    sku: str
    name: str
    description: str
    category: str
    price: Decimal
    stock: int


def generate(count: int, *, seed: int = 1) -> Iterator[SampleGood]:
    for n in range(count):
        yield SampleGood(f"LAN-{n:07d}", f"Storm lantern {n * 7919 % 10007}", "Brass.", f"Category {n % 20}", Decimal(n % 1000) / 10, n % 50)


def read_catalogue() -> Iterator[SampleGood]:
    return generate(1000)
