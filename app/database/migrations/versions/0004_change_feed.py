"""The feed's numberer, and what looking at the past needs.

The transaction ids that entries had are dropped: numbering does not need them, which docs/decisions has a page about,
and no release has read them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

# Gives their positions to up to `most` changes, in the order of `seq`; says how many those were and what the feed's
# last position is now. A function, because each statement in it sees what was committed when that statement begins:
# the second one sees all that the last holder of the lock has numbered. The lock ends with the transaction.
_NUMBER_CHANGES = """
CREATE FUNCTION number_changes(most integer, OUT numbered bigint, OUT last bigint) LANGUAGE plpgsql AS $$
BEGIN
  numbered := 0;
  IF EXISTS (SELECT FROM changes WHERE position IS NULL) THEN
    PERFORM pg_advisory_xact_lock(7164212804591183201);
    WITH waiting AS MATERIALIZED (
      SELECT seq, row_number() OVER (ORDER BY seq) AS n
      FROM (SELECT seq FROM changes WHERE position IS NULL ORDER BY seq LIMIT most) next
    ), base AS MATERIALIZED (
      SELECT coalesce(max(position), 0) AS last FROM changes
    ), placed AS (
      UPDATE changes c SET position = base.last + waiting.n FROM waiting, base WHERE c.seq = waiting.seq RETURNING 1
    )
    SELECT count(*) INTO numbered FROM placed;
  END IF;
  SELECT coalesce(max(position), 0) INTO last FROM changes;
END
$$
"""
_GIVEN_UP = "operation = 'delete' OR (operation = 'update' AND (before ->> 'sku') <> sku)"


def upgrade() -> None:
    op.drop_column("changes", "xid")
    # `at` is in the index, so that a moment of a good's history is found without reading its entries.
    op.drop_constraint("changes_goods_id_version_key", "changes")
    op.execute(
        "ALTER TABLE changes ADD CONSTRAINT changes_goods_id_version_key UNIQUE (goods_id, version) INCLUDE (at)"
    )
    op.create_index(
        "changes_sku_given_up", "changes", [sa.text("(before ->> 'sku')"), "at"], postgresql_where=sa.text(_GIVEN_UP)
    )
    op.execute(_NUMBER_CHANGES)


def downgrade() -> None:
    op.execute("DROP FUNCTION number_changes")
    op.drop_index("changes_sku_given_up")
    op.drop_constraint("changes_goods_id_version_key", "changes")
    op.create_unique_constraint("changes_goods_id_version_key", "changes", ["goods_id", "version"])
    op.execute("ALTER TABLE changes ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id()")
