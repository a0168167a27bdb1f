"""The health check of a container asks the service beside it, and says what is wrong in one line."""

import asyncio

import pytest

from app.health.probe import main
from tests.conftest import Service


async def test_a_service_that_answers_is_healthy(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT", str(service.port))
    assert await asyncio.to_thread(main, ["/livez"]) == 0
    assert await asyncio.to_thread(main, []) == 0


async def test_an_answer_that_is_not_200_is_told(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("API_PORT", str(service.port))
    assert await asyncio.to_thread(main, ["/nowhere"]) == 1
    assert capsys.readouterr().err == "/nowhere: 404\n"


def test_a_port_that_nobody_listens_on_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("API_PORT", "1")
    assert main(["/livez"]) == 1
    assert capsys.readouterr().err.startswith("/livez: ")
