"""The statements of a search: which goods a tier holds, and the ways to read them in an order."""

from dataclasses import dataclass
from functools import lru_cache

from app.goods.models.documents import document
from app.goods.queries.bands import BANDS
from app.goods.queries.filters import conditions, where
from app.goods.queries.keyset import Order

SKU, WORDS, CORRECTED = TIERS = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class Kind:
    """All that a statement's text depends on.

    `marked`: the goods have all marks of a list; `between`: and one of another. `after`: a position is given.
    """

    order: Order
    filters: tuple[str, ...]
    tier: int
    groups: int
    marked: bool
    between: bool
    after: bool


@dataclass(frozen=True, slots=True)
class Statements:
    """The ways to read a tier.

    Parameters: the filters' values, the position, then the tier's: the marks and the marks between if the kind has
    them, the text's key, its words but for the first tier, the groups of the last; the limit, and how many goods count
    as few, or are walked at most.

    `few` gives rows (document, many, found), at least one; if `many`, it is the only one and has no document; `found`
    says whether the tier holds any good, filtered or not. `sold_out` gives such rows, `many` being goods without stock,
    of the tier or not. `banded` gives such rows of each band, with the `band`, as far as the first that has many, and
    none of a band that has none. `walked` gives rows (document).
    """

    few: str
    sold_out: str
    banded: str
    walked: str


def by_sku(key: str) -> str:
    # No character comes after the last one there is, so this is the range of all that begin with the key.
    return f"s.sku_key >= {key} AND s.sku_key < {key} || chr(1114111)"


def by_groups(first: int, groups: int) -> str:
    # A subquery hides the words from the planner. If it knew how common they are, it would read the whole table
    # for the first few thousand goods that hold them, wherever those lie.
    return " AND ".join(f"s.words && (SELECT ${n}::text[])" for n in range(first, first + groups))


def _tier(kind: Kind, first: int, *, band: str | None = None) -> tuple[str, int]:
    """The condition for one tier, each good being in the best only, and the number of the next parameter."""
    found, n = [], first
    if kind.marked:
        found.append(f"s.words @> (SELECT ${n}::text[])")
        n += 1
    if kind.between:
        found.append(f"s.words && (SELECT ${n}::text[])")
        n += 1
    key, words = f"(SELECT ${n}::text)", f"s.words @> (SELECT ${n + 1}::text[])"
    if band is not None:
        found.append(f"s.words @> ARRAY[{band}]")
    if kind.tier == SKU:
        # In a band the index of words narrows it down, by the mark of the SKU; that of SKUs would give all, each time.
        found.append(by_sku(key) if band is None else by_sku(key).replace("s.sku_key", "(s.sku_key || '')"))
        return " AND ".join(found), n + 1
    if kind.tier == CORRECTED:
        found.append(by_groups(n + 2, kind.groups))
        words = f"NOT ({words})"
    found += [words, f"NOT ({by_sku(key)})"]
    return " AND ".join(found), n + 2 + kind.groups


