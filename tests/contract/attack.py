"""Sends what attackers and accidents send, and judges the answers."""

import json
from typing import Any

from tests.conftest import Service
from tests.contract.poison import MAX_STOCK, Answer, exchange, problem, request

_CONTENT = """
SELECT concat_ws('#', (SELECT md5(string_agg(g::text, '|' ORDER BY id)) FROM goods g),
  (SELECT md5(string_agg(m::text, '|' ORDER BY id)) FROM stock_movements m),
  (SELECT md5(string_agg((to_jsonb(c) - 'position')::text, '|' ORDER BY seq)) FROM changes c))
"""  # a change's position in the feed is given to it in the background
_IN_MESSAGES = {str(MAX_STOCK), "9999999999.99", "Infinity"}  # as what is allowed, or what is not JSON


class Attack:
    """Sends, and collects all that is wrong with the answers, so that one run shows everything."""

    def __init__(self, service: Service, connection: Any) -> None:
        self._port = service.port
        self._connection = connection
        self._content = ""
        self.wrong: list[str] = []

    async def send(self, label: str, raw: bytes, *, sent: str = "", places: set[str] | None = None) -> Answer | None:
        """The answer, if it is a success. `sent` must not come back; `places` are where a fault may be found."""
        if not self._content:
            self._content = await self._tables()
        try:
            answer = await exchange(self._port, raw)
        except (AssertionError, TimeoutError, OSError) as error:
            self.wrong.append(f"{label}: no answer: {error!r}")
            return None
        writes = not raw.startswith(b"GET ")
        if answer.status < 400:
            self._content = await self._tables() if writes else self._content
            return answer
        try:
            assert not writes or await self._tables() == self._content, "a refused request has changed something"
            self._judge(answer, sent, places)
        except (AssertionError, ValueError, KeyError) as error:
            self.wrong.append(f"{label}: {answer.status} {answer.body[:300]!r}: {str(error)[:300]}")
        return None

    def check(self, label: str, *, right: bool) -> None:
        if not right:
            self.wrong.append(label)

    async def over(self) -> None:
        """All of it was right, and reading has changed nothing."""
        assert self.wrong == []
        assert await self._tables() == self._content

    async def _tables(self) -> str:
        content: str = await self._connection.fetchval(_CONTENT)
        return content

    def _judge(self, answer: Answer, sent: str, places: set[str] | None) -> None:
        assert answer.status < 500
        body = json.loads(answer.body)
        name = body["type"].removeprefix("/problems/")
        members = ("requested", "available") if name == "stock-too-low" else ()
        errors = problem(answer, answer.status, name, **{member: body[member] for member in members})
        if answer.status == 422:
            assert errors
            found = {value for error in errors for key, value in error.items() if key != "detail"}
            assert places is None or found <= places, found
        json.dumps(json.loads(answer.body), ensure_ascii=False).encode()  # no lone surrogate for others to stumble on
        assert len(answer.body) < 10_000
        assert "x-injected" not in answer.headers
        if sent == "canary" or (len(sent) >= 8 and sent not in _IN_MESSAGES):
            assert sent[:60] not in answer.body.decode() + str(answer.headers), "the refused value comes back"


async def a_good(service: Service, **fields: Any) -> int:
    body = json.dumps({"name": "Lantern", "price": "24.90", **fields}).encode()
    answer = await exchange(service.port, request("POST", "/goods", body))
    assert answer.status == 201
    goods_id: int = json.loads(answer.body)["id"]
    return goods_id
