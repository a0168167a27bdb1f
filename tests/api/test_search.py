"""Searching: what a text finds, and what it does not."""

from typing import Any

import httpx2
import pytest

from tests.api.support import all_pages, assert_problem, create, places
from tests.proof.reference_search import search_words

_NOTHING_TO_FIND = "a quite different good"


async def names(client: httpx2.AsyncClient, q: str, **query: Any) -> list[str]:
    """The names of the goods that are found, in the order of the answer."""
    answer = await client.get("/goods", params={"q": q, **query})
    assert answer.status_code == 200, answer.text
    return [good["name"] for good in answer.json()["items"]]


async def ids(client: httpx2.AsyncClient, q: str, **query: Any) -> list[int]:
    """The ids of all goods that are found, page after page."""
    return [good["id"] for good in await all_pages(client, "/goods", {"q": q, **query})]


@pytest.mark.parametrize(
    ("field", "text", "q"),
    [
        ("name", "WHITE METAL LANTERN", "white metal lantern"),
        ("name", "White metal lantern", "LANTERN white"),
        ("name", "White metal lantern", "lantern, white!"),
        ("name", "Lantern", "lantern lantern LANTERN"),
        ("description", "Burns lamp oil for twenty hours.", "oil hours"),
        ("sku", "KT-INS114-DRE", "dre"),
        ("name", "Café crème", "cafe creme"),
        ("name", "Cafe creme", "CAFÉ crème"),
        ("name", "Cafe\u0301", "café"),
        ("name", "Smørrebrød-Brett", "smorrebrod"),
        ("name", "Große Schüssel", "grosse SCHUSSEL"),
        ("name", "GROSSE Schale", "große"),
        ("name", "Cœur, Ægir, Łódź, İstanbul, Iğdır", "coeur aegir lodz istanbul igdir"),
        ("name", "Ёлочная игрушка, синий шар", "ЕЛОЧНАЯ ИГРУШКА"),
        ("name", "Синий шар", "СИНИИ"),
        ("name", "ΟΔΟΣ ΣΟΦΙΑΣ", "οδος σοφιας"),
        ("name", "οδός", "ΟΔΌΣ"),
        ("name", "Children's lamp, tailor’s chalk", "childrens tailor's"),
        ("name", "Childrens lamp", "children’s"),
        ("name", "ＬＥＤ　ｌａｍｐ ６Ｗ", "led 6w"),
        ("name", "LED lamp", "ｌｅｄ"),
        ("name", "金属灯笼", "灯笼"),
        ("name", "金属灯笼", "灯 金"),
        ("name", "ランタン 白", "ﾗﾝﾀﾝ"),
        ("name", "한국 등불", "등불"),
        ("name", "Area 5 m², ¼ turn, № 5", "m2 no"),
        ("name", "Shade 4 × 40 mm", "4×40"),
        ("name", "Shade 4 × 40 mm", "40 mm 4"),
        ("name", "a_b%c\\d", "c_a"),
        ("name", "Lamp (round)", "round.lamp"),
    ],
)
async def test_a_good_is_found(client: httpx2.AsyncClient, field: str, text: str, q: str) -> None:
    good = await create(client, **{field: text})
    await create(client, name=_NOTHING_TO_FIND)
    assert await ids(client, q) == [good["id"]]


@pytest.mark.parametrize(
    "q",
    [
        "lantern blue",  # every word must match
        "steel storm lantern",
        "antern",  # no ending of a word is one: but a correction, see below, if it is long enough
        "tern",
        "2490",  # neither the price
        "lighting",  # nor the category is searched
        "zz",
        "!!",
        "- /",
        "%%",
        "__",
        ".*",
        "&|",
        "' OR 1=1 --",
        "storm & !lantern",
    ],
)
async def test_a_good_is_not_found(client: httpx2.AsyncClient, q: str) -> None:
    await create(client, name="Storm lampion", sku="X-1", category="Lighting")
    assert await names(client, q) == []


