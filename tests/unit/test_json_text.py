"""Reading JSON strictly: what RFC 8259 says, numbers exactly, and no name twice."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.errors.domain import InvalidInput, MalformedJson
from app.rest.json_text import parse_json

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**50), 10**50) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(document=DOCUMENTS, ascii_only=st.booleans())
def test_a_document_is_read_as_it_was_written(document: Any, *, ascii_only: bool) -> None:
    raw = json.dumps(document, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert parse_json(raw) == document


@given(number=st.decimals(allow_nan=False, allow_infinity=False))
@example(number=Decimal("0.1"))
@example(number=Decimal("9999999999.99"))
@example(number=Decimal("1E+999999"))
@example(number=Decimal("0.30000000000000004441"))
def test_a_number_keeps_every_digit(number: Decimal) -> None:
    read = parse_json(str(number).encode())
    assert not isinstance(read, float)
    assert Decimal(read).compare_total(number) == 0 or (isinstance(read, int) and read == number)


@given(
    raw=st.one_of(st.binary(), st.text().map(str.encode), st.text('{}[]",:0123456789.eE+-tfnul \\/').map(str.encode))
)
@example(raw=b"1e1000000000000000000")
@example(raw=b"1e-99999999999999999999")
@example(raw=b"9" * 5000)
@example(raw=b"[" * 100_000)
@example(raw=b'{"a":' * 100_000)
def test_whatever_comes_is_read_or_refused_with_a_designed_error(raw: bytes) -> None:
    try:
        parse_json(raw)
    except (MalformedJson, InvalidInput) as error:
        assert error.detail.endswith(".")  # noqa: PT017 - both outcomes are right


@pytest.mark.parametrize(
    "raw",
    [
        b"", b" \n", b"NaN", b"[Infinity]", b"-Infinity", b"{'a':1}", b"{a:1}", b"[1,]", b'{"a":1,}', b"01", b"+1",
        b".5", b"1.", b"0x1", b"1_0", b"True", b"// x\n1", b'"a\nb"', b'"\x00"', b"[1] [2]", b'{"a":1}x', b'"\\x41"',
        b'"\\u12"',
        b"\xef\xbb\xbf{}", b"\xff", b'"\xed\xa0\x80"', b'"\xc0\x80"', "{}".encode("utf-16"), b"undefined", b'"',
    ],
)  # fmt: skip
def test_what_is_no_json_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedJson):
        parse_json(raw)


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        (b'{"price":1,"price":2}', "#/price"),
        (b'{"a":1,"\\u0061":1}', "#/a"),
        (b'{"a/b~":1,"a/b~":1}', "#/a~1b~0"),
        (b'{"":1,"":2}', "#/"),
        (b'[{"x":[{"y":1,"y":1}]}]', "#/y"),
        (b'{"\\ud800":1,"\\ud800":1}', "#/?"),
    ],
)
def test_a_name_that_stands_twice_is_refused(raw: bytes, pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_json(raw)
    (fault,) = caught.value.faults
    assert (fault.kind, fault.place) == ("pointer", pointer)


def test_an_error_tells_the_place_and_not_the_content() -> None:
    with pytest.raises(MalformedJson) as caught:
        parse_json(b'{"secret": hunter2}')
    assert caught.value.detail == "The body is not JSON: line 1, column 12."
