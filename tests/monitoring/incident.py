"""A morning in which everything breaks: a real service and database, watched by the real stack, and who was told."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from app.application import create_app
from tests.conftest import until
from tests.faults.database import Database
from tests.monitoring.fakes import People, listening
from tests.monitoring.shortened import write_alertmanager
from tests.monitoring.stack import ENV, Alertmanager, Prometheus, alerting, exporting, watching
from tests.monitoring.test_notifications import write_configuration
from tests.serving import serving

EVERYBODY = {"telegram", "slack", "e-mail"}
# So many failures, in a hurry, are also many for a day: Slack may be told of that, and nobody else.
SLOW = "GoodsAvailabilitySlowBurn"
# On a busy machine a channel that is deaf for a while may be given up, and that is told as well.
GIVEN_UP = "AlertmanagerNotificationsFailing"
_PATIENCE = 180.0  # seconds until somebody is told
_PAUSE = 0.02  # seconds between two requests of the only client


class Traffic:
    """One client that reads, sells and creates, and meets the faulty route while it is told to."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client
        self.url = client.base_url
        self.faulty = False
        self.answers: Counter[int] = Counter()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            for method, path, body in (
                ("GET", "/goods/1", None),
                ("GET", "/goods?limit=5", None),
                ("POST", "/goods/1/stock", {"delta": 1, "reason": "receipt"}),
                ("GET", "/faulty" if self.faulty else "/categories", None),
            ):
                self.answers[(await self._client.request(method, path, json=body)).status_code] += 1
                await asyncio.sleep(_PAUSE)