_CORRECTIONS: list[tuple[str, list[str]]] = [
    ("latern", ["White metal lantern"]),
    ("lanternn", ["White metal lantern"]),
    ("lantren", ["White metal lantern"]),
    ("lentern", ["White metal lantern"]),
    ("LATÉRN", ["White metal lantern"]),
    ("latern white", ["White metal lantern"]),
    ("whiet latern", ["White metal lantern"]),
    ("whiet blue", []),
    ("lamtren", []),  # two errors in seven characters
    ("galvansied", ["Galvanised bucket"]),
    ("glavansied", ["Galvanised bucket"]),  # two in ten
    ("alvanisedd", ["Galvanised bucket"]),
    ("glavansiet", []),  # three
    ("галванизед", []),
    ("buc", ["Galvanised bucket"]),  # not finished
    ("galvanis buck", ["Galvanised bucket"]),
    ("bu", []),
    ("cup", ["Cup"]),
    ("cpu", []),  # too short to be misspelt
    ("bulb e27", ["Bulb E27"]),
    ("bulb e26", []),  # a wrong size is worse than none
    ("blub e27", ["Bulb E27"]),
    ("bulb e2", []),
    ("colour", ["Colour chart"]),
    ("color", ["Colour chart"]),
    ("colours", ["Colour chart"]),
]


async def test_words_are_completed_or_corrected(client: httpx2.AsyncClient) -> None:
    for name in ("White metal lantern", "Galvanised bucket", "Cup", "Bulb E27", "Colour chart"):
        await create(client, name=name)
    for q, found in _CORRECTIONS:
        assert await names(client, q) == found, q


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("candl", ["Candle", "Candlestick"]),  # a beginning, rather than one error away from Candy
        ("handle", ["Handle"]),  # what is held is meant
        ("bandle", ["Candle", "Handle"]),  # all that are equally near
        ("xandles", []),
    ],
)
async def test_of_many_corrections_the_nearest_is_meant(client: httpx2.AsyncClient, q: str, found: list[str]) -> None:
    for name in ("Candle", "Handle", "Candy", "Candlestick"):
        await create(client, name=name)
    assert await names(client, q) == found


@pytest.mark.parametrize("words", [5, 6])
async def test_only_some_words_of_a_text_are_corrected(client: httpx2.AsyncClient, words: int) -> None:
    given = ["alpha", "bravo", "charlie", "delta", "hotel", "foxtrot"][:words]
    good = await create(client, name=" ".join(given))
    assert await ids(client, " ".join(word + "x" for word in given)) == ([good["id"]] if words == 5 else [])


@pytest.mark.parametrize(
    ("sku", "q"),
    [
        ("KT-INS114-DRE", "KT-INS114-DRE"),
        ("KT-INS114-DRE", "kt-ins114"),
        ("KT-INS114-DRE", "KT INS 114"),
        ("KT-INS114-DRE", "ktins114dre"),
        ("KT-INS114-DRE", "KT-I"),
        ("KTINS114DRE", "KT-INS114"),
        ("shelf/4/blue", "shelf/4"),
        ("shelf/4/blue", "SHELF4B"),
        ("A.B_C+D", "ab-cd"),
        ("ÄÖ-12", "ao12"),
        ("20685", "206"),
        ("ТОВАР-1", "товар1"),
        ("灯-7", "灯7"),
        ("x" * 64, "x" * 64),
        ("x" * 64, "xx"),
        ("\ufdfa" * 64, "\ufdfa\ufdfa"),  # sixty times as long once it is taken apart
    ],
)
async def test_a_good_is_found_by_its_sku(client: httpx2.AsyncClient, sku: str, q: str) -> None:
    good = await create(client, sku=sku)
    await create(client, sku="OTHER-KT-INS114", name="Other")
    assert (await ids(client, q))[0] == good["id"]


async def test_the_beginning_of_a_sku_is_not_its_middle(client: httpx2.AsyncClient) -> None:
    await create(client, sku="KT-INS114-DRE")
    assert await ids(client, "T-INS") == []
    assert await ids(client, "KT-INS115") == []
    assert await ids(client, "KT-INS114-DRE5") == []


@pytest.mark.parametrize("q", ["", "a", "x" * 201, "a\0b", "\0\0"])
async def test_a_text_that_is_too_short_or_long_or_cannot_be_is_refused(client: httpx2.AsyncClient, q: str) -> None:
    answer = await client.get("/goods", params={"q": q})
    assert places(assert_problem(answer, 422, "invalid-input")) == ["q"]
    assert len(q) < 2 or q not in answer.text


async def test_a_text_that_is_no_utf8_is_no_fault_of_the_service(client: httpx2.AsyncClient) -> None:
    for q in ("%ED%A0%80lamp", "%FF%FE", "%C3%28", "lamp%80"):
        assert (await client.get(f"/goods?q={q}")).status_code in (200, 422)


