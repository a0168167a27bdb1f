"""What browsers are told: what answers are, whose pages may use them, and what a deployment does not show at all."""

from typing import Any

import httpx2
import pytest

from app.config.conf import Settings
from tests.api.support import assert_problem
from tests.api.test_access import Keys, keys
from tests.api.test_limits import limited

__all__ = ["keys"]

_SHOP = "https://shop.example"
_DOCS = ("/docs", "/openapi.json", "/docs/assets/swagger-ui.css")


@pytest.mark.parametrize(
    "path", ["/", "/goods", "/goods/99", "/nothing", "/docs", "/problems/sku-taken", "/metrics", "/livez", "/goods/x"]
)
async def test_every_answer_is_data_and_in_nobodys_frame(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers={"Accept": "text/html"})
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    [policy] = answer.headers.get_list("content-security-policy")
    assert policy.startswith("default-src 'none';")
    assert policy.endswith("frame-ancestors 'none'")
    assert ("script-src" in policy) == (path == "/docs")
    assert "unsafe-inline" not in policy.partition("style-src")[0]
    assert "server" not in answer.headers


async def test_no_other_page_may_use_it_unless_it_is_named(client: httpx2.AsyncClient, settings: Settings) -> None:
    asked = {"Origin": _SHOP, "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "if-match"}
    answer = await client.options("/goods/1", headers=asked)
    assert_problem(answer, 405, "method-not-allowed")
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert "access-control-allow-origin" not in (await client.get("/goods", headers={"Origin": _SHOP})).headers

    async with limited(settings, cors_origins=f"{_SHOP}, https://till.example", api_auth="all") as (_, named):
        allowed = await named.options("/goods/1", headers=asked)
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == _SHOP
        assert "PATCH" in allowed.headers["access-control-allow-methods"]
        answer = await named.get("/goods", headers={"Origin": _SHOP})
        assert answer.status_code == 401, "who may use it is another question"
        assert answer.headers["access-control-allow-origin"] == _SHOP
        assert {"ETag", "X-Request-ID", "Link"} <= set(answer.headers["access-control-expose-headers"].split(", "))
        other = await named.options("/goods/1", headers={**asked, "Origin": "https://evil.example"})
        assert other.status_code == 400
        assert "access-control-allow-origin" not in other.headers
        assert "x-request-id" in other.headers


async def test_documentation_and_metrics_can_be_taken_away(settings: Settings) -> None:
    async with limited(settings, docs="off", metrics="off") as (_, client):
        for path in (*_DOCS, "/metrics"):
            assert_problem(await client.get(path), 404, "not-found")
        links: dict[str, Any] = (await client.get("/")).json()["links"]
        assert not {"docs", "openapi", "metrics"} & set(links)
        assert (await client.get("/problems/not-found")).status_code == 200


async def test_documentation_and_metrics_can_ask_for_a_key(settings: Settings, keys: Keys) -> None:
    async with limited(settings, docs="key", metrics="key") as (_, client):
        for path in (*_DOCS, "/metrics"):
            assert_problem(await client.get(path), 401, "key-required")
            assert (await client.get(path, headers=keys.bearer("may-read"))).status_code == 200
            assert_problem(await client.get(path, headers=keys.bearer("revoked")), 401, "invalid-key")
        assert (await client.get("/goods")).status_code == 200
