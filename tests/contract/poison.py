"""What attackers and accidents send: values, bodies, targets and headers; and the bare socket to send them by."""

import asyncio
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import httpx2

from tests.api.support import assert_problem

MAX_STOCK = 2**31 - 1

# Values of a field of the body, as the JSON text that is sent.

# Texts that are unusual, and allowed in a name, a description and a category.
ODD_TEXTS = {
    "quotes": json.dumps('O\'Neill "the" `lantern`\\'),
    "sql": json.dumps("x'); DROP TABLE goods; --"),
    "percent and underscore": json.dumps(r"100%_\%\_"),
    "line ends": json.dumps("a\nb\r\nc\td\x0b\x0c\x1c"),
    "escape codes": json.dumps("\x1b[31mred\x07\x7f\x01\x9b2J"),
    "right to left": json.dumps("\u202egnp.exe\u202c \u2067א\u2069"),
    "nothing to see": json.dumps("a\u200b\u200d\ufeff\u00adb"),
    "emoji": json.dumps("👩‍👩‍👧‍👦🏴‍☠️", ensure_ascii=False),
    "emoji as a pair of escapes": r'"\ud83d\ude00"',
    "not normalised": json.dumps("e\u0301 ﬀ İ ß Å", ensure_ascii=False),
    "line separators": json.dumps("a\u2028b\u2029c\x85d", ensure_ascii=False),
    "noncharacters": json.dumps("\uffff\ufffe\ufffd\ue000\U0010ffff"),
    "padded": json.dumps(" \u00a0 padded \u3000 "),
    "only white space": json.dumps(" \t\n "),
    "markup": json.dumps("<script>alert(1)</script>{{7*7}}${7*7}%(x)s{0}"),
    "formula": json.dumps("=HYPERLINK(1)"),
    "an escape that is none": r'"\\u0000 \\ud800 %00 %0a"',
    "word": '"null"',
    "way up": '"../../etc/passwd"',
    "slashes": '"/a//b/"',
}
# Texts that no field takes.
UNSTORABLE = {
    "NUL": r'"canary\u0000canary"',
    "lone high surrogate": r'"canary\ud800"',
    "lone low surrogate": r'"\udc00canary"',
    "pair the wrong way round": r'"\ude00\ud83dcanary"',
    "half a million letters": '"' + "canary" * 90_000 + '"',
}
NUMBERS = {
    text if len(text) < 30 else f"{text[:5]}... of {len(text)}": text
    for text in (
        *("0", "-0", "-1", "7", "255", "65536", "2147483647", "2147483648", "-2147483649"),
        *("9223372036854775807", "9223372036854775808", "-9223372036854775809", "18446744073709551616"),
        *("1" * 4300, "1" * 4301, "-" + "9" * 5000, "9" * 1_000_000 + ".0", "0." + "1" * 100_000),
        *("NaN", "Infinity", "-Infinity", "nan", "1E+999999", "-1E+999999", "1E-999999", "1e-400", "0E+999999"),
        *("1E+999999999999999999999", "1E-999999999999999999999", "1e2", "12E-1", "1.10", "1.500", "0.001", "-0.0"),
        *("5.0", "5.5", "9999999999.99", "10000000000", "9999999999.990"),
        *("1.", ".5", "01", "+1", "0x10", "1_000", "1,5", "1e", "\uff11", "\u0661", "--1"),
    )
}
NUMBER_TEXTS = {
    f"{text!r} as text": json.dumps(text)
    for text in (
        *(
            "0",
            "-0",
            "24.90",
            "1.5",
            "5",
            "1_0",
            "\uff11\uff12",
            "\u0661",
            " 1",
            "1 ",
            "1\n",
            "+1",
            "1e2",
            "1E+999999",
            "NaN",
        ),
        *("Infinity", "-1", "1,5", "0x10", ".5", "5.", "0.001", "", "10000000000", "9" * 5000),
    )
}
MOMENTS = {
    f"time {text}": json.dumps(text)
    for text in (
        *("2026-11-23T09:30:00", "2026-11-23", "2026-11-23T09:30:00Z", "0001-01-01T00:00:00+23:59", "infinity"),
        *("9999-12-31T23:59:59.999999-23:59", "2026-02-30T00:00:00Z", "2026-11-23T25:00:00Z", "-infinity", "now"),
        *("2026-11-23T23:59:60Z", "+275760-09-13T00:00:00Z", "2026-11-23T09:30:00+00:00:00.000001", "epoch"),
        *("-4713-01-01T00:00:00Z", "2026-11-23T09:30:00.1234567Z", "2026-11-23T09:30:00+99:99"),
    )
}
OTHER_KINDS = {
    "true": "true",
    "false": "false",
    "null": "null",
    "empty array": "[]",
    "array": '["canary"]',
    "empty object": "{}",
    "object": '{"canary": "canary"}',
    "array 400 deep": "[" * 400 + "]" * 400,
    "array 900 deep": "[" * 900 + "]" * 900,
    "operator": '{"$ne": null}',
}
VALUES = {**ODD_TEXTS, **UNSTORABLE, **NUMBERS, **NUMBER_TEXTS, **MOMENTS, **OTHER_KINDS}

