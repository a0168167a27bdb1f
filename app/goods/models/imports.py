"""The tables of imports."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSON

from app.database.tables import metadata

imports = Table(
    "imports",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("state", Text, nullable=False),
    Column("options", JSON, nullable=False),
    # A CSV file's first line as it came, so that refused lines can be given back under it.
    Column("header", Text),
    # Why it failed, or went back to the state before: problem details without what belongs to one request.
    Column("problem", JSON),
    # Lines by what became of them.
    Column("created", Integer, nullable=False, server_default="0"),
    Column("updated", Integer, nullable=False, server_default="0"),
    Column("unchanged", Integer, nullable=False, server_default="0"),
    Column("refused", Integer, nullable=False, server_default="0"),
    # Of what is under way, from 0 to 1.
    Column("progress", Float, nullable=False, server_default="0"),
    Column("bytes", BigInteger, nullable=False, server_default="0"),
    Column("actor", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    # Who asked for the step that is under way, and in which request: that is what its changes are written with.
    Column("step_actor", Text),
    Column("step_request_id", Text),
    # How often that step was begun: one that kills its worker each time must end.
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("uploaded_at", DateTime(timezone=True)),
    Column("planned_at", DateTime(timezone=True)),
    Column("applied_at", DateTime(timezone=True)),
    Column("undone_at", DateTime(timezone=True)),
    CheckConstraint(
        "state IN ('planning', 'planned', 'applying', 'applied', 'undoing', 'undone', 'failed')",
        name="imports_state_known",
    ),
    Index("imports_under_way", "id", postgresql_where=text("state IN ('planning', 'applying', 'undoing')")),
)

import_lines = Table(
    "import_lines",
    metadata,
    Column("import_id", BigInteger, nullable=False),
    Column("line", BigInteger, nullable=False),
    Column("result", Text, nullable=False),
    # Of several lines for one SKU the last valid one wins; only it writes.
    Column("winning", Boolean, nullable=False),
    # Whether the last attempt to apply or undo found other values than it counted on.
    Column("conflict", Boolean, nullable=False, server_default="false"),
    # The good: for a new one, once the import is applied.
    Column("goods_id", BigInteger),
    # What the line gives; null is not given.
    Column("sku", Text(collation="C")),
    Column("name", Text),
    Column("description", Text),
    Column("category", Text),
    Column("price", Numeric(12, 2)),
    Column("stock", Integer),
    # What the plan found in the fields that a winning line changes; null is not changed.
    Column("before_name", Text),
    Column("before_description", Text),
    Column("before_category", Text),
    Column("before_price", Numeric(12, 2)),
    Column("before_stock", Integer),
    # Of a refused line: why, and the line as it came.
    Column("problem", Text),
    Column("raw", Text),
    PrimaryKeyConstraint("import_id", "line", name="import_lines_pkey"),
    ForeignKeyConstraint(["import_id"], ["imports.id"], name="import_lines_import_id_fkey", ondelete="CASCADE"),
    CheckConstraint("result IN ('created', 'updated', 'unchanged', 'refused')", name="import_lines_result_known"),
    Index("import_lines_result", "import_id", "result", "line"),
    Index("import_lines_conflict", "import_id", "line", postgresql_where=text("conflict")),
)

# A file as it was uploaded, until it is planned: whoever finds it there can plan it, also after a crash.
import_chunks = Table(
    "import_chunks",
    metadata,
    Column("import_id", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    PrimaryKeyConstraint("import_id", "number", name="import_chunks_pkey"),
    ForeignKeyConstraint(["import_id"], ["imports.id"], name="import_chunks_import_id_fkey", ondelete="CASCADE"),
)
