"""The mark that the server leaves on a request whose body turned out to be broken while the application reads it.

Nothing but the application may answer then: an answer of the server's own would be a second one.
"""

from typing import Any

_MARK = "goods.body_fault"


def mark_body_fault(scope: Any, detail: str) -> None:
    """Say what is wrong with the body, for whoever reads it next."""
    scope[_MARK] = detail


def body_fault(scope: Any) -> str | None:
    """What is wrong with the request's body, if anything; ask after each `receive`."""
    detail: str | None = scope.get(_MARK)
    return detail
