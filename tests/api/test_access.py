"""Who may do what: each operation, with each kind of key, in each mode; and nothing is looked at before."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from app.access.keys import new_key
from app.application import create_app
from app.config.conf import Settings
from tests.api.support import assert_problem, changes, counted
from tests.conftest import Service, until
from tests.serving import serving

_INSERT = """
INSERT INTO access_keys (name, hash, scope, created_at, expires_at, revoked_at) VALUES ($1, $2, $3, now(), $4, $5)
"""
_GOOD = {"sku": "A", "name": "Lantern", "price": "2.50", "stock": 3}
# What is asked of each operation: method, path, scope. Paths of what is not there: access comes before that.
_OPERATIONS = [
    ("GET", "/goods", "read"),
    ("HEAD", "/goods/999", "read"),
    ("GET", "/goods/999", "read"),
    ("GET", "/goods/by-sku/none", "read"),
    ("GET", "/goods/export", "read"),
    ("GET", "/categories", "read"),
    ("GET", "/goods/999/stock/movements", "read"),
    ("GET", "/goods/999/history", "read"),
    ("GET", "/changes", "read"),
    ("GET", "/imports", "read"),
    ("GET", "/imports/999", "read"),
    ("GET", "/imports/999/rows", "read"),
    ("GET", "/imports/999/refused.csv", "read"),
    ("POST", "/goods", "write"),
    ("PUT", "/goods/999", "write"),
    ("PATCH", "/goods/999", "write"),
    ("DELETE", "/goods/999", "write"),
    ("POST", "/goods/999/stock", "write"),
    ("POST", "/stock", "write"),
    ("POST", "/goods/bulk", "write"),
    ("POST", "/imports", "write"),
    ("POST", "/imports/999/apply", "admin"),
    ("POST", "/imports/999/undo", "admin"),
    ("POST", "/imports/999/undo/", "admin"),
    ("GET", "/nothing", "read"),
    ("POST", "/nothing", "write"),
    ("OPTIONS", "/goods", "write"),
    ("GET", "/imports/999/apply", "read"),
]
_OPEN = ["/", "/livez", "/readyz", "/metrics", "/docs", "/openapi.json", "/problems", "/problems/not-found",
         "/docs/assets/favicon.png"]  # fmt: skip
_SCOPES = ("read", "write", "admin")


class Keys:
    """A key of each kind, by name."""

    def __init__(self) -> None:
        self.keys: dict[str, str] = {}

    async def add(
        self,
        connection: Any,
        name: str,
        scope: str,
        *,
        expires: datetime | None = None,
        revoked: datetime | None = None,
    ) -> None:
        key = self.keys[name] = new_key()
        await connection.execute(_INSERT, name, hashlib.sha256(key.encode()).digest(), scope, expires, revoked)

    def bearer(self, name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[name]}"}


@pytest.fixture
async def keys(service: Service, connection: Any) -> AsyncIterator[Keys]:
    """Keys of every kind, on empty tables."""
    assert service.parts.settings.auth == "off", "it is the tests' own services that ask for keys"
    made = Keys()
    now = datetime.now(UTC)
    for scope in _SCOPES:
        await made.add(connection, f"may-{scope}", scope, expires=now + timedelta(hours=1))
    await made.add(connection, "expired", "admin", expires=now - timedelta(seconds=1))
    await made.add(connection, "revoked", "admin", revoked=now)
    yield made
    await connection.execute("TRUNCATE access_keys")


@asynccontextmanager
async def guarded(settings: Settings, mode: str) -> AsyncIterator[tuple[Service, httpx2.AsyncClient]]:
    app = create_app(settings.model_copy(update={"api_auth": mode}))
    async with serving(app) as url, httpx2.AsyncClient(base_url=url, timeout=30, verify=False) as client:
        yield Service(app, url), client


def _refused(answer: httpx2.Response, status: int, problem: str, error: str | None = None) -> None:
    if answer.request.method == "HEAD":
        assert (answer.status_code, answer.content) == (status, b"")
    else:
        assert_problem(answer, status, problem)
    challenge = 'Bearer realm="Goods API"' + (f', error="{error}"' if error else "")
    assert answer.headers["www-authenticate"] == challenge


def _passed(answer: httpx2.Response) -> bool:
    return answer.status_code not in (401, 403)


@pytest.mark.parametrize("mode", ["off", "writes", "all"])
async def test_each_operation_with_each_kind_of_key(settings: Settings, keys: Keys, connection: Any, mode: str) -> None:
    async with guarded(settings, mode) as (_, client):
        for method, path, needed in _OPERATIONS:
            answer = await client.request(method, path)
            if mode == "all" or (mode == "writes" and needed != "read"):
                _refused(answer, 401, "key-required")
            else:
                assert _passed(answer), (method, path)
            for headers in (keys.bearer("expired"), keys.bearer("revoked"), {"Authorization": f"Bearer {new_key()}"}):
                _refused(await client.request(method, path, headers=headers), 401, "invalid-key", "invalid_token")
            for scope in _SCOPES:
                for headers in (keys.bearer(f"may-{scope}"), {"X-API-Key": keys.keys[f"may-{scope}"]}):
                    answer = await client.request(method, path, headers=headers)
                    if _SCOPES.index(scope) < _SCOPES.index(needed):
                        _refused(answer, 403, "scope-too-small", "insufficient_scope")
                    else:
                        assert _passed(answer), (method, path, scope)
    assert await connection.fetchval("SELECT count(*) FROM goods") == 0


async def test_every_route_is_in_the_list_above(service: Service) -> None:
    """A route that is added has to be judged here as well."""
    judged = {(method, re.sub("999|none", "{}", path).rstrip("/")) for method, path, _ in _OPERATIONS}
    for route in service.app.routes:
        path = re.sub(r"\{[^}]*\}", "{}", getattr(route, "path", ""))
        if path in _OPEN or path.startswith(("/problems/", "/docs/")):
            continue
        for method in getattr(route, "methods", set()) - {"HEAD"}:
            assert (method, path) in judged, (method, path)


async def test_what_is_open_does_not_look_at_keys(settings: Settings, keys: Keys) -> None:
    async with guarded(settings, "all") as (_, client):
        for path in _OPEN:
            for headers in ({}, keys.bearer("revoked"), {"Authorization": "Basic eDp5"}):
                assert (await client.get(path, headers=headers)).status_code == 200, path


@pytest.mark.parametrize(
    "headers",
    [
        [("Authorization", "Basic eDp5")],
        [("Authorization", "Bearer")],
        [("Authorization", "")],
        [("X-API-Key", "")],
        [("X-API-Key", "x" * 10_000)],
        [("X-API-Key", "\xff\xfe")],
        [("Authorization", "Bearer KEY"), ("X-API-Key", "other")],
        [("X-API-Key", "KEY"), ("X-API-Key", "other")],
        [("Authorization", "Bearer KEY"), ("Authorization", "Basic eDp5")],
        [("X-API-Key", "Bearer KEY")],
        [("Authorization", "KEY")],
    ],
)
async def test_what_is_no_key_is_a_bad_key(settings: Settings, keys: Keys, headers: list[tuple[str, str]]) -> None:
    key = keys.keys["may-admin"]
    sent = [(name.encode(), value.replace("KEY", key).encode("latin-1")) for name, value in headers]
    async with guarded(settings, "off") as (_, client):
        _refused(await client.get("/goods", headers=sent), 401, "invalid-key", "invalid_token")


async def test_the_same_key_twice_is_one_and_the_scheme_has_no_case(settings: Settings, keys: Keys) -> None:
    key = keys.keys["may-read"]
    async with guarded(settings, "all") as (_, client):
        for headers in ({"Authorization": f"bearer  {key}"}, {"Authorization": f"BEARER {key}", "X-API-Key": key}):
            assert (await client.get("/goods", headers=headers)).status_code == 200


async def test_nothing_is_asked_of_the_database_before(
    settings: Settings, keys: Keys, connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a statement, and not a byte of the body is read."""
    async with guarded(settings, "all") as (service, client):

        async def forbidden(*_: object) -> None:
            raise AssertionError("the database was asked")

        for pool in (service.parts.database.primary, service.parts.database.replica):
            monkeypatch.setattr(pool, "fetch", forbidden)
        for method, path, needed in _OPERATIONS:
            for headers in ({}, keys.bearer("revoked"), keys.bearer("may-read") if needed != "read" else {}):
                answer = await client.request(method, path, headers=headers, content=b"x" * 100_000)
                assert answer.status_code in (401, 403)
    assert connection


