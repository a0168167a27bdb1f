"""Where a change comes from: it is written beside the change, for history and audit."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asked for a change (`anonymous` without access keys), and in which request."""

    actor: str
    request_id: str
