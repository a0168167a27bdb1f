"""Reading settings from where they are: the environment, and YAML files that Kubernetes can read too.

Whatever is wrong is a ConfigurationError that names the place and the key, and never shows what stands there: it may be
a secret, put into the wrong line.
"""

import base64
import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ENVIRONMENT = "environment"
_PARTS = {
    "ConfigMap": {"apiVersion", "kind", "metadata", "immutable", "data"},
    "Secret": {"apiVersion", "kind", "metadata", "immutable", "type", "data", "stringData"},
}
_NO_TEXT = re.compile("[\0\ud800-\udfff]")  # what no driver can send: the environment's bytes that are not UTF-8, too
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class ConfigurationError(Exception):
    """Something in the configuration is wrong. The text is one line that names file and key, and what to do."""

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text))


@dataclass(frozen=True, slots=True)
class Value:
    """A setting as it was written, and where. With `in_file` the text is the path of the file that holds the value."""

    text: str = field(repr=False)
    origin: str
    in_file: bool = False


def one_line(text: str) -> str:
    """Show what is not printable as an escape, so that it can neither break the line nor reach the terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def from_files(paths: str, known: Collection[str], secrets: Collection[str]) -> dict[str, Value]:
    """The settings in the colon-separated YAML files; later files win. Raises ConfigurationError."""
    found: dict[str, Value] = {}
    for path in filter(None, paths.split(":")):
        found.update(_accepted(_unwrapped(_read(path), path), path, known, secrets))
    return found


def from_environment(environ: Mapping[str, str], known: Collection[str], secrets: Collection[str]) -> dict[str, Value]:
    """The settings in the environment, which may hold anything else besides. Raises ConfigurationError."""
    names = sorted({*known, *(f"{name}_FILE" for name in secrets)} & set(environ))
    return _accepted({name: environ[name] for name in names}, ENVIRONMENT, known, secrets)


def with_files_read(values: Mapping[str, Value]) -> dict[str, Value]:
    """Replace the paths of secret files by what they hold. Only what is in force is read, and has to be readable."""
    read = {name: _from_file(name, value) if value.in_file else value for name, value in values.items()}
    return {name: value for name, value in read.items() if value.text}


class _Twice(Exception):
    """A key that stands twice in one mapping."""


class _Loader(yaml.BaseLoader):
    """Every scalar stays the text that was written (0123, no, 1e3, even with a tag), and no key stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise _Twice(key.value)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def _read(path: str) -> dict[Any, Any]:
    try:
        documents = list(yaml.load_all(Path(path).read_text(encoding="utf-8"), Loader=_Loader))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror}); GOODS_CONFIG names it") from None
    except _Twice as error:
        raise ConfigurationError(f"{path}: {_shown(str(error))} stands twice; keep one") from None
    # PyYAML lets through what it runs into: `"\UFFFFFFFF"` is an OverflowError, deep nesting a RecursionError.
    except (yaml.YAMLError, ValueError, ArithmeticError, LookupError, TypeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise ConfigurationError(f"{path}: is not YAML{where}; GOODS_CONFIG names it") from None
    if len(documents) > 1:
        raise ConfigurationError(f"{path}: holds {len(documents)} documents; give each a file of its own")
    if not documents or not isinstance(documents[0], dict):
        raise ConfigurationError(f"{path}: must be a mapping of settings (NAME: value), a ConfigMap or a Secret")
    return documents[0]


def _unwrapped(document: dict[Any, Any], path: str) -> dict[Any, Any]:
    """A flat mapping, or what a Kubernetes ConfigMap or Secret wraps around one."""
    if "kind" not in document:
        return document
    kind = document["kind"]
    if not isinstance(kind, str) or kind not in _PARTS:
        raise ConfigurationError(f"{path}: kind must be ConfigMap or Secret, or be left out of a flat mapping")
    for key in document:
        if key not in _PARTS[kind]:
            raise ConfigurationError(f"{path}: {_shown(key)} has no place in a {kind}; settings go under data")
    data = _part(document, "data", path)
    if kind == "ConfigMap":
        return data
    decoded = {key: _decoded(key, value, path) for key, value in data.items()}
    return {**decoded, **_part(document, "stringData", path)}


def _part(document: dict[Any, Any], name: str, path: str) -> dict[Any, Any]:
    part = document.get(name) or {}
    if not isinstance(part, dict):
        raise ConfigurationError(f"{path}: {name} must be a mapping of settings (NAME: value)")
    return part


def _decoded(key: str, value: Any, path: str) -> Any:
    if not isinstance(value, str):
        return value  # refused with the other nested values
    try:
        return base64.b64decode("".join(value.split()), validate=True).decode()
    except ValueError:
        raise ConfigurationError(
            f"{path}: {_shown(key)} must be base64 of a text; plain text goes under stringData"
        ) from None


def _accepted(
    written: Mapping[Any, Any], origin: str, known: Collection[str], secrets: Collection[str]
) -> dict[str, Value]:
    """The settings of one source, checked as far as a source can be. What is empty is not set."""
    named_by = {f"{name}_FILE": name for name in secrets}
    values: dict[str, Value] = {}
    for key, text in written.items():
        if key not in known and key not in named_by:
            raise ConfigurationError(f"{origin}: {_shown(key)} is not a setting{_hint(key, (*known, *named_by))}")
        if not isinstance(text, str):
            raise ConfigurationError(f"{origin}: {key} must be a single value, not a list or a mapping")
        if not text:
            continue
        if _NO_TEXT.search(text) or not (key in secrets or text.isprintable()):
            raise ConfigurationError(f"{origin}: {key} must be one line of printable text")
        name = named_by.get(key, key)
        if name in values:
            raise ConfigurationError(f"{origin}: {name} and {name}_FILE are both set; keep one")
        values[name] = Value(text, origin, in_file=key in named_by)
    return values


def _shown(key: str) -> str:
    """A key as far as it looks like a name: `{DB_PASSWORD:secret}`, without a space, is a key as a whole."""
    name = _NAME.match(key)
    if name is None:
        return "a key that is no name"
    return name.group() if name.group() == key else f"{name.group()}..."


def _hint(key: str, names: Collection[str]) -> str:
    name = _NAME.match(key)
    near = difflib.get_close_matches(name.group().upper(), sorted(names), n=1) if name else []
    return f"; did you mean {near[0]}?" if near else "; docs/reference/configuration.md lists them"


def _from_file(name: str, value: Value) -> Value:
    try:
        content = Path(value.text).read_bytes().decode()
    except (OSError, ValueError) as error:
        # Whoever puts the secret itself here must not find it in a log: only what is surely a path is shown.
        path = value.text if value.text.startswith("/") else "the file"
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigurationError(f"{value.origin}: {name}_FILE: cannot read {path} ({reason})") from None
    return Value(re.sub(r"\r?\n\Z", "", content), value.text)
