"""Goods, their stock ledger and their change feed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.types import UserDefinedType

revision = "0001"
down_revision = None


class Xid8(UserDefinedType[int]):
    """A migration keeps its own copy of what it needs: the models move on, it does not."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "xid8"


def _sortable_text() -> sa.Text:
    return sa.Text(collation="C")


def upgrade() -> None:
    _create_goods()
    _create_stock_movements()
    _create_changes()


def _create_goods() -> None:
    op.create_table(
        "goods",
        sa.Column("id", sa.BigInteger, sa.Identity(always=False), primary_key=True),
        sa.Column("sku", _sortable_text(), nullable=False),
        sa.Column("name", _sortable_text(), nullable=False),
        sa.Column("description", sa.Text, nullable=False, server_default=""),
        sa.Column("category", _sortable_text(), nullable=False, server_default=""),
        sa.Column("price", sa.Numeric(12, 2), nullable=False),
        sa.Column("stock", sa.Integer, nullable=False, server_default="0"),
        sa.Column("version", sa.BigInteger, nullable=False, server_default="1"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("sku", name="goods_sku_key"),
        sa.CheckConstraint("char_length(sku) BETWEEN 1 AND 64", name="goods_sku_length"),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 200", name="goods_name_length"),
        sa.CheckConstraint("char_length(description) <= 10000", name="goods_description_length"),
        sa.CheckConstraint("char_length(category) <= 100", name="goods_category_length"),
        sa.CheckConstraint("price >= 0", name="goods_price_not_negative"),
        sa.CheckConstraint("stock >= 0", name="goods_stock_not_negative"),
    )
    for column in ("name", "price", "stock", "created_at", "updated_at", "category"):
        op.create_index(f"goods_{column}_id", "goods", [column, "id"])


def _create_stock_movements() -> None:
    op.create_table(
        "stock_movements",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("goods_id", sa.BigInteger, nullable=False),
        sa.Column("goods_version", sa.BigInteger, nullable=False),
        sa.Column("delta", sa.Integer, nullable=False),
        sa.Column("balance", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False, server_default=""),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("delta <> 0", name="stock_movements_delta_not_zero"),
        sa.CheckConstraint("balance >= 0", name="stock_movements_balance_not_negative"),
        sa.CheckConstraint(
            "reason IN ('initial', 'receipt', 'sale', 'return', 'correction', 'count', 'import', 'undo', 'delete')",
            name="stock_movements_reason_known",
        ),
    )
    op.create_index("stock_movements_goods_id_id", "stock_movements", ["goods_id", "id"])


def _create_changes() -> None:
    op.create_table(
        "changes",
        sa.Column("seq", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("position", sa.BigInteger),
        sa.Column("xid", Xid8, nullable=False, server_default=sa.text("pg_current_xact_id()")),
        sa.Column("goods_id", sa.BigInteger, nullable=False),
        sa.Column("sku", _sortable_text(), nullable=False),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("before", JSON),
        sa.Column("after", JSON),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("position", name="changes_position_key"),
        sa.UniqueConstraint("goods_id", "version", name="changes_goods_id_version_key"),
        sa.CheckConstraint("operation IN ('create', 'update', 'stock', 'delete')", name="changes_operation_known"),
    )
    op.create_index("changes_not_numbered", "changes", ["seq"], postgresql_where=sa.text("position IS NULL"))


def downgrade() -> None:
    op.drop_table("changes")
    op.drop_table("stock_movements")
    op.drop_table("goods")
