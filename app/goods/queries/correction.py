"""What else the words of a search may stand for.

A word that no good holds is taken for the beginning of words, and if none begins so, for a misspelling: then it
stands for the nearest words there are. A word that goods do hold also stands for its other forms: words that are up to
two letters longer or shorter at the end, which in most languages are its plural and its cases. Words with a digit
(sizes, numbers, parts of a SKU) stand for themselves alone.
"""

from collections import defaultdict
from dataclasses import dataclass

from rapidfuzz.distance import OSA

from app.database.db import Pool

SHORTEST_BEGINNING = 3  # characters: below, a beginning says next to nothing
SHORTEST_MISSPELT = 4
SHORTEST_TWICE_MISSPELT = 8
ENDING = 2  # characters: how much longer or shorter another form of a word may be
MOST_REPLACED = 5  # words of one query
MOST_REPLACEMENTS = 50  # for one word, in the order of the alphabet

# A materialized CTE is planned to be read whole, by the index, and then asked for one row only; by itself EXISTS
# would be planned as a scan that ends soon, which it does not for a word that no good holds. A common word has a long
# list there, but is found in a part of it: a band of ids.
_HOLDING = (
    "WITH holding AS MATERIALIZED (SELECT FROM goods_search s WHERE s.words @> ARRAY[{words}]) SELECT FROM holding"
)
_IS_KNOWN = f"""CASE
  WHEN EXISTS ({_HOLDING.format(words="word, (SELECT 'i=' || (max(id) / 2 >> 14) FROM goods)")}) THEN true
  ELSE EXISTS ({_HOLDING.format(words="word")}) END"""  # noqa: S608 - constants only
_KNOWN = f"SELECT word FROM unnest($1::text[]) word WHERE {_IS_KNOWN}"  # noqa: S608 - constants only
# The dictionary also has words whose goods are gone: they do not count for the limit.
_BEGINNING = f"""
SELECT u.word, d.word AS replacement FROM unnest($1::text[]) u (word) CROSS JOIN LATERAL (
  SELECT word FROM (
    SELECT DISTINCT word FROM search_dictionary
    WHERE search_dictionary.word > u.word AND search_dictionary.word < u.word || chr(1114111)
    ORDER BY word OFFSET 0
  ) beginning WHERE {_IS_KNOWN} LIMIT {MOST_REPLACEMENTS}
) d
"""  # noqa: S608 - constants only
# Words of a dead good do no harm here: they find nothing.
_FORMS = f"""
SELECT u.word, d.word AS replacement FROM unnest($1::text[]) u (word) CROSS JOIN LATERAL (
  SELECT DISTINCT word FROM search_dictionary s
  WHERE s.word > u.word AND s.word < u.word || chr(1114111) AND length(s.word) <= length(u.word) + {ENDING}
  UNION
  SELECT word FROM search_dictionary s
  WHERE s.word = ANY (ARRAY(SELECT left(u.word, -n) FROM generate_series(1, {ENDING}) n)) AND length(s.word) > 2
  ORDER BY word LIMIT {MOST_REPLACEMENTS}
) d
"""  # noqa: S608 - constants only
# All that can be near, and others: what is near is decided by the distance.
_SIMILAR = """
SELECT DISTINCT u.word, d.word AS replacement
FROM unnest($1::text[]) u (word) JOIN search_dictionary d ON d.deletions && search_deletions(u.word)
"""


@dataclass(frozen=True, slots=True)
class Correction:
    """Groups of words: a good matches if it holds at least one word of each."""

    groups: list[list[str]]


async def corrected(pool: Pool, words: list[str], *, all_known: bool = False) -> Correction | None:
    """What `words` may stand for besides themselves; None when nothing. `all_known`: goods hold all of them."""
    known = set(words) if all_known else await _known(pool, words)
    unknown = [word for word in words if word not in known]
    if len(unknown) > MOST_REPLACED or not all(_is_replaceable(word) for word in unknown):
        return None
    replacements = await _forms(pool, [word for word in words if word in known and _is_replaceable(word)])
    if unknown:
        replacements |= await _meant(pool, unknown)
    if not all(replacements[word] for word in unknown) or not any(replacements.values()):
        return None
    groups = [[word, *replacements.get(word, ())] if word in known else replacements[word] for word in words]
    if not unknown:
        # Who holds all the words is found without correction; all others hold another form of one. The words
        # themselves may be much more common than their other forms.
        groups.append(sorted({word for forms in replacements.values() for word in forms}))
    return Correction(groups)


async def _forms(pool: Pool, words: list[str]) -> dict[str, list[str]]:
    found = await pool.read(_FORMS, words) if words else []
    return {word: [row["replacement"] for row in found if row["word"] == word] for word in words}


async def _meant(pool: Pool, unknown: list[str]) -> dict[str, list[str]]:
    replacements = await _beginning_so(pool, unknown)
    missing = [word for word in unknown if not replacements[word] and len(word) >= SHORTEST_MISSPELT]
    return replacements | (await _nearest(pool, missing) if missing else {})


def errors_allowed(word: str) -> int:
    """How many characters may be wrong, missing, too many or swapped."""
    return 0 if len(word) < SHORTEST_MISSPELT else 1 if len(word) < SHORTEST_TWICE_MISSPELT else 2


def _is_replaceable(word: str) -> bool:
    return len(word) >= SHORTEST_BEGINNING and not any("0" <= character <= "9" for character in word)


async def _known(pool: Pool, words: list[str]) -> set[str]:
    return {row["word"] for row in await pool.read(_KNOWN, words)} if words else set()


async def _beginning_so(pool: Pool, words: list[str]) -> dict[str, list[str]]:
    found = await pool.read(_BEGINNING, words)
    return {word: [row["replacement"] for row in found if row["word"] == word] for word in words}


async def _nearest(pool: Pool, words: list[str]) -> dict[str, list[str]]:
    by_distance: dict[tuple[str, int], list[str]] = defaultdict(list)
    for word, replacement in await pool.read(_SIMILAR, words):
        by_distance[word, OSA.distance(word, replacement)].append(replacement)
    nearest: dict[str, list[str]] = {}
    for word in words:
        nearest[word] = []
        for distance in range(1, errors_allowed(word) + 1):
            known = await _known(pool, sorted(by_distance[word, distance]))
            if known:
                nearest[word] = sorted(known)[:MOST_REPLACEMENTS]
                break
    return nearest
