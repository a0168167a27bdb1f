"""`goods keys`: the key is shown once, what is stored is no key, and what it opens is open to it only."""

from typing import Any

import httpx2
import pytest

from tests.commands.conftest import Program


@pytest.fixture(autouse=True)
async def no_keys(connection: Any) -> None:
    await connection.execute("TRUNCATE access_keys RESTART IDENTITY")


async def test_from_the_first_key_to_its_end(goods: Program, connection: Any) -> None:
    made = goods.run("keys", "create", "shop-1", "--scope", "write", "--days", "90")
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    assert key.startswith("goods_")
    assert len(key) == 49
    assert "shop-1 may read and write, until 2" in made.stderr
    assert key not in made.stderr
    assert key not in str(await connection.fetch("SELECT *, encode(hash, 'escape') FROM access_keys"))

    serving = goods.serve(API_AUTH="all")
    await serving.ready()
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(base_url=serving.url, headers=headers, verify=False) as client:
        good = await client.post("/goods", json={"name": "Lantern", "price": "2.50"})
        assert good.status_code == 201
        assert (await client.get(good.headers["location"])).json()["name"] == "Lantern"
    race = ("--clients", "4", "--sales", "10", "--stock", "5")
    assert goods.run("prove", "--race", serving.url, *race, GOODS_KEY=key).returncode == 0
    assert goods.run("prove", "--race", serving.url, *race).returncode == 1
    assert serving.stop()[0] == 0

    listed = goods.run("keys", "list")
    assert listed.returncode == 0
    heading, line = listed.stdout.splitlines()
    assert heading.split() == ["name", "scope", "state", "created", "last", "used", "expires"]
    assert line.split()[:3] == ["shop-1", "write", "valid"]
    assert "never" not in line, "it was used, and it expires"

    assert goods.run("keys", "revoke", "shop-1").returncode == 0
    assert goods.run("keys", "list").stdout.splitlines()[1].split()[2] == "revoked"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "shop"), "--scope"),
        (("create", "shop", "--scope", "all"), "--scope"),
        (("create", "shop", "--scope", "read", "--days", "0"), "--days"),
        (("create", "anonymous", "--scope", "read"), "not anonymous"),
        (("create", "Shop one", "--scope", "read"), "can be no key's name"),
        (("create", "x" * 65, "--scope", "read"), "can be no key's name"),
        (("revoke", "nobody"), "there is no key nobody"),
    ],
)
async def test_what_can_not_be_is_refused(
    goods: Program, connection: Any, arguments: tuple[str, ...], said: str
) -> None:
    ended = goods.run("keys", *arguments)
    assert ended.returncode != 0
    assert ended.stdout == ""
    assert said in ended.stderr
    assert await connection.fetchval("SELECT count(*) FROM access_keys") == 0


async def test_a_name_is_given_once(goods: Program) -> None:
    assert goods.run("keys", "create", "shop", "--scope", "read").returncode == 0
    goods.run("keys", "revoke", "shop")
    again = goods.run("keys", "create", "shop", "--scope", "read")
    assert again.returncode == 1
    assert again.stdout == ""
    assert "there is, or was, a key shop" in again.stderr
