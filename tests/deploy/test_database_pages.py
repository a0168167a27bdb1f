"""The statements that the pages give an administrator, run on a real PostgreSQL, under names of their own."""

import re
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx2
import pytest

from app.application import create_app
from app.config.conf import Settings
from app.database.db import DatabaseAddress
from app.database.embedded import EmbeddedAddress
from app.database.migrate import migrate
from tests.conftest import settings_for, until
from tests.deploy.manifests import ROOT
from tests.serving import serving

pytestmark = pytest.mark.slow
_HOW_TO = ROOT / "docs" / "how-to"
_ROLES = ("shop_2", "shop", "shop_monitor", "shop_owner")


def _blocks(page: str) -> list[list[str]]:
    """The statements of each block of SQL; roles and database are called `shop` instead of `goods`."""
    text = (_HOW_TO / page).read_text(encoding="utf-8")
    blocks = re.findall(r"```sql\n(.*?)```", re.sub(r"^ +", "", text, flags=re.MULTILINE), re.DOTALL)
    named = [re.sub(r"\bgoods(?=_|\b)", "shop", block) for block in blocks]
    return [[one.strip() for one in block.split(";\n") if one.strip()] for block in named]


async def _run(address: Settings, statements: list[str]) -> None:
    connection = await asyncpg.connect(**DatabaseAddress.of(address).connect_arguments())
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
async def prepared(postgres: EmbeddedAddress, connection: Any) -> AsyncIterator[EmbeddedAddress]:
    """A database as the page on managed ones makes it."""
    outside, inside = _blocks("use-a-managed-database.md")
    await _run(settings_for(postgres), outside)
    await _run(settings_for(postgres, DB_NAME="shop"), inside)
    yield postgres
    await connection.execute("DROP DATABASE shop WITH (FORCE)")
    for role in _ROLES:
        await connection.execute(f"DROP ROLE IF EXISTS {role}")


async def _migrate(postgres: EmbeddedAddress, application: str) -> Settings:
    """In the two steps of the pods; gives the application's settings."""
    await migrate(settings_for(postgres, DB_NAME="shop", DB_USER="shop_owner"))
    settings = settings_for(postgres, DB_NAME="shop", DB_USER=application)
    assert await migrate(settings) == "up to date"
    return settings


async def _work(settings: Settings) -> None:
    """What needs rights: rows written, changed, moved, deleted; an import with its temporary table."""
    async with serving(create_app(settings)) as url, httpx2.AsyncClient(base_url=url, verify=False) as client:
        made = await client.post("/goods", json={"name": "Lantern", "price": "5", "stock": 3})
        assert made.status_code == 201, made.text
        path = made.headers["location"]
        assert (await client.patch(path, json={"price": "6"})).status_code == 200
        assert (await client.post(f"{path}/stock", json={"delta": -1, "reason": "sale"})).status_code == 201
        assert (await client.get("/changes")).json()["items"]
        lines = "sku,name,price\nA,Nail,1\n"
        head = {"Content-Type": "text/csv"}
        planned = await client.post("/imports", content=lines, headers=head)
        assert planned.status_code == 202, planned.text
        assert await until(lambda: _ended(client, planned.headers["location"])) == "planned"
        assert (await client.delete(path)).status_code == 204


async def _ended(client: httpx2.AsyncClient, path: str) -> str | None:
    """The state that planning ended in."""
    state: str = (await client.get(path)).json()["state"]
    return None if state == "planning" else state


async def test_the_roles_of_the_page_are_enough_and_the_application_can_change_no_table(
    prepared: EmbeddedAddress,
) -> None:
    settings = await _migrate(prepared, "shop")
    await _work(settings)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await _run(settings, ["ALTER TABLE goods ADD COLUMN colour text"])
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await _run(settings, ["CREATE TABLE mine (id int)"])


async def test_the_exporters_role_reads_statistics_and_no_goods(prepared: EmbeddedAddress) -> None:
    await _migrate(prepared, "shop")
    monitor = settings_for(prepared, DB_NAME="shop", DB_USER="shop_monitor")
    await _run(monitor, ["SELECT * FROM pg_stat_activity", "SELECT * FROM pg_stat_statements"])
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await _run(monitor, ["SELECT * FROM goods"])


async def test_a_second_role_takes_over_while_the_first_still_works(prepared: EmbeddedAddress) -> None:
    make, retire, in_place = _blocks("rotate-secrets.md")
    first = await _migrate(prepared, "shop")
    await _run(settings_for(prepared), make)
    second = await _migrate(prepared, "shop_2")
    await _work(first)
    await _work(second)
    await _run(settings_for(prepared), [*retire, *in_place])
    await _work(second)
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await _run(first, ["SELECT 1"])


async def test_the_new_role_has_its_time_outs(prepared: EmbeddedAddress, connection: Any) -> None:
    (make, *_) = _blocks("rotate-secrets.md")
    await _run(settings_for(prepared), make)
    await _migrate(prepared, "shop_2")
    found = await connection.fetchval(
        "SELECT setconfig FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole WHERE rolname = 'shop_2'"
    )
    assert "statement_timeout=5000ms" in found
