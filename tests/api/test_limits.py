"""How much a caller may do: requests in a time, requests at once, bytes in a body."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from app.application import create_app
from app.config.conf import Settings
from tests.api.support import assert_problem, counted
from tests.api.test_access import Keys, keys
from tests.conftest import Service, until
from tests.contract.poison import exchange
from tests.serving import serving

__all__ = ["keys"]

_RATE = "3/minute;1000/hour"
_POLICY = '"minute";q=3;w=60, "hour";q=1000;w=3600'


@asynccontextmanager
async def limited(settings: Settings, **changes: Any) -> AsyncIterator[tuple[Service, httpx2.AsyncClient]]:
    """A service of the test's own with other limits, and a client."""
    app = create_app(settings.model_copy(update=changes))
    async with serving(app) as url, httpx2.AsyncClient(base_url=url, timeout=30, verify=False) as client:
        yield Service(app, url), client


async def test_requests_beyond_the_rate_are_told_when_to_come_back(settings: Settings) -> None:
    async with limited(settings, rate_limit=_RATE) as (_, client):
        for left in (2, 1, 0):
            answer = await client.get("/categories")
            assert answer.status_code == 200
            assert answer.headers["ratelimit-policy"] == _POLICY
            assert re.fullmatch(rf'"minute";r={left};t=\d+', answer.headers["ratelimit"])
        for method, path in (("GET", "/categories"), ("POST", "/goods"), ("GET", "/nothing")):
            answer = await client.request(method, path)
            assert_problem(answer, 429, "rate-limited")
            assert 1 <= int(answer.headers["retry-after"]) <= 60
            assert answer.headers["ratelimit-policy"] == _POLICY
        for path in ("/livez", "/readyz", "/metrics", "/docs", "/"):
            answer = await client.get(path)
            assert answer.status_code == 200
            assert "ratelimit" not in answer.headers
        refused = {"method": "GET", "route": "/categories", "status": "429"}
        assert await counted(client, "http_requests_total", **refused) == 1


async def test_each_key_has_a_rate_of_its_own_and_guessers_share_their_addresses(
    settings: Settings, keys: Keys
) -> None:
    async with limited(settings, rate_limit=_RATE, api_auth="all") as (_, client):
        for name in ("may-read", "may-write"):
            statuses = [(await client.get("/categories", headers=keys.bearer(name))).status_code for _ in range(4)]
            assert statuses == [200, 200, 200, 429]
        guesses = [{"X-API-Key": str(n)} for n in range(2)] + [{}, keys.bearer("revoked")]
        statuses = [(await client.get("/categories", headers=guess)).status_code for guess in guesses]
        assert statuses == [401, 401, 401, 429]
        assert (await client.get("/categories", headers=keys.bearer("may-admin"))).status_code == 200


async def test_the_client_is_whom_a_trusted_proxy_names_and_nobody_else(settings: Settings) -> None:
    def from_(*addresses: str) -> dict[str, str]:
        return {"X-Forwarded-For": ", ".join(addresses)}

    async def statuses(client: httpx2.AsyncClient, *forwarded: dict[str, str]) -> list[int]:
        return [(await client.get("/categories", headers=headers)).status_code for headers in forwarded]

    async with limited(settings, rate_limit="1/minute") as (_, client):
        assert await statuses(client, from_("192.0.2.1"), from_("192.0.2.2")) == [200, 429], "none is believed"
    async with limited(settings, rate_limit="1/minute", trusted_proxies="127.0.0.1,10.0.0.0/8") as (_, client):
        assert await statuses(client, from_("192.0.2.1"), from_("192.0.2.2"), from_("192.0.2.1")) == [200, 200, 429]
        # What the client itself claims stands further left.
        assert await statuses(client, from_("198.51.100.9", "192.0.2.3"), from_("198.51.100.8", "192.0.2.3")) == [
            200,
            429,
        ]
        assert await statuses(client, from_("192.0.2.4", "10.1.2.3"), from_("192.0.2.4")) == [200, 429]
        # One subscriber has a whole network of IPv6.
        assert await statuses(client, from_("2001:db8::1"), from_("2001:db8::2"), from_("2001:db8:1::1")) == [
            200,
            429,
            200,
        ]
        assert await statuses(client, from_("not an address"), from_("nor this")) == [200, 429]


