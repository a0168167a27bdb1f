"""How a row becomes the JSON that is answered: PostgreSQL builds it, twice as fast as Python could."""

_MOMENT = """to_char({row}.{column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS {column}"""


def document(row: str) -> str:
    """An SQL expression of type json: the good in `row` (a table's alias), as GoodsRead describes it.

    to_json alone would write times with an offset and without trailing zeros, and prices as numbers.
    """
    created, updated = (_MOMENT.format(row=row, column=column) for column in ("created_at", "updated_at"))
    columns = ", ".join(f"{row}.{name}" for name in ("id", "sku", "name", "description", "category"))
    return (
        f"row_to_json((SELECT d FROM (SELECT {columns}, {row}.price::text, {row}.stock, {row}.version,"  # noqa: S608 - constants only
        f" {created}, {updated}) d))"
    )


def csv_line(row: str) -> str:
    """An SQL expression of type text: the good in `row` as the line of CSV that `schemas.export.csv_lines` writes."""
    created, updated = (
        _MOMENT.format(row=row, column=column).partition(" AS ")[0] for column in ("created_at", "updated_at")
    )
    sku, name, description, category = (
        _csv_cell(f"{row}.{column}") for column in ("sku", "name", "description", "category")
    )
    numbers = (f"{row}.price", f"{row}.stock", f"{row}.version")
    cells = (f"{row}.id", sku, name, description, category, *numbers, created, updated)
    return f"""concat({", ',', ".join(cells)}, E'\\r\\n')"""


def _csv_cell(text: str) -> str:
    """Marked if a spreadsheet would run it (it begins with one of = + - @ ' tab CR), quoted if it must be."""
    marked = f"CASE WHEN ascii({text}) IN (61, 43, 45, 64, 39, 9, 13) THEN chr(39) || {text} ELSE {text} END"
    quoted = f"""'"' || replace({marked}, '"', '""') || '"'"""
    needed = " OR ".join(f"strpos({text}, chr({sign})) > 0" for sign in (44, 34, 10, 13))  # comma, quote, line ends
    return f"CASE WHEN {needed} THEN {quoted} ELSE {marked} END"


def movement_document(row: str) -> str:
    """An SQL expression of type json: the movement in `row`, as MovementRead describes it."""
    columns = ", ".join(
        f"{row}.{name}"
        for name in ("id", "goods_id", "goods_version", "delta", "balance", "reason", "reference", "actor")
    )
    created = _MOMENT.format(row=row, column="created_at")
    return f"row_to_json((SELECT d FROM (SELECT {columns}, {created}) d))"  # noqa: S608 - constants only


def change_document(row: str) -> str:
    """An SQL expression of type json: the entry of the change feed in `row`, as ChangeRead describes it."""
    columns = ", ".join(
        f"{row}.{name}"
        for name in (
            "position", "goods_id", "sku", "operation", "version", "before", "after", "actor", "request_id",
        )
    )  # fmt: skip
    return f"row_to_json((SELECT d FROM (SELECT {columns}, {_MOMENT.format(row=row, column='at')}) d))"  # noqa: S608 - constants only


def import_document(row: str) -> str:
    """An SQL expression of type json: the import in `row`, as ImportRead describes it."""
    moments = ", ".join(
        _MOMENT.format(row=row, column=column) for column in ("created_at", "planned_at", "applied_at", "undone_at")
    )
    counts = f"(SELECT c FROM (SELECT {row}.created, {row}.updated, {row}.unchanged, {row}.refused) c) AS counts"  # noqa: S608 - constants only
    return (
        f"row_to_json((SELECT d FROM (SELECT {row}.id, {row}.state, {row}.progress, {counts}, {row}.options,"  # noqa: S608 - constants only
        f" {row}.problem, {row}.bytes, {row}.actor, {row}.request_id, {moments}) d))"
    )
