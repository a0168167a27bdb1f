"""`goods prove`: says that stock is right when it is, and names what is wrong when it is not."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import pytest

from tests.commands.conftest import Program

pytestmark = pytest.mark.slow

_RACE = ("--clients", "8", "--sales", "60", "--stock", "40")


async def test_a_ledger_that_is_right(goods: Program) -> None:
    goods.run("sample", "300")
    ended = goods.run("prove", "--ledger")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("300 goods, ")
    assert ended.stdout.endswith(" changes: everywhere stock is what the ledger says.\n")


async def test_what_is_wrong_is_named(goods: Program, connection: Any) -> None:
    goods.run("sample", "300")
    sku, stock = await connection.fetchrow("UPDATE goods SET stock = stock + 7 WHERE id = 5 RETURNING sku, stock")
    await connection.execute("DELETE FROM goods WHERE id = (SELECT min(id) FROM goods WHERE stock > 0)")
    ended = goods.run("prove", "--ledger")
    assert ended.returncode == 1
    assert f"good 5 ({sku}): {stock} in stock, {stock - 7} by its ledger\n" in ended.stdout
    assert "(deleted): 0 in stock, " in ended.stdout
    assert "2 mistakes in 300 goods" in ended.stderr


async def test_a_change_that_the_ledger_does_not_know_is_named(goods: Program, connection: Any) -> None:
    """Stock and the ledger agree here, and still somebody was paid for nothing."""
    goods.run("sample", "20")
    await connection.execute("UPDATE goods SET stock = 3 WHERE id = 2")
    await connection.execute("UPDATE stock_movements SET delta = 3, balance = 3 WHERE goods_id = 2")
    ended = goods.run("prove", "--ledger")
    assert ended.returncode == 1
    assert "good 2 (" in ended.stdout
    assert "its change to version 1 moved" in ended.stdout
    assert "the ledger says 3" in ended.stdout


async def test_a_database_that_is_not_there(goods: Program) -> None:
    ended = goods.run("prove", "--ledger", DB_HOST="127.0.0.1", DB_PORT="1")
    assert ended.returncode == 1
    assert ended.stderr.startswith("goods: cannot look at ")
    assert "Traceback" not in ended.stderr


async def test_a_race_adds_up_and_leaves_no_goods(goods: Program) -> None:
    goods.run("sample", "20")
    serving = goods.serve()
    await serving.ready()
    ended = goods.run("prove", "--race", serving.url, *_RACE, "--ledger")
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = {line.rstrip("0123456789,").strip(): line.split()[-1] for line in ended.stdout.splitlines()}
    assert (lines["sold"], lines["refused, as there was none left"], lines["left"]) == ("40", "20", "0")
    assert lines["sales in the ledger"] == "40"
    assert lines["answers to one key, sent by all"] == "1"
    assert "It adds up.\n" in ended.stdout
    async with httpx2.AsyncClient(base_url=serving.url, verify=False) as client:
        assert (await client.get("/goods?count=exact&limit=1")).json()["count"] == 20
    serving.stop()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--ledger"),
        (("--race", "127.0.0.1:8000"), "no URL"),
        (("--race", "http://127.0.0.1:1", "--clients", "0"), "--clients"),
    ],
)
async def test_what_cannot_be_run_is_refused(goods: Program, arguments: tuple[str, ...], said: str) -> None:
    ended = goods.run("prove", *arguments)
    assert ended.returncode != 0
    assert said in ended.stderr


@contextmanager
def answering(answer: Callable[[str, str, bytes], tuple[int, Any]]) -> Iterator[str]:
    """The URL of something that answers method, path and body with a status and JSON."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, content = answer(self.command, self.path, body)
            data = b"" if content is None else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class _Shop:
    """Answers like the service, and sells what it does not have."""

    def __init__(self) -> None:
        self.left: dict[str, int] = {}
        self.deleted: list[str] = []

    def __call__(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        given = json.loads(body) if body else {}
        if (method, path) == ("POST", "/goods"):
            goods_id = str(len(self.left) + 1)
            self.left[goods_id] = given["stock"]
            return 201, {**given, "id": int(goods_id)}
        if path == "/stock":
            return 201, {"movements": []}
        goods_id = path.split("/")[2]
        if method == "DELETE":
            self.deleted.append(goods_id)
            return 204, None
        if "movements" in path:
            return 200, {"items": [], "next": None}
        if method == "GET":
            return 200, {"id": int(goods_id), "stock": self.left[goods_id]}
        return 201, {}


async def test_a_shop_that_sells_what_it_does_not_have_is_found_out(goods: Program) -> None:
    shop = _Shop()
    with answering(shop) as url:
        ended = goods.run("prove", "--race", url, *_RACE)
    assert ended.returncode == 1
    assert "goods: sold: 60, expected 40" in ended.stderr
    assert "it does not add up" in ended.stderr
    assert sorted(shop.deleted) == sorted(shop.left)


async def test_a_deployment_that_refuses_says_why(goods: Program) -> None:
    with answering(lambda *_: (401, {"detail": "A key is needed."})) as url:
        ended = goods.run("prove", "--race", url, *_RACE)
    assert ended.returncode == 1
    assert ended.stderr == "goods: POST /goods: 401 A key is needed.\n"
