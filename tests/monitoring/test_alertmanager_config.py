"""`goods alertmanager-config`: a valid file for whichever secrets there are, in which nothing secret stands."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.commands.alertmanager_channels import channels_of
from app.commands.alertmanager_config import INHIBITED, Options, rendered
from tests.commands.conftest import Program
from tests.monitoring.programs import run
from tests.monitoring.receivers import CHANNELS, COMBINATIONS, TOLD, generate, write_secrets
from tests.monitoring.rules import ALERTS, ROOT

_COMMITTED = ROOT / "monitoring" / "alertmanager" / "alertmanager.yml"
_EVERY = tuple(CHANNELS)
combinations = pytest.mark.parametrize("channels", COMBINATIONS, ids=lambda names: "+".join(names) or "none")


def _text(folder: Path, channels: tuple[str, ...], options: Options | None = None, **changes: str) -> str:
    write_secrets(folder, channels, **changes)
    return rendered(channels_of(folder, telegram_api=None, smtp_tls=True), options or Options())


def test_the_committed_file_is_the_one_without_secrets(tmp_path: Path) -> None:
    assert _text(tmp_path, ()) == _COMMITTED.read_text(encoding="utf-8"), (
        "run: goods alertmanager-config --secrets none --output monitoring/alertmanager/alertmanager.yml"
    )


@combinations
def test_amtool_accepts_every_combination(channels: tuple[str, ...], tmp_path: Path) -> None:
    templates = str(_COMMITTED.parent / "templates" / "*.tmpl")
    (tmp_path / "alertmanager.yml").write_text(
        _text(tmp_path / "secrets", channels, Options(templates=templates)), encoding="utf-8"
    )
    said = run("amtool", "check-config", tmp_path / "alertmanager.yml")
    assert re.search(r"Found \d+ templates?|1 templates", said)


def _who(severity: str, channels: tuple[str, ...]) -> str:
    if severity == "none":
        return "heartbeat" if "heartbeat" in channels else "none"
    return severity if set(TOLD[severity]) & set(channels) else "none"


@pytest.mark.parametrize("channels", [_EVERY, ()], ids=["all", "none"])
@pytest.mark.parametrize("alert", ALERTS, ids=str)
def test_every_alert_reaches_whom_it_should(alert: Any, channels: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "alertmanager.yml").write_text(_text(tmp_path / "secrets", channels), encoding="utf-8")
    labels = [f"{name}={value}" for name, value in {"alertname": alert.name, **alert.labels}.items()]
    who = _who(alert.labels["severity"], channels)
    verify = f"--verify.receivers={who}"
    said = run("amtool", "config", "routes", "test", f"--config.file={tmp_path / 'alertmanager.yml'}", verify, *labels)
    assert said.split()[0] == who


@combinations
def test_a_severity_is_told_by_the_channels_that_there_are(channels: tuple[str, ...], tmp_path: Path) -> None:
    document = yaml.safe_load(_text(tmp_path, channels))
    kinds = {"telegram": "telegram_configs", "slack": "slack_configs", "e-mail": "email_configs"}
    wanted = {
        severity: {kinds[name] for name in names if name in channels}
        for severity, names in TOLD.items()
        if set(names) & set(channels)
    }
    receivers = {receiver.pop("name"): set(receiver) for receiver in document["receivers"]}
    heartbeat = {"heartbeat": {"webhook_configs"}} if "heartbeat" in channels else {}
    assert receivers == {"none": set(), **wanted, **heartbeat}
    first = document["route"]["routes"][0]
    assert first["matchers"] == ['alertname="Watchdog"']
    assert first["receiver"] == _who("none", channels)


def test_nothing_secret_stands_in_the_file_or_is_said(tmp_path: Path) -> None:
    secret = {"smtp_auth_username": "goods", "smtp_auth_password": "planted-password"}
    write_secrets(tmp_path / "secrets", _EVERY, **secret)
    output, said = generate(tmp_path)
    document = output.read_text(encoding="utf-8")
    assert "planted" not in document + said
    assert "-1001234567890" not in document + said
    assert f"auth_password_file: {tmp_path}/secrets/smtp_auth_password" in document


def test_it_says_which_are_on_and_who_is_told(tmp_path: Path) -> None:
    write_secrets(tmp_path / "secrets", ("slack", "heartbeat"))
    _, said = generate(tmp_path)
    assert said.splitlines() == [
        f"goods: telegram is off: there is no {tmp_path}/secrets/telegram_bot_token",
        "goods: slack is on",
        f"goods: e-mail is off: there is no {tmp_path}/secrets/smtp_to",
        "goods: heartbeat is on",
        "goods: critical alerts go to slack",
        "goods: warning alerts go to slack",
        "goods: info alerts go to nobody",
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("telegram_bot_token", ""),
        ("telegram_bot_token", "no token"),
        ("telegram_chat_id", "@channel"),
        ("slack_api_url", "hooks.slack.example"),
        ("smtp_smarthost", "mail.example"),
        ("smtp_to", "ops"),
        ("smtp_from", "two words@example.com"),
        ("heartbeat_url", "\0"),
    ],
)
def test_a_secret_that_can_not_be_right_turns_its_channel_off(name: str, text: str, tmp_path: Path) -> None:
    """Alertmanager would refuse the whole file, or fail at each notification."""
    write_secrets(tmp_path, _EVERY, **{name: text})
    off = [channel for channel in channels_of(tmp_path, telegram_api=None, smtp_tls=True) if not channel.settings]
    (channel,) = off
    assert name in CHANNELS[channel.name]
    assert str(tmp_path / name) in channel.reason
    assert text not in channel.reason or not text


def test_a_password_without_its_file_turns_mail_off(tmp_path: Path) -> None:
    write_secrets(tmp_path, ("e-mail",), smtp_auth_username="goods")
    mail = channels_of(tmp_path, telegram_api=None, smtp_tls=True)[2]
    assert (mail.settings, "smtp_auth_password" in mail.reason) == ({}, True)


@pytest.mark.skipif(os.geteuid() == 0, reason="not run: root reads every file")
def test_a_secret_that_may_not_be_read_turns_its_channel_off(tmp_path: Path) -> None:
    write_secrets(tmp_path, ("slack",))
    (tmp_path / "slack_api_url").chmod(0)
    slack = channels_of(tmp_path, telegram_api=None, smtp_tls=True)[1]
    assert (slack.settings, "PermissionError" in slack.reason) == ({}, True)


def test_it_goes_to_standard_output_without_a_file(tmp_path: Path) -> None:
    write_secrets(tmp_path, ("slack",))
    done = Program({}).run("alertmanager-config", "--secrets", str(tmp_path))
    assert done.returncode == 0
    assert {receiver["name"] for receiver in yaml.safe_load(done.stdout)["receivers"]} == {
        "none",
        "critical",
        "warning",
    }


def test_mail_goes_by_tls_only_unless_it_is_said_otherwise(tmp_path: Path) -> None:
    write_secrets(tmp_path / "secrets", ("e-mail", "telegram"))
    assert "require_tls: true" in generate(tmp_path)[0].read_text(encoding="utf-8")
    plain = generate(tmp_path, "--no-smtp-tls", "--telegram-api", "http://127.0.0.1:9")[0].read_text(encoding="utf-8")
    assert "require_tls: false" in plain
    assert "api_url: http://127.0.0.1:9" in plain


def test_an_inhibition_is_of_alerts_that_there_are_and_always_within_one_deployment(tmp_path: Path) -> None:
    names = {alert.name for alert in ALERTS}
    for causes, consequences, equal in INHIBITED:
        assert set(causes) | set(consequences) <= names
        assert not set(causes) & set(consequences)
        assert {"service", "env"} <= set(equal)
    document = yaml.safe_load(_text(tmp_path, ()))
    assert len(document["inhibit_rules"]) == len(INHIBITED)
    assert all(rule["equal"] for rule in document["inhibit_rules"])
    assert {"alertname", "env"} <= set(document["route"]["group_by"])


def test_every_secret_file_is_in_the_documentation() -> None:
    page = (ROOT / "docs" / "how-to" / "get-notified.md").read_text(encoding="utf-8")
    for name in (*(name for files in CHANNELS.values() for name in files), "smtp_auth_username", "smtp_auth_password"):
        assert f"`{name}`" in page
