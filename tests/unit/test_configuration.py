"""Where settings come from, which one wins, and what a mistake in them says."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from app.config.conf import NAMES, SECRETS, ConfigurationError, Settings, describe, load_settings

CHECKOUT = Path(__file__).parents[2]
REFERENCE = (CHECKOUT / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
SECRET = "hunter2-in-the-clear"  # noqa: S105 - planted to be looked for
SECONDS = [name for name, attribute in NAMES.items() if "Seconds" in str(Settings.model_fields[attribute].description)]
Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(content: str | bytes, name: str = "settings.yml") -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return written


def refusal(environ: Mapping[str, str]) -> str:
    """The one line with which these settings are refused."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ)
    text = str(caught.value)
    assert text.isprintable()
    assert SECRET not in text
    assert caught.value.__cause__ is None
    return text


def password(environ: Mapping[str, str]) -> str | None:
    secret = load_settings({"DB_HOST": "db", **environ}).db_password
    return secret.get_secret_value() if secret else None


def test_without_settings_the_defaults_are_in_force_and_cannot_be_changed() -> None:
    loaded = load_settings({"HOME": "/root", "DB_HOST": ""})
    assert loaded == Settings()
    assert not loaded.database_configured
    assert load_settings({"DB_HOST": "db"}).database_configured
    with pytest.raises(ValidationError):
        loaded.api_port = 1  # type: ignore[misc]  # refused is the point


def test_the_environment_wins_over_yaml_and_later_files_over_earlier(write: Write) -> None:
    first = write("API_PORT: 1\nAPI_WORKERS: 1\nDB_POOL_SIZE: 1\nCURRENCY: USD", "first.yml")
    second = write("API_PORT: 2\nAPI_WORKERS: 2\nCURRENCY: ''", "second.yml")
    loaded = load_settings({"GOODS_CONFIG": f"{first}:{second}", "API_PORT": "3", "API_WORKERS": ""})
    assert (loaded.api_port, loaded.api_workers, loaded.db_pool_size) == (3, 2, 1)
    assert loaded.currency == "USD", "what is empty is not set, so it unsets nothing"


def test_no_file_is_read_that_is_not_listed(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(write("API_PORT: 1", "db_config.yml")).parent)
    assert load_settings({"GOODS_CONFIG": ""}).api_port == 8000
    assert load_settings({"GOODS_CONFIG": ":db_config.yml:"}).api_port == 1


@pytest.mark.parametrize("value", ["0123", "no", "1e3", "null", "~", "2026-01-01", "0x10", "!!int 5", "'5'", "<<"])
def test_a_value_is_the_text_that_was_written(write: Write, value: str) -> None:
    loaded = load_settings({"GOODS_CONFIG": write(f"DB_HOST: db\nDB_NAME: {value}")})
    assert loaded.db_name == value.removeprefix("!!int ").strip("'")


@pytest.mark.parametrize(("written", "meant"), [("yes", True), ("no", False), ("0", False), ("True", True)])
def test_yes_and_no_can_be_written_in_many_ways(write: Write, *, written: str, meant: bool) -> None:
    assert load_settings({"SAMPLE": written}).sample is meant
    assert load_settings({"GOODS_CONFIG": write(f"SAMPLE: {written}")}).sample is meant


def test_a_config_map_and_a_secret_are_files_like_any_other(write: Write) -> None:
    config = write("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {DB_HOST: db, DB_PORT: '7'}", "c.yml")
    data = "data: {DB_USER: bWU=, DB_PASSWORD: d2Vha2Vy}"  # me, weaker
    secret = write(f"kind: Secret\ntype: Opaque\n{data}\nstringData: {{DB_PASSWORD: {SECRET}}}", "s.yml")
    loaded = load_settings({"GOODS_CONFIG": f"{config}:{secret}"})
    assert (loaded.db_host, loaded.db_port, loaded.db_user) == ("db", 7, "me")
    assert password({"GOODS_CONFIG": secret}) == SECRET
    assert load_settings({"GOODS_CONFIG": write("kind: ConfigMap\ndata:")}) == Settings()


def _named(name: str) -> dict[str, str]:
    return {"name": name, "namespace": "goods"}


