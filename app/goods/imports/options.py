"""How a file is to be read: which column is which field, and the dialect it is written in."""

import codecs
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from app.errors.domain import Fault, InvalidInput

FIELDS = ("sku", "name", "description", "category", "price", "stock")
_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
# A comma ends a column's name only where the next field follows, so that names may hold commas.
_NEXT_FIELD = re.compile(rf",(?=\s*(?:{'|'.join(FIELDS)})\s*=)")


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """`columns` names the column (CSV) or key (NDJSON) of a field, `constants` its text for every line.

    A field that is in neither comes from the column of its own name, if the file has one.
    """

    format: Literal["csv", "ndjson"]
    columns: Mapping[str, str]
    constants: Mapping[str, str]
    delimiter: str = ","
    encoding: str = "utf-8"
    decimal: Literal[".", ","] = "."
    escape: Literal["none", "apostrophe"] = "none"

    @classmethod
    def parse(  # one argument for each option that a caller has
        cls,
        *,
        form: str,
        columns: Sequence[str] = (),
        constants: Sequence[str] = (),
        delimiter: str | None = None,
        encoding: str | None = None,
        decimal: str | None = None,
        escape: str | None = None,
    ) -> "ImportOptions":
        """Options from their texts. Raises InvalidInput with all faults, each at the parameter's name."""
        faults: list[Fault] = []
        mapped = _pairs("map", [part for text in columns for part in _NEXT_FIELD.split(text)], faults)
        fixed = _pairs("set", [part for text in constants for part in _NEXT_FIELD.split(text)], faults)
        faults += [
            Fault("parameter", "set", f"gives {field}, which map gives too")
            for field in sorted(mapped.keys() & fixed.keys())
        ]
        if "sku" in fixed:
            faults.append(Fault("parameter", "set", "can't give sku: it would be the same for every line"))
        faults += [
            Fault("parameter", name, f"must be {allowed[0]} or {allowed[1]}")
            for name, value, allowed in (
                ("format", form, ("csv", "ndjson")),
                ("decimal", decimal or ".", (".", ",")),
                ("escape", escape or "none", ("none", "apostrophe")),
            )
            if value not in allowed
        ]
        options: Any = {
            "format": form,
            "columns": mapped,
            "constants": fixed,
            "delimiter": _delimiter(delimiter, faults),
            "encoding": _encoding(encoding, faults),
            "decimal": decimal or ".",
            "escape": escape or "none",
        }
        if faults:
            raise InvalidInput(faults)
        return cls(**options)

    def as_json(self) -> dict[str, Any]:
        """What `from_json` takes."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "ImportOptions":
        """Options that were stored."""
        return cls(**document)


def _pairs(parameter: str, texts: Sequence[str], faults: list[Fault]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        field, equals, value = text.partition("=")
        name = field.strip()
        if not equals or name not in FIELDS or (parameter == "map" and not value):
            what = "COLUMN" if parameter == "map" else "VALUE"
            faults.append(Fault("parameter", parameter, f"must be FIELD={what}, with a field of {', '.join(FIELDS)}"))
        elif name in pairs:
            faults.append(Fault("parameter", parameter, f"gives {name} twice"))
        else:
            pairs[name] = value.strip() if parameter == "map" else value
    return pairs


def _delimiter(text: str | None, faults: list[Fault]) -> str:
    character = _DELIMITERS.get(text or "comma", text or "")
    if len(character) != 1 or character in '"\r\n\0 ':
        names = ", ".join(_DELIMITERS)
        faults.append(Fault("parameter", "delimiter", f"must be one character other than a quote, or one of {names}"))
    return character


def _encoding(text: str | None, faults: list[Fault]) -> str:
    try:
        found = codecs.lookup(text or "utf-8")
        if "a".encode(found.name).decode(found.name) == "a":
            return found.name
    except (LookupError, ValueError, TypeError):
        pass
    faults.append(Fault("parameter", "encoding", "must be an encoding of text, such as utf-8, windows-1252 or utf-16"))
    return "utf-8"
