"""The kinds of route that the service has: strict about queries and bodies."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote_to_bytes

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors.domain import Fault, InvalidInput, printable
from app.errors.http import invalid_input, invalid_query
from app.rest.json_body import JSON, MERGE_PATCH, JsonRequest, read_json

Handler = Callable[[Request], Any]
_MOST_PARAMETERS = 50


class StrictRoute(APIRoute):
    """Refuses query parameters that are unknown, repeated or not UTF-8, and parses JSON bodies strictly."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **{**options, "generate_unique_id_function": _operation_id})
        # The framework's "$" also matches before a line end: /livez%0A would be /livez.
        self.path_regex = re.compile(self.path_regex.pattern.removesuffix("$") + r"\Z")

    @property
    def reads_body(self) -> bool:
        """Whether its endpoint takes a body."""
        return self.body_field is not None

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        known = frozenset(_query_names(self.dependant))
        media_types = MERGE_PATCH if "PATCH" in (self.methods or ()) else JSON
        reads_body = self.reads_body

        async def strict(request: Request) -> Response:
            read_query(request.scope, known)
            if reads_body:
                request = await read_json(request, media_types)
            response: Response = await handle(request)
            return response

        return strict


def _operation_id(route: APIRoute) -> str:
    """The handler's name, which is what a generated client calls the operation."""
    return route.name


class Gate(Protocol):
    """Bounds how many requests are worked on at once."""

    def has_room(self) -> bool: ...
    async def wait(self) -> None: ...
    def leave(self) -> None: ...


class LeanRoute(StrictRoute):
    """A route whose endpoint takes the bare request: no dependencies are resolved, nothing is serialised.

    For the hottest paths, where the framework's own work costs more than ours. What OpenAPI says of the parameters is
    given by hand as `openapi_extra`.
    """

    gate: Gate

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        described = (self.openapi_extra or {}).get("parameters", [])
        self.known = frozenset(parameter["name"] for parameter in described if parameter["in"] == "query")

    def open_behind(self, gate: Gate) -> None:
        """Begin to answer requests, each with a place behind `gate` while it is worked on."""
        self.gate = gate
        self.app = self.answer  # what the framework would put around the handler is left out

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as an ASGI application. While its body or its reader is slow, it keeps nobody out."""
        query = read_query(scope, self.known)
        request = await self.read(Request(scope, receive))
        if not self.gate.has_room():
            await self.gate.wait()
        try:
            response = await self.respond(request, query)
        finally:
            self.gate.leave()
        await response(scope, receive, send)

    async def read(self, request: Request) -> Any:
        """Give what `respond` takes, when all of the request is there."""
        return request

    async def respond(self, request: Any, _: Mapping[str, str]) -> Response:
        """Call the endpoint; it finds in the request what it needs of the query."""
        response: Response = await self.endpoint(request)
        return response


class LeanListRoute(LeanRoute):
    """A lean route whose endpoint takes the request and its query, as the one model that its second parameter is of."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        (query,) = self.dependant.query_params
        self.model: type[BaseModel] = query.field_info.annotation  # type: ignore[assignment]  # what it is
        self.known = frozenset(self.model.model_fields)

    async def respond(self, request: Request, query: Mapping[str, str]) -> Response:
        """Call the endpoint. Raises InvalidInput with each parameter that the model refuses."""
        try:
            wanted = self.model.model_validate(query)
        except ValidationError as error:
            raise invalid_query(error.errors()) from None
        response: Response = await self.endpoint(request, wanted)
        return response


class LeanBodyRoute(LeanRoute):
    """A lean route whose endpoint takes the request and its JSON body, as the model that its second parameter is of."""

    async def read(self, request: Request) -> JsonRequest:
        """Read and parse the body. Raises what `read_json` raises."""
        return await read_json(request, JSON)

    async def respond(self, request: JsonRequest, _: Mapping[str, str]) -> Response:
        """Call the endpoint. Raises InvalidInput with each place of the body that the model refuses."""
        assert self.body_field is not None  # noqa: S101 - what such a route is for
        body, faults = self.body_field.validate(request.document, loc=("body",))
        if faults:
            raise invalid_input(faults)
        response: Response = await self.endpoint(request, body)
        return response


class LeanPath:
    """Takes requests for lean routes straight to them, past the framework, and all others to `rest`.

    The framework's own layers and its walk along all routes cost as much as the rest of a point read. `guarded` puts
    around a route what `rest` has inside the framework.
    """

    def __init__(self, rest: ASGIApp, routes: Sequence[BaseRoute], guarded: Callable[[LeanRoute], ASGIApp]) -> None:
        self._rest = rest
        self._routes: dict[str, list[tuple[Any, LeanRoute, ASGIApp]]] = {}
        for route in routes:
            if isinstance(route, LeanRoute):
                for method in route.methods or ():
                    self._routes.setdefault(method, []).append((route.path_regex.match, route, guarded(route)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if not path.endswith("/"):
            for match, route, app in self._routes.get(scope["method"], ()):
                found = match(path)
                if found:
                    scope["route"] = route
                    scope["path_params"] = found.groupdict()
                    await app(scope, receive, send)
                    return
        await self._rest(scope, receive, send)


def keep_apart(routes: Sequence[Route]) -> None:
    """Let no parameter take what another route writes out in its place: `/goods/bulk` is no good of this id.

    Otherwise a method that the written path lacks would be answered by the template: 404 or 422, and not 405.
    """
    paths = [route.path.split("/") for route in routes]
    for route, parts in zip(routes, paths, strict=True):
        for n, part in enumerate(parts):
            if not part.startswith("{") or ":" in part:
                continue
            beside = {path[n] for path in paths if path[:n] == parts[:n] and len(path) > n}
            written = "|".join(re.escape(other) for other in sorted(beside) if not other.startswith("{"))
            if written:
                group = f"(?P<{part[1:-1]}>"
                guarded = route.path_regex.pattern.replace(group, f"{group}(?!(?:{written})(?:/|\\Z))")
                route.path_regex = re.compile(guarded)


def _query_names(dependant: Dependant) -> list[str]:
    """The names of all query parameters of a route, those of its dependencies and parameter models included."""
    names: list[str] = []
    for field in dependant.query_params:
        model = getattr(field.field_info.annotation, "model_fields", None)
        names.extend(model or [field.alias])
    for inner in dependant.dependencies:
        names.extend(_query_names(inner))
    return names


def read_query(scope: Mapping[str, Any], known: frozenset[str]) -> dict[str, str]:
    """The query's parameters. Refuses those that are unknown, repeated or not UTF-8, and a path that is not UTF-8."""
    if b"%" in scope["raw_path"] and not _is_utf8(unquote_to_bytes(scope["raw_path"])):
        raise InvalidInput([Fault("parameter", "path", "must be percent-encoded UTF-8")])
    query: bytes = scope["query_string"]
    if not query:
        return {}
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS
        )
    except UnicodeDecodeError:
        raise InvalidInput([Fault("parameter", "query", "must be percent-encoded UTF-8")]) from None
    except ValueError:
        raise InvalidInput([Fault("parameter", "query", "has too many parameters")]) from None
    faults: dict[str, Fault] = {}
    seen: set[str] = set()
    for name, _ in pairs:
        if name not in known:
            faults[name] = Fault("parameter", printable(name), "is not a parameter of this path")
        elif name in seen:
            faults[name] = Fault("parameter", name, "is given more than once")
        seen.add(name)
    if faults:
        raise InvalidInput(list(faults.values())[:20])
    return dict(pairs)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
