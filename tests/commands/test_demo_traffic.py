"""`goods demo-traffic`: every kind of request that boards show, and nothing left of it."""

import asyncio
import json
import signal
import subprocess
from typing import Any

import httpx2
import pytest

from app.commands.demo_mix import MIX, DemoShop
from tests.commands.conftest import PROGRAM, Program
from tests.commands.test_prove import answering
from tests.conftest import Service, until

pytestmark = pytest.mark.slow


def test_the_mix_is_a_hundred() -> None:
    assert sum(MIX.values()) == 100


async def test_all_kinds_of_requests_are_made_and_nothing_is_left(goods: Program, connection: Any) -> None:
    goods.run("sample", "50")
    before = await connection.fetch("SELECT id, version, stock FROM goods ORDER BY id")
    serving = goods.serve(stdout=subprocess.DEVNULL)
    await serving.ready()
    ended = goods.run("demo-traffic", serving.url, "--seconds", "4", "--requests-per-second", "60")
    async with httpx2.AsyncClient(base_url=serving.url, verify=False) as client:
        metrics = (await client.get("/metrics")).text
    serving.stop()
    assert ended.returncode == 0, ended.stderr
    found = {line[:26].strip(): line[26:] for line in ended.stdout.splitlines()}
    assert set(found) == {*MIX, "import", "clear up", "requests"}
    told = {name: {part.split(":")[0].strip() for part in rest[8:].split(",")} for name, rest in found.items()}
    expected = {
        "no such good": "404",
        "no such page": "404",
        "bad input": "422",
        "sell too many": "409",
        "take a SKU twice": "409",
        "change what has changed": "412",
        "read again": "304",
        "sell": "201",
        "basket": "201",
        "import": "202",
    }
    assert {name: status for name, status in expected.items() if status not in told[name]} == {}
    assert not {status for statuses in told.values() for status in statuses if status.startswith("5")}
    assert 'goods_imports_total{result="undone"} 1.0' in metrics
    assert "goods_idempotent_replays_total 0.0" not in metrics
    assert await connection.fetch("SELECT id, version, stock FROM goods ORDER BY id") == before


async def test_it_keeps_to_its_time_and_its_rate(goods: Program) -> None:
    serving = goods.serve(stdout=subprocess.DEVNULL)
    await serving.ready()
    began = asyncio.get_running_loop().time()
    ended = goods.run("demo-traffic", serving.url, "--seconds", "2", "--requests-per-second", "10")
    took = asyncio.get_running_loop().time() - began
    serving.stop()
    acts = 0
    for line in ended.stdout.splitlines():
        name, count = line[:26].strip(), line[26:34].strip()
        acts += int(count) if name in MIX and name not in ("create", "list") else 0
    assert 0 < acts <= 2 * 10 * 2  # an act is two requests at most
    assert 2 <= took < 20


async def test_a_signal_ends_it_early_and_nothing_is_left(goods: Program, connection: Any) -> None:
    serving = goods.serve(stdout=subprocess.DEVNULL)
    await serving.ready()
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "demo-traffic", serving.url, "--seconds", "600",
        env=goods.environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip

    async def trading() -> bool:
        return bool(await connection.fetchval("SELECT count(*) FROM stock_movements WHERE reason = 'sale'"))

    await until(trading)
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    serving.stop()
    assert process.returncode == 0, err
    assert b"requests" in out
    assert await connection.fetchval("SELECT count(*) FROM goods") == 0


async def test_an_answer_that_is_lost_leaves_no_good(service: Service, connection: Any) -> None:
    """The good is there, and only its SKU is known."""

    class Losing(httpx2.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            answer = await super().handle_async_request(request)
            if (request.method, request.url.path) == ("POST", "/goods"):
                await answer.aread()
                raise httpx2.ReadError("lost", request=request)
            return answer

    async with httpx2.AsyncClient(base_url=service.url, transport=Losing(verify=False)) as client:
        shop = DemoShop(client)
        await shop.act("create")
        assert await connection.fetchval("SELECT count(*) FROM goods") == 1
        assert await shop.close() == []
    assert shop.answers["create"] == {"ReadError": 1}
    assert await connection.fetchval("SELECT count(*) FROM goods") == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("127.0.0.1:8000",), "no URL"),
        (("http://127.0.0.1:1",), "GET /goods: no answer"),
        (("http://127.0.0.1:1", "--seconds", "0"), "--seconds"),
        (("http://127.0.0.1:1", "--requests-per-second", "10000"), "--requests-per-second"),
    ],
)
async def test_what_cannot_be_done_is_refused(goods: Program, arguments: tuple[str, ...], said: str) -> None:
    ended = goods.run("demo-traffic", *arguments)
    assert ended.returncode != 0
    assert said in ended.stderr


async def test_a_deployment_that_refuses_says_why(goods: Program) -> None:
    def answer(method: str, _path: str, body: bytes) -> tuple[int, Any]:
        if method == "GET":
            return 200, {"items": [], "next": None}
        assert json.loads(body)["sku"].startswith("TRAFFIC-")
        return 401, {"detail": "A key is needed."}

    with answering(answer) as url:
        ended = goods.run("demo-traffic", url)
    assert ended.returncode == 1
    assert "POST /goods: 401 A key is needed." in ended.stderr


async def test_goods_that_cannot_be_deleted_are_named(goods: Program) -> None:
    def answer(method: str, path: str, body: bytes) -> tuple[int, Any]:
        if method == "POST" and path == "/goods":
            return (201, {**json.loads(body), "id": 1}) if b"-1" in body.split(b",")[0] else (503, {"detail": "Full."})
        return (200, {"items": [], "next": None, "id": 1}) if method == "GET" else (503, {"detail": "Full."})

    with answering(answer) as url:
        ended = goods.run("demo-traffic", url)
    assert ended.returncode == 1
    assert "left over, to be deleted by hand: TRAFFIC-" in ended.stderr
