"""A statement that changes something, in two forms: alone, or together with the record of its answer."""

from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Statement:
    """CTEs that do the work and a SELECT that says how it went.

    `status`, `headers` and `body` are SQL expressions over the columns of that SELECT: the answer, as the router will
    give it. `succeeded` is true for a row whose answer is worth keeping. `parameters` is how many there are.
    """

    ctes: str
    result: str
    parameters: int
    status: str
    headers: str
    body: str
    succeeded: str

    @cached_property
    def plain(self) -> str:
        """The statement alone."""
        return f"{self.ctes}\n{self.result}"

    @cached_property
    def recorded(self) -> str:
        """The statement that also keeps its answer.

        Five more parameters: caller, method, path, key, hash. There is no ON CONFLICT: where the key is taken, all of
        it is rolled back, after waiting for whoever is taking it at the moment.
        """
        caller, method, path, key, digest = (f"${n}" for n in range(self.parameters + 1, self.parameters + 6))
        return f"""{self.ctes}, result AS (
{self.result}
), record AS (
  INSERT INTO idempotency_records (caller, method, path, key, hash, status, headers, body, created_at)
  SELECT {caller}::text, {method}::text, {path}::text, {key}::text, {digest}::bytea,
    {self.status}, {self.headers}, {self.body}, clock_timestamp()
  FROM result WHERE {self.succeeded}
)
SELECT * FROM result"""  # noqa: S608 - constants only
