"""The database that a command works on: the configured one, or the checkout's own embedded one."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.config.conf import Settings
from app.database.embedded import EmbeddedPostgres


def announce(text: str) -> None:
    """Tell the person at the terminal; logs have their own stream."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - a terminal is what this is for


@contextmanager
def database_settings(settings: Settings) -> Iterator[Settings]:
    """Settings that name a database. An embedded one runs while the block does, or longer if others use it.

    Raises EmbeddedPostgresError.
    """
    if settings.database_configured:
        yield settings
        return
    with EmbeddedPostgres(Path(settings.embedded_home), announce=announce) as address:
        yield settings.model_copy(
            update={
                "db_host": address.socket_folder,
                "db_port": address.port,
                "db_user": address.user,
                "db_name": address.database,
            }
        )
