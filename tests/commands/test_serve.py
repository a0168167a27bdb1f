import json
import os
import re
import signal
import socket
from functools import partial
from pathlib import Path

import httpx2

from tests.commands.conftest import Program
from tests.conftest import until


async def test_serving_without_a_database_brings_one_with_sample_goods_and_keeps_what_was_written(
    program: Program,
) -> None:
    serving = program.serve()
    await serving.ready()
    async with httpx2.AsyncClient(base_url=serving.url, verify=False) as client:
        page = (await client.get("/goods?limit=1&count=exact")).json()
        made = (await client.post("/goods", json={"name": "Kept", "price": 1})).json()
    assert page["count"] > 900
    assert "sample goods loaded" in serving.said
    code, out, _ = serving.stop()
    assert code == 0
    assert [json.loads(line)["level"] for line in out.splitlines()]

    again = program.serve()
    await again.ready()
    async with httpx2.AsyncClient(base_url=again.url, verify=False) as client:
        assert (await client.get(f"/goods/{made['id']}")).json() == made
    assert "sample goods loaded" not in again.said
    assert again.stop(signal.SIGINT)[0] == 0


async def test_what_the_parser_rejects_is_answered_logged_and_counted_like_any_request(goods: Program) -> None:
    serving = goods.serve(LOG_LEVEL="info")
    await serving.ready()
    port = int(serving.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"NONSENSE / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    problem = json.loads(body)
    assert head.startswith(b"HTTP/1.1 400 ")
    assert problem["type"] == "/problems/malformed-request"
    async with httpx2.AsyncClient(base_url=serving.url, verify=False) as client:
        metrics = (await client.get("/metrics")).text
    assert 'http_requests_total{method="_OTHER",route="__unmatched__",status="400"} 1.0' in metrics
    _, out, _ = serving.stop()
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["status"] for line in lines if line.get("request_id") == problem["request_id"]] == [400]


async def test_several_workers_count_as_one_and_one_that_dies_is_replaced(goods: Program) -> None:
    serving = goods.serve(API_WORKERS="2", METRICS_REFRESH="0.2")
    await serving.ready()

    async def metrics() -> str:
        async with httpx2.AsyncClient(base_url=serving.url, verify=False) as client:
            return (await client.get("/metrics")).text

    async def reads() -> float:
        found = re.search(
            r'http_requests_total\{method="GET",route="/goods/\{goods_id\}",status="404"\} (.*)', await metrics()
        )
        return float(found[1]) if found else 0.0

    async def read(times: int) -> None:
        for _ in range(times):
            # A connection each, so that both workers get some.
            async with httpx2.AsyncClient(base_url=serving.url, verify=False) as client:
                assert (await client.get("/goods/999999999")).status_code == 404

    async def shows(text: str) -> bool:
        return text in await metrics()

    await read(20)
    assert await reads() == 20
    for worker in "01":
        await until(partial(shows, f'process_resident_memory_bytes{{worker="{worker}"}}'))

    workers = [pid for pid in _children(serving.process.pid) if "spawn_main" in _command(pid)]
    os.kill(workers[0], signal.SIGKILL)
    await until(
        lambda: (
            len([pid for pid in _children(serving.process.pid) if "spawn_main" in _command(pid)]) == 2
            and workers[0] not in _children(serving.process.pid)
        )
    )
    await read(10)
    assert await reads() == 30
    assert 'worker="2"' not in await metrics()
    assert serving.stop()[0] == 0


async def test_a_port_that_is_taken_is_told_in_one_line_before_anything_starts(program: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = program.run("serve", API_PORT=str(port))
    assert ended.returncode == 1
    assert ended.stderr == (
        f"goods: cannot listen on 127.0.0.1:{port}: Address already in use; API_PORT chooses another port\n"
    )


def _children(parent: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""
