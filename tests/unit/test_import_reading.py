"""Files of every dialect come out as the values that went in, and broken ones say where and why."""

import csv
import io
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors.domain import InvalidInput
from app.goods.imports.lines import ImportLine
from app.goods.imports.options import ImportOptions
from app.goods.imports.reading import MOST_CHARACTERS, ImportFileError, LineReader


def read(content: bytes | str, *, cut: int = 7, form: str = "csv", **options: Any) -> list[ImportLine]:
    """The lines of a file that arrives in pieces of `cut` bytes."""
    raw = content.encode() if isinstance(content, str) else content
    chunks = (raw[at : at + cut] for at in range(0, len(raw), cut))
    return list(LineReader(chunks, ImportOptions.parse(form=form, **options)))


def values(line: ImportLine) -> tuple[Any, ...]:
    assert line.problem is None
    return (line.sku, line.name, line.description, line.category, line.price, line.stock)


def test_columns_come_by_mapping_or_by_their_own_names_and_constants_fill_in() -> None:
    [line] = read(
        "Code,Title,price,what\n X-1 ,Lamp,1.5,ignored\n",
        columns=["sku=Code,name=Title"],
        constants=["category=Lighting, indoor", "stock=3"],
    )
    assert values(line) == ("X-1", "Lamp", None, "Lighting, indoor", Decimal("1.5"), 3)
    assert (line.number, line.raw) == (2, " X-1 ,Lamp,1.5,ignored")


def test_a_columns_name_may_hold_commas() -> None:
    [line] = read('Code,"Price, net"\nA,2\n', columns=["sku=Code,price=Price, net"])
    assert values(line) == ("A", None, None, None, Decimal(2), None)


def test_a_cell_that_is_not_given_is_not_a_cell_that_is_empty() -> None:
    [line] = read("sku,description\nA,\n")
    assert values(line) == ("A", None, "", None, None, None)


def test_line_numbers_are_the_files_own() -> None:
    lines = read('sku,name\r\n\r\nA,"two\r\nlines"\r\nB,one\r\n,nobody\r\n')
    assert [(line.number, line.raw) for line in lines] == [
        (3, 'A,"two\r\nlines"'),
        (5, "B,one"),
        (6, ",nobody"),
    ]
    assert lines[0].name == "two\r\nlines"
    assert lines[2].problem == "sku: is empty"


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ("A,x,1.234,1", "price: must be a decimal number from 0 to 9999999999.99 with at most two decimals"),
        ("A,x,-1,1", "price: must be a decimal number from 0 to 9999999999.99 with at most two decimals"),
        ("A,x,,1", "price: is empty"),
        ("A,x,1e3,1", "price: must be a decimal number from 0 to 9999999999.99 with at most two decimals"),
        ('A,x,"1,5",1', "price: holds a comma: the decimal sign is a dot unless the decimal option says otherwise"),
        ("A,x,1,1.5", "stock: must be a whole number, as in 12"),
        ("A,x,1,-1", "stock: must be at least 0"),
        ("A,x,1," + "9" * 5000, "stock: must be at most 2147483647"),
        ("A,x,1,", "stock: is empty"),
        ("/A,x,1,1", "sku: must not begin or end with a slash, nor have an empty, '.' or '..' part between slashes"),
        ("A,x,1", "has 3 cells, the header has 4"),
        ("A,x,1,1,1", "has 5 cells, the header has 4"),
        ('A,"x"y,1,1', "the quotes are wrong: a quote inside a quoted cell is doubled"),
        (f"A,{'x' * 201},1,1", "name: must have at most 200 characters"),
    ],
)
def test_a_line_that_breaks_a_rule_is_refused_with_the_reason_and_the_others_are_not(cells: str, problem: str) -> None:
    first, second = read(f"sku,name,price,stock\n{cells}\nB,y,2,2.0\n", cut=4096)
    assert (first.number, first.raw, first.problem) == (2, cells, problem)
    assert values(second) == ("B", "y", None, None, Decimal(2), 2)


def test_every_fault_of_a_line_is_named_with_its_column() -> None:
    [line] = read("c,p,s\n,x,y\n", columns=["sku=c,price=p,stock=s"])
    assert line.problem is not None
    assert line.problem.split(": ")[0] == "sku (column c)"
    assert "; price (column p): must be a decimal number" in line.problem
    assert "; stock (column s): must be a whole number" in line.problem


def test_a_decimal_comma() -> None:
    first, second = read("sku;price\nA;1234,5\nB;1.234,5\n", delimiter="semicolon", decimal=",")
    assert first.price == Decimal("1234.5")
    assert second.problem == "price: holds a dot, but the decimal sign is a comma"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "windows-1251", "utf-32-le"])
def test_encodings(encoding: str) -> None:
    raw = "sku,name\nA,Фонарь\n".encode(encoding)
    option = "utf-8" if encoding == "utf-8-sig" else encoding
    [line] = read(raw, cut=1, encoding=option)
    assert (line.sku, line.name) == ("A", "Фонарь")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(end: str) -> None:
    assert [line.sku for line in read(f"sku{end}A{end}B", cut=1)] == ["A", "B"]


