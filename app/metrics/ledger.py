"""Metrics of the check that compares stock with its ledger."""

import time

from prometheus_client import CollectorRegistry, Gauge


class LedgerMetrics:
    """The collectors; also whom the check tells what it found."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str) -> Gauge:
            return Gauge(name, text, multiprocess_mode="mostrecent", registry=registry)

        self._mismatch = gauge(
            "goods_stock_mismatch", "Goods whose stock is not what their ledger says, counted up to 1,000."
        )
        self._age = gauge("goods_stock_mismatch_age_seconds", "Time since stock was last compared with the ledger.")
        self._sweep_age = gauge(
            "goods_stock_sweep_age_seconds", "Time since all goods, changed or not, had been compared with the ledger."
        )
        self._looked_at = self._swept_at = time.monotonic()

    def looked(self, wrong: int) -> None:
        """So many goods are known to be wrong."""
        self._mismatch.set(wrong)
        self._looked_at = time.monotonic()

    def swept(self) -> None:
        """All goods have been looked at, once round."""
        self._swept_at = time.monotonic()

    def sample(self) -> None:
        """Set what is known without asking anybody."""
        self._age.set(time.monotonic() - self._looked_at)
        self._sweep_age.set(time.monotonic() - self._swept_at)
