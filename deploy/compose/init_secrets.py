"""Secrets of the compose file: made up where there are none, and set by hand where somebody else made them.

    init_secrets.py                a random password for each of what the services need, unless it is there
    init_secrets.py set NAME       what standard input says becomes the secret NAME; empty input takes it away
    init_secrets.py list           which there are; never what they are

Each group of services has a volume of its own below /secrets, so no container sees a password that it does not use. A
container that mounts a volume may read all in it, under whatever user its image runs: so all may read the files.
"""

import secrets
import sys
from pathlib import Path

HOME = Path("/secrets")
MADE = {
    "postgres": ("postgres_password",),
    "owner": ("db_owner_password",),
    "application": ("db_password",),
    "monitor": ("db_monitor_password",),
    "grafana": ("grafana_admin_password",),
}
# For the notifications, in the volume of Alertmanager. `goods alertmanager-config` says what each is for.
NOTIFICATIONS = (
    "slack_api_url",
    "telegram_bot_token",
    "telegram_chat_id",
    "smtp_smarthost",
    "smtp_from",
    "smtp_to",
    "smtp_auth_username",
    "smtp_auth_password",
    "heartbeat_url",
)


def make(home: Path) -> list[str]:
    """Make up what is missing; give the names of it."""
    made = []
    for group, names in MADE.items():
        for name in names:
            path = home / group / name
            if not path.exists():
                _write(path, secrets.token_urlsafe(32))
                made.append(name)
    return made


def put(home: Path, name: str, value: str) -> None:
    """Keep a secret, or take it away when `value` is empty. Raises ValueError for a name that nobody reads."""
    groups = {**MADE, "notifications": NOTIFICATIONS}
    group = next((group for group, names in groups.items() if name in names), None)
    if group is None:
        known = ", ".join(name for names in groups.values() for name in names)
        raise ValueError(f"nobody reads a secret {name}; there are {known}")
    path = home / group / name
    if value.strip():
        _write(path, value.strip())
    else:
        path.unlink(missing_ok=True)


def there(home: Path) -> list[str]:
    """The names of the secrets that there are."""
    return sorted(path.name for path in home.glob("*/*") if not path.name.startswith("."))


def _write(path: Path, value: str) -> None:
    # Complete before it has its name: a container that is killed here leaves no half a password.
    half = path.with_name(f".{path.name}")
    half.write_text(value, encoding="utf-8")
    half.chmod(0o444)
    half.replace(path)


def main(arguments: list[str], home: Path = HOME) -> int:
    """Run one of the commands above; give the exit code."""
    match arguments:
        case []:
            made = make(home)
            print(f"secrets made: {', '.join(made) or 'none, all were there'}")
        case ["list"]:
            print("\n".join(there(home)))
        case ["set", name]:
            try:
                put(home, name, sys.stdin.read())
            except ValueError as error:
                print(error, file=sys.stderr)
                return 2
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
