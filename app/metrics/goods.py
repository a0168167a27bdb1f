"""Business metrics: what happened to goods, counted after it was committed."""

from collections.abc import Mapping
from typing import Self

from prometheus_client import CollectorRegistry, Counter, Gauge

OPERATIONS = (
    "create", "read", "list", "search", "export", "categories", "replace", "patch", "bulk", "delete",
    "stock", "basket", "movements", "changes", "history", "as_of",
)  # fmt: skip
IMPORT_RESULTS = ("planned", "applied", "undone", "failed", "conflict", "interrupted")
MOVE_REASONS = ("receipt", "sale", "return", "correction", "count")
MOVEMENT_REASONS = ("initial", *MOVE_REASONS, "delete")
LINE_RESULTS = ("created", "updated", "unchanged", "refused")
RESULTS = (
    "ok", "unchanged", "not_found", "conflict", "refused", "precondition_failed", "invalid", "unavailable", "error",
)  # fmt: skip

# By the names of the catalogue of problems; anything else is a fault of ours.
_RESULT_OF_PROBLEM = {
    "goods-not-found": "not_found",
    "cursor-gone": "not_found",
    "history-trimmed": "not_found",
    "sku-taken": "conflict",
    "version-conflict": "conflict",
    "stock-too-low": "refused",
    "stock-too-high": "conflict",
    "precondition-failed": "precondition_failed",
    "precondition-required": "precondition_failed",
    "invalid-input": "invalid",
    "database-unavailable": "unavailable",
    "idempotency-key-in-use": "conflict",
    "idempotency-key-reused": "conflict",
    "overloaded": "unavailable",
    "not-ready": "unavailable",
}


class Outcome:
    """One operation, counted by its outcome when its block ends; set `result` where it is not plain success.

    A class, for a context manager that is made from a generator takes three times as long.
    """

    __slots__ = ("_counters", "_operation", "result")

    def __init__(self, counters: Mapping[tuple[str, str], Counter], operation: str) -> None:
        self._counters = counters
        self._operation = operation
        self.result = "ok"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, Exception):
            self.result = _RESULT_OF_PROBLEM.get(getattr(error, "problem", ""), "error")
        self._counters[self._operation, self.result].inc()


class GoodsMetrics:
    """The collectors of the goods domain, in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.created = Counter("goods_created_total", "Goods created.", registry=registry)
        self.updated = Counter(
            "goods_updated_total", "Goods whose version rose, but not by a movement of stock.", registry=registry
        )
        self.replays = Counter(
            "goods_idempotent_replays_total", "Answers given again for an Idempotency-Key.", registry=registry
        )
        operations = Counter(
            "goods_operations_total",
            "Operations on goods by how they ended.",
            ["operation", "result"],
            registry=registry,
        )
        # Every pair exists from the start: an alert on a rate sees the step from 0 to 1.
        self._operations = {
            (operation, result): operations.labels(operation, result) for operation in OPERATIONS for result in RESULTS
        }
        movements = Counter(
            "goods_stock_movements_total",
            "Movements of stock, those of imports left out.",
            ["reason"],
            registry=registry,
        )
        self._movements = {reason: movements.labels(reason) for reason in MOVEMENT_REASONS}
        refused = Counter(
            "goods_stock_refused_total", "Requests refused for too little stock.", ["reason"], registry=registry
        )
        self._refused = {reason: refused.labels(reason) for reason in MOVE_REASONS}
        imports = Counter("goods_imports_total", "Steps of imports by how they ended.", ["result"], registry=registry)
        self._imports = {result: imports.labels(result) for result in IMPORT_RESULTS}
        lines = Counter("goods_import_lines_total", "Lines of planned imports.", ["result"], registry=registry)
        self._import_lines = {result: lines.labels(result) for result in LINE_RESULTS}
        self.in_catalogue = Gauge(
            "goods_in_catalogue",
            "Goods in the catalogue; the planner's estimate when there are more than 100,000.",
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self.low_stock = Gauge(
            "goods_low_stock",
            "Goods whose stock is below LOW_STOCK_BELOW, counted up to 100,000.",
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self.out_of_stock = Gauge(
            "goods_out_of_stock",
            "Goods without stock, counted up to 100,000.",
            multiprocess_mode="mostrecent",
            registry=registry,
        )
        self.stock_value = Gauge(
            "goods_stock_value",
            "Price times stock of all goods, in CURRENCY; an estimate when there are more than 100,000.",
            multiprocess_mode="mostrecent",
            registry=registry,
        )

    def stock_moved(self, reason: str, movements: int = 1) -> None:
        """Count movements that have been committed."""
        self._movements[reason].inc(movements)

    def stock_refused(self, reason: str) -> None:
        """Count a request that asked for more than there is."""
        self._refused[reason].inc()

    def import_ended(self, state: str, problem: str | None, counts: Mapping[str, int]) -> None:
        """Count the end of an import's step, and the lines that it planned."""
        drift = problem == "import-drift"
        self._imports["conflict" if drift else state if problem is None or state == "failed" else "interrupted"].inc()
        if state == "planned" and problem is None:
            for result, lines in counts.items():
                self._import_lines[result].inc(lines)

    def operation(self, name: str) -> Outcome:
        """Count one operation by its outcome, once the block is over."""
        return Outcome(self._operations, name)
