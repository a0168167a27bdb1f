"""Secrets as a deployment has them, and Alertmanager's file for them."""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.commands.conftest import Program

CHANNELS: dict[str, dict[str, str]] = {
    "telegram": {"telegram_bot_token": "123456:planted-token", "telegram_chat_id": "-1001234567890"},
    "slack": {"slack_api_url": "https://hooks.slack.example/services/planted/secret"},
    "e-mail": {"smtp_smarthost": "mail.example:587", "smtp_from": "goods@example.com", "smtp_to": "ops@example.com"},
    "heartbeat": {"heartbeat_url": "https://heartbeat.example/planted"},
}
COMBINATIONS = [names for size in range(len(CHANNELS) + 1) for names in itertools.combinations(sorted(CHANNELS), size)]
TOLD = {"critical": ("telegram", "slack", "e-mail"), "warning": ("slack",), "info": ("e-mail",)}


def write_secrets(folder: Path, channels: Iterable[str], **changes: str) -> None:
    """The files of these channels, with other contents where `changes` says so."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in _named(channels):
        (folder / name).write_text(changes.get(name, text) + "\n", encoding="utf-8")
    for name in changes.keys() - {name for name, _ in _named(channels)}:
        (folder / name).write_text(changes[name], encoding="utf-8")


def _named(channels: Iterable[str]) -> Iterator[tuple[str, str]]:
    for channel in channels:
        yield from CHANNELS[channel].items()


def generate(folder: Path, *more: str) -> tuple[Path, str]:
    """Run the program on the secrets in `folder/secrets`; the file, and what was said on stderr."""
    output = folder / "alertmanager.yml"
    done = Program({}).run("alertmanager-config", "--secrets", str(folder / "secrets"), "--output", str(output), *more)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return output, done.stderr
