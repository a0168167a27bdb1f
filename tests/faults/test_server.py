"""What a real client sees of the server below the application: heads, bodies and ends of connections."""

import asyncio
import logging
import re
import socket
import time

import pytest

from app.server.protocol import ProtocolLimits
from tests.conftest import until
from tests.faults.conftest import Tiny, tiny_server

_GET = b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n"
_CHUNKED = b"POST /%s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
_MIB = 1024 * 1024


def _statuses(answers: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]


async def _no_more_rejections(tiny: Tiny, count: int) -> None:
    assert _statuses(await tiny.ask(b"GET /last HTTP/1.0\r\n\r\n")) == [200]
    assert len(tiny.rejections) == count


@pytest.mark.parametrize(
    "head",
    [
        b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET h:43 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET http://a HTTP/1.1\r\nHost: a\r\n\r\n",
        b"CONNECT a:43 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/3.0\r\nHost: a\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\nBad Header: 1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
async def test_what_the_parser_rejects_is_one_problem_and_one_call(tiny: Tiny, head: bytes) -> None:
    answer = await tiny.ask(head)
    fields, _, body = answer.partition(b"\r\n\r\n")
    lines = fields.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 400 Bad Request"
    assert {b"content-type: application/problem+json", b"x-request-id: id-1", b"connection: close"} <= set(lines)
    assert any(line.startswith(b"date: ") for line in lines)
    [rejection] = tiny.rejections
    assert (rejection.status, rejection.name, rejection.client) == (400, "malformed-request", "127.0.0.1")
    assert body == rejection.detail.encode()
    assert b"content-length: %d" % len(body) in lines
    assert tiny.app.calls == []


async def test_a_rejection_brings_the_id_that_the_client_sent(tiny: Tiny) -> None:
    await tiny.ask(b"GET / HTTP/1.1\r\nX-Request-ID: mine\r\nA: b\r\nBad Header: 1\r\n\r\n")
    assert tiny.rejections[0].request_id == b"mine"


async def test_a_head_that_is_not_complete_in_time_is_answered_408(tiny: Tiny) -> None:
    answer = await tiny.ask(b"GET / HTTP/1.1\r\nHost")
    assert _statuses(answer) == [408]
    assert [rejection.name for rejection in tiny.rejections] == ["request-timeout"]


async def test_the_clock_of_a_head_starts_with_its_first_byte_and_trickling_does_not_stop_it(tiny: Tiny) -> None:
    reader, writer = await tiny.connect()
    writer.write(_GET % b"one")
    assert await reader.readuntil(b"GET /one")
    writer.write(b"GET /two HTTP/1.1\r\nX: ")
    started = time.monotonic()
    answer = asyncio.create_task(reader.read())
    while not answer.done():
        writer.write(b"x")
        await asyncio.wait([answer], timeout=0.02)
    writer.close()
    assert _statuses(await answer) == [408]
    assert 0.39 < time.monotonic() - started < 0.4 + 0.5
    assert len(tiny.rejections) == 1


@pytest.mark.parametrize("sent", [b"", b"\r\n", b"\r\n\r\n"])
async def test_a_connection_without_a_request_is_closed_without_a_word(tiny: Tiny, sent: bytes) -> None:
    # An empty line after a request does not keep a connection open either.
    nothing, one = await asyncio.gather(tiny.ask(sent), tiny.ask(_GET % b"one", sent))
    assert nothing == b""
    assert one.endswith(b"GET /one")
    assert tiny.rejections == []


async def test_fifty_slow_heads_are_cut_off_while_another_client_is_served(tiny: Tiny) -> None:
    slow = [asyncio.create_task(tiny.ask(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")) for _ in range(50)]
    reader, writer = await tiny.connect()
    served = 0
    while not all(task.done() for task in slow):
        writer.write(_GET % b"quick")
        assert await reader.readuntil(b"GET /quick")
        served += 1
    writer.close()
    assert served > 20
    assert [_statuses(await task) for task in slow] == [[408]] * 50
    assert len(tiny.rejections) == 50


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
@pytest.mark.parametrize("piece", [1_000, 65_536, 200_000])
async def test_a_head_that_is_too_large_is_answered_431(tiny: Tiny, end: bytes, piece: int) -> None:
    head = _GET.removesuffix(b"\r\n") % b"one" + b"X: " + b"x" * 66_000 + end
    answer = await tiny.ask(*(head[start : start + piece] for start in range(0, len(head), piece)))
    assert _statuses(answer) == [431]
    assert [rejection.name for rejection in tiny.rejections] == ["head-too-large"]


async def test_a_head_just_within_the_limit_is_served_also_with_a_large_body(tiny: Tiny) -> None:
    head = b"POST /echo HTTP/1.0\r\nContent-Length: 150000\r\nX: "
    answer = await tiny.ask(head + b"x" * (65_530 - len(head)) + b"\r\n\r\n" + b"y" * 150_000)
    assert _statuses(answer) == [200]
    assert answer.endswith(b"y content-length x")


async def test_a_broken_chunk_is_the_applications_answer_and_no_rejection(tiny: Tiny) -> None:
    answer = await tiny.ask(_CHUNKED % b"echo", b"3\r\nabc\r\n", b"zz\r\n", b"more garbage\r\n\r\n")
    assert _statuses(answer) == [400]
    assert answer.endswith(b"malformed body")
    assert b"connection: close" in answer
    await _no_more_rejections(tiny, 0)


async def test_trailers_do_not_become_headers(tiny: Tiny) -> None:
    trailed = _CHUNKED.replace(b"Host", b"Connection: close\r\nHost") % b"echo" + b"0\r\nAuthorization: me\r\n\r\n"
    assert b"authorization" not in await tiny.ask(trailed)


async def test_trailers_without_end_break_the_body(tiny: Tiny) -> None:
    reader, writer = await tiny.connect()
    writer.write(_CHUNKED % b"echo" + b"1\r\na\r\n")
    await until(lambda: tiny.app.calls)
    writer.write(b"0\r\nX: " + b"x" * 80_000)
    assert (await reader.read()).endswith(b"malformed body")
    writer.close()
    await _no_more_rejections(tiny, 0)


async def test_garbage_after_a_request_does_not_touch_its_answer(tiny: Tiny) -> None:
    reader, writer = await tiny.connect()
    writer.write(_GET % b"wait" + b"\x00garbage")
    await until(lambda: tiny.app.calls)
    writer.write(b"more garbage" * 10_000)
    await writer.drain()
    tiny.app.gate.set()
    answer = await reader.read()
    writer.close()
    assert _statuses(answer) == [200, 400]  # in the order in which they were sent
    assert b"\r\n\r\nwaitedHTTP/1.1 400 " in answer
    await _no_more_rejections(tiny, 1)


async def test_what_follows_the_last_request_of_a_connection_is_ignored(tiny: Tiny) -> None:
    last = b"GET /one HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert _statuses(await tiny.ask(last + b"\x00garbage")) == [200]
    assert _statuses(await tiny.ask(last + _GET % b"two")) == [200]
    await _no_more_rejections(tiny, 0)


@pytest.mark.parametrize("framing", [b"Content-Length: %d" % (20 * _MIB), b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n"])
async def test_a_refusal_is_readable_while_the_body_is_still_sent(tiny: Tiny, framing: bytes, expect: bytes) -> None:
    def blocking_client() -> bytes:
        with socket.create_connection(("127.0.0.1", tiny.port), timeout=10) as connection:
            connection.sendall(b"POST /refuse HTTP/1.1\r\nHost: a\r\n" + expect + framing + b"\r\n\r\n")
            try:
                for _ in range(20):
                    connection.sendall((b"100000\r\n" if b"chunked" in framing else b"") + b"x" * _MIB)
                    connection.sendall(b"\r\n" if b"chunked" in framing else b"")
            except ConnectionError:
                pass  # the server has read what it was willing to; its answer came before that
            answer = b""
            while piece := connection.recv(65_536):
                answer += piece
            return answer

    answer = await asyncio.to_thread(blocking_client)
    assert _statuses(answer) == [413]
    assert b"connection: close" in answer
    assert answer.endswith(b"too large")


async def test_a_lingering_connection_ends_in_time_and_survives_a_shutdown() -> None:
    with tiny_server(ProtocolLimits(header_timeout=5, linger_seconds=0.3)) as tiny:
        reader, writer = await tiny.connect()
        writer.write(b"POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
        assert (await reader.read()).endswith(b"too large")  # the server's half is closed
        assert len(tiny.server.server_state.connections) == 1
        tiny.server.leave()
        await until(lambda: not tiny.server.server_state.connections)
        writer.close()


async def test_a_body_that_was_read_keeps_the_connection(tiny: Tiny) -> None:
    reader, writer = await tiny.connect()
    for _ in range(3):
        writer.write(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n")
        writer.write(b"abc")
        head = await reader.readuntil(b"abc host content-length")
        assert b"connection: close" not in head
    writer.close()


async def test_pipelined_requests_are_answered_in_order(tiny: Tiny) -> None:
    reader, writer = await tiny.connect()
    writer.write(_GET % b"wait" + b"".join(_GET % b"n%d" % number for number in range(20)) + b"GET /part HTTP")
    await until(lambda: tiny.app.calls)
    tiny.app.gate.set()
    answers = await reader.read()  # until the last, of which only a part was sent, is late
    writer.close()
    assert _statuses(answers) == [200] * 21 + [408]
    assert tiny.app.calls == ["/wait", *(f"/n{number}" for number in range(20))]
    assert answers.index(b"waited") < answers.index(b"GET /n0") < answers.index(b"GET /n19")


async def test_a_pipelining_client_that_leaves_is_noticed_by_the_request_under_way(tiny: Tiny) -> None:
    _, writer = await tiny.connect()
    writer.write(_GET % b"watch" + _GET % b"two")
    await until(lambda: tiny.app.calls)
    writer.close()
    await until(lambda: tiny.app.disconnects == 1)


async def test_http_1_0_is_served_and_closed(tiny: Tiny) -> None:
    answer = await tiny.ask(b"GET /old HTTP/1.0\r\n\r\n")
    assert _statuses(answer) == [200]
    assert answer.endswith(b"GET /old")


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c"])
async def test_an_offer_of_another_protocol_is_passed_over(
    tiny: Tiny, protocol: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[object] = []
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "warning", lambda *said: warned.append(said))
    offer = b"%s /%s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: " + protocol + b"\r\n"
    first = offer % (b"GET", b"one") + b"\r\n" + _GET % b"two"
    second = offer % (b"POST", b"echo") + b"Content-Length: 2\r\n\r\na"
    third = offer % (b"POST", b"echo") + b"Transfer-Encoding: chunked\r\n\r\n3\r\n"
    answers = await tiny.ask(first + second, b"b" + third, b"xyz\r\n0\r\n\r\nGET /end HTTP/1.0\r\n\r\n")
    assert _statuses(answers) == [200] * 5
    parts = (b"GET /one", b"GET /two", b"\r\n\r\nab host", b"\r\n\r\nxyz host", b"GET /end")
    assert [answers.count(part) for part in parts] == [1] * 5
    assert warned == []


async def test_a_fault_of_the_callback_ends_the_connection(tiny: Tiny) -> None:
    assert await tiny.ask(b"GET / HTTP/1.1\r\nX-Request-ID: faulty\r\nA: b\r\nBad Header: 1\r\n\r\n") == b""
    await _no_more_rejections(tiny, 0)


async def test_a_client_that_sends_no_more_is_answered(tiny: Tiny) -> None:
    """The end of what it sends can be there before the answer is written."""
    for _ in range(50):
        reader, writer = await tiny.connect()
        writer.write(b"GET /plain HTTP/1.1\r\nHost: x\r\n\r\n")
        writer.write_eof()
        async with asyncio.timeout(5):
            assert (await reader.read()).endswith(b"GET /plain")
        writer.close()


@pytest.mark.parametrize(
    "header",
    [
        (b"x-name", b"a\r\nset-cookie: b"),
        (b"x-name", b"a\r\n\r\nbody"),
        (b"x-name", b"a\nb"),
        (b"x-name", b"a\rb"),
        (b"x-name", b"a\0b"),
        (b"x-name: a\r\nx-other", b"b"),
        (b"x-name", b"a\x1bb"),
        (b"x-name", b"a\x7f"),
    ],
)
async def test_no_header_of_an_answer_begins_another(tiny: Tiny, header: tuple[bytes, bytes]) -> None:
    tiny.app.header = header
    assert await tiny.ask(_GET % b"plain") == b""
    tiny.app.header = (b"x-name", b"a\tb; c=\xe9")
    assert b"\r\nx-name: a\tb; c=\xe9\r\n" in await tiny.ask(b"GET /plain HTTP/1.0\r\n\r\n")


async def test_headers_are_known_in_any_case(tiny: Tiny) -> None:
    tiny.app.header = (b"Connection", b"x, Close")
    answer = await tiny.ask(_GET % b"plain")
    assert answer.lower().count(b"connection:") == 1


async def test_a_connection_is_kept_for_the_next_request_and_closed_when_none_comes(tiny: Tiny) -> None:
    """The time begins anew with each answer: 0.5 seconds here."""
    reader, writer = await tiny.connect()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    while loop.time() < begun + 1.2:
        writer.write(_GET % b"plain")
        await reader.readuntil(b"GET /plain")
    answered = loop.time()
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    assert loop.time() - answered > 0.4
    writer.close()


async def test_a_connection_is_not_closed_while_its_request_is_worked_on(tiny: Tiny) -> None:
    reader, writer = await tiny.connect()
    writer.write(_GET % b"plain")
    await reader.readuntil(b"GET /plain")
    writer.write(_GET % b"wait")
    await until(lambda: "/wait" in tiny.app.calls)
    closed = asyncio.create_task(reader.read(1))
    assert not (await asyncio.wait([closed], timeout=0.8))[0], "longer than a connection waits for a request"
    tiny.app.gate.set()
    assert await closed == b"H"
    writer.close()