def test_the_files_of_this_repository_serve_kubernetes_and_a_local_run() -> None:
    paths = CHECKOUT / "db_config.yml", CHECKOUT / "db_secrets_example.yml"
    environ = {"GOODS_CONFIG": ":".join(map(str, paths))}
    assert load_settings(environ).db_host == "postgres"
    assert password(environ) == "change-me"
    config, secret = (yaml.safe_load(path.read_text()) for path in paths)
    assert (config["apiVersion"], config["kind"], config["metadata"]) == ("v1", "ConfigMap", _named("db-config"))
    assert (secret["apiVersion"], secret["kind"], secret["metadata"]) == ("v1", "Secret", _named("db-secrets"))
    values = [*config["data"].values(), *secret["stringData"].values()]
    assert all(isinstance(value, str) for value in values), "Kubernetes takes text only"
    assert "db_secrets.yml" in (CHECKOUT / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize(
    ("content", "meant"),
    [(SECRET, SECRET), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a b ", " a b "), ("\n", None), ("", None)],
)
def test_a_secret_can_be_read_from_a_file(write: Write, content: str, meant: str | None) -> None:
    path = write(content, "secret")
    assert password({"DB_PASSWORD_FILE": path}) == meant
    assert password({"GOODS_CONFIG": write(f"DB_PASSWORD_FILE: {path}")}) == meant


def test_a_secret_and_its_file_in_one_place_are_refused(write: Write) -> None:
    both = f"DB_PASSWORD: {SECRET}\nDB_PASSWORD_FILE: {write('x', 'secret')}"
    environ = dict(line.split(": ") for line in both.splitlines())
    assert refusal(environ) == "environment: DB_PASSWORD and DB_PASSWORD_FILE are both set; keep one"
    assert "settings.yml: DB_PASSWORD and DB_PASSWORD_FILE are both" in refusal({"GOODS_CONFIG": write(both)})
    assert password({**environ, "DB_PASSWORD": ""}) == "x"


def test_a_secret_file_is_read_only_where_it_is_in_force(write: Write) -> None:
    in_yaml = {"GOODS_CONFIG": write("DB_PASSWORD_FILE: /nowhere/secret")}
    assert password({**in_yaml, "DB_PASSWORD": SECRET}) == SECRET
    overridden = {"GOODS_CONFIG": write(f"DB_PASSWORD: {SECRET}")}
    assert password({**overridden, "DB_PASSWORD_FILE": write("stronger", "secret")}) == "stronger"


def test_a_secret_file_that_cannot_be_read_is_named(write: Write) -> None:
    told = "environment: DB_PASSWORD_FILE: cannot read "
    assert refusal({"DB_PASSWORD_FILE": "/nowhere/a"}) == f"{told}/nowhere/a (No such file or directory)"
    assert refusal({"DB_PASSWORD_FILE": write(b"\xff", "secret")}).endswith("(not UTF-8)")
    assert refusal({"DB_PASSWORD_FILE": SECRET}) == f"{told}the file (No such file or directory)"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("API_PROT: 1", ": API_PROT is not a setting; did you mean API_PORT?"),
        ("db_host: x", ": db_host is not a setting; did you mean DB_HOST?"),
        ("flavour: x", ": flavour is not a setting; docs/reference/configuration.md lists them"),
        ("GOODS_CONFIG: x", ": GOODS_CONFIG is not a setting"),
        ("API_PORT_FILE: x", ": API_PORT_FILE is not a setting"),
        (f"{{DB_PASSWORD:{SECRET}}}", ": DB_PASSWORD... is not a setting; did you mean DB_PASSWORD?"),
        ('"\\uD800\\n": x', ": a key that is no name is not a setting"),
        ("<<: {API_PORT: 1}", ": a key that is no name is not a setting"),
        ("API_PORT: many", ": API_PORT: Input should be a valid integer"),
        ("API_PORT: [1]", ": API_PORT must be a single value"),
        ("API_PORT: 1\nAPI_PORT: 2", ": API_PORT stands twice"),
        ("kind: ConfigMap\ndata: {API_PORT: 1, API_PORT: 2}", ": API_PORT stands twice"),
        ("kind: ConfigMap\nAPI_PORT: 1", ": API_PORT has no place in a ConfigMap"),
        ("kind: ConfigMap\nstringData: {API_PORT: '1'}", ": stringData has no place in a ConfigMap"),
        ("kind: ConfigMap\ndata: [a]", ": data must be a mapping"),
        ("kind: Secret\nstringData: a", ": stringData must be a mapping"),
        ("kind: Secret\ndata: {DB_PASSWORD: [a]}", ": DB_PASSWORD must be a single value"),
        (f"kind: Secret\ndata: {{DB_PASSWORD: {SECRET}!}}", ": DB_PASSWORD must be base64"),
        ("kind: Secret\ndata: {DB_PASSWORD: /w==}", ": DB_PASSWORD must be base64 of a text"),
        ("kind: Deployment", ": kind must be ConfigMap or Secret"),
        ("API_PORT: 1\n---\nAPI_PORT: 2", ": holds 2 documents"),
        ("- a", ": must be a mapping"),
        (f"DB_PASSWORD={SECRET}", ": must be a mapping"),
        ("", ": must be a mapping"),
        (f"DB_HOST: db\nDB_PASSWORD: '{SECRET}", ": is not YAML at line 2"),
        (b"\xff\xfe", ": is not YAML"),
        ('DB_HOST: "\\UFFFFFFFF"', ": is not YAML"),
        ("[" * 5000, ": is not YAML"),
        ('DB_HOST: "a\\nb"', ": DB_HOST must be one line of printable text"),
        ('DB_PASSWORD: "a\\0b"', ": DB_PASSWORD must be one line of printable text"),
    ],
)
def test_a_mistake_in_yaml_is_told_with_file_and_key(write: Write, content: str | bytes, told: str) -> None:
    path = write(content)
    assert refusal({"GOODS_CONFIG": path}).startswith(path + told)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert "missing.yml: cannot be read (No such file" in refusal({"GOODS_CONFIG": f"{tmp_path}/missing.yml"})
    assert "Is a directory" in refusal({"GOODS_CONFIG": str(tmp_path)})


