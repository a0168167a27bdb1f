"""The errors that services and queries raise. They know nothing of HTTP: `errors.http` gives them their face."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Literal
from urllib.parse import quote

_LONGEST_PLACE = 100  # characters
_FRAGMENT = "!$&'()*+,;=:@?~"  # what stands for itself in a URI's fragment, besides letters, digits and -._


@dataclass(frozen=True, slots=True)
class Fault:
    """One place of the input that breaks a rule. `place` is a JSON pointer for a field of the body."""

    kind: Literal["pointer", "parameter", "header"]
    place: str
    detail: str


def json_pointer(*path: str | int) -> str:
    """RFC 6901, in its URI fragment form, shortened where a caller's field name is very long."""
    parts = (printable(str(part)).replace("~", "~0").replace("/", "~1") for part in path)
    return "#" + "".join(f"/{quote(part, safe=_FRAGMENT)}" for part in parts)


def printable(text: str) -> str:
    """A caller's own name for a place, fit to be sent back."""
    # A lone surrogate can't be written as UTF-8, and most clients' parsers refuse its escape.
    clean = text.encode("utf-8", "replace").decode()
    return clean if len(clean) <= _LONGEST_PLACE else clean[:_LONGEST_PLACE] + "..."


class GoodsApiError(Exception):
    """Base of all designed errors: `problem` names its entry in the catalogue, `detail` is a full sentence.

    `members` are what this kind of problem tells a program besides (RFC 9457, section 3.2).
    """

    problem: ClassVar[str] = "internal-error"
    retry_after: int | None = None  # seconds
    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, detail: str, *, faults: Sequence[Fault] = (), members: Mapping[str, int] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = tuple(faults)
        self.members = dict(members or {})


class MalformedRequest(GoodsApiError):
    problem = "malformed-request"


class MalformedJson(GoodsApiError):
    problem = "malformed-json"


class GoodsNotFound(GoodsApiError):
    problem = "goods-not-found"

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        super().__init__("No good has this id or SKU.", faults=faults)


class ProblemNotFound(GoodsApiError):
    problem = "problem-not-found"

    def __init__(self) -> None:
        super().__init__("The service knows no problem by this name.")


class KeyRequired(GoodsApiError):
    problem = "key-required"

    def __init__(self) -> None:
        super().__init__("This needs an API key: send it as `Authorization: Bearer <key>` or as `X-API-Key`.")


class InvalidKey(GoodsApiError):
    problem = "invalid-key"

    def __init__(self) -> None:
        super().__init__("The API key is not one of this deployment, or not any more.")


class ScopeTooSmall(GoodsApiError):
    problem = "scope-too-small"

    def __init__(self, has: str, needed: str) -> None:
        super().__init__(f"The API key has the scope `{has}`; this needs `{needed}`.")


class RateLimited(GoodsApiError):
    problem = "rate-limited"

    def __init__(self, seconds: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__("There were more requests than this deployment takes from one caller in the time.")
        self.retry_after = seconds
        self.headers = headers or {}


class NameTaken(GoodsApiError):
    """Of an API key; no request can raise it."""

    def __init__(self) -> None:
        super().__init__("There is, or was, an API key of this name.")


class RequestTimeout(GoodsApiError):
    problem = "request-timeout"


class SkuTaken(GoodsApiError):
    problem = "sku-taken"

    def __init__(self) -> None:
        fault = Fault("pointer", "#/sku", "belongs to another good")
        super().__init__("Another good has this SKU.", faults=[fault])


class VersionConflict(GoodsApiError):
    problem = "version-conflict"

    def __init__(self, current: int) -> None:
        fault = Fault("pointer", "#/version", "is not the version that is stored")
        super().__init__(f"The good is at version {current} by now.", faults=[fault])


class CursorGone(GoodsApiError):
    problem = "cursor-gone"


class HistoryTrimmed(GoodsApiError):
    problem = "history-trimmed"

    def __init__(self) -> None:
        fault = Fault("parameter", "as_of", "is before what is kept")
        super().__init__("Changes of that time are not kept any more.", faults=[fault])


class StockTooLow(GoodsApiError):
    problem = "stock-too-low"

    def __init__(self, faults: Sequence[Fault], *, requested: int, available: int) -> None:
        """Both numbers are pieces of the good that the first fault is about."""
        super().__init__(
            f"{requested} pieces were asked for, and {available} are there.",
            faults=faults,
            members={"requested": requested, "available": available},
        )


class StockTooHigh(GoodsApiError):
    problem = "stock-too-high"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("A good can't have so many pieces.", faults=faults)


class PreconditionFailed(GoodsApiError):
    problem = "precondition-failed"

    def __init__(self, current: int) -> None:
        super().__init__(f"The good is at version {current}, which is not what the request's condition allows.")


class PreconditionRequired(GoodsApiError):
    problem = "precondition-required"

    def __init__(self) -> None:
        fault = Fault("header", "If-Match", "is required here")
        super().__init__("Send the good's ETag as If-Match.", faults=[fault])


class BodyTooLarge(GoodsApiError):
    problem = "body-too-large"

    def __init__(self, limit: int) -> None:
        """`limit` is in bytes."""
        super().__init__(f"The body may have at most {limit} bytes here.")


class UnsupportedMediaType(GoodsApiError):
    problem = "unsupported-media-type"


class ImportNotFound(GoodsApiError):
    problem = "import-not-found"

    def __init__(self) -> None:
        super().__init__("No import has this id.")


class WrongImportState(GoodsApiError):
    problem = "import-wrong-state"

    def __init__(self, state: str) -> None:
        super().__init__(f"The import is {state}.")


class IdempotencyKeyReused(GoodsApiError):
    problem = "idempotency-key-reused"

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used for a request with another query or body.")


class IdempotencyKeyInUse(GoodsApiError):
    problem = "idempotency-key-in-use"
    retry_after = 1

    def __init__(self) -> None:
        super().__init__("A request with this Idempotency-Key is still under way.")


class InvalidInput(GoodsApiError):
    problem = "invalid-input"

    def __init__(self, faults: Sequence[Fault]) -> None:
        places = ", ".join(fault.place for fault in faults[:3])
        super().__init__(f"Not accepted: {places}{' and more' if len(faults) > 3 else ''}.", faults=faults)


class DatabaseUnavailable(GoodsApiError):
    problem = "database-unavailable"
    retry_after = 2

    def __init__(self) -> None:
        super().__init__("The database does not answer at the moment.")


class Overloaded(GoodsApiError):
    problem = "overloaded"
    retry_after = 1

    def __init__(self, detail: str = "Every connection to the database is busy.") -> None:
        super().__init__(detail)


class NotReady(GoodsApiError):
    problem = "not-ready"
    retry_after = 2
