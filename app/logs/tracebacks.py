"""Exceptions without the data they carry.

A driver's message may hold a row (`Key (sku)=(...) already exists`) or a connection string. So a message is
shown only of Python's built-in exceptions and of our own (`app.*`); any other exception shows its class and
its frames, which lead to the line of code. Notes (PEP 678) are left out for the same reason.
"""

import traceback

from app.logs.escaping import escaped

_MAX_FRAMES = 40
_MAX_EXCEPTIONS = 20
_CAUSED = "The above exception was the direct cause of the following exception:"
_DURING = "During handling of the above exception, another exception occurred:"


def error_type(error: BaseException) -> str:
    """Name the class, with its module unless Python brings it: `asyncpg.exceptions.DeadlockDetectedError`."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def headline(error: BaseException) -> str:
    """Name the class, and give its message in one line where the message is known to be ours or Python's."""
    module = type(error).__module__
    if module != "builtins" and not module.startswith("app."):
        return error_type(error)
    try:
        message = escaped(str(error))
    except Exception:  # noqa: BLE001 - a broken __str__ must not break the line that reports it
        message = "(its message cannot be shown)"
    return f"{error_type(error)}: {message}" if message else error_type(error)


def error_stack(error: BaseException) -> str:
    """Format the exception, what led to it and the members of a group: frames and headlines."""
    lines: list[str] = []
    _describe(error, lines=lines, seen=set(), indent="")
    return "\n".join(lines)


def _describe(error: BaseException, *, lines: list[str], seen: set[int], indent: str) -> None:
    seen.add(id(error))
    earlier, link = _earlier(error)
    if earlier is not None and _is_new(earlier, seen):
        _describe(earlier, lines=lines, seen=seen, indent=indent)
        lines.extend(("", indent + link, ""))
    lines.append(f"{indent}Traceback (most recent call last):")
    for frame in traceback.extract_tb(error.__traceback__, limit=-_MAX_FRAMES).format():
        lines.extend(indent + line for line in frame.splitlines())
    lines.append(indent + headline(error))
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            if _is_new(member, seen):
                _describe(member, lines=lines, seen=seen, indent=indent + "  | ")


def _earlier(error: BaseException) -> tuple[BaseException | None, str]:
    if error.__cause__ is not None:
        return error.__cause__, _CAUSED
    return (None if error.__suppress_context__ else error.__context__), _DURING


def _is_new(error: BaseException, seen: set[int]) -> bool:
    # Chains can be circular, and a group can hold thousands.
    return id(error) not in seen and len(seen) < _MAX_EXCEPTIONS
