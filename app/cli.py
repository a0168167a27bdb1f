"""The `goods` program: a thin face over what the service consists of."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

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


@program.command("alertmanager-config")
def alertmanager_config(
    *,
    secrets: Annotated[
        Path, typer.Option(help="The folder with slack_api_url, telegram_bot_token and the other secret files.")
    ] = Path("/run/secrets"),
    output: Annotated[Path | None, typer.Option(help="Write to this file; stdout without it.")] = None,
    templates: Annotated[
        str, typer.Option(help="Where Alertmanager finds the templates.")
    ] = "/etc/alertmanager-templates/*.tmpl",
    telegram_api: Annotated[
        str | None, typer.Option(metavar="URL", help="A Bot API server of your own instead of Telegram's.")
    ] = None,
    smtp_tls: Annotated[bool, typer.Option(help="Whether mail goes by TLS only.")] = True,
) -> None:
    """Write Alertmanager's configuration for the secrets that there are, and say who will be told of what."""
    from app.commands.alertmanager_config import Options  # noqa: PLC0415 - as above
    from app.commands.alertmanager_config import alertmanager_config as run  # noqa: PLC0415 - as above

    run(secrets, output, Options(templates=templates, telegram_api=telegram_api, smtp_tls=smtp_tls))


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


@program.command()
def export(
    *,
    output: Annotated[
        Path | None, typer.Option(help="Write to this file, which appears when it is complete; stdout without it.")
    ] = None,
    file_format: Annotated[Literal["csv", "ndjson"], typer.Option("--format", help="How goods are written.")] = "csv",
    q: Annotated[str | None, typer.Option(help="Only goods that this search finds.")] = None,
    category: Annotated[str | None, typer.Option(help="Only goods of exactly this category.")] = None,
    min_price: Annotated[str | None, typer.Option(help="Only goods that cost at least this much.")] = None,
    max_price: Annotated[str | None, typer.Option(help="Only goods that cost at most this much.")] = None,
    in_stock: Annotated[
        Literal["true", "false"] | None, typer.Option(help="Only goods with stock, or only goods without.")
    ] = None,
) -> None:
    """Write goods as CSV or NDJSON, as GET /goods/export does."""
    from app.commands.export import export as run  # noqa: PLC0415 - as above

    filters = {"q": q, "category": category, "min_price": min_price, "max_price": max_price, "in_stock": in_stock}
    run(load_settings(os.environ), output=output, format=file_format, **filters)


keys = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)
program.add_typer(keys, name="keys")
KeyName = Annotated[str, typer.Argument(help="Who holds it, as shop-1; it stands in the history of what it did.")]


@keys.command("create")
def create_key(
    name: KeyName,
    *,
    scope: Annotated[
        Literal["read", "write", "admin"], typer.Option(help="read; write as well; or imports' last steps as well.")
    ],
    days: Annotated[int | None, typer.Option(min=1, max=36_500, help="Days until it expires; never without.")] = None,
) -> None:
    """Make a key and print it, this once."""
    from app.commands.keys import create as run  # noqa: PLC0415 - as above

    run(load_settings(os.environ), name, scope=scope, days=days)


@keys.command("list")
def list_keys() -> None:
    """Show all keys: scope, state, and when each was last used."""
    from app.commands.keys import show as run  # noqa: PLC0415 - as above

    run(load_settings(os.environ))


@keys.command("revoke")
def revoke_key(name: KeyName) -> None:
    """Make a key worthless, for ever. Running services refuse it within seconds."""
    from app.commands.keys import revoke as run  # noqa: PLC0415 - as above

    run(load_settings(os.environ), name)


