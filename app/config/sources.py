"""Reading settings from where they are: the environment, and YAML files that Kubernetes can read too."""

import base64
import binascii
import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


class ConfigurationError(Exception):
    """Something in the configuration is wrong. The text is one line that names file and key, and what to do."""

    def __init__(self, text: str) -> None:
        super().__init__(" ".join(text.split()))


@dataclass(frozen=True, slots=True)
class Value:
    """A setting as it was written, and where."""

    text: str
    origin: str


class _Loader(yaml.SafeLoader):
    """Every scalar stays the text that was written (0123, no, 1e3), and no key stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                raise _Twice(name)
            seen.add(name)
        return super().construct_mapping(node, deep)


class _Twice(Exception):
    pass


_Loader.yaml_implicit_resolvers = {}


def from_files(paths: str, known: Collection[str], secrets: Collection[str]) -> dict[str, Value]:
    """The settings in the colon-separated YAML files; later files win. Raises ConfigurationError."""
    found: dict[str, Value] = {}
    for path in filter(None, paths.split(":")):
        values = _named(_read(path), origin=path, known=known, secrets=secrets)
        found.update(_with_secret_files(values, secrets))
    return found


def from_environment(environ: Mapping[str, str], known: Collection[str], secrets: Collection[str]) -> dict[str, Value]:
    """The settings in the environment, which may hold anything else besides. Raises ConfigurationError."""
    names = {*known, *(f"{name}_FILE" for name in secrets)}
    values = {name: Value(environ[name], "environment") for name in sorted(names & set(environ)) if environ[name]}
    return _with_secret_files(values, secrets)


def _read(path: str) -> Mapping[Any, Any]:
    try:
        text = Path(path).read_text(encoding="utf-8")
        documents = list(yaml.load_all(text, Loader=_Loader))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror}); GOODS_CONFIG names it") from None
    except _Twice as error:
        raise ConfigurationError(f"{path}: {error} stands twice") from None
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise ConfigurationError(f"{path}: is not YAML{where}") from None
    if len(documents) != 1 or not isinstance(documents[0], Mapping):
        raise ConfigurationError(f"{path}: must hold one mapping of settings, a ConfigMap or a Secret")
    return documents[0]


def _named(
    document: Mapping[Any, Any], *, origin: str, known: Collection[str], secrets: Collection[str]
) -> dict[str, Value]:
    names = {*known, *(f"{name}_FILE" for name in secrets)}
    values = {}
    for key, value in _unwrapped(document, origin):
        if key not in names:
            near = difflib.get_close_matches(str(key), names, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigurationError(f"{origin}: {key} is not a setting{hint}")
        if not isinstance(value, str):
            raise ConfigurationError(f"{origin}: {key} must be a single value")
        if value:
            values[key] = Value(value, origin)
    return values


def _unwrapped(document: Mapping[Any, Any], origin: str) -> Iterable[tuple[Any, Any]]:
    """A flat mapping, or what a Kubernetes ConfigMap or Secret wraps around one."""
    kind = document.get("kind")
    if kind is None:
        return document.items()
    if kind not in {"ConfigMap", "Secret"}:
        raise ConfigurationError(f"{origin}: kind must be ConfigMap or Secret")
    data, plain = document.get("data") or {}, document.get("stringData") or {}
    if not isinstance(data, Mapping) or not isinstance(plain, Mapping):
        raise ConfigurationError(f"{origin}: data and stringData must be mappings")
    if kind == "ConfigMap":
        return data.items()
    return [*((key, _decoded(key, value, origin)) for key, value in data.items()), *plain.items()]


def _decoded(key: Any, value: Any, origin: str) -> str:
    try:
        return base64.b64decode("".join(value.split()), validate=True).decode()
    except (binascii.Error, ValueError, AttributeError):
        raise ConfigurationError(
            f"{origin}: {key} must be base64 of a text (put plain text under stringData)"
        ) from None


def _with_secret_files(values: dict[str, Value], secrets: Collection[str]) -> dict[str, Value]:
    """Replace NAME_FILE by NAME with the file's content."""
    for name in secrets:
        named = values.pop(f"{name}_FILE", None)
        if named is None:
            continue
        if name in values:
            raise ConfigurationError(f"{named.origin}: {name} and {name}_FILE are both set; keep one")
        try:
            content = Path(named.text).read_text(encoding="utf-8")
        except (OSError, ValueError):
            raise ConfigurationError(f"{named.origin}: {name}_FILE names {named.text}, which cannot be read") from None
        values[name] = Value(content.removesuffix("\n").removesuffix("\r"), named.text)
    return values