def test_the_exports_apostrophes_come_off_when_that_is_asked_for() -> None:
    file = "sku,name,description\n'-1,'=1+1,it's\n"
    [line] = read(file, escape="apostrophe")
    assert values(line)[:3] == ("-1", "=1+1", "it's")
    [line] = read(file)
    assert values(line)[:3] == ("'-1", "'=1+1", "it's")


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b"", 1, "the file is empty"),
        (b"\n\n", 1, "the file is empty"),
        (b",,\nA,1,2\n", 1, "the header names no columns"),
        (b"name,price\nA,1\n", 1, "no column is mapped to sku, and none is called so; there are name, price"),
        (b"sku,name,sku\n", 1, "the header has the column 'sku' more than once"),
        (b'sku,name\nA,x\nB,"y\nC,z\n', 3, "a quote that opens in this line is never closed"),
        (b"sku,name\nA,x\nB,\xff\n", 3, "the text is not utf-8: say which encoding it is in"),
        (b"sku,name\nA,x\nB,\0\n", 3, "the line holds NUL"),
        (b"sku,name\nA," + b"x" * MOST_CHARACTERS + b"\n", 2, "is over 1 MiB"),
        (b'sku,name\nA,"' + b"x\n" * (MOST_CHARACTERS // 2) + b'"\n', 2, "is over 1 MiB"),
    ],
)
def test_a_file_that_can_not_be_trusted_fails_and_says_where(content: bytes, line: int, said: str) -> None:
    with pytest.raises(ImportFileError) as caught:
        read(content, cut=65536)
    assert caught.value.line == line
    assert said in caught.value.detail


def test_a_line_without_end_is_never_held_in_memory() -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        yield b"sku,name\n"
        while True:
            taken += 1
            yield b"x" * 65536

    with pytest.raises(ImportFileError, match="over 1 MiB"):
        list(LineReader(endless(), ImportOptions.parse(form="csv")))
    assert taken < 40


def test_lines_of_json() -> None:
    lines = read(
        '{"sku": "A", "name": "x", "price": 1.10, "stock": 2.0, "description": null, "version": 9}\n\n'
        '{"sku": "B", "price": "2"}\n[1]\nNaN\n{"sku": "C", "sku": "D"}\n{"sku": "E", "name": null}\n'
        + "[" * 100_000 + '\n{"sku": 5}\n{"name": "x"}\n{"sku": "F", "stock": true}',
        form="ndjson",
        cut=4096,
    )  # fmt: skip
    assert values(lines[0]) == ("A", "x", "", None, Decimal("1.10"), 2)
    assert values(lines[1]) == ("B", None, None, None, Decimal(2), None)
    assert [(line.number, line.problem) for line in lines[2:]] == [
        (4, "is not a JSON object"),
        (5, "is not a JSON document (RFC 8259)"),
        (6, "#/sku: stands more than once in its object"),
        (7, "name: must not be null"),
        (8, "is not a JSON document (RFC 8259)"),
        (9, "sku: must be a text"),
        (10, "sku: is missing"),
        (11, "stock: must be an integer"),
    ]


@pytest.mark.parametrize(
    ("options", "places"),
    [
        ({"columns": ["sku"]}, ["map"]),
        ({"columns": ["sku=a,sku=b"]}, ["map"]),
        ({"columns": ["colour=a"], "constants": ["size=1"]}, ["map", "set"]),
        ({"columns": ["name=a"], "constants": ["name=b"]}, ["set"]),
        ({"constants": ["sku=1"]}, ["set"]),
        ({"delimiter": "ab", "encoding": "rot13", "decimal": ";", "escape": "x"}, None),
        ({"delimiter": '"'}, ["delimiter"]),
        ({"delimiter": "\n"}, ["delimiter"]),
        ({"encoding": "hex"}, ["encoding"]),
        ({"encoding": "no\0such"}, ["encoding"]),
        ({"form": "xlsx"}, ["format"]),
    ],
)
def test_options_are_refused_all_at_once(options: dict[str, Any], places: list[str] | None) -> None:
    with pytest.raises(InvalidInput) as caught:
        ImportOptions.parse(**{"form": "csv", **options})
    found = [fault.place for fault in caught.value.faults]
    assert sorted(found) == (places or ["decimal", "delimiter", "encoding", "escape"])


def test_options_survive_being_stored() -> None:
    options = ImportOptions.parse(form="csv", columns=["sku=a"], constants=["category=b"], delimiter="tab", decimal=",")
    assert ImportOptions.from_json(options.as_json()) == options


_CELL = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@given(
    names=st.lists(_CELL, min_size=1, max_size=5),
    dialect=st.fixed_dictionaries(
        {
            "delimiter": st.sampled_from([",", ";", "\t", "|"]),
            # (Python's writer leaves a lone CR unquoted unless its line ends hold one.)
            "lineterminator": st.just("\r\n"),
            "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
        }
    ),
    encoding=st.sampled_from(["utf-8", "utf-16"]),
    cut=st.integers(1, 50),
)
def test_what_a_writer_wrote_comes_back(names: list[str], dialect: dict[str, Any], encoding: str, cut: int) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream, **dialect)
    writer.writerow(["sku", "description"])
    writer.writerows([f"S{n}", name] for n, name in enumerate(names))
    lines = read(stream.getvalue().encode(encoding), cut=cut, delimiter=dialect["delimiter"], encoding=encoding)
    assert [(line.sku, line.description) for line in lines] == [(f"S{n}", name) for n, name in enumerate(names)]


@given(content=st.binary(max_size=300), form=st.sampled_from(["csv", "ndjson"]), cut=st.integers(1, 300))
def test_no_bytes_raise_anything_else(content: bytes, form: str, cut: int) -> None:
    for prefix in (b"", b"sku,name\n"):
        with suppress(ImportFileError):
            assert read(prefix + content, form=form, cut=cut) == read(prefix + content, form=form, cut=1000)
