"""`goods alertmanager-config`: Alertmanager's file, from the secrets that there are.

Alertmanager expands no environment variables, and a receiver whose secret is missing fails for ever. So its file is
written for the secrets that exist; who has none gets one that tells nobody, and is valid.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from app.commands.alertmanager_channels import Channel, channels_of

TEMPLATES: Final = "/etc/alertmanager-templates/*.tmpl"
SECRETS: Final = Path("/run/secrets")
NOBODY: Final = "none"
# Who hears of what.
TOLD: Final[Mapping[str, tuple[str, ...]]] = {
    "critical": ("telegram", "slack", "e-mail"),
    "warning": ("slack",),
    "info": ("e-mail",),
}
_REPEAT = {"critical": "4h", "warning": "12h", "info": "24h"}
# An alert silences another one of the same deployment only; both labels are on every alert, or on none.
_SAME = ("service", "env")
# While the first is firing nobody is told of the second: it is the same trouble, seen from further away.
INHIBITED: Final[tuple[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...]] = (
    (
        ("GoodsApiDown", "GoodsApiAbsent"),
        ("GoodsApiInstanceDown", "GoodsCrashLoop", "GoodsAvailabilityFastBurn", "GoodsAvailabilitySlowBurn"),
        _SAME,
    ),
    (
        ("PostgresDown",),
        (
            "GoodsAvailabilityFastBurn", "GoodsAvailabilitySlowBurn", "GoodsLatencyFastBurn", "GoodsLatencySlowBurn",
            "GoodsWritesFailing", "GoodsPoolExhausted", "GoodsRequestsPilingUp", "GoodsFeedLag", "GoodsStockCheckStale",
            "GoodsImportFailing", "GoodsErrorLinesRising", "GoodsBackgroundTaskFailing",
        ),
        _SAME,
    ),
    (("GoodsAvailabilityFastBurn",), ("GoodsAvailabilitySlowBurn",), _SAME),
    (("GoodsLatencyFastBurn",), ("GoodsLatencySlowBurn",), _SAME),
    (("PostgresConnectionsExhausted",), ("PostgresConnectionsHigh",), (*_SAME, "instance")),
)  # fmt: skip
_HEAD = """\
# Written by `goods alertmanager-config`; change that, and not this. What is committed is the version without secrets.
"""


@dataclass(frozen=True)
class Options:
    """What a deployment may have otherwise."""

    templates: str = TEMPLATES
    telegram_api: str | None = None
    smtp_tls: bool = True


def alertmanager_config(secrets: Path, output: Path | None, options: Options) -> None:
    """Write the file, to stdout without `output`; stderr says which receivers are on, and who is told of what."""
    channels = channels_of(secrets, telegram_api=options.telegram_api, smtp_tls=options.smtp_tls)
    text = rendered(channels, options)
    if output is None:
        sys.stdout.write(text)
    else:
        whole = output.with_name(f".{output.name}.new")  # Alertmanager never reads half a file
        whole.write_text(text, encoding="utf-8")
        whole.replace(output)
    for channel in channels:
        _say(f"{channel.name} is {'on' if channel.settings else f'off: {channel.reason}'}")
    on = {channel.name for channel in channels if channel.settings}
    for severity, names in TOLD.items():
        _say(f"{severity} alerts go to {', '.join(name for name in names if name in on) or 'nobody'}")


def _say(text: str) -> None:
    sys.stderr.write(f"goods: {text}\n")


def rendered(channels: tuple[Channel, ...], options: Options) -> str:
    """The file's text."""
    on = {channel.name: channel for channel in channels if channel.settings}
    receivers: list[dict[str, Any]] = [{"name": NOBODY}]
    if "heartbeat" in on:
        receivers.append({"name": "heartbeat", **_integrations([on["heartbeat"]])})
    for severity, names in TOLD.items():
        if told := [on[name] for name in names if name in on]:
            receivers.append({"name": severity, **_integrations(told)})
    document = {
        "templates": [options.templates],
        "route": _route({receiver["name"] for receiver in receivers}),
        "inhibit_rules": [
            {
                "source_matchers": [_named(causes)],
                "target_matchers": [_named(consequences)],
                "equal": list(labels),
            }
            for causes, consequences, labels in INHIBITED
        ],
        "receivers": receivers,
    }
    return _HEAD + yaml.safe_dump(document, sort_keys=False, width=1000, allow_unicode=True)


def _integrations(told: list[Channel]) -> dict[str, Any]:
    """Of one receiver: each is tried by itself, so one that is down keeps none of the others."""
    return {channel.kind: [channel.settings] for channel in told}


def _route(receivers: set[str]) -> dict[str, Any]:
    def who(name: str) -> str:
        return name if name in receivers else NOBODY

    return {
        "receiver": NOBODY,
        "group_by": ["alertname", "service", "env"],
        "group_wait": "30s",
        "group_interval": "5m",
        "repeat_interval": "12h",
        "routes": [
            # First, and to nobody but the heartbeat. A little less than the interval, so that none is left out.
            {
                "receiver": who("heartbeat"),
                "matchers": ['alertname="Watchdog"'],
                "group_wait": "0s",
                "group_interval": "1m",
                "repeat_interval": "50s",
            },
            *(
                {
                    "receiver": who(severity),
                    "matchers": [f'severity="{severity}"'],
                    "repeat_interval": _REPEAT[severity],
                }
                for severity in TOLD
            ),
        ],
    }


def _named(alerts: tuple[str, ...]) -> str:
    return f'alertname=~"{"|".join(alerts)}"' if len(alerts) > 1 else f'alertname="{alerts[0]}"'
