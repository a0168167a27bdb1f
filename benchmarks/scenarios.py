"""What is asked: for each scenario the requests that wrk makes, and the same work as SQL for pgbench."""

from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlencode

from app.database.db import Database
from app.goods.queries.goods import BY_ID
from app.goods.queries.keyset import Order
from app.goods.queries.lists import GoodsLists, page_sql
from app.goods.schemas.list import GoodsFilter
from app.goods.services.statements import CREATE
from app.goods.services.stock_statements import MOVE
from tests.proof.searches import SEARCHES, Recorder, literal

PAGE = 100
_FILTERS = "category=Lighting&min_price=5&max_price=50"
_JSON = "wrk.headers['Content-Type'] = 'application/json'\n"


def read_one(goods: int) -> str:
    return f"request = function() return wrk.format('GET', '/goods/' .. math.random(1, {goods})) end\n"


def get(path: str) -> str:
    return f"request = function() return wrk.format('GET', {path!r}) end\n"


def list_100() -> str:
    return get(f"/goods?limit={PAGE}")


def filtered() -> str:
    return get(f"/goods?limit={PAGE}&{_FILTERS}")


def create() -> str:
    """SKUs of this round alone: the time in them keeps rounds apart."""
    good = (
        '"name":"Storm lantern","description":"Brass, burns lamp oil.","category":"Lighting","price":"24.90","stock":12'
    )
    return _JSON + (
        "local n, round = 0, os.time() .. math.floor(os.clock() * 1e6)\n"
        "request = function()\n  n = n + 1\n"
        f"  return wrk.format('POST', '/goods', nil, '{{\"sku\":\"B-' .. round .. '-' .. n .. '\",{good}}}')\n"
        "end\n"
    )


def sale(goods: int) -> str:
    """One piece of a good; each has pieces enough."""
    body = '{"delta":-1,"reason":"sale"}'
    return _JSON + (
        f"request = function() return wrk.format('POST', '/goods/' .. math.random(1, {goods}) .. '/stock', nil,"
        f" '{body}') end\n"
    )


def bulk(lines: int) -> str:
    """So many upserts by SKU, of which the first request creates the goods and later ones change their price."""
    return _JSON + (
        "local n = 0\nrequest = function()\n  n = n + 1\n  local items = {}\n"
        f"  for i = 1, {lines} do items[i] = string.format("
        '\'{"sku":"BULK-%d","name":"Storm lantern","price":"%d.%02d"}\', i, n % 1000, i % 100) end\n'
        "  return wrk.format('POST', '/goods/bulk', nil, '{\"items\":[' .. table.concat(items, ',') .. ']}')\nend\n"
    )


def search_mix() -> str:
    paths = ",".join(repr("/goods?" + urlencode(parse_qsl(text), quote_via=quote_plus)) for text, _, _ in SEARCHES)
    return f"local paths = {{{paths}}}\nrequest = function() return wrk.format('GET', paths[math.random(#paths)]) end\n"


def _prepared(sql: str, *values: str) -> str:
    """The statement for pgbench, with an SQL text for each parameter."""
    for n in range(len(values), 0, -1):
        sql = sql.replace(f"${n}", values[n - 1])
    # pgbench would take the colons of the time format for variables.
    return sql.strip().replace("HH24:MI:SS", 'HH24":"MI":"SS') + ";\n"


def sql_read_one(goods: int) -> str:
    return f"\\set id random(1, {goods})\n" + _prepared(BY_ID, "ARRAY[:id]")


def sql_list_100() -> str:
    return _prepared(page_sql(Order.of("id"), (), after=False), str(PAGE + 1))


def sql_create() -> str:
    """One good for each statement."""
    texts = ("Storm lantern", "Brass, burns lamp oil.", "Lighting")
    values = (
        "ARRAY['P-' || :a || '-' || :b]",
        *(f"ARRAY['{text}']" for text in texts),
        "ARRAY[24.90]",
        "ARRAY[12]",
        "ARRAY['anonymous']",
        "ARRAY['benchmark']",
        "NULL",
    )
    number = "\\set a random(1, 2000000000)\n\\set b random(1, 2000000000)\n"
    return number + _prepared(CREATE.plain, *values)


def sql_sale(goods: int) -> str:
    values = ("NULL", "NULL", "'anonymous'", "'benchmark'", "-1", "'sale'", "''")
    return f"\\set id random(1, {goods})\n" + _prepared(MOVE.plain, ":id", *values)


async def sql_searches(database: Database, metrics: Any) -> list[tuple[str, list[str]]]:
    """Each search of the mix, and the statements that the service sends for its first page."""
    recorder = Recorder(database.replica)
    reading: Any = SimpleNamespace(replica=recorder)
    lists = GoodsLists(reading, metrics)
    found = []
    for text, _, _ in SEARCHES:
        recorder.sent.clear()
        await lists.page(GoodsFilter.model_validate(dict(parse_qsl(text))))
        found.append((text, [_prepared(sql, *map(literal, arguments)) for sql, arguments in recorder.sent]))
    return found
