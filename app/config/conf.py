"""The settings: what they are, their bounds and defaults, and how they are put together.

The environment wins over YAML, which wins over the defaults. Nothing is read implicitly: GOODS_CONFIG names the files.
"""

import ipaddress
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from app.config.sources import ConfigurationError, Value, from_environment, from_files, one_line, with_files_read

__all__ = ["ConfigurationError", "Settings", "describe", "load_settings"]


def _host_alone(host: str) -> str:
    """Refuse a URL or user@host: its password would be shown wherever the host is."""
    if not host.startswith("/") and ("@" in host or "://" in host):
        raise ValueError("must be a host alone; user, password and port have settings of their own")
    return host


Host = Annotated[str, AfterValidator(_host_alone)]
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Access = Literal["off", "writes", "all"]
Opening = Literal["open", "key", "off"]


def _rate(text: str) -> str:
    from limits import parse_many  # noqa: PLC0415 - it takes a tenth of a second to load

    try:
        parse_many(text)
    except ValueError:
        raise ValueError("must be as 100/second, or several as 20/second;1000/minute") from None
    return text


def _networks(text: str) -> str:
    for part in text.split(","):
        try:
            ipaddress.ip_network(part.strip())
        except ValueError:
            raise ValueError("must be addresses or networks, as 10.0.0.0/8, with commas between them") from None
    return text


def _origins(text: str) -> str:
    for origin in text.split(","):
        if origin.strip() != "*" and not _ORIGIN.fullmatch(origin.strip()):
            raise ValueError("must be origins, as https://shop.example, with commas between them; or *")
    return text


_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+")

_CHECKOUT = Path(__file__).resolve().parents[2]


class Settings(BaseModel):
    """Everything that can be set, frozen. Attributes are the names in lower case; times are in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    db_host: Host | None = Field(
        None,
        description="The database's host, or the folder of its Unix socket."
        " Set: this database is used. Not set: an embedded PostgreSQL is.",
    )
    db_port: Port = Field(5432, description="The database's port, 1 to 65535.")
    db_name: str = Field("goods", description="The database's name.")
    db_user: str = Field("goods", description="The role to connect as.")
    db_password: SecretStr | None = Field(
        None, description="The role's password. `DB_PASSWORD_FILE` reads it from a file."
    )
    db_sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = Field(
        "prefer",
        description="How TLS is used towards the database, as libpq defines it:"
        " `disable`, `allow`, `prefer`, `require`, `verify-ca` or `verify-full`.",
    )
    db_read_host: Host | None = Field(
        None, description="A replica for lists, search and export, which may lag behind. Not set: `DB_HOST`."
    )
    db_migration_host: Host | None = Field(
        None, description="A direct host for migrations, when `DB_HOST` is a PgBouncer. Not set: `DB_HOST`."
    )
    db_prepared_statements: bool = Field(
        True,
        description="Whether statements stay prepared on their connections. `no` behind a PgBouncer before 1.21, in"
        " transaction mode: each is then a transaction of four round trips.",
    )
    db_pool_size: int = Field(
        10, ge=1, le=200, description="Connections per process and host, 1 to 200; health checks have two more."
    )
    api_host: str = Field("127.0.0.1", description="The address to listen on.")
    api_port: int = Field(8000, ge=0, le=65535, description="The port to listen on, up to 65535; 0 takes any free one.")
    api_workers: int = Field(
        1, ge=1, le=64, description="Processes that serve, 1 to 64. In a cluster: 1, and more replicas."
    )
    api_auth: Access | None = Field(
        None,
        description="Who needs a key: `off` (nobody), `writes` (whoever writes) or `all`. Not set: `off` on a loopback"
        " address, and no start elsewhere.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least level that is logged: `debug`, `info`, `warning` or `error`."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="`json` lines, `console` for people, or `auto`: console on a terminal and JSON elsewhere."
    )
    currency: str = Field(
        "EUR", pattern="^[A-Z]{3}$", description="The currency of all prices (ISO 4217), shown at `GET /`."
    )
    low_stock_below: int = Field(
        5, ge=0, le=2_147_483_647, description="Stock below this counts as low in the metric `goods_low_stock`."
    )
    require_if_match: bool = Field(False, description="Whether PUT, PATCH and DELETE need `If-Match`.")
    sample: bool = Field(True, description="Whether sample goods are loaded into an empty embedded database.")
    embedded_home: Path = Field(
        _CHECKOUT / ".goods", description="The folder of the embedded PostgreSQL. The default is in the checkout."
    )
    connect_timeout: Seconds = Field(
        1.5, description="Seconds to open a database connection, or to wait for a free one."
    )
    statement_timeout: Seconds = Field(5.0, description="Seconds that one SQL statement may take.")
    lock_timeout: Seconds = Field(2.0, description="Seconds that a statement waits for a lock.")
    header_timeout: Seconds = Field(10.0, description="Seconds for a request's head to arrive.")
    body_timeout: Seconds = Field(30.0, description="Seconds for a request's body to arrive.")
    keep_alive_timeout: Seconds = Field(75.0, description="Seconds that an idle connection is kept.")
    shutdown_delay: float = Field(
        0.0, ge=0, le=300, description="Seconds that `/readyz` fails before the listener closes, 0 to 300."
    )
    shutdown_timeout: Seconds = Field(20.0, description="Seconds for requests under way to finish at shutdown.")
    max_body_bytes: int = Field(
        2_097_152, ge=1, le=1_073_741_824, description="The largest request body in bytes, at most 1 GiB."
    )
    max_bulk_bytes: int = Field(
        33_554_432,
        ge=1,
        le=1_073_741_824,
        description="The largest body of `POST /goods/bulk` in bytes, at most 1 GiB.",
    )
    max_import_bytes: int = Field(
        1_073_741_824, ge=1, le=1_099_511_627_776, description="The largest file to import in bytes, at most 1 TiB."
    )
    import_retention: int = Field(
        90, ge=1, le=36_500, description="Days that an import and its lines are kept; then it can't be undone any more."
    )
    idempotency_retention: int = Field(
        24,
        ge=24,
        le=8_760,
        description="Hours that the answer to a request with an Idempotency-Key is kept, from 24 on.",
    )
    feed_retention: int | None = Field(
        None,
        ge=1,
        le=36_500,
        description="Days that changes are kept, for the change feed, histories and `as_of`. Not set: for ever.",
    )
    max_requests: int = Field(
        500, ge=1, le=100_000, description="Requests that one process works on at a time; more wait."
    )
    max_waiting_requests: int = Field(
        500, ge=0, le=100_000, description="Requests that wait for their turn in one process; more are 503."
    )
    queue_timeout: Seconds = Field(1.0, description="Seconds that a request waits for its turn; then it is 503.")
    rate_limit: Annotated[str, AfterValidator(_rate)] | None = Field(
        None,
        description="Requests that each key, or each address without one, may make to one process: `100/second`, or"
        " several as `20/second;1000/minute`. Not set: any number.",
    )
    trusted_proxies: Annotated[str, AfterValidator(_networks)] | None = Field(
        None,
        description="Addresses or networks of proxies, with commas, whose `X-Forwarded-For` names the client. Not set:"
        " none is believed.",
    )
    cors_origins: Annotated[str, AfterValidator(_origins)] | None = Field(
        None,
        description="Origins, with commas, whose pages may use the API from a browser; or `*`. Not set: none.",
    )
    docs: Opening = Field(
        "open", description="`/docs` and `/openapi.json`: `open`, with a `key` (as `API_AUTH=all`), or `off` (404)."
    )
    metrics: Opening = Field(
        "open", description="`/metrics`: `open`, with a `key` (as `API_AUTH=all`), or `off` (404)."
    )
    max_streams: int = Field(
        500, ge=0, le=100_000, description="Streams of changes that one process serves at a time; more are 503."
    )
    ledger_check: Seconds = Field(60.0, description="Seconds between comparisons of stock with its ledger.")
    metrics_refresh: Seconds = Field(15.0, description="Seconds between refreshes of the gauges about the database.")

    @property
    def database_configured(self) -> bool:
        """Whether a database is configured; otherwise an embedded one is meant."""
        return self.db_host is not None

    @property
    def auth(self) -> Access:
        """The access rule in force."""
        return self.api_auth or "off"


NAMES = {name.upper(): name for name in Settings.model_fields}
SECRETS = tuple(
    name for name, attribute in NAMES.items() if SecretStr in get_args(Settings.model_fields[attribute].annotation)
)


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Put the settings together. Raises ConfigurationError, whose text is one line for people."""
    values = _collected(environ)
    settings = _validated(values)
    _check_database(settings, values)
    _check_access(settings, values)
    _check_deadlines(settings, values)
    return settings


