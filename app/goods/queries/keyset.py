"""Keyset paging: an order's columns, the place in it where a page ended, and that place as a token and back."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.goods.schemas.fields import price
from app.rest import cursors

# What each order's key is in SQL.
KEY_TYPES = {
    "id": "bigint",
    "name": "text",
    "price": "numeric",
    "stock": "integer",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
}


@dataclass(frozen=True, slots=True)
class Order:
    """One value of `sort`: by a column, then by id, both in the same direction."""

    column: str
    descending: bool

    @classmethod
    def of(cls, sort: str) -> "Order":
        return cls(sort.removeprefix("-"), sort.startswith("-"))

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns, in their order of weight."""
        return ("id",) if self.column == "id" else (self.column, "id")

    def by(self, alias: str) -> str:
        """What follows ORDER BY."""
        direction = "DESC" if self.descending else "ASC"
        return ", ".join(f"{alias}.{key} {direction}" for key in self.keys)

    def beyond(self, alias: str, first: int) -> str:
        """The condition for rows after a position, whose values are the parameters from number `first` on."""
        sign = "<" if self.descending else ">"
        places = ", ".join(f"${n}::{KEY_TYPES[key]}" for n, key in enumerate(self.keys, first))
        # A row comparison, not OR: only that is one range of the index.
        return f"({', '.join(f'{alias}.{key}' for key in self.keys)}) {sign} ({places})"

    def position_of(self, document: str) -> tuple[Any, ...]:
        """Where a good, as the JSON text that is answered, stands; in the types of a token."""
        good = json.loads(document)
        return tuple(good[key] for key in self.keys)

    def position(self, values: list[Any]) -> tuple[Any, ...]:
        """A token's values in the types of the columns. Raises InvalidInput for what can't be a position."""
        return tuple(_key(column, value) for column, value in zip(self.keys, values, strict=True))


def _whole(value: Any, bound: int) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < bound:
        return value
    raise cursors.bad_position()


def _key(column: str, value: Any) -> Any:
    if column in ("id", "stock"):
        return _whole(value, 2**63 if column == "id" else 2**31)
    try:
        if column == "name" and isinstance(value, str) and "\0" not in value and value.encode():
            return value
        if column == "price" and isinstance(value, str):
            return price(value)
        if column.endswith("_at") and isinstance(value, str):
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is not None:
                return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise cursors.bad_position()
