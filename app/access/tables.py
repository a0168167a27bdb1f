"""The table of API keys."""

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Identity, LargeBinary, Table, Text

from app.database.tables import metadata

access_keys = Table(
    "access_keys",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    # Names stay taken when a key is revoked: they stand in the history as who did it.
    Column("name", Text(collation="C"), nullable=False, unique=True),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("scope", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True)),
    Column("last_used_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    CheckConstraint("scope IN ('read', 'write', 'admin')", name="access_keys_scope_known"),
    CheckConstraint("octet_length(hash) = 32", name="access_keys_hash_sha256"),
)