async def test_who_did_it_is_in_the_history_the_ledger_the_feed_and_the_log(
    settings: Settings, keys: Keys, connection: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    async with guarded(settings, "writes") as (service, client):
        good = (await client.post("/goods", json=_GOOD, headers=keys.bearer("may-write"))).json()
        await service.parts.feed.number()
        [entry] = (await client.get(f"/goods/{good['id']}/history")).json()["items"]
        [movement] = (await client.get(f"/goods/{good['id']}/stock/movements")).json()["items"]
        [change] = (await client.get("/changes?after=0")).json()["items"]
    assert {entry["actor"], movement["actor"], change["actor"]} == {"may-write"}
    assert len(await changes(connection, good["id"])) == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if '"path":"/goods"' in line]
    assert '"actor":"may-write"' in lines[0]
    assert keys.keys["may-write"] not in "".join(lines)


async def test_a_retry_is_its_callers_own(settings: Settings, keys: Keys, connection: Any) -> None:
    await keys.add(connection, "another", "write")
    same = {"Idempotency-Key": "one"}
    async with guarded(settings, "writes") as (_, client):
        for name, status in (("may-write", 201), ("may-write", 201), ("another", 409)):
            answer = await client.post("/goods", json=_GOOD, headers={**keys.bearer(name), **same})
            assert answer.status_code == status
    await connection.execute("TRUNCATE idempotency_records")


