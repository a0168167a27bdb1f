"""Parsing JSON strictly: numbers as decimals, no duplicate names, nothing that only Python takes for JSON."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from app.errors.domain import Fault, InvalidInput, MalformedJson, json_pointer

_MOST_NAMES = 1000  # in one object
_LONGEST_NUMBER = 4300  # characters: as many digits as Python reads of an integer


def parse_json(raw: bytes) -> Any:
    """Parse one JSON document (RFC 8259); numbers with a fraction or an exponent become Decimal, never float.

    Raises MalformedJson, and InvalidInput for a name that stands twice.
    """
    if not raw.strip():
        raise MalformedJson("The body is empty.")
    try:
        return _DECODER.decode(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise MalformedJson("The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        detail = f"The body is not JSON: line {error.lineno}, column {error.colno}."
        raise MalformedJson(detail) from None
    except RecursionError:
        raise MalformedJson("The body is nested too deeply.") from None
    except (ValueError, InvalidOperation):
        # Python refuses to read integers of more than 4,300 digits and exponents of more than 18; see also _decimal.
        raise MalformedJson("The body holds a number that is too long.") from None


def _decimal(text: str) -> Decimal:
    # To make an integer of half a million digits takes seconds, and all requests would wait for it.
    if len(text) > _LONGEST_NUMBER:
        raise ValueError
    return Decimal(text)


def _refuse_constant(_: str) -> NoReturn:
    raise MalformedJson("NaN and Infinity are not JSON.")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > _MOST_NAMES:
        # Each would be an error of its own to the schema: a hundred thousand of them take a second.
        raise InvalidInput([Fault("pointer", "#", f"has an object with more than {_MOST_NAMES} names")])
    document: dict[str, Any] = {}
    for name, value in pairs:
        if name in document:
            raise InvalidInput([Fault("pointer", json_pointer(name), "stands more than once in its object")])
        document[name] = value
    return document


_DECODER = json.JSONDecoder(
    parse_float=_decimal, parse_constant=_refuse_constant, object_pairs_hook=_unique, strict=True
)
