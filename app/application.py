"""Puts the parts together: the one place that knows them all."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from copy import copy
from functools import cache, partial

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from app import __version__
from app.about import docs, index, problems
from app.access.directory import KeyDirectory
from app.access.guard import Guard, is_open
from app.config.conf import ConfigurationError, Settings, load_settings
from app.database.db import Database
from app.errors import http as errors
from app.errors.domain import GoodsApiError
from app.goods.queries.categories import Categories
from app.goods.queries.changes import Changes
from app.goods.queries.export import GoodsExports
from app.goods.queries.goods import GoodsQueries
from app.goods.queries.import_rows import ImportRows
from app.goods.queries.imports import Imports
from app.goods.queries.ledger_watch import LedgerWatch
from app.goods.queries.lists import GoodsLists
from app.goods.queries.movements import Movements
from app.goods.queries.past import PastGoods
from app.goods.routers import bulk, changes, export, goods, imports, stock
from app.goods.services.bulk import BulkService
from app.goods.services.feed import Feed
from app.goods.services.gauges import GaugeRefresher
from app.goods.services.goods import GoodsService
from app.goods.services.idempotency import Idempotency
from app.goods.services.imports.worker import ImportWorker
from app.goods.services.stock import StockService
from app.health import router as health
from app.health.lifecycle import Lifecycle
from app.health.readiness import Readiness
from app.logs.access import AccessLog
from app.logs.pipeline import configure_logging
from app.metrics.access import AccessMetrics
from app.metrics.database import DatabaseMetrics
from app.metrics.exposition import Exposition, several_workers
from app.metrics.feed import FeedMetrics
from app.metrics.goods import GoodsMetrics
from app.metrics.http import HttpMetrics
from app.metrics.ledger import LedgerMetrics
from app.middleware.access import AccessMiddleware
from app.middleware.access_log import AccessLogMiddleware
from app.middleware.admission import Admission, AdmissionMiddleware
from app.middleware.error_boundary import ErrorBoundaryMiddleware
from app.middleware.limits import LimitsMiddleware
from app.middleware.prometheus import PrometheusMiddleware
from app.middleware.rate_limit import RateLimiter
from app.middleware.request_context import RequestContextMiddleware
from app.middleware.security_headers import SecurityHeadersMiddleware
from app.middleware.stack import MiddlewareStack
from app.middleware.target import TargetMiddleware
from app.rest.routing import LeanPath, LeanRoute, keep_apart
from app.server.workers import worker_index

# A path that is written out goes before the templates that it would match.
_WORK = (
    bulk.router,
    export.router,
    goods.listing,
    goods.lean,
    goods.lean_writes,
    goods.router,
    stock.lean,
    stock.router,
    changes.router,
    imports.router,
)
_DOCS = frozenset(route.path for route in docs.router.routes if isinstance(route, Route))
# What a page of another origin may send, and may read of an answer.
_CORS_REQUEST = [
    "Authorization", "X-API-Key", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key", "X-Request-ID",
    "Last-Event-ID", "traceparent",
]  # fmt: skip
_CORS_ANSWER = [
    "ETag", "Location", "Link", "X-Request-ID", "Retry-After", "Idempotency-Replayed", "RateLimit", "RateLimit-Policy",
    "WWW-Authenticate",
]  # fmt: skip


class Parts:
    """Everything that one process of the service consists of, for handlers to take what they need."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lifecycle = Lifecycle()
        self.exposition = Exposition(version=__version__, worker=worker_index())
        registry = self.exposition.registry
        self.http_metrics = HttpMetrics(registry, several_workers=several_workers())
        self.goods_metrics = GoodsMetrics(registry)
        self.feed_metrics = FeedMetrics(registry)
        self.ledger_metrics = LedgerMetrics(registry)
        self.access_metrics = AccessMetrics(registry)
        self.database_metrics = DatabaseMetrics(registry)
        self.database = Database(settings, self.database_metrics)
        self.readiness = Readiness(self.database, self.lifecycle, deadline=settings.connect_timeout)
        self.key_directory = KeyDirectory(self.database, self.access_metrics)
        with_key = {*(_DOCS if settings.docs == "key" else ()), *(["/metrics"] if settings.metrics == "key" else ())}
        self.guard = Guard(settings.auth, self.key_directory, self.access_metrics, closed=frozenset(with_key))
        self.admission = Admission(
            settings.max_requests,
            most_waiting=settings.max_waiting_requests,
            seconds=settings.queue_timeout,
            metrics=self.http_metrics,
        )
        self.goods_queries = GoodsQueries(self.database, self.goods_metrics)
        self.goods_lists = GoodsLists(self.database, self.goods_metrics)
        self.goods_exports = GoodsExports(self.database, self.goods_lists, self.goods_metrics)
        self.categories = Categories(self.database, self.goods_metrics)
        self.idempotency = Idempotency(self.database, self.goods_metrics, hours=settings.idempotency_retention)
        self.goods_service = GoodsService(self.database, self.goods_metrics, require_if_match=settings.require_if_match)
        self.stock_service = StockService(self.database, self.goods_metrics)
        self.movements = Movements(self.database, self.goods_metrics)
        self.feed = Feed(self.database, self.feed_metrics, retention=settings.feed_retention)
        self.lifecycle.on_drain(self.feed.end)
        self.changes = Changes(
            self.database, self.goods_metrics, self.feed_metrics, self.feed, max_streams=settings.max_streams
        )
        self.past_goods = PastGoods(self.database, self.goods_metrics)
        self.bulk_service = BulkService(self.database, self.goods_metrics)
        self.imports = Imports(self.database)
        self.import_rows = ImportRows(self.database)
        self.import_worker = ImportWorker(settings, self.database, self.goods_metrics)
        self.gauges = GaugeRefresher(
            self.database,
            self.goods_metrics,
            self.database_metrics,
            low_stock_below=settings.low_stock_below,
            seconds=settings.metrics_refresh,
        )
        self.ledger_watch = LedgerWatch(self.database, self.ledger_metrics, seconds=settings.ledger_check)
        self.access_log = AccessLog(several_workers=several_workers())

    def sample(self) -> None:
        """Bring the metrics that need no database up to date, before they are shown."""
        self.exposition.sample()
        self.feed_metrics.sample()
        self.ledger_metrics.sample()
        self.access_metrics.sample()
        self.database_metrics.sample(self.database.pools)