async def test_a_revoked_key_is_refused_soon_and_a_new_one_taken(
    settings: Settings, keys: Keys, connection: Any
) -> None:
    async with guarded(settings, "all") as (_, client):

        async def status(name: str) -> int:
            return (await client.get("/goods", headers=keys.bearer(name))).status_code

        async def is_refused() -> bool:
            return await status("may-read") == 401

        async def is_taken() -> bool:
            return await status("new") == 200

        assert await status("may-read") == 200
        await connection.execute("UPDATE access_keys SET revoked_at = now() WHERE name = 'may-read'")
        await keys.add(connection, "new", "read")
        await until(is_refused)
        await until(is_taken)


async def test_a_key_expires_to_the_moment(settings: Settings, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock(datetime):
        moment = datetime.now(UTC)

        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            assert tz is UTC
            return cls.moment

    monkeypatch.setattr("app.access.guard.datetime", Clock)
    async with guarded(settings, "all") as (service, client):
        key = service.parts.key_directory.find(keys.keys["may-read"])
        assert key is not None
        assert key.expires_at is not None
        for seconds, status in ((-0.000001, 200), (0, 401), (1, 401)):
            Clock.moment = key.expires_at + timedelta(seconds=seconds)
            assert (await client.get("/goods", headers=keys.bearer("may-read"))).status_code == status


async def test_when_a_key_was_last_used_is_noted(settings: Settings, keys: Keys, connection: Any) -> None:
    async with guarded(settings, "all") as (_, client):
        began = datetime.now(UTC)
        for name in ("may-read", "revoked"):
            await client.get("/goods", headers=keys.bearer(name))
    used = dict(await connection.fetch("SELECT name, last_used_at FROM access_keys"))
    assert used["may-read"] >= began
    assert used["revoked"] is None
    assert used["may-write"] is None


async def test_keys_that_are_not_known_are_not_guessed(
    settings: Settings, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After half a minute without news a key might have been revoked: 503, and probes and open reads go on."""
    async with guarded(settings, "writes") as (service, client):
        monkeypatch.setattr(service.parts.access_metrics, "keys_age", lambda: 31.0)
        answer = await client.post("/goods", json=_GOOD, headers=keys.bearer("may-write"))
        assert_problem(answer, 503, "database-unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert (await client.get("/goods")).status_code == 200
        assert (await client.get("/livez")).status_code == 200
        _refused(await client.post("/goods", json=_GOOD), 401, "key-required")


async def test_refusals_are_counted_by_reason_and_by_route(settings: Settings, keys: Keys) -> None:
    async with guarded(settings, "writes") as (_, client):
        before = {reason: await counted(client, "goods_access_refused_total", reason=reason)
                  for reason in ("missing", "unknown", "expired", "revoked", "scope")}  # fmt: skip
        requests: list[Mapping[str, str]] = [
            {}, {"X-API-Key": "x"}, keys.bearer("expired"), keys.bearer("revoked"), keys.bearer("may-read")
        ]  # fmt: skip
        for headers in requests:
            await client.delete("/goods/5", headers=headers)
        for reason, value in before.items():
            assert await counted(client, "goods_access_refused_total", reason=reason) == value + 1
        routes = {"method": "DELETE", "route": "/goods/{goods_id}"}
        assert await counted(client, "http_requests_total", status="401", **routes) == 4
        assert await counted(client, "http_requests_total", status="403", **routes) == 1


async def test_many_at_once_are_told_apart(settings: Settings, keys: Keys) -> None:
    async with guarded(settings, "all") as (_, client):
        names = ["may-read", "revoked", "may-write", "expired", "may-admin"] * 20
        answers = await asyncio.gather(*(client.get("/goods", headers=keys.bearer(name)) for name in names))
    assert [answer.status_code for answer in answers] == [200 if name.startswith("may") else 401 for name in names]
