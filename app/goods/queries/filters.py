"""The list's filters as SQL."""

from dataclasses import dataclass
from typing import Any

from app.goods.schemas.list import GoodsFilter
from app.rest import cursors

_CONDITIONS = {
    "category": "g.category = ${n}::text",
    "min_price": "g.price >= ${n}::numeric",
    "max_price": "g.price <= ${n}::numeric",
    "in_stock": "g.stock > 0",
    "out_of_stock": "g.stock = 0",
}


@dataclass(frozen=True, slots=True)
class Filters:
    """Which filters there are, and the values of those that have one: the parameters $1, $2 ..."""

    names: tuple[str, ...]
    values: tuple[Any, ...]

    @classmethod
    def of(cls, wanted: GoodsFilter) -> "Filters":
        given = [
            (name, value)
            for name in ("category", "min_price", "max_price")
            if (value := getattr(wanted, name)) is not None
        ]
        names = [name for name, _ in given]
        if wanted.in_stock is not None:
            names.append("in_stock" if wanted.in_stock == "true" else "out_of_stock")
        return cls(tuple(names), tuple(value for _, value in given))

    def on(self, column: str) -> "Filters":
        """Those that are conditions on one column."""
        values = dict(zip((name for name in self.names if "$" in _CONDITIONS[name]), self.values, strict=True))
        names = tuple(name for name in self.names if f"g.{column} " in _CONDITIONS[name])
        return Filters(names, tuple(values[name] for name in names if name in values))


def conditions(names: tuple[str, ...]) -> list[str]:
    """The conditions on `g`, a row of goods. The statement's text depends on the names only."""
    return [_CONDITIONS[name].format(n=n) for n, name in enumerate(names, 1)]


def where(found: list[str]) -> str:
    """A WHERE clause, or nothing."""
    return " WHERE " + " AND ".join(found) if found else ""


def fingerprint(wanted: GoodsFilter) -> str:
    """What a token remembers of its list."""
    bounds = [None if bound is None else f"{bound:.2f}" for bound in (wanted.min_price, wanted.max_price)]
    return cursors.fingerprint(wanted.sort, wanted.category, *bounds, wanted.in_stock, wanted.q)
