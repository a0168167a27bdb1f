"""Whether this process takes new work."""


class Lifecycle:
    """Serving until told to drain. A draining process answers what comes, and says that it is not ready."""

    def __init__(self) -> None:
        self.draining = False

    def drain(self) -> None:
        self.draining = True
