"""`goods migrate`."""

import asyncio
import sys

from app import __version__
from app.commands.database import database_settings
from app.config.conf import Settings
from app.database.errors import translate
from app.database.migrate import migrate as migrate_database
from app.logs.pipeline import configure_logging


def migrate(settings: Settings) -> None:
    """Migrate, or exit with one line that says why not."""
    configure_logging(level=settings.log_level, form=settings.log_format, version=__version__)
    with database_settings(settings) as configured:
        migrate_or_exit(configured)


def migrate_or_exit(settings: Settings) -> None:
    """Migrate the database that `settings` names."""
    try:
        asyncio.run(migrate_database(settings))
    except Exception as error:
        if translate(error) is None:
            raise
        sys.exit(f"goods: cannot migrate {settings.db_name} at {settings.db_host}: {type(error).__name__}: {error}")