@program.command()
def prove(
    *,
    ledger: Annotated[
        bool, typer.Option("--ledger", help="Compare all stock of the configured database with its ledger.")
    ] = False,
    race: Annotated[
        str | None, typer.Option(metavar="URL", help="Let many clients sell out temporary goods of this deployment.")
    ] = None,
    clients: Annotated[int, typer.Option(min=1, max=1_000, help="Clients of the race.")] = 64,
    sales: Annotated[int, typer.Option(min=1, max=1_000_000, help="Sales that the race attempts.")] = 5_000,
    stock: Annotated[int, typer.Option(min=0, max=1_000_000, help="Pieces that there are to sell.")] = 3_000,
    key: Annotated[
        str | None, typer.Option(envvar="GOODS_KEY", help="An API key that may write, if the deployment asks for one.")
    ] = None,
) -> None:
    """Prove that stock is right: by the ledger, by a race, or by both. Exits with 1 if it is not."""
    from app.commands.prove_ledger import prove_ledger  # noqa: PLC0415 - as above
    from app.commands.prove_race import Race, prove_race  # noqa: PLC0415 - as above

    if not ledger and race is None:
        raise typer.BadParameter("say what to prove: --ledger, or --race URL, or both")
    if race is not None:
        prove_race(Race(race, clients=clients, sales=sales, stock=stock, key=key))
    if ledger:
        prove_ledger(load_settings(os.environ))


@program.command("demo-traffic")
def demo_traffic(
    url: Annotated[str, typer.Argument(help="The deployment that gets the traffic.")] = "http://127.0.0.1:8000",
    *,
    seconds: Annotated[float, typer.Option(min=1, max=86_400, help="How long it lasts.")] = 60,
    requests_per_second: Annotated[float, typer.Option(min=0.1, max=500, help="How much there is of it.")] = 20,
    key: Annotated[
        str | None, typer.Option(envvar="GOODS_KEY", help="An API key that may write, if the deployment asks for one.")
    ] = None,
) -> None:
    """Send a mix of reads, searches, changes, sales and mistakes for a while, so that dashboards show something."""
    from app.commands.demo_traffic import Traffic  # noqa: PLC0415 - as above
    from app.commands.demo_traffic import demo_traffic as run  # noqa: PLC0415 - as above

    run(Traffic(url.rstrip("/"), seconds=seconds, requests_per_second=requests_per_second, key=key))


@program.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A CSV file, or NDJSON when it ends in .ndjson or .jsonl.")],
    *,
    columns: Annotated[
        list[str] | None,
        typer.Option("--map", help="Where fields come from, as sku=CODE,name=TITLE; without it, from their own names."),
    ] = None,
    constants: Annotated[
        list[str] | None, typer.Option("--set", help="A field that is the same for every line, as category=Garden.")
    ] = None,
    file_format: Annotated[Literal["csv", "ndjson"] | None, typer.Option("--format", help="What FILE is.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="Between cells, a comma without it; tab is a word.")] = None,
    encoding: Annotated[str | None, typer.Option(help="UTF-8 without it; windows-1252 is frequent.")] = None,
    decimal: Annotated[str | None, typer.Option(help="The decimal sign of prices: '.' or ','.")] = None,
    escape: Annotated[
        Literal["none", "apostrophe"] | None,
        typer.Option(help="apostrophe: take off what the export puts before cells that a spreadsheet would run."),
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show what it would do, and stop.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Apply it without asking.")] = False,
    refused: Annotated[Path | None, typer.Option(help="Write the refused lines to this file, as they came.")] = None,
) -> None:
    """Create and change goods from a file, after showing what it would do. All valid lines go in, or none."""
    from app.commands.import_file import Choice  # noqa: PLC0415 - as above
    from app.commands.import_file import import_file as run  # noqa: PLC0415 - as above
    from app.errors.domain import InvalidInput  # noqa: PLC0415 - as above
    from app.goods.imports.options import ImportOptions  # noqa: PLC0415 - as above

    form = file_format or ("ndjson" if file.suffix in (".ndjson", ".jsonl") else "csv")
    try:
        options = ImportOptions.parse(
            form=form,
            columns=columns or (),
            constants=constants or (),
            delimiter=delimiter,
            encoding=encoding,
            decimal=decimal,
            escape=escape,
        )
    except InvalidInput as error:
        sys.exit("goods: " + "; ".join(f"--{fault.place} {fault.detail}" for fault in error.faults))
    run(load_settings(os.environ), file, options, Choice(plan_only=plan, yes=yes, refused=refused))
