"""GET /changes as server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from app.application import create_app
from app.config.conf import Settings
from app.goods.queries import changes
from tests.api.support import assert_problem, counted, create, places
from tests.api.test_changes import everything, feed
from tests.conftest import until
from tests.serving import serving

_SSE = {"Accept": "text/event-stream"}


@asynccontextmanager
async def streamed(
    client: httpx2.AsyncClient, path: str = "/changes", **headers: str
) -> AsyncIterator[AsyncIterator[tuple[str, dict[str, Any]]]]:
    """The events of a stream as (id, data); comments are passed over."""
    async with client.stream("GET", path, headers={**_SSE, **headers}) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        yield _events(answer.aiter_lines())


async def _events(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    event: dict[str, str] = {}
    async for line in lines:
        if line and not line.startswith(":"):
            field, _, value = line.partition(": ")
            event[field] = value
        elif event:
            assert set(event) == {"id", "data"}
            yield event["id"], json.loads(event["data"])
            event = {}


async def taken(events: AsyncIterator[tuple[str, dict[str, Any]]], count: int) -> list[dict[str, Any]]:
    """So many events; each one's id is its position."""
    found = []
    for _ in range(count):
        identifier, entry = await anext(events)
        assert identifier == str(entry["position"])
        found.append(entry)
    return found


async def test_it_has_what_there_is_and_then_what_happens(client: httpx2.AsyncClient) -> None:
    await everything(client)
    whole = await feed(client)
    async with asyncio.timeout(20), streamed(client) as events:
        assert await taken(events, len(whole)) == whole
        for _ in range(3):
            good = await create(client)
            [entry] = await taken(events, 1)
            assert entry["after"] == good


async def test_it_begins_after_the_cursor_and_the_last_event_id_goes_first(client: httpx2.AsyncClient) -> None:
    await everything(client)
    whole = await feed(client)
    for path, headers, expected in (
        ("/changes?after=3", {}, whole[3:]),
        ("/changes?after=3", {"Last-Event-ID": "5"}, whole[5:]),
        ("/changes", {"Last-Event-ID": "0"}, whole),
    ):
        async with asyncio.timeout(20), streamed(client, path, **headers) as events:
            assert await taken(events, len(expected)) == expected
    async with asyncio.timeout(20), streamed(client, "/changes?after=latest") as events:
        good = await create(client)
        [entry] = await taken(events, 1)
        assert entry["after"] == good


async def test_a_follower_that_is_cut_off_again_and_again_misses_nothing(client: httpx2.AsyncClient) -> None:
    good = await create(client, stock=0)

    async def write() -> None:
        for _ in range(40):
            await client.post(f"/goods/{good['id']}/stock", json={"delta": 1, "reason": "receipt"})

    writing = asyncio.create_task(write())
    entries: list[dict[str, Any]] = []
    async with asyncio.timeout(30):
        while len(entries) < 41:
            async with streamed(client, **{"Last-Event-ID": str(len(entries))}) as events:
                entries += await taken(events, min(7, 41 - len(entries)))
    await writing
    assert entries == await feed(client)


async def test_many_streams_are_told_of_the_same_change(client: httpx2.AsyncClient) -> None:
    async def first() -> dict[str, Any]:
        async with streamed(client, "/changes?after=latest") as events:
            [entry] = await taken(events, 1)
            return entry

    async with asyncio.timeout(20):
        watching = [asyncio.create_task(first()) for _ in range(20)]
        await until(lambda: _streams(client, 20))
        good = await create(client)
        assert [entry["after"] for entry in await asyncio.gather(*watching)] == [good] * 20
    await until(lambda: _streams(client, 0))


async def _streams(client: httpx2.AsyncClient, count: int) -> bool:
    return await counted(client, "goods_feed_streams") == count


async def test_a_sign_of_life_comes_when_nothing_happens(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "_HEARTBEAT", 0.01)
    async with asyncio.timeout(20), client.stream("GET", "/changes", headers=_SSE) as answer:
        lines = answer.aiter_lines()
        assert [await anext(lines) for _ in range(4)] == [":", "", ":", ""]


async def test_it_has_a_route_of_its_own_and_is_not_in_progress(client: httpx2.AsyncClient) -> None:
    async def progress() -> float:
        # The one that asks is in progress itself.
        return await counted(client, "http_requests_in_progress", method="GET")

    alone = await progress()
    async with asyncio.timeout(20), streamed(client):
        assert await counted(client, "http_requests_total", route="/changes#stream", status="200") >= 1
        assert await progress() == alone
    await until(lambda: _streams(client, 0))
    assert await progress() == alone


async def test_what_can_not_begin_is_a_problem(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/changes", headers={**_SSE, "Last-Event-ID": "x"})
    assert places(assert_problem(answer, 422, "invalid-input")) == ["Last-Event-ID"]
    assert_problem(await client.get("/changes?after=7", headers=_SSE), 410, "cursor-gone")
    head = await client.head("/changes", headers=_SSE)
    assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


@pytest.mark.parametrize(
    ("accept", "stream"),
    [
        ("*/*", False), ("application/json", False), ("text/event-stream;q=0", False), ("text/html, */*", False),
        ("application/json, text/event-stream;q=0.5", False), ("Text/Event-Stream", True),
        ("application/json;q=0.9, text/event-stream", True), ("text/event-stream;q=x", False),
    ],
)  # fmt: skip
async def test_who_does_not_ask_for_it_gets_a_page(client: httpx2.AsyncClient, accept: str, *, stream: bool) -> None:
    async with client.stream("GET", "/changes", headers={"Accept": accept}) as answer:
        kind = "text/event-stream; charset=utf-8" if stream else "application/json"
        assert answer.headers["content-type"] == kind


@pytest.mark.usefixtures("service")
async def test_streams_end_when_the_service_stops_and_there_are_only_so_many(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"max_streams": 1}))
    async with serving(app) as url, httpx2.AsyncClient(base_url=url, timeout=30, verify=False) as client:
        good = await create(client)
        async with asyncio.timeout(20), streamed(client) as events:
            assert (await taken(events, 1))[0]["after"] == good
            assert_problem(await client.get("/changes", headers=_SSE), 503, "overloaded")
            assert (await client.get("/changes")).status_code == 200
            app.state.parts.lifecycle.drain()
            assert [event async for event in events] == []