@pytest.mark.parametrize(
    "q",
    [
        "ab" * 100,
        "ж" * 200,
        "\U0001f9f0" * 200,
        "灯" * 200,
        "\ufdfa" * 200,  # eighteen characters each, when taken apart
        "\u0301" * 200,
        " ".join(chr(97 + n % 26) for n in range(100)),
        " ".join(chr(0x4E00 + n) for n in range(100)),
        " ".join("abcdefghijklmnopqrstuvwxyz"[n % 23 :][:3] for n in range(50)),
        "abcdefgh " * 22,
        "%_\\ %_\\",
        "' \" ; -- $1 ${x} {0} %s :a",
        "a:* & !b | (c <-> d)",
        "[[:alnum:]]+ (?i) \\m ^$",
        "{a,b} NULL {}",
        "\U0010ffff\U0010ffff",
        "\ufeff\u200b\u200d\u00ad",
        "\u202eabc",
        "\r\n\t",
        "i\u0307\u0345",
        "\x01\x02",
    ],
)
async def test_no_text_is_a_fault_of_the_service(client: httpx2.AsyncClient, q: str) -> None:
    good = await create(client, name=q, description=q)
    for sort, count in (("id", "exact"), ("-name", "estimated")):
        answer = await client.get("/goods", params={"q": q, "sort": sort, "count": count, "limit": 1})
        assert answer.status_code == 200, answer.text
        found = [good] if search_words(q) else []
        assert answer.json() == {"items": found, "next": None, "count": len(found)}


async def test_a_change_is_found_at_once_under_the_new_words_only(client: httpx2.AsyncClient) -> None:
    good = await create(client, name="Brass lantern", description="For balconies.", sku="LAN-1")
    for field, old, q, new, q_then in (
        ("name", "Brass lantern", "brass", "Copper kettle", "copper"),
        ("description", "For balconies.", "balconies", "For gardens.", "gardens"),
        ("sku", "LAN-1", "LAN1", "KET-22", "ket2"),
    ):
        assert good[field] == old
        assert await ids(client, q) == [good["id"]]
        assert await ids(client, q_then) == []
        assert (await client.patch(f"/goods/{good['id']}", json={field: new})).status_code == 200
        assert await ids(client, q) == []
        assert await ids(client, q_then) == [good["id"]]
    replaced = await client.put(f"/goods/{good['id']}", json={"name": "Teapot", "price": 1})
    assert replaced.status_code == 200
    assert await ids(client, "copper gardens") == []
    assert await ids(client, "teapot KET") == [good["id"]]
    await client.delete(f"/goods/{good['id']}")
    assert await ids(client, "teapot") == []
    assert await ids(client, "KET-22") == []


async def test_a_word_that_only_a_deleted_good_held_is_corrected_again(client: httpx2.AsyncClient) -> None:
    lantern = await create(client, name="Lantern")
    typed = await create(client, name="Latern")
    assert await ids(client, "latern") == [typed["id"]], "what a good holds is meant"
    await client.delete(f"/goods/{typed['id']}")
    assert await ids(client, "latern") == [lantern["id"]]
    assert await ids(client, "lanter") == [lantern["id"]]
    await client.delete(f"/goods/{lantern['id']}")
    assert await ids(client, "latern") == []


async def test_a_change_of_stock_or_of_a_price_by_little_does_not_write_what_search_reads(
    client: httpx2.AsyncClient, connection: Any
) -> None:
    good = await create(client, stock=5, price="20.00")
    row = "SELECT ctid, xmin, cmin, * FROM goods_search"
    before = await connection.fetch(row)
    for change in ({"stock": 4}, {"price": "21.00"}, {"name": good["name"], "stock": 3}):
        assert (await client.patch(f"/goods/{good['id']}", json=change)).status_code == 200
    assert await connection.fetch(row) == before
    for change in ({"name": "Other"}, {"price": "40.00"}, {"category": "c"}):
        await client.patch(f"/goods/{good['id']}", json=change)
        after = await connection.fetch(row)
        assert after != before, change
        before = after


async def test_dead_words_do_not_hide_the_living(client: httpx2.AsyncClient, connection: Any) -> None:
    """More words of deleted goods begin alike than a word is ever replaced by."""
    words = " ".join(f"lamp{a}{b}" for a in "abcdefgh" for b in "abcdefghij")
    await create(client, description=words)
    await connection.execute("DELETE FROM goods")
    good = await create(client, name="Lampshade")
    assert await ids(client, "lamp") == [good["id"]]
