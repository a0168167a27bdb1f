"""Imports, with each line and what it would do or did; and the answers that are kept for idempotency keys."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSON

revision = "0003"
down_revision = "0002"


def _sortable_text() -> sa.Text:
    return sa.Text(collation="C")


def upgrade() -> None:
    _create_imports()
    _create_lines()
    _create_chunks()
    _create_idempotency_records()


def _create_imports() -> None:
    op.create_table(
        "imports",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("options", JSON, nullable=False),
        sa.Column("header", sa.Text),
        sa.Column("problem", JSON),
        sa.Column("created", sa.Integer, nullable=False, server_default="0"),
        sa.Column("updated", sa.Integer, nullable=False, server_default="0"),
        sa.Column("unchanged", sa.Integer, nullable=False, server_default="0"),
        sa.Column("refused", sa.Integer, nullable=False, server_default="0"),
        sa.Column("progress", sa.Float, nullable=False, server_default="0"),
        sa.Column("bytes", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("step_actor", sa.Text),
        sa.Column("step_request_id", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True)),
        sa.Column("planned_at", sa.DateTime(timezone=True)),
        sa.Column("applied_at", sa.DateTime(timezone=True)),
        sa.Column("undone_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint(
            "state IN ('planning', 'planned', 'applying', 'applied', 'undoing', 'undone', 'failed')",
            name="imports_state_known",
        ),
    )
    op.create_index(
        "imports_under_way", "imports", ["id"], postgresql_where=sa.text("state IN ('planning', 'applying', 'undoing')")
    )


def _create_lines() -> None:
    op.create_table(
        "import_lines",
        sa.Column("import_id", sa.BigInteger, nullable=False),
        sa.Column("line", sa.BigInteger, nullable=False),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("winning", sa.Boolean, nullable=False),
        sa.Column("conflict", sa.Boolean, nullable=False, server_default="false"),
        sa.Column("goods_id", sa.BigInteger),
        sa.Column("sku", _sortable_text()),
        sa.Column("name", sa.Text),
        sa.Column("description", sa.Text),
        sa.Column("category", sa.Text),
        sa.Column("price", sa.Numeric(12, 2)),
        sa.Column("stock", sa.Integer),
        sa.Column("before_name", sa.Text),
        sa.Column("before_description", sa.Text),
        sa.Column("before_category", sa.Text),
        sa.Column("before_price", sa.Numeric(12, 2)),
        sa.Column("before_stock", sa.Integer),
        sa.Column("problem", sa.Text),
        sa.Column("raw", sa.Text),
        sa.PrimaryKeyConstraint("import_id", "line", name="import_lines_pkey"),
        sa.ForeignKeyConstraint(["import_id"], ["imports.id"], name="import_lines_import_id_fkey", ondelete="CASCADE"),
        sa.CheckConstraint(
            "result IN ('created', 'updated', 'unchanged', 'refused')", name="import_lines_result_known"
        ),
    )
    op.create_index("import_lines_result", "import_lines", ["import_id", "result", "line"])
    op.create_index(
        "import_lines_conflict", "import_lines", ["import_id", "line"], postgresql_where=sa.text("conflict")
    )


def _create_chunks() -> None:
    op.create_table(
        "import_chunks",
        sa.Column("import_id", sa.BigInteger, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("import_id", "number", name="import_chunks_pkey"),
        sa.ForeignKeyConstraint(["import_id"], ["imports.id"], name="import_chunks_import_id_fkey", ondelete="CASCADE"),
    )


def _create_idempotency_records() -> None:
    op.create_table(
        "idempotency_records",
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("headers", JSON, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("caller", "method", "path", "key", name="idempotency_records_pkey"),
    )
    op.create_index("idempotency_records_created_at", "idempotency_records", ["created_at"])


def downgrade() -> None:
    for table in ("idempotency_records", "import_chunks", "import_lines", "imports"):
        op.drop_table(table)