@dataclass
class Morning:
    """All that takes part."""

    database: Database
    traffic: Traffic
    people: People
    alertmanager: Alertmanager
    prometheus: Prometheus
    seconds: dict[str, float]

    async def told(self, alert: str, status: str, whom: set[str] = EVERYBODY) -> None:
        """Wait until they have been told, and note how long it took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        await until(lambda: self.people.told(alert, status) >= whom, seconds=_PATIENCE)
        self.seconds[f"{alert} {status}"] = loop.time() - began

    async def firing(self, alert: str) -> None:
        async def holds() -> bool:
            return alert in await self.prometheus.firing()

        await until(holds, seconds=_PATIENCE)

    async def break_ledger(self) -> Callable[[], Any]:
        """A hand in the tables; what is given takes it back."""
        async with self.database.session() as session:
            await session.execute("UPDATE goods SET stock = stock + 7 WHERE id = 2")

        async def mend() -> None:
            async with self.database.session() as session:
                await session.execute("UPDATE goods SET stock = stock - 7 WHERE id = 2")

        return mend


async def _fail() -> None:
    raise RuntimeError("a fault of the service")


@asynccontextmanager
async def morning(folder: Path, *, by: int) -> AsyncIterator[Morning]:
    """Everything runs and is well; the rules' and Alertmanager's durations are divided."""
    place = folder / "monitoring"
    place.mkdir(parents=True)
    with listening() as people:
        async with Database.running(folder / "postgres") as database:
            async with database.session() as session:
                await session.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
            settings = database.settings(
                METRICS_REFRESH=max(15 / by, 1), LEDGER_CHECK=max(60 / by, 1), LOG_LEVEL="error"
            )
            app = create_app(settings)
            app.add_api_route("/faulty", _fail)
            configuration = write_configuration(place, people)
            write_alertmanager(configuration, by)
            async with (
                serving(app) as url,
                exporting(place, settings) as exporter,
                alerting(place, configuration) as alertmanager,
                httpx2.AsyncClient(base_url=url, timeout=30, verify=False) as client,
            ):
                for n in (1, 2):
                    assert (
                        await client.post("/goods", json={"name": f"a{n}", "price": 1, "stock": 5})
                    ).status_code == 201
                targets = {
                    "goods-api": url.removeprefix("http://"),
                    "postgres": exporter,
                    "loki": people.http.removeprefix("http://"),
                }
                traffic = Traffic(client)
                task = asyncio.create_task(traffic.run())
                try:
                    async with watching(place, by=by, targets=targets, alertmanager=alertmanager.address) as prometheus:
                        yield Morning(database, traffic, people, alertmanager, prometheus, {})
                finally:
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task


async def all_is_well(at: Morning) -> None:
    """The heartbeat comes, every rule can be evaluated, and nothing fires.

    On a machine that has much to do the stack's own start may have been told: that something was absent, and its end.
    """
    await at.firing("Watchdog")

    async def settled() -> bool:
        told = at.people.count()
        ended = all((channel, "resolved", alert) in told for channel, _, alert in told)
        return ended and at.people.heartbeats >= 2 and await at.prometheus.firing() == {"Watchdog"}

    await until(settled, seconds=_PATIENCE)
    (watchdog,) = await at.alertmanager.alerts()
    assert (watchdog["labels"]["monitor"], watchdog["labels"]["env"]) == ("goods", ENV)
    assert await at.prometheus.unhealthy_rules() == []
    at.people.heard.clear()


async def stock_and_answers_go_wrong(at: Morning) -> None:
    """Two alerts that have nothing to do with each other, while Slack does not answer: the others are told of both."""
    at.people.deaf = {"slack"}
    mend = await at.break_ledger()
    at.traffic.faulty = True
    await asyncio.gather(
        at.told("GoodsStockMismatch", "firing", EVERYBODY - {"slack"}),
        at.told("GoodsAvailabilityFastBurn", "firing", EVERYBODY - {"slack"}),
    )
    assert at.people.refused > 0
    assert at.people.told("GoodsStockMismatch", "firing") == EVERYBODY - {"slack"}
    at.people.deaf = set()
    at.traffic.faulty = False
    await mend()
    await asyncio.gather(
        at.told("GoodsStockMismatch", "resolved", EVERYBODY - {"slack"}),
        at.told("GoodsAvailabilityFastBurn", "resolved", EVERYBODY - {"slack"}),
    )


async def slack_stays_away(at: Morning) -> None:
    """That notifications fail is told by the ways that work, and so is everything else."""
    at.people.deaf = {"slack"}
    mend = await at.break_ledger()
    others = EVERYBODY - {"slack"}
    await at.told("GoodsStockMismatch", "firing", others)
    await at.told(GIVEN_UP, "firing", others)
    await mend()
    await at.told("GoodsStockMismatch", "resolved", others)
    at.people.deaf = set()
    await at.told(GIVEN_UP, "resolved", others)


async def the_database_stops(at: Morning) -> None:
    """The cause is told, and what follows from it is not: neither then nor after it has come back."""
    await at.database.stop()
    await at.told("PostgresDown", "firing")
    await at.firing("GoodsAvailabilityFastBurn")
    await at.firing("GoodsWritesFailing")

    async def silenced() -> bool:
        return {"GoodsAvailabilityFastBurn", "GoodsWritesFailing"} <= await at.alertmanager.inhibited()

    await until(silenced, seconds=_PATIENCE)
    await at.database.start()
    await at.told("PostgresDown", "resolved")
    assert await at.prometheus.firing() <= {"Watchdog", SLOW, GIVEN_UP}


def assert_each_was_told_once(at: Morning, *, deaf: str, deaf_to: set[str], alerts: set[str]) -> None:
    """Each channel heard once of each alert and once of its end, and of nothing else.

    What was told while one channel was deaf it may have heard later, but no more often either.
    """
    heard = at.people.count()
    assert at.people.wrong == []
    assert set(heard.values()) == {1}, heard
    expected = {
        (channel, status, alert) for alert in alerts for status in ("firing", "resolved") for channel in EVERYBODY
    }
    missed = {(deaf, status, alert) for alert in deaf_to for status in ("firing", "resolved")}
    slow = {("slack", status, SLOW) for status in ("firing", "resolved")}
    given_up = {(channel, status, GIVEN_UP) for channel in EVERYBODY for status in ("firing", "resolved")}
    assert expected - missed <= heard.keys() <= expected | slow | (given_up if deaf_to else set())