REFUSED = {
    "API_PORT": ["-1", "65536", "1.5", "tcp://10.0.0.1:80", " "],
    "DB_PORT": ["0", "65536"],
    "DB_POOL_SIZE": ["0", "201"],
    "API_WORKERS": ["0", "65"],
    "DB_SSLMODE": ["on", "REQUIRE"],
    "DB_HOST": [f"postgresql://goods:{SECRET}@db/goods", f"goods:{SECRET}@db"],
    "DB_PASSWORD": ["\udcff"],
    "API_AUTH": ["none"],
    "LOG_LEVEL": ["verbose", "INFO"],
    "LOG_FORMAT": ["xml"],
    "CURRENCY": ["eur", "EURO", "EUR\n", "ÄÖÜ"],
    "LOW_STOCK_BELOW": ["-1", str(2**31)],
    "REQUIRE_IF_MATCH": ["maybe"],
    "SAMPLE": ["2"],
    "MAX_BODY_BYTES": ["0", "2MiB"],
    "MAX_BULK_BYTES": ["0"],
    "MAX_REQUESTS": ["0"],
    "MAX_WAITING_REQUESTS": ["-1"],
    "RATE_LIMIT": ["100", "100/fortnight", "many"],
    "TRUSTED_PROXIES": ["10.0.0.0/33", "proxy.example", "*", "10.0.0.1,"],
    "CORS_ORIGINS": ["shop.example", "https://shop.example/path", "null", "https://a.example,"],
    "DOCS": ["closed"],
    "METRICS": ["yes"],
    **{name: ["0", "-1", "nan", "inf", "soon"] for name in SECONDS},
    "SHUTDOWN_DELAY": ["-0.1", "nan", "inf"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in REFUSED.items() for value in values])
def test_a_value_that_cannot_be_is_refused(name: str, value: str) -> None:
    assert refusal({"DB_HOST": "db", name: value}).startswith(f"environment: {name}")


def test_the_bounds_themselves_are_accepted() -> None:
    load_settings({"API_PORT": "0", "LOW_STOCK_BELOW": "0", "SHUTDOWN_DELAY": "0", "DB_POOL_SIZE": "200"})
    load_settings({"API_PORT": "65535", "API_WORKERS": "64", "DB_POOL_SIZE": "1", "BODY_TIMEOUT": "0.001"})


def test_settings_of_a_database_without_its_host_are_refused() -> None:
    for name in [name for name in NAMES if name.startswith("DB_") and name not in {"DB_HOST", "DB_POOL_SIZE"}]:
        value = {"DB_PORT": "5432", "DB_SSLMODE": "prefer", "DB_PREPARED_STATEMENTS": "no"}.get(name, SECRET)
        assert refusal({name: value}) == f"environment: {name} is set without DB_HOST; set both, or neither"
    assert load_settings({"DB_POOL_SIZE": "20"}).db_pool_size == 20


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "LocalHost"])
def test_nobody_needs_a_key_on_a_loopback_address(host: str) -> None:
    loaded = load_settings({"API_HOST": host})
    assert (loaded.api_auth, loaded.auth) == (None, "off")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "goods.example"])  # noqa: S104 - refused is the point
