"""What a rule of pydantic's that was broken is called in an answer: the same words everywhere, never the value."""

from collections.abc import Mapping
from typing import Any

_MESSAGES = {
    "extra_forbidden": "is not a field of this resource",
    "missing": "is required",
    "int_type": "must be an integer",
    "int_parsing": "must be an integer",
    "int_from_float": "must be an integer",
    "string_type": "must be a text",
    "string_unicode": "must not hold a lone surrogate",
    "string_too_short": "must have at least {min_length} character(s)",
    "string_too_long": "must have at most {max_length} characters",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "too_long": "must have at most {max_length} items",
    "too_short": "must have at least {min_length} item(s)",
    "bool_parsing": "must be true or false",
    "literal_error": "must be {expected}",
    "model_attributes_type": "must be a JSON object",
    "model_type": "must be a JSON object",
    "dict_type": "must be a JSON object",
}


def message_of(entry: Mapping[str, Any]) -> str:
    """The words for one entry of pydantic's list of errors (with its `ctx`)."""
    known = _MESSAGES.get(entry["type"])
    if known is None:
        return str(entry["msg"]).removeprefix("Value error, ")
    return known.format(**entry.get("ctx", {}))
