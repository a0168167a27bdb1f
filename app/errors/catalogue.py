"""Every kind of problem that the service can answer with: one table, and a page of the documentation for each.

The name is the last part of the problem's `type` (RFC 9457) and never changes once it is published.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One kind of problem. `meaning` and `remedy` are what `/problems/<name>` shows."""

    name: str
    status: int
    title: str
    meaning: str
    remedy: str


_ALL = (
    ProblemType(
        "malformed-request",
        400,
        "The request is not valid HTTP",
        "The HTTP parser could not read the request: an unknown method, a malformed head, or a body whose"
        " framing is broken. The connection was closed.",
        "Send the request with an HTTP client library, and look for a proxy that alters it on the way.",
    ),
    ProblemType(
        "malformed-json",
        400,
        "The body is not valid JSON",
        "The body could not be parsed as one JSON document in UTF-8 (RFC 8259). NaN and Infinity are not JSON.",
        "Send one JSON object, encoded in UTF-8, nested less than a hundred levels deep.",
    ),
    ProblemType(
        "key-required",
        401,
        "An API key is needed",
        "The deployment asks for an API key here (its setting API_AUTH says where), and the request has none.",
        "Ask whoever runs the deployment for a key (`goods keys create`), and send it as `Authorization: Bearer <key>`"
        " or as `X-API-Key`.",
    ),
    ProblemType(
        "invalid-key",
        401,
        "The API key is not valid",
        "The key is unknown, expired or revoked, two different ones were sent, or `Authorization` is not `Bearer`. A"
        " request with such a key is refused even where none is needed: its sender believes to be somebody.",
        "Send the key as it was shown when it was made, or ask for a new one.",
    ),
    ProblemType(
        "scope-too-small",
        403,
        "The API key does not allow this",
        "Keys have the scope `read` (GET and HEAD), `write` (everything else as well), or `admin` (applying and undoing"
        " imports as well).",
        "Use a key of the scope that the detail names.",
    ),
    ProblemType(
        "not-found",
        404,
        "There is nothing at this path",
        "No resource of the service has this path.",
        "`GET /` links to everything there is; `/docs` describes it.",
    ),
    ProblemType(
        "goods-not-found",
        404,
        "No such good",
        "No good has this id or SKU: it never existed, or it was deleted.",
        "Look the good up in the list, `GET /goods`.",
    ),
    ProblemType(
        "cursor-gone",
        410,
        "The feed does not go on from this cursor",
        "What came after the cursor (or, without one, the beginning) is not kept any more: FEED_RETENTION says for how"
        " long changes are. Or the cursor is ahead of the feed: it is of another deployment, or the database was"
        " restored to a state before it.",
        "Take a cursor with `GET /changes?after=latest`, then read all goods anew (`GET /goods/export`), and follow the"
        " feed from that cursor on.",
    ),
    ProblemType(
        "history-trimmed",
        410,
        "The past is not kept for so long",
        "The moment is before the oldest change that is kept: FEED_RETENTION says for how long changes are.",
        "Ask for a later moment, or without `as_of` for the present.",
    ),
    ProblemType(
        "import-not-found",
        404,
        "No such import",
        "No import has this id: it never existed, or it is older than imports are kept.",
        "`GET /imports` lists those there are.",
    ),
    ProblemType(
        "problem-not-found",
        404,
        "No such kind of problem",
        "The service knows no problem by this name.",
        "`GET /problems` lists them all.",
    ),
    ProblemType(
        "method-not-allowed",
        405,
        "The path does not have this method",
        "The path exists, but not with this method.",
        "Use one of the methods that the `Allow` header names.",
    ),
    ProblemType(
        "request-timeout",
        408,
        "The request did not arrive in time",
        "The head or the body of the request took longer than the service waits for it.",
        "Send the request again, over a better connection or in smaller parts.",
    ),
    ProblemType(
        "sku-taken",
        409,
        "The SKU belongs to another good",
        "SKUs are unique, and another good has this one. Nothing was changed.",
        "Choose another SKU, or change the good that has it: `GET /goods/by-sku/{sku}`.",
    ),
    ProblemType(
        "import-wrong-state",
        409,
        "The import is in another state",
        "Only a planned import can be applied, and only an applied one undone.",
        "Read the import: while it is planning, applying or undoing, wait until it no longer is.",
    ),
    ProblemType(
        "import-drift",
        409,
        "Goods are no longer as the import left them",
        "Between planning and applying, or between applying and undoing, somebody changed a field that would have"
        " been written. Nothing was written.",
        "`GET /imports/{id}/rows?result=conflict` lists the lines. Plan the file again, or set the fields back.",
    ),
    ProblemType(
        "import-interrupted",
        503,
        "The import did not come to its end",
        "Planning, applying or undoing was begun three times, and each time ended early: the process died, or rows were"
        " locked by others for too long. Nothing was written.",
        "Look for the reason in the service's log, and ask for the step again.",
    ),
    ProblemType(
        "import-unreadable",
        422,
        "The file can't be read",
        "The file as a whole can't be imported: it is not in the encoding that was given, a quote is never closed,"
        " it holds NUL or a line over 1 MiB, or its header lacks what it needs. Nothing was changed.",
        "Mend the line that the detail names, or give the right encoding, delimiter and mapping.",
    ),
    ProblemType(
        "idempotency-key-in-use",
        409,
        "A request with this Idempotency-Key is under way",
        "An earlier request with the same key was not finished when this one's time was over.",
        "Send the same request again: when the first is finished, its answer is given.",
    ),
    ProblemType(
        "idempotency-key-reused",
        422,
        "The Idempotency-Key belongs to another request",
        "The same caller used this key for the same method and path, with another query or body, less than a day ago.",
        "Use a new key for each thing to do, and the same one only to try the same thing again.",
    ),
    ProblemType(
        "version-conflict",
        409,
        "The good has changed since it was read",
        "The `version` in the body is not the good's version any more. Nothing was changed.",
        "Read the good again, make the change to what you get, and send it again.",
    ),
    ProblemType(
        "stock-too-low",
        409,
        "There are too few pieces",
        "More pieces of a good were to be taken than there are. `requested` is how many were asked for, `available` how"
        " many there are. Nothing was changed, in a basket no line of it.",
        "Take fewer, or wait for a receipt. In a basket `errors` names the lines, and the numbers are the first one's.",
    ),
    ProblemType(
        "stock-too-high",
        409,
        "There would be too many pieces",
        "The stock of a good would rise above 2147483647 pieces. Nothing was changed, in a basket no line of it.",
        "Look for a mistake in the number; in a basket `errors` names the lines.",
    ),
    ProblemType(
        "precondition-failed",
        412,
        "The good is not in the state that the request demands",
        "`If-Match` names another version than the good has, or `If-None-Match` names the one it has"
        " (RFC 9110, section 13). Nothing was changed.",
        "Read the good again and use the ETag that comes with it.",
    ),
    ProblemType(
        "body-too-large",
        413,
        "The body is too large",
        "The body is larger than this path accepts.",
        "Send less at once. The problem's detail names the limit in bytes.",
    ),
    ProblemType(
        "unsupported-media-type",
        415,
        "The body's media type is not supported",
        "The path does not read bodies of this `Content-Type` or `Content-Encoding`.",
        "Send `Content-Type: application/json`, uncompressed; PATCH also takes `application/merge-patch+json`.",
    ),
    ProblemType(
        "invalid-input",
        422,
        "The input breaks a rule",
        "A field, a parameter or a header has a value that is not allowed. `errors` names each place, with what"
        " is expected there. Nothing was changed.",
        "Correct every place that `errors` names and send the request again.",
    ),
    ProblemType(
        "precondition-required",
        428,
        "The request must say which version it means",
        "This deployment asks for `If-Match` on every change, so that no change is made to what the client has"
        " not seen (RFC 6585).",
        "Read the good, and send its `ETag` back as `If-Match`.",
    ),
    ProblemType(
        "rate-limited",
        429,
        "Too many requests from one caller",
        "The deployment takes so many requests in a time from each API key, and from each address without one."
        " `RateLimit` and `RateLimit-Policy` say how many, on every answer.",
        "Wait as long as `Retry-After` says. Read lists with larger pages, change many goods with `POST /goods/bulk`.",
    ),
    ProblemType(
        "head-too-large",
        431,
        "The request line and headers are too large",
        "The head of the request is larger than the service reads.",
        "Send fewer or shorter headers and a shorter URL.",
    ),
    ProblemType(
        "internal-error",
        500,
        "Something went wrong inside the service",
        "The request met a fault of the service. It was logged with the request's id.",
        "Send the request again later; report the `request_id` if it happens again.",
    ),
    ProblemType(
        "database-unavailable",
        503,
        "The database does not answer",
        "The service could not reach its database, or not in time.",
        "Wait as long as `Retry-After` says and send the request again.",
    ),
    ProblemType(
        "overloaded",
        503,
        "Too many requests at once",
        "Every connection to the database was busy for longer than a request waits for one, or more requests were under"
        " way than the deployment works on at once.",
        "Wait as long as `Retry-After` says and send the request again.",
    ),
    ProblemType(
        "not-ready",
        503,
        "The service takes no new work",
        "The service is starting or shutting down, or its database is not at the schema that it needs.",
        "Send the request to another instance, or wait as long as `Retry-After` says.",
    ),
)

PROBLEMS: dict[str, ProblemType] = {problem.name: problem for problem in _ALL}
