"""The tables of the goods domain. Migrations create them; a test holds that both say the same."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSON

from app.database.tables import metadata


def _sortable_text() -> Text:
    # By code point on every server, whatever its locale: paging depends on one fixed order.
    return Text(collation="C")


goods = Table(
    "goods",
    metadata,
    Column("id", BigInteger, Identity(always=False), primary_key=True),
    Column("sku", _sortable_text(), nullable=False),
    Column("name", _sortable_text(), nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("category", _sortable_text(), nullable=False, server_default=""),
    Column("price", Numeric(12, 2), nullable=False),
    Column("stock", Integer, nullable=False, server_default="0"),
    Column("version", BigInteger, nullable=False, server_default="1"),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("sku", name="goods_sku_key"),
    CheckConstraint("char_length(sku) BETWEEN 1 AND 64", name="goods_sku_length"),
    CheckConstraint("char_length(name) BETWEEN 1 AND 200", name="goods_name_length"),
    CheckConstraint("char_length(description) <= 10000", name="goods_description_length"),
    CheckConstraint("char_length(category) <= 100", name="goods_category_length"),
    CheckConstraint("price >= 0", name="goods_price_not_negative"),
    CheckConstraint("stock >= 0", name="goods_stock_not_negative"),
    # One index for each order that the list can have, so that every page is read from an index, whichever
    # its number. `id` comes second because it breaks ties.
    Index("goods_name_id", "name", "id"),
    Index("goods_price_id", "price", "id"),
    Index("goods_stock_id", "stock", "id"),
    Index("goods_created_at_id", "created_at", "id"),
    Index("goods_updated_at_id", "updated_at", "id"),
    Index("goods_category_id", "category", "id"),
)

stock_movements = Table(
    "stock_movements",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    # No foreign key: movements stay readable when their good is deleted.
    Column("goods_id", BigInteger, nullable=False),
    Column("goods_version", BigInteger, nullable=False),
    Column("delta", Integer, nullable=False),
    Column("balance", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("reference", Text, nullable=False, server_default=""),
    Column("actor", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("delta <> 0", name="stock_movements_delta_not_zero"),
    CheckConstraint("balance >= 0", name="stock_movements_balance_not_negative"),
    CheckConstraint(
        "reason IN ('initial', 'receipt', 'sale', 'return', 'correction', 'count', 'import', 'undo', 'delete')",
        name="stock_movements_reason_known",
    ),
    Index("stock_movements_goods_id_id", "goods_id", "id"),
)

changes = Table(
    "changes",
    metadata,
    # Taken after the row lock, so the versions of one good ascend by it.
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    # Given once, by one numberer, to what has been committed (number_changes, in a migration): the place in the feed.
    Column("position", BigInteger),
    Column("goods_id", BigInteger, nullable=False),
    Column("sku", _sortable_text(), nullable=False),
    Column("operation", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("before", JSON),
    Column("after", JSON),
    Column("actor", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("position", name="changes_position_key"),
    # With `at`, so that a moment of a good's history is found without reading its entries.
    UniqueConstraint("goods_id", "version", name="changes_goods_id_version_key", postgresql_include=["at"]),
    CheckConstraint("operation IN ('create', 'update', 'stock', 'delete')", name="changes_operation_known"),
    Index("changes_not_numbered", "seq", postgresql_where=text("position IS NULL")),
    # When a SKU stopped being a good's: how the good that had it at some moment is found.
    Index(
        "changes_sku_given_up",
        text("(before ->> 'sku')"),
        "at",
        postgresql_where=text("operation = 'delete' OR (operation = 'update' AND (before ->> 'sku') <> sku)"),
    ),
)

# What search reads. Triggers on goods keep both tables (see the migrations that make them), so that nothing that
# writes goods has to know of them. The words are not a column of goods, because every change of stock would write
# their index entries anew. After the words come the good's marks: see `app.goods.queries.bands`.
goods_search = Table(
    "goods_search",
    metadata,
    Column("goods_id", BigInteger, primary_key=True, autoincrement=False),
    Column("sku_key", _sortable_text(), nullable=False),
    Column("words", ARRAY(_sortable_text()), nullable=False),
    Index("goods_search_sku_key", "sku_key"),
    Index("goods_search_words", "words", postgresql_using="gin", postgresql_with={"gin_pending_list_limit": 64}),
)

# Every word of three letters or more that goods hold or held, for correcting misspelt ones.
search_dictionary = Table(
    "search_dictionary",
    metadata,
    Column("word", _sortable_text(), nullable=False),
    Column("deletions", ARRAY(_sortable_text()), nullable=False),
    Index("search_dictionary_word", "word"),
    Index("search_dictionary_deletions", "deletions", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
)