class Gate:
    """Requests of the service stay in its database until they are let through."""

    def __init__(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = asyncio.Event()
        self.inside = 0
        pool = service.parts.database.primary
        fetch = pool.fetch

        async def gated(sql: str, *arguments: Any) -> Any:
            self.inside += 1
            await self.open.wait()
            return await fetch(sql, *arguments)

        monkeypatch.setattr(pool, "fetch", gated)


async def test_requests_beyond_what_is_worked_on_wait_and_beyond_that_are_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"max_requests": 2, "max_waiting_requests": 3, "queue_timeout": 30.0}
    async with limited(settings, **changes) as (service, client):
        gate = Gate(service, monkeypatch)
        asked = [asyncio.create_task(client.get("/categories")) for _ in range(5)]
        queue = service.parts.http_metrics.queued
        await until(lambda: gate.inside == 2 and queue._value.get() == 3)
        answer = await client.get("/categories")
        assert_problem(answer, 503, "overloaded")
        assert answer.headers["retry-after"] == "1"
        # What needs no place is answered all the same.
        for method, path, status in (
            ("GET", "/livez", 200), ("GET", "/metrics", 200), ("GET", "/nothing", 404), ("DELETE", "/goods", 405),
            ("GET", "/docs", 200),
        ):  # fmt: skip
            assert (await client.request(method, path)).status_code == status
        assert await counted(client, "http_requests_turned_away_total") >= 1
        gate.open.set()
        assert [(await each).status_code for each in asked] == [200] * 5
        assert queue._value.get() == 0
        assert (await client.get("/categories")).status_code == 200


async def test_who_waits_in_vain_is_told_so_and_leaves_its_place_in_the_queue(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {"max_requests": 1, "max_waiting_requests": 2, "queue_timeout": 0.05}
    async with limited(settings, **changes) as (service, client):
        gate = Gate(service, monkeypatch)
        first = asyncio.create_task(client.get("/categories"))
        await until(lambda: gate.inside == 1)
        for answer in await asyncio.gather(*(client.get("/categories") for _ in range(6))):
            assert_problem(answer, 503, "overloaded")
        gate.open.set()
        assert (await first).status_code == 200
        answers = [await client.get("/categories") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200] * 3


async def test_a_client_that_leaves_gives_its_place_back(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async with limited(settings, max_requests=1, max_waiting_requests=1, queue_timeout=30.0) as (service, client):
        gate = Gate(service, monkeypatch)
        leaving = [asyncio.create_task(client.get("/categories")) for _ in range(2)]
        await until(lambda: gate.inside == 1 and service.parts.http_metrics.queued._value.get() == 1)
        for task in leaving:
            task.cancel()
        gate.open.set()

        async def served() -> bool:
            return (await client.get("/categories")).status_code == 200

        await until(served)


async def test_a_slow_body_keeps_nobody_out_and_neither_does_a_stream(settings: Settings) -> None:
    async with limited(settings, max_requests=1, max_waiting_requests=0) as (service, client):
        writers = []
        for _ in range(3):
            _, writer = await asyncio.open_connection("127.0.0.1", service.port)
            writer.write(
                b"POST /goods HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
            )
            writer.write(b'"')
            writers.append(writer)
        in_progress = {"method": "POST"}

        async def waiting() -> bool:
            return await counted(client, "http_requests_in_progress", **in_progress) == 3

        await until(waiting)
        assert (await client.get("/categories")).status_code == 200
        async with client.stream("GET", "/changes?after=latest", headers={"Accept": "text/event-stream"}) as stream:
            assert stream.status_code == 200
            assert (await client.get("/categories")).status_code == 200
        for writer in writers:
            writer.close()


@pytest.mark.parametrize("chunked", [False, True])
async def test_each_path_has_the_bound_that_it_needs(settings: Settings, *, chunked: bool) -> None:
    changes = {"max_body_bytes": 1_000, "max_bulk_bytes": 5_000, "max_import_bytes": 20_000}
    async with limited(settings, **changes) as (service, _):
        for path, most, kind in (
            ("/goods", 1_000, "application/json"),
            ("/goods/", 1_000, "application/json"),
            ("/goods/bulk", 5_000, "application/json"),
            ("/goods/bulk/", 5_000, "application/json"),
            ("/imports", 20_000, "text/csv"),
        ):
            for size, refused in ((most, False), (most + 1, True)):
                body = b" " * size
                framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % size
                sent = b"%x\r\n%s\r\n0\r\n\r\n" % (size, body) if chunked else body
                head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {kind}\r\n".encode()
                answer = await exchange(service.port, head + framing + b"\r\n\r\n" + sent)
                assert (answer.status == 413) == refused, (path, size, answer)
                if refused:
                    assert str(most) in answer.body.decode()


@pytest.mark.parametrize(
    "path", ["/goods/1", "/goods/abc", "/goods/by-sku/none", "/goods?limit=0", "/goods?x=1", "/goods"]
)
async def test_what_is_left_stands_on_every_answer_problems_included(settings: Settings, path: str) -> None:
    async with limited(settings, rate_limit="100/second") as (_, client):
        target, _, query = path.partition("?")
        for asked in (path, f"{target}/?{query}"):
            answer = await client.get(asked)
            assert {"ratelimit", "ratelimit-policy"} <= set(answer.headers), asked