def test_elsewhere_access_must_be_decided(host: str) -> None:
    told = rf"environment: API_HOST: {re.escape(host)} can be reached by others; .* API_AUTH .*"
    assert re.fullmatch(told, refusal({"API_HOST": host}))
    assert load_settings({"API_HOST": host, "API_AUTH": "off"}).auth == "off"


def test_deadlines_must_nest() -> None:
    told = refusal({"LOCK_TIMEOUT": "5"})
    assert told.startswith("LOCK_TIMEOUT (5, environment) must be shorter than STATEMENT_TIMEOUT (5, default)")
    assert "SHUTDOWN_TIMEOUT (20, default)" in refusal({"STATEMENT_TIMEOUT": "20.5"})
    load_settings({"LOCK_TIMEOUT": "0.1", "STATEMENT_TIMEOUT": "0.2", "SHUTDOWN_TIMEOUT": "0.3"})


def test_check_config_shows_what_is_in_force_and_where_it_comes_from(write: Write) -> None:
    path, secret = write("DB_HOST: db\nAPI_PORT: 81"), write(SECRET, "secret")
    environ = {"GOODS_CONFIG": path, "API_PORT": "82", "SAMPLE": "no", "DB_PASSWORD_FILE": secret}
    rows = describe(load_settings(environ), environ)
    assert [name for name, _, _ in rows] == list(NAMES)
    shown = {name: (value, origin) for name, value, origin in rows}
    assert shown["API_PORT"] == ("82", "environment")
    assert shown["DB_HOST"] == ("db", path)
    assert shown["DB_PASSWORD"] == ("******", secret)
    assert shown["SAMPLE"] == ("false", "environment")
    assert shown["DB_READ_HOST"] == ("(not set)", "default")


@settings(deadline=None)
@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=8).map(lambda text: f"hunter2-{text}"))
def test_a_secret_never_shows(secret: str) -> None:
    environ = {"DB_HOST": "db", "DB_PASSWORD": secret}
    loaded = load_settings(environ)
    assert all(secret not in text for text in (repr(loaded), str(loaded), loaded.model_dump_json()))
    assert secret not in repr(describe(loaded, environ))
    for wrong in ({"DB_HOST": ""}, {"DB_PASSWORD_FILE": "/x"}, {"API_PORT": "x"}, {"DB_HOST": f"u:{secret}@db"}):
        with pytest.raises(ConfigurationError) as caught:
            load_settings({**environ, **wrong})
        assert secret not in repr(caught.value)


WORDS = [*NAMES, "DB_PASSWORD_FILE", "kind", "data", "stringData", "ConfigMap", "Secret", "off", "x", "1", "/"]
MARKS = [": ", ", ", "\n", "\n  ", "\n- ", "---", "&a ", "*a", "!!int ", "\\U", *"{}[]:\"'|%"]
ALMOST_YAML = st.lists(st.sampled_from(WORDS) | st.sampled_from(MARKS) | st.text(max_size=3), max_size=30).map("".join)
MAPPINGS = st.dictionaries(st.sampled_from(WORDS), st.sampled_from(WORDS) | st.text(max_size=5)).map(yaml.safe_dump)


@settings(deadline=None)
@given((ALMOST_YAML | MAPPINGS | st.text()).map(str.encode) | st.binary())
@example(b'"\\U00110000"')
@example(b"&a [*a]")
@example(b"? &a {b: c}\n: d\n? *a\n: e")
def test_any_file_gives_settings_or_one_line(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yml"
    path.write_bytes(content)
    try:
        told = repr(load_settings({"GOODS_CONFIG": str(path)}))
    except ConfigurationError as error:
        told = str(error)
    assert len(told.splitlines()) == 1


def test_the_reference_has_one_row_for_each_setting_and_names_no_other() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+?) \| (.+) \|$", REFERENCE, re.MULTILINE)
    defaults = {name: shown.removeprefix(f"{CHECKOUT}/") for name, shown, _ in describe(Settings(), {})}
    assert [(name, default.strip("`")) for name, default, _ in rows] == list(defaults.items())
    assert [meaning for _, _, meaning in rows] == [field.description for field in Settings.model_fields.values()]
    named = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", REFERENCE))
    assert named <= {*NAMES, *(f"{name}_FILE" for name in SECRETS), "GOODS_CONFIG"}
