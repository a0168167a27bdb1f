"""How goods are written when they leave: as CSV (RFC 4180) or as NDJSON. Both are UTF-8 without a byte order mark."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Literal

from pydantic import Field

from app.goods.schemas.goods import GoodsRead
from app.goods.schemas.list import GoodsSelection

COLUMNS = tuple(GoodsRead.model_fields)
_values = itemgetter(*COLUMNS)
# What makes a spreadsheet take a cell for a formula (OWASP, "CSV Injection"), and the mark itself: because a cell that
# begins with an apostrophe is given one too, taking one away always gives back what was there.
_RUN_BY_SPREADSHEETS = ("=", "+", "-", "@", "\t", "\r", "'")


class GoodsExport(GoodsSelection):
    """What to export, and how it is written."""

    format: Literal["csv", "ndjson"] = Field(
        "csv", description="csv: a table with a header line; ndjson: one JSON object a line, each as GET gives a good."
    )


@dataclass(frozen=True, slots=True)
class Writing:
    """One way to write goods: `head` comes first, then what `write` makes of the JSON texts of each page."""

    media_type: str
    head: bytes
    write: Callable[[Sequence[str]], bytes]


def csv_lines(documents: Sequence[str]) -> bytes:
    """A line of CSV for each good, its columns in the order of COLUMNS, cells of text marked by `harmless`."""
    goods = json.loads(f"[{','.join(documents)}]")
    return _lines([[*map(_cell, _values(good))] for good in goods])


def ndjson_lines(documents: Sequence[str]) -> bytes:
    """A line for each good, exactly the text that GET gives."""
    return "".join(f"{document}\n" for document in documents).encode()


def harmless(text: str) -> str:
    """The text with an apostrophe in front if a spreadsheet would run it."""
    return f"'{text}" if text.startswith(_RUN_BY_SPREADSHEETS) else text


def _cell(value: str | int) -> str | int:
    return harmless(value) if type(value) is str else value


def _lines(rows: Sequence[Sequence[str | int]]) -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows(rows)  # the module's defaults are RFC 4180: CRLF, and quotes where they are needed
    return stream.getvalue().encode()


FORMATS = {
    "csv": Writing("text/csv; charset=utf-8; header=present", _lines([COLUMNS]), csv_lines),
    "ndjson": Writing("application/x-ndjson", b"", ndjson_lines),
}
