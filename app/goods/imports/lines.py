"""What one record of a file says about a good: its fields by their rules, or why it is refused."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from app.errors.messages import message_of
from app.goods.imports.options import ImportOptions
from app.goods.schemas.fields import MOST_DIGITS, Category, Description, Name, Price, Sku, Stock

_EMPTY_ALLOWED = frozenset({"description", "category"})
_WHOLE = re.compile(r"(-?[0-9]+)(?:\.0+)?", re.ASCII)
_ESCAPED = re.compile(r"'[=+\-@'\t\r]")


class _Values(TypedDict, total=False):
    sku: Sku
    name: Name
    description: Description
    category: Category
    price: Price
    stock: Stock


_VALUES = TypeAdapter(_Values)


@dataclass(frozen=True, slots=True)
class ImportLine:
    """One record. `number` is the line of the file where it begins, from 1; `raw` is the record without its end.

    A field that is None was not given. `problem` says why the line is refused; then only `sku` may be known.
    """

    number: int
    raw: str
    sku: str | None = None
    name: str | None = None
    description: str | None = None
    category: str | None = None
    price: Decimal | None = None
    stock: int | None = None
    problem: str | None = None


class LineRules:
    """Makes lines of records, by what a file's options say."""

    def __init__(self, options: ImportOptions) -> None:
        self._options = options
        self._unescape = options.escape == "apostrophe"
        self._comma = options.decimal == ","

    def line(self, number: int, raw: str, given: Mapping[str, Any]) -> ImportLine:
        """The line for the values that a record gives: texts of cells, or what JSON has."""
        values = {**self._options.constants, **given}
        problems: dict[str, str] = {}
        for field, value in values.items():
            if value is None and field in _EMPTY_ALLOWED:
                values[field] = ""
            elif value is None:
                problems[field] = "must not be null"
            elif isinstance(value, str):
                try:
                    values[field] = self._value(field, value)
                except PydanticCustomError as error:
                    problems[field] = error.message()
        if "sku" not in values:
            problems["sku"] = "is missing"
        try:
            valid: dict[str, Any] = dict(_VALUES.validate_python(values))
        except ValidationError as error:
            for fault in error.errors(include_url=False, include_input=False):
                problems.setdefault(str(fault["loc"][0]), message_of(fault))
        if not problems:
            return ImportLine(number, raw, **valid)
        said = "; ".join(f"{self._named(field)}: {problem}" for field, problem in problems.items())
        return ImportLine(number, raw, sku=_readable_sku(values.get("sku"), problems), problem=said)

    def _value(self, field: str, text: str) -> Any:
        """A cell's text in the form that the field's rule takes. Raises PydanticCustomError."""
        if self._unescape and _ESCAPED.match(text):
            text = text[1:]
        if not text.strip() and field not in _EMPTY_ALLOWED:
            raise PydanticCustomError("empty", "is empty")
        if field == "price":
            return self._price(text.strip())
        if field == "stock":
            whole = _WHOLE.fullmatch(text.strip())
            if whole is None:
                raise PydanticCustomError("integer", "must be a whole number, as in 12")
            return int(whole[1][:MOST_DIGITS])
        return text

    def _price(self, text: str) -> str:
        if not self._comma:
            if "," in text:
                raise PydanticCustomError(
                    "decimal", "holds a comma: the decimal sign is a dot unless the decimal option says otherwise"
                )
            return text
        if "." in text:
            raise PydanticCustomError("decimal", "holds a dot, but the decimal sign is a comma")
        return text.replace(",", ".")

    def _named(self, field: str) -> str:
        column = self._options.columns.get(field)
        return field if column is None or column == field else f"{field} (column {column})"


def _readable_sku(sku: Any, problems: Mapping[str, str]) -> str | None:
    return sku.strip() if isinstance(sku, str) and "sku" not in problems else None