# Names of fields that do not exist, as JSON text.
NAMES = {
    "lone surrogate": r'"\ud800"',
    "NUL": r'"\u0000"',
    "name and NUL": r'"name\u0000"',
    "empty": '""',
    "another case": '"Name"',
    "white space": '"name "',
    "full width": '"\uff4eame"',
    "invisible letter": r'"na\u200bme"',
    "prototype": '"__proto__"',
    "python": '"__class__"',
    "pointer": '"a/b~c%20d?e#f"',
    "line end": r'"\n\u001b[31m"',
    "emoji": r'"\ud83d\ude00"',
    "a hundred thousand letters": '"' + "k" * 100_000 + '"',
}
# Whole bodies that are no JSON object in UTF-8 with each name once.
_GOOD = '{"name":"é","price":1}'
BODIES = {
    "empty": b"",
    "white space": b" \r\n\t ",
    "a byte order mark": b"\xef\xbb\xbf" + _GOOD.encode(),
    "UTF-16": _GOOD.encode("utf-16"),
    "UTF-16 without a mark": _GOOD.encode("utf-16-be"),
    "UTF-32": _GOOD.encode("utf-32-le"),
    "Latin-1": _GOOD.encode("latin-1"),
    "an invalid byte": b'{"name":"\xff","price":1}',
    "overlong NUL": b'{"name":"\xc0\x80","price":1}',
    "a surrogate in UTF-8": b'{"name":"\xed\xa0\x80","price":1}',
    "half a letter": b'{"name":"\xe2\x82","price":1}',
    "beyond Unicode": b'{"name":"\xf4\x90\x80\x80","price":1}',
    "trailing garbage": b'{"name":"a","price":1}canary',
    "trailing NUL": b'{"name":"a","price":1}\x00',
    "two documents": b'{"name":"a","price":1}{"name":"b","price":1}',
    "trailing comma": b'{"name":"a","price":1,}',
    "a comment": b'{"name":"a",/**/"price":1}',
    "single quotes": b"{'name':'a','price':1}",
    "no quotes": b"{name:1}",
    "a raw line end in a text": b'{"name":"a\nb","price":1}',
    "a raw NUL in a text": b'{"name":"a\x00b","price":1}',
    "an escape that does not exist": rb'{"name":"\x41","price":1}',
    "half an escape": rb'{"name":"\u00","price":1}',
    "an open text": b'{"name":"a',
    "an open object": b'{"name":"a","price":1',
    "only an opening": b"{",
    "array": b'[{"name":"a","price":1}]',
    "empty array": b"[]",
    "text": b'"canary"',
    "null": b"null",
    "true": b"true",
    "number": b"1",
    "NaN": b"NaN",
    "long number": b"9" * 5000,
    "arrays 100,000 deep": b"[" * 100_000,
    "arrays 100,000 deep and back": b"[" * 100_000 + b"]" * 100_000,
    "objects 100,000 deep": b'{"name":' * 100_000 + b"1" + b"}" * 100_000,
    "a field 100,000 deep": b'{"name":' + b"[" * 100_000 + b"]" * 100_000 + b',"price":1}',
    **{f"arrays {n} deep": b"[" * n + b"]" * n for n in range(920, 1000, 4)},
    "a name twice": b'{"name":"a","name":"b","price":1}',
    "a name twice, once escaped": rb'{"name":"a","n\u0061me":"a","price":1}',
    "a name twice inside": b'{"name":{"a":1,"a":2},"price":1}',
    "ten thousand names": ("{" + ",".join(f'"k{n}":1' for n in range(10_000)) + "}").encode(),
    "compressed": gzip.compress(_GOOD.encode()),
    "a form": b"name=a&price=1",
    "XML": b"<good><name>a</name></good>",
    "JSON lines": b'{"name":"a","price":1}\n{"name":"b","price":1}\n',
}

