"""Whether this process takes new work."""

from collections.abc import Callable


class Lifecycle:
    """Serving until told to drain. A draining process answers what comes, and says that it is not ready."""

    def __init__(self) -> None:
        self.draining = False
        self._told: list[Callable[[], None]] = []

    def on_drain(self, tell: Callable[[], None]) -> None:
        """Have `tell` called when draining begins: for what would otherwise never end."""
        self._told.append(tell)

    def drain(self) -> None:
        self.draining = True
        for tell in self._told:
            tell()
