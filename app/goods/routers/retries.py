"""The `Idempotency-Key` header: the same request, sent again, is answered as the first was."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Request, Response

from app.errors.domain import Fault, InvalidInput
from app.goods.routers.parameters import origin_of
from app.goods.services.idempotency import Attempt, Idempotency, KeptAnswer
from app.rest.description import parameter

_LONGEST_KEY = 255  # characters

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Retries:
    """What is known of a request's being a repetition; `attempt` is None where no key was given."""

    idempotency: Idempotency
    attempt: Attempt | None

    async def once(
        self, perform: Callable[[Attempt | None], Awaitable[T]], answer: Callable[[T], Response]
    ) -> Response:
        """Perform it and answer, or give the answer of the first time and say so."""
        attempt = self.attempt
        done = await self.idempotency.once(attempt, lambda: perform(attempt))
        if not isinstance(done, KeptAnswer):
            return answer(done)
        headers = {**json.loads(done.headers), "Idempotency-Replayed": "true"}
        return Response(done.body, done.status, headers=headers, media_type="application/json")


_SCHEMA = {"minLength": 1, "maxLength": _LONGEST_KEY}
_EXAMPLES = ["5f8c1c0e-order-1173"]
_DESCRIPTION = (
    "Names this attempt, with 1 to 255 characters: when it is sent again, within 24 hours, with the"
    " same query and body, nothing is done and the first answer is given again."
)
# For lean routes, whose OpenAPI parameters are written out.
IDEMPOTENCY_KEY_HEADER = parameter(
    "Idempotency-Key", "header", {"type": "string", **_SCHEMA, "examples": _EXAMPLES}, _DESCRIPTION
)


async def retries_of(request: Request) -> Retries:
    """What the request's key says. Raises InvalidInput."""
    idempotency: Idempotency = request.app.state.parts.idempotency
    values = [value.strip() for name, value in request.scope["headers"] if name == b"idempotency-key"]
    if not values:
        return Retries(idempotency, None)
    key = values[0].decode("latin-1")
    if len(values) > 1 or not 1 <= len(key) <= _LONGEST_KEY:
        raise InvalidInput([Fault("header", "Idempotency-Key", "must be given once, with 1 to 255 characters")])
    content = hashlib.sha256(request.scope["query_string"] + b"\0" + await request.body())
    caller = origin_of(request).actor
    return Retries(idempotency, Attempt(caller, request.method, request.scope["path"], key, content.digest()))


async def _retries(
    request: Request,
    idempotency_key: Annotated[  # noqa: ARG001 - here for the documentation
        str | None, Header(description=_DESCRIPTION, examples=_EXAMPLES, json_schema_extra=_SCHEMA)
    ] = None,
) -> Retries:
    return await retries_of(request)


RetriesOf = Annotated[Retries, Depends(_retries)]