# Parts of a target, percent-encoded as they are sent, for a parameter of the path or the query.
PARTS = [
    *("", "%00", "a%00b", "1%00", "%ff", "%C0%80", "%ED%A0%80", "%E2%82", "%"),
    *("%zz", "%u0041", "+", "%20", "%0a", "1%0a"),
    *("%0d%0aX-Injected:%201", "%1b[31m", "%7f", "'", "''", "1'--", "1;2", "%25", "_", "%25%25", "a%25_", "%22", "%5c"),
    *("%E2%80%AE", "%F0%9F%98%80", "%EF%BC%91", "%D9%A1", "%2F", "%2f%2f", "..%2f..", "%2e%2e", "*", "canary", "nULL"),
    *("null", "true", "false", "TRUE", "NaN", "Infinity", "-Infinity", "-0", "0", "1", "-1", "+1", "01", "1.0", "1e2"),
    *("1E+999999", "1e-400", "1_0", "0x1", "2147483647", "2147483648", "9223372036854775807", "9223372036854775808"),
    *("-9223372036854775809", "1" * 4300, "1" * 4301, "0" * 5000 + "1"),
    *("-" + "9" * 20_000, "canary" * 8000, "%00" * 9000),
    *("[]", "{}", "%5B%5D", "2026-11-23T09:30:00", "id", "-id", "name", "-price", "id,name", "exact", "none", "24.90"),
]  # fmt: skip
TOKENS = [
    quote(text)
    for text in (
        *(
            "e30",
            "W10",
            "bnVsbA",
            "IiI",
            "MQ",
            "TmFO",
            "W1tdXQ",
            "=",
            "====",
            "a=b",
            "AAAA",
            "/w==",
            "_w",
            "W10=",
            "é",
            "-",
        ),
        *("W" * 1999, "W" * 2001, "W1tb" * 450, "W3t9LDFd"),
    )
]
# Values of headers; some are not even allowed on the wire.
HEADER_VALUES = [
    *(b"", b" ", b"\t", b"*", b'"', b'""', b'"1-1"', b'W/"1-1"', b'"1-0"', b'"1-99999999999999999999999"', b'"01-1"'),
    *(b'"1-1', b'1-1"', b'"-"', b'"1--1"', b",,,", b'"a", *, "1-1"', b'"1-1", ' * 3000, b'"' * 60_000, b"W/" * 9000),
    *(b"canary\x00", b"a\x1b[31mb", b"a\x7f", b"\x80\xff", "é😀".encode()),
    *(b"a\r\n b", b"a\nX-Injected: 1", b"a\rb", b"\x01"),
    *(b"canary" * 9000, b"x" * 70_000, b"'; DROP TABLE goods; --", b"%00%0a", b"${jndi:x}"),
    *(b"null", b"NaN", b"-1", b"1e9"),
    *(b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-00", b"ff-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"),
    *(b"00-x-y-z", b"-" * 55),
    *(b"application/json", b"application/json;", b'application/json; charset="'),
    *(b"application/json; charset=\xff", b"/", b";"),
    *(b"application/json; charset*0=a; charset*=utf-8'en'%ff", b"application/json\xa0", b"text/html, application/json"),
    *(b"application/openmetrics-text; version=x", b"text/plain; version=1.0.0.9x; escaping=\xff", b"*/*;q=x"),
    *(b"a/b/c", b"json"),
]  # fmt: skip
CONTENT_LENGTHS = [
    *(b"", b" ", b"-1", b"+2", b"0x2", b"2, 2", b"2 2", b"2.0"),
    *(b"1e1", b"NaN", b"canary", b"\xef\xbc\x92", b"2\x00", b"2_"),
    *(b"18446744073709551615", b"18446744073709551616", b"9" * 5000),
    *(b"2\r\nContent-Length: 2", b"2\r\nContent-Length: 3"),
    *(b"2\r\nTransfer-Encoding: chunked", b"2\r\n Content-Length: 0"),
]  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What came back on one connection, as it was on the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def exchange(port: int, request: bytes, *, seconds: float = 20.0) -> Answer:
    """Send the bytes on a connection of their own and read to its end. Asks for that end, so send one request."""
    async with asyncio.timeout(seconds):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(request)
            await writer.drain()
            return parsed(await reader.read())
        finally:
            writer.transport.abort()


def parsed(raw: bytes) -> Answer:
    """One answer, complete and followed by nothing."""
    head, _, body = raw.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    assert line.startswith("HTTP/1.1 "), raw[:200]
    pairs = [field.split(": ", 1) for field in fields]
    headers = {name.lower(): value for name, value in pairs}
    assert len(headers) == len(pairs), "a header stands twice"
    status = int(line.split()[1])
    if body or status not in (204, 304):
        assert len(body) in (0, int(headers["content-length"])), "more or less than one answer"
    return Answer(status, headers, body)


def request(
    method: str, target: str | bytes, body: bytes | None = None, headers: Mapping[str, bytes | str] | None = None
) -> bytes:
    """The bytes of one request; every part of it may be anything."""
    fields: dict[str, bytes | str] = {"Host": "goods.test", "Connection": "close"}
    if body is not None:
        fields |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    fields |= headers or {}
    lines = [b"%s: %s\r\n" % (name.encode(), _bytes(value)) for name, value in fields.items()]
    return b"%s %s HTTP/1.1\r\n%s\r\n%s" % (method.encode(), _bytes(target), b"".join(lines), body or b"")


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")


def problem(answer: Answer, status: int, name: str, **members: int) -> list[dict[str, str]]:
    """The answer is this problem in the shape of all problems; its list of errors."""
    return assert_problem(
        httpx2.Response(answer.status, headers=dict(answer.headers), content=answer.body), status, name, **members
    )


def meant(text: str) -> Any:
    """What a JSON text means, numbers exactly."""
    return json.loads(text, parse_float=Decimal)
