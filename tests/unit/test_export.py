"""How goods are written for export: what is read back is what was there."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.goods.schemas.export import COLUMNS, FORMATS, csv_lines, harmless, ndjson_lines

# What PostgreSQL stores as text: everything but NUL and lone surrogates; often what CSV and spreadsheets trip over.
NASTY = st.text(st.sampled_from("=+-@'\t\r\n\",; ab\u00e9\u2028\ufeff\U0001f525\\"), max_size=8)
TEXT = st.one_of(NASTY, st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
GOOD = st.fixed_dictionaries(
    {
        "id": st.integers(1, 2**63 - 1),
        "sku": TEXT,
        "name": TEXT,
        "description": TEXT,
        "category": TEXT,
        "price": st.decimals(0, 9999999999, places=2).map(str),
        "stock": st.integers(0, 2**31 - 1),
        "version": st.integers(1, 2**31 - 1),
        "created_at": st.just("2026-11-23T09:30:00.000000Z"),
        "updated_at": st.just("2026-11-23T09:30:00.000001Z"),
    }
)
_SAME = {"id": 1, "price": "0.00", "stock": 0, "version": 1, "created_at": "", "updated_at": ""}


def _documents(goods: list[dict[str, Any]]) -> list[str]:
    return [json.dumps(good, ensure_ascii=False, separators=(",", ":")) for good in goods]


@given(st.lists(GOOD, max_size=5))
@example([{**_SAME, "sku": "-1", "name": "=1+1", "description": "'\r\n", "category": "\t\"',\r"}])
def test_what_python_reads_from_the_csv_is_what_was_written_once_the_marks_are_gone(
    goods: list[dict[str, Any]],
) -> None:
    written = FORMATS["csv"].head + csv_lines(_documents(goods))
    rows = csv.reader(io.StringIO(written.decode(), newline=""), strict=True)
    assert tuple(next(rows)) == COLUMNS
    read = [[cell.removeprefix("'") for cell in row] for row in rows]
    assert read == [[str(good[column]) for column in COLUMNS] for good in goods]


@given(GOOD)
def test_no_cell_is_run_by_a_spreadsheet(good: dict[str, Any]) -> None:
    (row,) = csv.reader(io.StringIO(csv_lines(_documents([good])).decode(), newline=""))
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "'x", "'", "''"])
def test_a_text_that_a_spreadsheet_would_run_is_marked(text: str) -> None:
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a=1", " =1", "1-2", "\nx", '"=1', "LAN-0012"])
def test_any_other_text_stays(text: str) -> None:
    assert harmless(text) == text


def test_lines_end_as_rfc_4180_says_and_there_is_no_byte_order_mark() -> None:
    good = {**_SAME, "sku": "A", "name": "a, b", "description": 'say "x"\nno', "category": ""}
    assert FORMATS["csv"].head == b"id,sku,name,description,category,price,stock,version,created_at,updated_at\r\n"
    assert csv_lines(_documents([good])) == b'1,A,"a, b","say ""x""\nno",,0.00,0,1,,\r\n'
    assert csv_lines([]) == b""


@given(st.lists(GOOD, max_size=5))
def test_each_line_of_ndjson_is_a_good(goods: list[dict[str, Any]]) -> None:
    lines = ndjson_lines(_documents(goods)).decode().split("\n")
    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == goods
