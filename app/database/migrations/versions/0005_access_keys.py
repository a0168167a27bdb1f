"""API keys: of each its hash, never the key."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "access_keys",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        # Names stay taken when a key is revoked: they stand in the history as who did it.
        sa.Column("name", sa.Text(collation="C"), nullable=False, unique=True),
        sa.Column("hash", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("last_used_at", sa.DateTime(timezone=True)),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("scope IN ('read', 'write', 'admin')", name="access_keys_scope_known"),
        sa.CheckConstraint("octet_length(hash) = 32", name="access_keys_hash_sha256"),
    )


def downgrade() -> None:
    op.drop_table("access_keys")
