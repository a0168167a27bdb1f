"""What the tester of the description can't know: how the files of imports are written."""

from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def as_it_is(_: Any, value: Any) -> Any:
    """A file is text."""
    return value if isinstance(value, bytes) else str(value).encode()
