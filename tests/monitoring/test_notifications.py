"""What people read, and what inhibits what, by the real Alertmanager."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.commands.alertmanager_config import INHIBITED
from tests.conftest import until
from tests.monitoring.fakes import People, Told, listening
from tests.monitoring.receivers import CHANNELS, generate, write_secrets
from tests.monitoring.rules import ALERTS, ROOT
from tests.monitoring.shortened import write_alertmanager
from tests.monitoring.stack import Alertmanager, alerting

_TEMPLATES = str(ROOT / "monitoring" / "alertmanager" / "templates" / "*.tmpl")
_HURRY = 60  # all of Alertmanager's waiting is divided by it


class Notified(NamedTuple):
    alertmanager: Alertmanager
    people: People


def write_configuration(folder: Path, people: People) -> Path:
    """What `goods alertmanager-config` makes of secrets that lead to our people."""
    changes = {"slack_api_url": f"{people.http}/slack", "heartbeat_url": f"{people.http}/heartbeat"}
    write_secrets(folder / "secrets", CHANNELS, smtp_smarthost=people.smtp, **changes)
    configuration, _ = generate(folder, "--templates", _TEMPLATES, "--telegram-api", people.http, "--no-smtp-tls")
    return configuration


@pytest.fixture(scope="module")
async def notified(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Notified]:
    folder = tmp_path_factory.mktemp("notified")
    with listening() as people:
        configuration = write_configuration(folder, people)
        write_alertmanager(configuration, _HURRY)
        async with alerting(folder, configuration) as alertmanager:
            yield Notified(alertmanager, people)


def _alert(name: str, env: str, *, instance: str = "", **annotations: str) -> dict[str, Any]:
    rule = next(rule for rule in ALERTS if rule.name == name)
    now = datetime.now(UTC)
    return {
        "labels": {"alertname": name, **rule.labels, "env": env, **({"instance": instance} if instance else {})},
        "annotations": {**rule.annotations, **annotations},
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(minutes=10)).isoformat(),
    }


async def _heard(notified: Notified, env: str, channels: set[str]) -> dict[str, Told]:
    """What each channel says of the alerts of one environment."""

    def all_there() -> dict[str, Told]:
        found = {told.channel: told for told in notified.people.heard if f"env-{env}" in told.text}
        return found if found.keys() >= channels else {}

    found: dict[str, Told] = await until(all_there, seconds=30)
    return found


class _Text(HTMLParser):
    """Text and tags of HTML, strictly enough for Telegram."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.open, self.seen, self.links = "", list[str](), set[str](), list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag not in ("meta", "br"):  # which have no end
            self.open.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


_NASTY = 'env-nasty: a <b>bold</i> & "quoted" {{ .Value }} <script> is said'


async def test_what_an_alert_says_is_escaped_for_each_channel(notified: Notified) -> None:
    await notified.alertmanager.post(_alert("PostgresDown", "nasty", description=_NASTY, summary="a < b & c"))
    heard = await _heard(notified, "nasty", {"telegram", "slack", "e-mail"})
    telegram = _Text()
    telegram.feed(heard["telegram"].text)
    assert telegram.open == []
    assert _NASTY in telegram.text
    assert "CRITICAL [nasty] PostgresDown: a < b & c" in telegram.text
    assert telegram.links[:2] == [
        "https://goods-api.example/runbooks/postgres-down.html",
        "http://localhost:3000/d/goods-database",
    ]
    assert telegram.seen == {"b", "i", "a"}, "Telegram refuses a message with others"
    slack = heard["slack"].text
    assert 'a &lt;b&gt;bold&lt;/i&gt; &amp; "quoted"' in slack
    assert "<https://goods-api.example/runbooks/postgres-down.html|What to do>" in slack
    mail = _Text()
    mail.feed(heard["e-mail"].text)
    assert mail.open == []
    assert _NASTY in " ".join(mail.text.split())


async def test_many_alerts_are_one_message_that_a_phone_can_show(notified: Notified) -> None:
    """Telegram takes 4096 characters; cut within a tag, a message is refused for ever."""
    name = "AlertmanagerNotificationsFailing"
    many = [_alert(name, "many", instance=f"i{n}", description=f"env-many {n} " + "x" * 400) for n in range(40)]
    await notified.alertmanager.post(*many)
    heard = await _heard(notified, "many", {"telegram", "slack", "e-mail"})
    assert "There are 40 of them; these are five." in heard["telegram"].text
    for told in heard.values():
        assert len(told.text) < 4096
    telegram = _Text()
    telegram.feed(heard["telegram"].text)
    assert telegram.open == []


@pytest.mark.parametrize(("cause", "consequence", "equal"), [
    (cause, consequence, equal)
    for causes, consequences, equal in INHIBITED
    for cause in causes
    for consequence in consequences
])  # fmt: skip
async def test_a_cause_silences_its_consequence_and_only_in_its_own_deployment(
    notified: Notified, cause: str, consequence: str, equal: tuple[str, ...]
) -> None:
    here, there = f"{cause}-{consequence}".lower(), f"not-{cause}-{consequence}".lower()
    same = {"instance": "e:9187"} if "instance" in equal else {}
    alertmanager = notified.alertmanager
    await alertmanager.post(
        _alert(cause, here, **same), _alert(consequence, here, **same), _alert(consequence, there, **same)
    )

    async def silenced() -> set[str]:
        return {
            alert["labels"]["env"]
            for alert in await alertmanager.alerts()
            if alert["labels"]["alertname"] == consequence and alert["status"]["inhibitedBy"]
        }

    async def holds() -> bool:
        return here in await silenced()

    await until(holds)
    assert there not in await silenced()
    if same:
        await alertmanager.post(_alert(consequence, here, instance="other:9187"))
        states = {
            alert["labels"]["instance"]: bool(alert["status"]["inhibitedBy"])
            for alert in await alertmanager.alerts()
            if (alert["labels"]["alertname"], alert["labels"]["env"]) == (consequence, here)
        }
        assert states == {"e:9187": True, "other:9187": False}
