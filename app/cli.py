"""The `goods` program: a thin face over what the service consists of."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from app.config.conf import ConfigurationError, describe, load_settings

program = typer.Typer(
    name="goods",
    help="A catalogue and stock service. Settings come from the environment and from the files in GOODS_CONFIG.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program; errors that a person can mend are one line on stderr and exit code 1."""
    from app.database.embedded import EmbeddedPostgresError  # noqa: PLC0415 - not needed to show the help

    try:
        program(list(arguments) if arguments is not None else None)
    except (ConfigurationError, EmbeddedPostgresError) as error:
        sys.exit(f"goods: {error}")


@program.command()
def serve(
    *,
    migrate: Annotated[
        bool,
        typer.Option("--migrate", help="Migrate a configured database first; an embedded one always is."),
    ] = False,
) -> None:
    """Serve the API. Without DB_HOST an embedded PostgreSQL is started, migrated and given sample goods."""
    from app.commands.serve import serve as run  # noqa: PLC0415 - each command loads what it needs

    run(load_settings(os.environ), migrate_first=migrate)


@program.command()
def migrate() -> None:
    """Bring the database to the schema of this release."""
    from app.commands.migrate import migrate as run  # noqa: PLC0415 - as above

    run(load_settings(os.environ))


@program.command("check-config")
def check_config() -> None:
    """Print the settings in force and where each comes from; secrets are masked."""
    settings = load_settings(os.environ)
    for name, value, origin in describe(settings, os.environ):
        typer.echo(f"{name:<22}{value:<34}{origin}")


@program.command()
def openapi() -> None:
    """Print the OpenAPI document."""
    from app.application import create_app  # noqa: PLC0415 - as above

    settings = load_settings({"DB_HOST": "none"})
    typer.echo(json.dumps(create_app(settings).openapi(), indent=2))


@program.command()
def sample(
    count: Annotated[
        int | None,
        typer.Argument(min=1, max=10_000_000, help="How many goods; the shipped catalogue without it."),
    ] = None,
    *,
    output: Annotated[
        Path | None,
        typer.Option(help="Write CSV to this file (- for stdout) instead of loading the database."),
    ] = None,
) -> None:
    """Load sample goods into an empty database, or write any number of them as CSV."""
    from app.commands.sample import sample as run  # noqa: PLC0415 - as above

    run(load_settings(os.environ), count=count, output=output)
