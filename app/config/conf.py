"""The settings: what they are, their bounds and defaults, and how they are put together.

The environment wins over YAML, which wins over the defaults. Nothing is read implicitly: GOODS_CONFIG names the files.
"""

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from app.config.sources import ConfigurationError, Value, from_environment, from_files

__all__ = ["ConfigurationError", "Settings", "describe", "load_settings"]

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Access = Literal["off", "writes", "all"]

_CHECKOUT = Path(__file__).resolve().parents[2]
_SECRETS = ("DB_PASSWORD",)


class Settings(BaseModel):
    """Everything that can be set, frozen. Attributes are the names in lower case; times are in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True, hide_input_in_errors=True)

    db_host: str | None = Field(
        None,
        description="The database's host, or its Unix socket's folder. Not set: an embedded PostgreSQL is used.",
    )
    db_port: Port = Field(5432, description="The database's port.")
    db_name: str = Field("goods", description="The database's name.")
    db_user: str = Field("goods", description="The role to connect as.")
    db_password: SecretStr | None = Field(None, description="Its password; DB_PASSWORD_FILE reads it from a file.")
    db_sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = Field(
        "prefer", description="How TLS is used towards the database, as libpq defines it."
    )
    db_read_host: str | None = Field(
        None, description="A replica that serves lists, which may lag behind. Not set: DB_HOST serves them."
    )
    db_migration_host: str | None = Field(
        None, description="A direct host for migrations, when DB_HOST is a connection pooler. Not set: DB_HOST."
    )
    db_pool_size: int = Field(
        10, ge=1, le=200, description="Connections per process and host; health checks have two more."
    )
    api_host: str = Field("127.0.0.1", description="The address to listen on.")
    api_port: int = Field(8000, ge=0, le=65535, description="The port to listen on; 0 takes any free one.")
    api_workers: int = Field(1, ge=1, le=64, description="Processes that serve. In a cluster: 1, and more replicas.")
    api_auth: Access | None = Field(
        None,
        description="Who needs a key: `off` (nobody), `writes`, `all`. Not set: `off` on a loopback address, and no"
        " start elsewhere. This release has no keys yet: only `off` starts.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least level that is logged."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="`auto`: console on a terminal, JSON lines elsewhere."
    )
    currency: str = Field(
        "EUR", pattern="^[A-Z]{3}$", description="The currency of all prices (ISO 4217), shown at `GET /`."
    )
    low_stock_below: int = Field(
        5, ge=0, le=2_147_483_647, description="Stock below this counts as low in the metric `goods_low_stock`."
    )
    require_if_match: bool = Field(False, description="Whether PUT, PATCH and DELETE need `If-Match`.")
    sample: bool = Field(True, description="Whether an empty embedded database is given the sample goods.")
    embedded_home: Path = Field(_CHECKOUT / ".goods", description="The folder of the embedded PostgreSQL.")
    connect_timeout: Seconds = Field(
        1.5, description="Seconds to open a database connection, or to wait for a free one."
    )
    statement_timeout: Seconds = Field(5.0, description="Seconds that one SQL statement may take.")
    lock_timeout: Seconds = Field(2.0, description="Seconds that a statement waits for a lock.")
    header_timeout: Seconds = Field(10.0, description="Seconds for a request's head to arrive.")
    body_timeout: Seconds = Field(30.0, description="Seconds for a request's body to arrive.")
    keep_alive_timeout: Seconds = Field(75.0, description="Seconds that an idle connection is kept.")
    shutdown_delay: float = Field(
        0.0, ge=0, le=300, description="Seconds that `/readyz` fails before the port is closed."
    )
    shutdown_timeout: Seconds = Field(20.0, description="Seconds for requests under way to finish at shutdown.")
    max_body_bytes: int = Field(2_097_152, ge=1024, le=1_073_741_824, description="The largest body, in bytes.")
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


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Put the settings together. Raises ConfigurationError, whose text is one line for people."""
    return _validated(_collected(environ))


def describe(settings: Settings, environ: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Name, value and origin of each setting in force; secrets are masked."""
    origins = {name: value.origin for name, value in _collected(environ).items()}
    rows = []
    for name, attribute in NAMES.items():
        value = getattr(settings, attribute)
        shown = "(not set)" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        rows.append((name, "******" if isinstance(value, SecretStr) else shown, origins.get(name, "default")))
    return rows


def _collected(environ: Mapping[str, str]) -> dict[str, Value]:
    files = from_files(environ.get("GOODS_CONFIG", ""), NAMES, _SECRETS)
    return {**files, **from_environment(environ, NAMES, _SECRETS)}


def _validated(values: Mapping[str, Value]) -> Settings:
    try:
        settings = Settings.model_validate({NAMES[name]: value.text for name, value in values.items()})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = str(first["loc"][0]).upper()
        raise ConfigurationError(f"{values[name].origin}: {name}: {first['msg']}") from None
    _check_database(settings, values)
    _check_access(settings, values)
    _check_deadlines(settings)
    return settings


def _check_database(settings: Settings, values: Mapping[str, Value]) -> None:
    if settings.database_configured:
        return
    for name, value in values.items():
        if name.startswith("DB_") and name != "DB_POOL_SIZE":
            raise ConfigurationError(f"{value.origin}: {name} is set without DB_HOST: set both, or neither")


def _check_access(settings: Settings, values: Mapping[str, Value]) -> None:
    if settings.api_auth in ("writes", "all"):
        origin = values["API_AUTH"].origin
        raise ConfigurationError(f"{origin}: API_AUTH: this release has no API keys; only off can be set")
    if settings.api_auth is None and not _is_loopback(settings.api_host):
        origin = values["API_HOST"].origin
        raise ConfigurationError(
            f"{origin}: API_HOST: {settings.api_host} can be reached by others; say who may do what with API_AUTH"
            " (off: everybody everything), or listen on 127.0.0.1"
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_deadlines(settings: Settings) -> None:
    """What waits for something must wait longer than what it waits for."""
    if not settings.lock_timeout < settings.statement_timeout < settings.shutdown_timeout:
        raise ConfigurationError(
            "LOCK_TIMEOUT must be shorter than STATEMENT_TIMEOUT, and that shorter than SHUTDOWN_TIMEOUT;"
            f" they are {settings.lock_timeout:g}, {settings.statement_timeout:g} and {settings.shutdown_timeout:g}"
        )
