"""Creating and changing many goods by their SKUs: one statement, one transaction."""

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ValidationError

from app.database.db import Database
from app.errors.domain import Fault, InvalidInput, SkuTaken, json_pointer
from app.errors.messages import message_of
from app.goods.schemas.bulk import BULK_ITEM, BulkItem
from app.goods.services.bulk_statement import BULK
from app.goods.services.idempotency import Attempt, sql_and_values
from app.goods.services.origin import Origin
from app.metrics.goods import GoodsMetrics

_FIELDS = ("name", "description", "category", "price", "stock")
_NEEDS_NAME_AND_PRICE = "there is no good with this SKU, and a new one needs name and price"
_MOST_FAULTS = 100  # that one answer names
_ATTEMPTS = 3  # when somebody creates one of the goods at the same moment


@dataclass(slots=True)
class _Batch:
    """The items as the statement takes them: one row for each SKU, later items over earlier ones."""

    goods: dict[str, dict[str, Any]] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    places: list[tuple[int, int]] = field(default_factory=list)
    faults: dict[int, list[Fault]] = field(default_factory=dict)

    def add(self, index: int, item: BulkItem) -> None:
        given = {name: value for name in _FIELDS if (value := getattr(item, name)) is not None}
        self.goods.setdefault(item.sku, {}).update(given)
        self.places.append((index, self.numbers.setdefault(item.sku, len(self.numbers))))


class BulkService:
    """The writes of many goods."""

    def __init__(self, database: Database, metrics: GoodsMetrics) -> None:
        self._primary = database.primary
        self._metrics = metrics

    async def upsert(
        self, items: list[Any], *, on_error: Literal["abort", "skip"], origin: Origin, attempt: Attempt | None = None
    ) -> str:
        """Give the answer's JSON text.

        Raises InvalidInput for the faults of all items, unless `on_error` is skip.
        """
        sql, record = sql_and_values(BULK, attempt)
        with self._metrics.operation("bulk"):
            batch = _read(items)
            if batch.faults and on_error == "abort":
                raise InvalidInput([fault for faults in batch.faults.values() for fault in faults][:_MOST_FAULTS])
            values = (*_values(batch, skip=on_error == "skip"), origin.actor, origin.request_id, *record)
            row = await self._write(sql, values)
            if not row["go"]:
                detail = _NEEDS_NAME_AND_PRICE
                places = (json_pointer("items", index) for index in row["refused"][:_MOST_FAULTS])
                raise InvalidInput([Fault("pointer", place, detail) for place in places])
        self._metrics.created.inc(row["created"])
        self._metrics.updated.inc(row["updated"])
        self._metrics.stock_moved("initial", row["initial"])
        self._metrics.stock_moved("count", row["counted"])
        document: str = row["document"]
        return document

    async def _write(self, sql: str, values: tuple[Any, ...]) -> Any:
        for _ in range(_ATTEMPTS - 1):
            # Somebody created one of these goods after the statement had looked: next time it is there.
            with suppress(SkuTaken):
                return (await self._primary.fetch(sql, *values))[0]
        return (await self._primary.fetch(sql, *values))[0]


def _read(items: list[Any]) -> _Batch:
    batch = _Batch()
    for index, item in enumerate(items):
        try:
            batch.add(index, BULK_ITEM.validate_python(item))
        except ValidationError as error:
            batch.faults[index] = [
                Fault("pointer", json_pointer("items", index, *fault["loc"]), message_of(fault))
                for fault in error.errors(include_url=False, include_input=False)
            ]
    return batch


def _values(batch: _Batch, *, skip: bool) -> tuple[Any, ...]:
    columns = [[good.get(name) for good in batch.goods.values()] for name in _FIELDS]
    refused = [
        {"index": index, "status": "refused", "id": None, "version": None, "problem": _problem(faults)}
        for index, faults in batch.faults.items()
    ]
    return (
        list(batch.numbers.values()), list(batch.goods), *columns,
        [index for index, _ in batch.places], [number for _, number in batch.places],
        json.dumps(refused, ensure_ascii=False), json.dumps(_problem([Fault("pointer", "#", _NEEDS_NAME_AND_PRICE)])),
        skip,
    )  # fmt: skip


def _problem(faults: list[Fault]) -> dict[str, Any]:
    """Problem details of one item, without what belongs to a whole answer."""
    return {
        "type": "/problems/invalid-input",
        "detail": "; ".join(f"{fault.place}: {fault.detail}" for fault in faults),
        "errors": [{fault.kind: fault.place, "detail": fault.detail} for fault in faults],
    }
