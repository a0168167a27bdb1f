"""The rules for single fields of a good, shared by every shape that it takes on the wire.

Messages never repeat the value that they refuse.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

MAX_ID = 2**63 - 1
MAX_STOCK = 2_147_483_647
MAX_PRICE = Decimal("9999999999.99")
_DECIMAL = re.compile(r"[0-9]{1,10}(\.[0-9]{1,2})?", re.ASCII)
_INTEGER = re.compile(r"-?[0-9]+", re.ASCII)
MOST_DIGITS = 4000  # Python reads 4,300 at most; a number that was cut to this many is still out of every range
_NOT_STORABLE = "must not hold NUL or a lone surrogate"
_PRICE_RULE = "must be a decimal number from 0 to 9999999999.99 with at most two decimals"

T = TypeVar("T")


def storable(text: Any) -> Any:
    """PostgreSQL stores no NUL, and UTF-8 has no lone surrogates."""
    if isinstance(text, str):
        try:
            text.encode()  # a hundred times faster than a look at each character
        except UnicodeEncodeError:
            raise PydanticCustomError("not_storable", _NOT_STORABLE) from None
        if "\0" in text:
            raise PydanticCustomError("not_storable", _NOT_STORABLE)
    return text


def _sku(text: str) -> str:
    trimmed = text.strip()
    if not 1 <= len(trimmed) <= 64 or not trimmed.isprintable():
        raise PydanticCustomError("sku", "must have 1 to 64 printable characters")
    if any(segment in ("", ".", "..") for segment in trimmed.split("/")):
        raise PydanticCustomError(
            "sku", "must not begin or end with a slash, nor have an empty, '.' or '..' part between slashes"
        )
    return trimmed


def price(value: Any) -> Decimal:
    """A price as it came (a text, or a number of the body) to a Decimal; never rounded."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return Decimal(value)
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        number = Decimal(value)
        # The exponent is looked at first: 1E+999999 written out would fill the memory.
        exponent = number.as_tuple().exponent
        if isinstance(exponent, int) and -2 <= exponent <= 10 and 0 <= number <= MAX_PRICE:
            return abs(number)
    raise PydanticCustomError("price", _PRICE_RULE)


def _integer(value: Any) -> int:
    """An integer of the body. JSON knows one kind of number, so 5.0 is one too (JSON Schema, `integer`)."""
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        if isinstance(exponent, int) and -20 <= exponent <= 20 and value == value.to_integral_value():
            return int(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        return value
    raise PydanticCustomError("integer", "must be an integer")


def _not_zero(number: int) -> int:
    if number == 0:
        raise PydanticCustomError("not_zero", "must not be 0")
    return number


def integer_text(value: Any) -> Any:
    """An integer of the path or query: plain digits, where pydantic alone would also take `1_0`."""
    if isinstance(value, str):
        if not _INTEGER.fullmatch(value):
            raise PydanticCustomError("integer", "must be an integer")
        return int(value[:MOST_DIGITS])
    return value


class _NotNull:
    """Takes null out of `T | None`: for the caller there is only T, and None means that the field was left out."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        nullable = handler(source)
        return core_schema.no_info_before_validator_function(_not_null, nullable["schema"])


def _not_null(value: Any) -> Any:
    if value is None:
        raise PydanticCustomError("not_null", "must not be null")
    return value


def moment(value: Any) -> datetime:
    """RFC 3339 with an offset."""
    try:
        found = datetime.fromisoformat(value)
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        pass
    raise PydanticCustomError("moment", "must be an RFC 3339 time with an offset")


Sku = Annotated[
    str,
    BeforeValidator(storable),
    AfterValidator(_sku),
    Field(description="The stock keeping unit: unique, case-sensitive, trimmed.", examples=["LAN-0012"]),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": 64,
            "description": "The stock keeping unit: unique, case-sensitive, trimmed; may hold slashes.",
            "examples": ["LAN-0012"],
        }
    ),
]
Name = Annotated[
    str,
    Field(min_length=1, max_length=200, description="What the good is called.", examples=["Storm lantern"]),
    BeforeValidator(storable),
]
Description = Annotated[
    str,
    Field(max_length=10_000, description="Anything more to say.", examples=["Brass, burns lamp oil."]),
    BeforeValidator(storable),
]
Category = Annotated[
    str,
    Field(max_length=100, description="The category that it is listed under.", examples=["Lighting"]),
    BeforeValidator(storable),
]
Price = Annotated[
    Decimal,
    BeforeValidator(price),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^[0-9]{1,10}(\.[0-9]{1,2})?$"},
                {"type": "number", "minimum": 0, "maximum": 9999999999.99},
            ],
            "description": "In the deployment's currency, at most two decimals; never rounded.",
            "examples": ["24.90"],
        }
    ),
]
Stock = Annotated[
    int,
    Field(ge=0, le=MAX_STOCK, description="Pieces on hand.", examples=[12]),
    BeforeValidator(_integer),
]
Delta = Annotated[
    int,
    Field(
        ge=-MAX_STOCK - 1,
        le=MAX_STOCK,
        description="Pieces that come, or that go if it is negative; not 0.",
        examples=[-2],
        json_schema_extra={"not": {"const": 0}},
    ),
    BeforeValidator(_integer),
    AfterValidator(_not_zero),
]
Version = Annotated[int, BeforeValidator(_integer), Field(description="Rises by one with every change.")]
Identifier = Annotated[int, BeforeValidator(_integer), Field(description="Given by the server.")]
Moment = Annotated[
    datetime,
    BeforeValidator(moment),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-23T09:30:00.000000Z"]}),
]

# A field that may be left out but, where it stands, must have a value.
Given = Annotated[T | None, _NotNull()]