class GoodsApi(FastAPI):
    """The framework's application, with what happens around every request outside of it."""

    around: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.inside(scope, receive, send)
            return
        scope["app"] = self
        await self.around(scope, receive, send)

    async def inside(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What the framework does."""
        await super().__call__(scope, receive, send)


def create_app(settings: Settings | None = None) -> GoodsApi:
    """The service as an ASGI application. Reads the environment when it is given no settings.

    Raises ConfigurationError when no database is configured: `goods serve` is what brings an embedded one.
    """
    settings = settings or load_settings(os.environ)
    if not settings.database_configured:
        raise ConfigurationError("DB_HOST is not set: set it, or start with `goods serve`")
    configure_logging(level=settings.log_level, form=settings.log_format, version=__version__)
    parts = Parts(settings)
    app = GoodsApi(
        title="Goods API",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    app.state.parts = parts
    app.openapi = cache(lambda: docs.describe(app))  # type: ignore[method-assign]  # FastAPI's documented way
    errors.install(app)
    _add_routes(app, parts)
    _add_middleware(app, parts)
    return app


def _add_routes(app: GoodsApi, parts: Parts) -> None:
    """All routes but those that the deployment has closed; those that do work wait for their turn."""
    settings = parts.settings
    closed = {*(_DOCS if settings.docs == "off" else ()), *(["/metrics"] if settings.metrics == "off" else ())}
    # Not include_router: it would wrap each router in a tree that is walked on every request, and hide the routes'
    # templates and methods. Our routers carry their whole prefix, so their routes are complete.
    # Copies: the routers are shared by all applications of this process.
    work = [copy(route) for router in _WORK for route in router.routes if isinstance(route, Route)]
    keep_apart(work)
    for route in work:
        if isinstance(route, LeanRoute):
            route.open_behind(parts.admission)
        else:
            route.app = AdmissionMiddleware(route.app, parts.admission)
    app.router.routes.extend(work)
    for router in (health.router, index.router, problems.router, docs.router):
        app.router.routes.extend(route for route in router.routes if getattr(route, "path", "") not in closed)


def _add_middleware(app: GoodsApi, parts: Parts) -> None:
    """From the inside to the outside: what is added last sees a request first, but of the steps the first does."""
    settings = parts.settings
    rate = None if settings.rate_limit is None else RateLimiter(settings.rate_limit)
    access = partial(AccessMiddleware, actor_of=parts.guard.actor_of, rate=rate, exempt=is_open)
    app.add_middleware(access)
    app.add_middleware(TargetMiddleware)
    limits = partial(
        LimitsMiddleware,
        max_body_bytes=settings.max_body_bytes,
        body_timeout=settings.body_timeout,
        bounds={"/goods/bulk": settings.max_bulk_bytes, "/imports": settings.max_import_bytes},
        upload_paths=frozenset({"/imports"}),
    )
    app.add_middleware(limits)
    app.add_middleware(ErrorBoundaryMiddleware)

    def guarded(route: LeanRoute) -> ASGIApp:
        inner = limits(route.app) if route.reads_body else route.app
        # What the rate limit adds to answers it adds to problems as well: they are made inside of it.
        return ErrorBoundaryMiddleware(access(inner if rate is None else ErrorBoundaryMiddleware(inner)))

    inside: ASGIApp = LeanPath(app.inside, app.router.routes, guarded)
    if settings.cors_origins is not None:
        inside = CORSMiddleware(
            inside,
            allow_origins=[origin.strip() for origin in settings.cors_origins.split(",")],
            allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=_CORS_REQUEST,
            expose_headers=_CORS_ANSWER,
        )
    steps = (
        RequestContextMiddleware(draining=lambda: parts.lifecycle.draining),
        PrometheusMiddleware(parts.http_metrics),
        AccessLogMiddleware(parts.access_log),
        SecurityHeadersMiddleware(),
    )
    app.around = MiddlewareStack(inside, steps)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    parts: Parts = app.state.parts
    await parts.database.open()
    with suppress(GoodsApiError):  # a service starts without a database, too
        await parts.key_directory.refresh()
    tasks = [
        asyncio.create_task(parts.key_directory.run()),
        asyncio.create_task(parts.gauges.run()),
        asyncio.create_task(parts.feed.run()),
        asyncio.create_task(parts.ledger_watch.run()),
        asyncio.create_task(parts.idempotency.run()),
        asyncio.create_task(parts.import_worker.run()),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(GoodsApiError):
            await parts.key_directory.write_uses()
        await parts.database.close()
