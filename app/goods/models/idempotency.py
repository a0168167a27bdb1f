"""The answers that are kept for idempotency keys."""

from sqlalchemy import Column, DateTime, Index, Integer, LargeBinary, PrimaryKeyConstraint, Table, Text
from sqlalchemy.dialects.postgresql import JSON

from app.database.tables import metadata

idempotency_records = Table(
    "idempotency_records",
    metadata,
    # A key belongs to one caller, method and path.
    Column("caller", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("key", Text, nullable=False),
    # SHA-256 of the query and the body: the same key with other content is a mistake of the caller's.
    Column("hash", LargeBinary, nullable=False),
    Column("status", Integer, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("caller", "method", "path", "key", name="idempotency_records_pkey"),
    Index("idempotency_records_created_at", "created_at"),
)