def describe(settings: Settings, environ: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Name, value and origin of each setting in force; secrets are masked."""
    origins = {name: value.origin for name, value in _collected(environ).items()}
    return [
        (name, _shown(getattr(settings, attribute)), one_line(origins.get(name, "default")))
        for name, attribute in NAMES.items()
    ]


def _shown(value: Any) -> str:
    match value:
        case None:
            return "(not set)"
        case SecretStr():
            return "******"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
    return one_line(str(value))


def _collected(environ: Mapping[str, str]) -> dict[str, Value]:
    files = from_files(environ.get("GOODS_CONFIG", ""), NAMES, SECRETS)
    return with_files_read({**files, **from_environment(environ, NAMES, SECRETS)})


def _validated(values: Mapping[str, Value]) -> Settings:
    try:
        return Settings.model_validate({NAMES[name]: value.text for name, value in values.items()})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
    name = str(first["loc"][0]).upper()
    raise ConfigurationError(f"{values[name].origin}: {name}: {first['msg'].removeprefix('Value error, ')}")


def _check_database(settings: Settings, values: Mapping[str, Value]) -> None:
    if settings.database_configured:
        return
    for name, value in values.items():
        if name.startswith("DB_") and name != "DB_POOL_SIZE":
            raise ConfigurationError(f"{value.origin}: {name} is set without DB_HOST; set both, or neither")


def _check_access(settings: Settings, values: Mapping[str, Value]) -> None:
    if settings.api_auth is None and not _is_loopback(settings.api_host):
        raise ConfigurationError(
            f"{values['API_HOST'].origin}: API_HOST: {settings.api_host} can be reached by others;"
            " say who may do what with API_AUTH (off: everybody everything), or listen on 127.0.0.1"
        )


def _is_loopback(host: str) -> bool:
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_deadlines(settings: Settings, values: Mapping[str, Value]) -> None:
    """What waits for something must wait longer than what it waits for."""

    def told(name: str) -> str:
        origin = values[name].origin if name in values else "default"
        return f"{name} ({_shown(getattr(settings, NAMES[name]))}, {origin})"

    for inner, outer in pairwise(("LOCK_TIMEOUT", "STATEMENT_TIMEOUT", "SHUTDOWN_TIMEOUT")):
        if getattr(settings, NAMES[inner]) >= getattr(settings, NAMES[outer]):
            raise ConfigurationError(f"{told(inner)} must be shorter than {told(outer)}; change one of them")