@lru_cache(maxsize=1024)
def statements(kind: Kind) -> Statements:
    """The texts for one kind of search."""
    order, listed = kind.order, conditions(kind.filters)
    first = 1 + sum("$" in condition for condition in listed)
    beyond = [order.beyond("g", first)] if kind.after else []
    first += len(order.keys) if kind.after else 0
    tier, n = _tier(kind, first)
    few = _few(kind, f"s.goods_id AS id FROM goods_search s WHERE {tier}", [*listed, *beyond], n)
    is_of_tier = f"(SELECT {tier} FROM goods_search s WHERE s.goods_id = g.id)"  # noqa: S608 - constants only
    # In the order of stock, so that no other index is read, and the table neither.
    sold_out = _few(kind, "id FROM goods WHERE stock <= 0 ORDER BY stock", [*listed, *beyond, is_of_tier], n)
    # A walk that bands follow passes over a bounded number of goods; only its own column's filters shorten its index.
    within = [one for one in listed if order.column not in BANDS or f"g.{order.column} " in one]
    rest = "".join(f"{one} AND " for one in listed if one not in within)
    walked = f"""
SELECT {document("g")}::text AS document FROM (
  SELECT * FROM goods g{where([*within, *beyond])} ORDER BY {order.by("g")} LIMIT ${n + 1}::bigint
) g WHERE {rest}{is_of_tier} ORDER BY {order.by("g")} LIMIT ${n}
"""  # noqa: S608 - constants only
    if order.column not in BANDS:
        return Statements(few, sold_out, "", walked)
    tier, _ = _tier(kind, first, band=f"'{BANDS[order.column].letter}=' || b.band")
    in_band = _few(kind, f"s.goods_id AS id FROM goods_search s WHERE {tier}", [*listed, *beyond], n)
    banded = f"""
WITH RECURSIVE bands (band) AS ({_bands(order, within, beyond)})
SELECT b.band, f.* FROM bands b CROSS JOIN LATERAL ({in_band}) f
-- A band with many fills the page, so that those after it are not looked at.
CROSS JOIN LATERAL generate_series(1, CASE WHEN f.many THEN ${n} ELSE 1 END)
WHERE b.band IS NOT NULL AND (f.many OR f.document IS NOT NULL) LIMIT ${n}
"""  # noqa: S608 - constants only
    return Statements(few, sold_out, banded, walked)


@lru_cache(maxsize=1024)
def edge(order: Order, filters: tuple[str, ...], *, after: bool) -> str:
    """The keys of the last good of a walk, or nothing if the list ends before.

    Parameters: the values of the filters that the walk is shortened by, the position, and how many goods are walked.
    """
    found = conditions(filters)
    n = 1 + sum("$" in condition for condition in found)
    if after:
        found.append(order.beyond("g", n))
        n += len(order.keys)
    keys = ", ".join(f"g.{key}" for key in order.keys)
    # In the order of the walk, so that it is read from the same index.
    return f"SELECT {keys} FROM goods g{where(found)} ORDER BY {order.by('g')} OFFSET ${n}::bigint - 1 LIMIT 1"  # noqa: S608 - constants only


def _few(kind: Kind, candidates: str, found: list[str], n: int) -> str:
    """All that are found among the candidates, in the order, unless these are many: more than parameter `n` + 1 says.

    Parameter `n` is the limit.
    """
    order = kind.order
    keys = ", ".join(f"g.{key}" for key in order.keys)
    return f"""
WITH matching AS MATERIALIZED (
  SELECT {candidates} LIMIT ${n + 1}::bigint + 1
), size AS MATERIALIZED (
  SELECT count(*) > ${n + 1}::bigint AS many, count(*) > 0 AS found FROM matching
)
SELECT p.document, size.many, size.found FROM size LEFT JOIN LATERAL (
  -- OFFSET 0: each good by its id. A merge in the order of ids would read all goods up to the first that matches.
  SELECT {document("g")}::text AS document, {keys}
  FROM matching m CROSS JOIN LATERAL (SELECT * FROM goods WHERE goods.id = m.id OFFSET 0) g
  WHERE {" AND ".join(["NOT size.many", *found])} ORDER BY {order.by("g")} LIMIT ${n}
) p ON true ORDER BY {order.by("p")}
"""  # noqa: S608 - constants only


def _bands(order: Order, found: list[str], beyond: list[str]) -> str:
    """The bands in which there are goods, each found by the index from the one before, as they are asked for."""
    bands = BANDS[order.column]
    edge = f"< {bands.first_sql}" if order.descending else f"> {bands.last_sql}"
    further = [*found, f"g.{order.column} {edge.format(band='b.band')}"]
    select = f"SELECT {bands.of_sql} AS band FROM goods g"  # noqa: S608 - constants only
    ordered = f"ORDER BY {order.by('g')} LIMIT 1"
    return f"""
  ({select}{where([*found, *beyond])} {ordered})
  UNION ALL
  SELECT ({select}{where(further)} {ordered}) FROM bands b WHERE b.band IS NOT NULL
"""  # noqa: S608 - constants only
