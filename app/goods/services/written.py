"""What a change leaves."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Written:
    """A good after a change: its JSON text, and what makes its entity tag."""

    id: int
    version: int
    document: str
