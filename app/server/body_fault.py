"""The mark that the server leaves on a request whose body turned out to be broken while the application has it.

Nothing but the application may answer then: an answer of the server's own would be a second one.
"""

from typing import Any

_MARK = "goods.body_fault"


def mark_body_fault(scope: Any, detail: str) -> None:
    """Say what is wrong with the body, for whoever reads it next."""
    # In the request's state and not beside it: routing copies a scope, and all its copies share one state.
    scope["state"][_MARK] = detail


def body_fault(scope: Any) -> str | None:
    """What is wrong with the request's body, if anything; to be asked after each `receive`.

    No message after the mark ends the body: a broken body must not pass for a complete one where nobody asks.
    """
    detail: str | None = scope.get("state", {}).get(_MARK)
    return detail
