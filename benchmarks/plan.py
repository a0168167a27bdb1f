"""Who takes part in which scenario, and what is demanded of the service there."""

import contextlib
from pathlib import Path
from typing import Any

from app.database.db import Database
from app.goods.queries.filters import fingerprint
from app.goods.schemas.list import GoodsFilter
from app.metrics.database import DatabaseMetrics
from app.metrics.exposition import Exposition
from app.metrics.goods import GoodsMetrics
from app.rest import cursors
from benchmarks import scenarios
from benchmarks.database import Databases, run
from benchmarks.load import CONNECTIONS, Measure, http_round, pgbench_round, postmaster_of
from benchmarks.measure import Scenario
from benchmarks.servers import Command, Server, fastify, floor, ours, ours_without, running, textbook

SHOP, LARGE, SMALL, PEERS = "shop", "large", "small", "peers"
_PARTS = ("metrics", "log", "ids", "metrics,log,ids")
_ALL_PARTS = f"without {_PARTS[-1]}"


class Bench:
    """Everything that runs, and what makes rounds of it."""

    def __init__(self, made: Databases, folder: Path, stack: contextlib.ExitStack) -> None:
        self.databases = made
        self.folder = folder
        self.stack = stack
        self.servers: dict[str, Server] = {}
        self.resting: dict[str, float] = {}  # MiB, before anything was asked
        self._port = 8120
        self._postmaster = postmaster_of(Path(run(made.data_folder())))

    def server(self, name: str, command: Command, database: str) -> Server:
        self._port += 1
        environ = self.databases.environ(database)
        server = self.stack.enter_context(running(name, self._port, command, environ, self.folder))
        self.servers[name], self.resting[name] = server, server.memory_mib()
        return server

    def http(self, server: Server, script: str, *, connections: int = CONNECTIONS) -> Measure:
        return lambda seconds: http_round(
            server, script, seconds=seconds, postmaster=self._postmaster, connections=connections
        )

    def sql(self, database: str, script: str) -> Measure:
        return lambda seconds: pgbench_round(
            self.databases.address, database, script, seconds=seconds, postmaster=self._postmaster
        )

    def each(self, script: str, servers: dict[str, Server]) -> dict[str, Measure]:
        return {name: self.http(server, script) for name, server in servers.items()}


def guard(bench: Bench, goods: int) -> list[Scenario]:
    """The short form: the service beside the floor, which drifts with the machine as it does."""
    own = bench.server("ours", ours(), SHOP)
    bare = bench.server("asgi", floor("asgi"), SHOP)
    return [
        Scenario(title, {"ours": bench.http(own, script), "floor: asgi": bench.http(bare, script)})
        for title, script in (
            ("read one", scenarios.read_one(goods)),
            ("list 100", scenarios.list_100()),
            ("create", scenarios.create()),
        )
    ]


def against_peers(bench: Bench, goods: int) -> list[Scenario]:
    """The scenarios that the peers have, too."""
    own = bench.server("ours", ours(), SHOP)
    less = {f"without {parts}": bench.server(f"without {parts}", ours_without(parts), SHOP) for parts in _PARTS}
    peers = {
        "textbook": bench.server("textbook", textbook(), PEERS),
        "fastify": bench.server("fastify", fastify(), PEERS),
    }
    floors = {f"floor: {name}": bench.server(name, floor(name), SHOP) for name in ("asgi", "framework")}
    everyone = {"ours": own, **peers}
    return [
        Scenario(
            f"Read one of {goods:,}",
            {
                **bench.each(scenarios.read_one(goods), {"ours": own, **less, **peers, **floors}),
                "pgbench": bench.sql(SHOP, scenarios.sql_read_one(goods)),
            },
            [("textbook", 6), ("fastify", 1.2), ("floor: asgi", 0.25), (_ALL_PARTS, 0.8)],
        ),
        Scenario(
            f"List {scenarios.PAGE}",
            {**bench.each(scenarios.list_100(), everyone), "pgbench": bench.sql(SHOP, scenarios.sql_list_100())},
            [("textbook", 5), ("fastify", 1.2), ("pgbench", 0.15)],
        ),
        Scenario("List with filters", bench.each(scenarios.filtered(), everyone)),
        Scenario(
            "Create",
            {**bench.each(scenarios.create(), everyone), "pgbench": bench.sql(SHOP, scenarios.sql_create())},
            [("textbook", 3), ("fastify", 0.6), ("pgbench", 0.25)],
        ),
        Scenario(
            "Sale of one piece",
            {**bench.each(scenarios.sale(goods), everyone), "pgbench": bench.sql(SHOP, scenarios.sql_sale(goods))},
        ),
        Scenario("Bulk of 1,000", {"ours": bench.http(own, scenarios.bulk(1000), connections=2)}),
    ]


def of_scale(bench: Bench, goods: int, small: int) -> list[Scenario]:
    """What a larger catalogue and a second worker change."""
    own = bench.server("ours large", ours(), LARGE)
    few = bench.server("ours small", ours(), SMALL)
    two = bench.server("two workers", ours(API_WORKERS="2"), LARGE)
    first = f"/goods?limit={scenarios.PAGE}"
    last = f"{first}&after={run(_last_page(bench.databases, goods))}"
    searches = run(sent_by_searches(bench.databases))
    mix = "".join(f"\\if :n = {n}\n{''.join(sent)}\\endif\n" for n, (_, sent) in enumerate(searches))
    return [
        Scenario(
            f"Page {goods // scenarios.PAGE:,} of {goods:,} goods",
            {"ours": bench.http(own, scenarios.get(last)), "page 1": bench.http(own, scenarios.get(first))},
            [("page 1", 1 / 1.2)],
        ),
        Scenario(
            f"Search mix of {len(searches)} over {goods:,}",
            {
                "ours": bench.http(own, scenarios.search_mix()),
                "pgbench": bench.sql(LARGE, f"\\set n random(0, {len(searches) - 1})\n{mix}"),
            },
            [("pgbench", 0.5)],
        ),
        Scenario(
            f"Read one of {goods:,}, and of {small:,}",
            {
                "ours": bench.http(own, scenarios.read_one(goods)),
                f"of {small:,}": bench.http(few, scenarios.read_one(small)),
                "two workers": bench.http(two, scenarios.read_one(goods)),
            },
        ),
    ]


async def _last_page(made: Databases, goods: int) -> str:
    """The token of the last page, from the good before it."""
    connection = await made.connect(LARGE)
    last = await connection.fetchval("SELECT id FROM goods ORDER BY id LIMIT 1 OFFSET $1", goods - scenarios.PAGE - 1)
    await connection.close()
    return cursors.encode(fingerprint(GoodsFilter.model_validate({})), last)


async def sent_by_searches(made: Databases) -> list[tuple[str, list[str]]]:
    """Each search of the mix, and the statements that the service sends for its first page."""
    registry: Any = Exposition(version="benchmark").registry
    database = Database(made.settings(LARGE), DatabaseMetrics(registry))
    await database.open()
    try:
        return await scenarios.sql_searches(database, GoodsMetrics(registry))
    finally:
        await database.close()
