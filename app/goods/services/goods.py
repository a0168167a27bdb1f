"""Changing goods: one function, one statement, one transaction. What is returned has been committed."""

from typing import Any

from app.database.db import Database
from app.errors.domain import (
    Fault,
    GoodsNotFound,
    InvalidInput,
    PreconditionFailed,
    PreconditionRequired,
    VersionConflict,
)
from app.goods.schemas.fields import MAX_ID
from app.goods.schemas.goods import GoodsCreate, GoodsPatch, GoodsReplace
from app.goods.services import statements
from app.goods.services.creating import Creating, NewGoods
from app.goods.services.idempotency import Attempt, sql_and_values
from app.goods.services.origin import Origin
from app.goods.services.written import Written
from app.metrics.goods import GoodsMetrics
from app.rest.conditions import Conditions

_EQUAL = "is read-only and differs from what is stored"


class GoodsService:
    """The writes of the catalogue."""

    def __init__(self, database: Database, metrics: GoodsMetrics, *, require_if_match: bool) -> None:
        self._primary = database.primary
        self._metrics = metrics
        self._require_if_match = require_if_match
        self._creating = Creating(self._primary)

    async def create(self, body: GoodsCreate, *, origin: Origin, attempt: Attempt | None = None) -> Written:
        """Raises SkuTaken."""
        with self._metrics.operation("create"):
            created = await self._creating.create(NewGoods(body, origin), attempt)
        self._metrics.created.inc()
        if body.stock:
            self._metrics.stock_moved("initial")
        return created

    async def replace(self, goods_id: int, body: GoodsReplace, *, conditions: Conditions, origin: Origin) -> Written:
        """Raises GoodsNotFound, PreconditionFailed, PreconditionRequired, VersionConflict, InvalidInput, SkuTaken."""
        fields = (body.sku, body.name, body.description, body.category, body.price, body.stock)
        return await self._update("replace", goods_id, body, fields, conditions=conditions, origin=origin)

    async def patch(
        self,
        goods_id: int,
        body: GoodsPatch,
        *,
        conditions: Conditions,
        origin: Origin,
        attempt: Attempt | None = None,
    ) -> Written:
        """Raises what `replace` raises."""
        description = "" if body.emptied("description") else body.description
        category = "" if body.emptied("category") else body.category
        fields = (body.sku, body.name, description, category, body.price, body.stock)
        return await self._update(
            "patch", goods_id, body, fields, conditions=conditions, origin=origin, attempt=attempt
        )

    async def delete(self, goods_id: int, *, conditions: Conditions, origin: Origin) -> None:
        """Raises GoodsNotFound, PreconditionFailed, PreconditionRequired."""
        with self._metrics.operation("delete"):
            rows = await self._change(statements.DELETE, goods_id, conditions, origin)
            verdict, current, stock = rows[0]
            if verdict == "precondition-failed":
                raise PreconditionFailed(current)
        if stock:
            self._metrics.stock_moved("delete")

    async def _update(
        self,
        operation: str,
        goods_id: int,
        body: GoodsReplace | GoodsPatch,
        fields: tuple[Any, ...],
        *,
        conditions: Conditions,
        origin: Origin,
        attempt: Attempt | None = None,
    ) -> Written:
        sql, record = sql_and_values(statements.UPDATE, attempt)
        with self._metrics.operation(operation) as outcome:
            if body.id is not None and body.id != goods_id:
                raise InvalidInput([Fault("pointer", "#/id", _EQUAL)])
            read_only = (_storable_version(body.version), body.created_at, body.updated_at)
            rows = await self._change(sql, goods_id, conditions, origin, *fields, *read_only, *record)
            verdict, current, version, _, counted, document = rows[0]
            _raise_on(verdict, current)
            if verdict == "unchanged":
                outcome.result = "unchanged"
        if verdict == "changed":
            self._metrics.updated.inc()
        if counted:
            self._metrics.stock_moved("count")
        return Written(goods_id, version, document)

    async def _change(self, statement: str, goods_id: int, conditions: Conditions, origin: Origin, *values: Any) -> Any:
        if not 0 < goods_id <= MAX_ID:
            raise GoodsNotFound
        if self._require_if_match and not conditions.given:
            raise PreconditionRequired
        rows = await self._primary.fetch(
            statement,
            goods_id,
            conditions.only_versions,
            conditions.not_versions,
            origin.actor,
            origin.request_id,
            *values,
        )
        if not rows:
            raise GoodsNotFound
        return rows


def _storable_version(version: int | None) -> int | None:
    """The version, or 0, which no good has, for a number that the column can't hold."""
    return version if version is None or 0 < version <= MAX_ID else 0


def _raise_on(verdict: str, current: int) -> None:
    if verdict == "precondition-failed":
        raise PreconditionFailed(current)
    if verdict == "version-conflict":
        raise VersionConflict(current)
    if verdict in ("created_at", "updated_at"):
        raise InvalidInput([Fault("pointer", f"#/{verdict}", _EQUAL)])
