"""The WSGI application: finds the route, checks who asks, answers, and tells errors as the command line does."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from scurry.model.errors import ScurryError
from scurry.server import wire
from scurry.server.http.call import Call
from scurry.server.http.errors import BadRequest, Unknown, body_of, status_of
from scurry.server.http.looking import known
from scurry.server.http.openapi import document
from scurry.server.http.routes import ROUTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scurry.server.http.auth import Gate
    from scurry.server.service import Server

logger = logging.getLogger(__name__)

_MOST_JSON = 16 * 1024 * 1024


class Api:
    """The API of one server, as WSGI wants it."""

    def __init__(self, server: Server, gate: Gate) -> None:
        self._server = server
        self._gate = gate
        self._routes = {route.name: route for route in ROUTES}
        own = {"healthz": "/healthz", "readyz": "/readyz", "metrics": "/metrics", "openapi": f"{wire.API}/openapi.json"}
        self._map = Map(
            [
                *(Rule(path, endpoint=name, methods=["GET"]) for name, path in own.items()),
                *(
                    Rule(
                        route.path.replace("{", "<").replace("}", ">"),
                        endpoint=f"route:{route.name}",
                        methods=[route.method],
                    )
                    for route in ROUTES
                ),
            ]
        )

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        try:
            self._gate.check(request)
            endpoint, path = self._map.bind_to_environ(request.environ).match()
            return self._of(endpoint, path, request)
        except HTTPException as error:
            code = Unknown.code if error.code == 404 else BadRequest.code
            return _failed(
                wire.ErrorBody(code=code, message=f"{request.method} {request.path}: {error.name}"), error.code
            )
        except ScurryError as error:
            return _failed(body_of(error), status_of(error))
        except Exception as error:
            logger.exception("a bug in scurry: %s %s", request.method, request.path)
            return _failed(wire.ErrorBody(code="bug", message=f"{type(error).__name__}: {error}"), 500)

    def _of(self, endpoint: str, path: Mapping[str, Any], request: Request) -> Response:
        server = self._server
        match endpoint:
            case "healthz":
                return _text("ok" if server.is_alive else "the loop stands still", 200 if server.is_alive else 503)
            case "readyz":
                return _text("ready" if server.is_ready else "not ready", 200 if server.is_ready else 503)
            case "metrics":
                return Response(server.metrics.text(), content_type=server.metrics.CONTENT_TYPE)
            case "openapi":
                return _json(document())
            case _:
                return self._routed(endpoint.removeprefix("route:"), path, request)

    def _routed(self, name: str, path: Mapping[str, str], request: Request) -> Response:
        call = Call(request=request, path=path, server=self._server)
        if not self._routes[name].takes_bytes:
            request.max_content_length = _MOST_JSON
        if "application" in path and name not in {"apply", "adopt"}:
            known(call)
        answer = self._routes[name].answer(call)
        if isinstance(answer, Iterator):
            return Response(answer, content_type="application/x-ndjson", direct_passthrough=True)
        return _json(answer)


def _json(answer: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(answer), status=status, content_type="application/json")


def _text(text: str, status: int) -> Response:
    return Response(f"{text}\n", status=status, content_type="text/plain; charset=utf-8")


def _failed(error: wire.ErrorBody, status: int | None) -> Response:
    response = _json(wire.ErrorAnswer(schema="scurry/error/1", error=error), status or 500)
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
    return response
