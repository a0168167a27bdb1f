"""Finding the lines of an import that no longer fit the goods."""

from typing import Any


async def mark(connection: Any, import_id: int, lock: str, conflicts: str) -> int:
    """Lock with one statement, then mark the lines that another finds, and give their number.

    Two statements, because what the second sees is what was committed when all locks were held.
    """
    await connection.execute("UPDATE import_lines SET conflict = false WHERE import_id = $1 AND conflict", import_id)
    await connection.fetchval(lock, import_id)
    status: str = await connection.execute(conflicts, import_id)
    return int(status.rsplit(maxsplit=1)[-1])
