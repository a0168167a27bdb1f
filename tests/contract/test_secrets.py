"""Secrets that are planted wherever a caller or an operator may put them are in no log, no error and no metric."""

import json
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from app.config.conf import Settings, describe, load_settings
from tests.contract.poison import exchange, request
from tests.contract.test_access_log import watched

_PLANTED = {
    place: f"s3cret-{place}-x9q7"
    for place in ("password", "bearer", "key", "cookie", "query", "path", "value", "token", "tag", "retry", "actor")
}
_BODIES: list[Any] = [
    {"name": _PLANTED["value"], "price": _PLANTED["value"]},
    {"sku": 5, "name": [_PLANTED["value"]], "price": "1"},
    {"lines": [{"sku": _PLANTED["value"], "delta": "x"}], "reason": _PLANTED["value"]},
    {"items": [{"sku": _PLANTED["value"] * 9, "price": -1}]},
    {"delta": _PLANTED["value"], "reason": _PLANTED["value"]},
    _PLANTED["value"],
]
_HEADERS: list[dict[str, bytes | str]] = [
    {"Authorization": f"Bearer {_PLANTED['bearer']}"},
    {"Authorization": f"Basic {_PLANTED['bearer']}"},
    {"X-API-Key": _PLANTED["key"]},
    {"Cookie": f"session={_PLANTED['cookie']}"},
    {"If-Match": _PLANTED["tag"]},
    {"If-None-Match": _PLANTED["tag"]},
    {"Idempotency-Key": _PLANTED["retry"]},
    {"Accept": _PLANTED["token"], "X-Actor": _PLANTED["actor"]},
]


def _attacks() -> list[bytes]:
    """Every body to every path that reads one, every header, and what can be in a URL."""
    as_json = {"Content-Type": "application/json"}
    writes = [
        request(method, path, json.dumps(body).encode(), {**as_json, **headers})
        for method, path in (
            ("POST", "/goods"), ("PUT", "/goods/1"), ("PATCH", "/goods/1"), ("POST", "/goods/1/stock"),
            ("POST", "/stock"), ("POST", "/goods/bulk"),
        )
        for body in _BODIES
        for headers in ({}, {"Idempotency-Key": _PLANTED["retry"]})
    ]  # fmt: skip
    reads = [
        request("GET", path, headers=headers)
        for path in ("/goods", "/goods/1", "/changes?after=0", "/metrics", "/nothing")
        for headers in _HEADERS
    ]
    urls = [
        request("GET", f"{path}?{name}={_PLANTED['query']}")
        for path in ("/goods", "/goods/1", "/changes", "/categories", "/imports", "/goods/by-sku/x")
        for name in ("q", "after", "sort", "limit", "as_of", "min_price", "password")
    ]
    return writes + reads + urls


@pytest.fixture
async def planted(settings: Settings, service: object) -> Settings:
    """The database lets everybody in that comes by its socket, so any password will do."""
    assert service
    return settings.model_copy(update={"db_password": SecretStr(_PLANTED["password"])})


async def test_planted_secrets_are_nowhere(planted: Settings) -> None:
    async with watched(planted) as observed:
        answers = [await exchange(observed.port, attack) for attack in _attacks()]
        assert {answer.status for answer in answers} >= {200, 401, 404, 422}
        for answer in answers:
            if answer.status >= 400:
                _assert_clean(answer.body.decode() + str(answer.headers))
        async with httpx2.AsyncClient(base_url=observed.url, verify=False) as client:
            _assert_clean((await client.get("/metrics")).text)
        _assert_clean(observed.stream.getvalue())


async def test_a_database_that_refuses_its_password_does_not_tell_it(planted: Settings) -> None:
    wrong = planted.model_copy(update={"db_host": "127.0.0.1", "db_port": 1})
    async with watched(wrong) as observed:
        answer = await exchange(observed.port, request("GET", "/goods/1"))
        assert answer.status == 503
        _assert_clean(answer.body.decode() + observed.stream.getvalue())


def test_what_is_shown_of_the_configuration_is_masked() -> None:
    environ = {"DB_HOST": "db", "DB_PASSWORD": _PLANTED["password"]}
    _assert_clean(str(describe(load_settings(environ), environ)) + repr(load_settings(environ)))


def _assert_clean(text: str) -> None:
    assert [place for place, secret in _PLANTED.items() if secret in text] == []


def test_the_assertion_itself_finds_what_is_there() -> None:
    with pytest.raises(AssertionError):
        _assert_clean(f"... {_PLANTED['retry']} ...")
