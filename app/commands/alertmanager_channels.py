"""Ways to reach people, and what Alertmanager is told of each: names of secret files, never what is in them."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

# Every file that is looked for. Those of the second group are no secrets: Alertmanager takes their text only.
SECRET_FILES: Final = ("slack_api_url", "telegram_bot_token", "telegram_chat_id", "smtp_auth_password", "heartbeat_url")
PLAIN_FILES: Final = ("smtp_smarthost", "smtp_from", "smtp_to", "smtp_auth_username")


@dataclass(frozen=True)
class Channel:
    """One way; without settings it is off, and there is a reason."""

    name: str
    kind: str
    settings: dict[str, Any]
    reason: str = ""


class _Unusable(Exception):
    """Why a channel is off."""


class _Files:
    """The secrets' folder. A file without text counts as missing, since an optional secret is often mounted empty."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def text(self, name: str, rule: str = r"\S(.*\S)?", *, optional: bool = False) -> str:
        """What the file says, which must match the rule; never shown, not even when it doesn't."""
        path = self._folder / name
        try:
            found = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeError) as error:
            if optional and isinstance(error, FileNotFoundError):
                return ""
            reason = "there is no" if isinstance(error, FileNotFoundError) else f"{type(error).__name__} with"
            raise _Unusable(f"{reason} {path}") from None
        if not found and not optional:
            raise _Unusable(f"{path} is empty")
        if found and not re.fullmatch(rule, found):
            raise _Unusable(f"{path} does not hold what it should")
        return found

    def path(self, name: str, rule: str) -> str:
        """The file's path, if it holds what it should."""
        self.text(name, rule)
        return str(self._folder.absolute() / name)


_URL = r"https?://\S+"
_ADDRESS = r"[^@\s]+@[^@\s]+"


def channels_of(folder: Path, *, telegram_api: str | None, smtp_tls: bool) -> tuple[Channel, ...]:
    """Each channel, on where its files are there and look right."""
    files = _Files(folder)
    return (
        _channel("telegram", "telegram_configs", lambda: _telegram(files, telegram_api)),
        _channel("slack", "slack_configs", lambda: _slack(files)),
        _channel("e-mail", "email_configs", lambda: _email(files, tls=smtp_tls)),
        _channel("heartbeat", "webhook_configs", lambda: _heartbeat(files)),
    )


def _channel(name: str, kind: str, settings: Any) -> Channel:
    try:
        return Channel(name, kind, settings())
    except _Unusable as unusable:
        return Channel(name, kind, {}, str(unusable))


def _telegram(files: _Files, api: str | None) -> dict[str, Any]:
    return {
        "send_resolved": True,
        **({"api_url": api} if api else {}),
        "bot_token_file": files.path("telegram_bot_token", r"\d+:[\w-]+"),
        "chat_id_file": files.path("telegram_chat_id", r"-?\d+"),
        # Alertmanager escapes what it puts into HTML, which it can't do in Telegram's other modes.
        "parse_mode": "HTML",
        "message": '{{ template "goods.telegram" . }}',
    }


def _slack(files: _Files) -> dict[str, Any]:
    return {
        "send_resolved": True,
        "api_url_file": files.path("slack_api_url", _URL),
        "color": '{{ template "goods.color" . }}',
        "title": '{{ template "goods.slack.title" . }}',
        "title_link": "{{ .CommonAnnotations.dashboard_url }}",
        "fallback": '{{ template "goods.slack.title" . }}',
        "text": '{{ template "goods.slack.text" . }}',
    }


def _email(files: _Files, *, tls: bool) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "send_resolved": True,
        "to": files.text("smtp_to", rf"{_ADDRESS}(\s*,\s*{_ADDRESS})*"),
        "from": files.text("smtp_from", _ADDRESS),
        "smarthost": files.text("smtp_smarthost", r"[^\s:]+:\d+|\[[0-9a-fA-F:]+\]:\d+"),
        "require_tls": tls,
        "headers": {"Subject": '{{ template "goods.title" . }}'},
        "html": '{{ template "goods.email" . }}',
        "text": '{{ template "goods.text" . }}',
    }
    if user := files.text("smtp_auth_username", optional=True):
        settings["auth_username"] = user
        settings["auth_password_file"] = files.path("smtp_auth_password", r"(?s).+")
    return settings


def _heartbeat(files: _Files) -> dict[str, Any]:
    return {"send_resolved": False, "url_file": files.path("heartbeat_url", _URL)}
