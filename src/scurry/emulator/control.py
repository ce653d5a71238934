"""What the service does by itself and nobody can ask it for: here by a call, so that clients can be tried against it.

`POST /_emulator/applications/NAME/maintenance` and `…/autoscaling?parallelism=N`. A WSGI application.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from scurry.emulator.errors import ServiceError, invalid_argument, not_found

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from scurry.emulator.lifecycle import Lifecycle
    from scurry.emulator.records import Operation

PREFIX = "/_emulator/"
_CALL = re.compile(r"/_emulator/applications/([a-zA-Z0-9_.-]+)/(maintenance|autoscaling)")


def is_control(environ: WSGIEnvironment) -> bool:
    """Whether a request is for this; no bucket of S3 can have such a name."""
    return str(environ.get("PATH_INFO", "")).startswith(PREFIX)


class Control:
    """Answers the calls."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._life = lifecycle

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Begin what is asked for, and answer with its operation."""
        try:
            status, body = "200 OK", {"OperationId": self._begin(environ).id}
        except ServiceError as error:
            status, body = "400 Bad Request", {"__type": error.code, "message": error.message}
        content = json.dumps(body).encode()
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(content)))])
        return [content]

    def _begin(self, environ: WSGIEnvironment) -> Operation:
        call = _CALL.fullmatch(str(environ["PATH_INFO"]))
        if call is None or environ["REQUEST_METHOD"] != "POST":
            raise not_found("There are POST …/applications/NAME/maintenance and …/autoscaling?parallelism=N")
        name, what = call.groups()
        with self._life.works.lock:
            application = self._life.records.applications.get(name)
            if application is None:
                raise not_found(f"Application {name} was not found")
            if what == "maintenance":
                return self._life.maintain(application)
            wanted = parse_qs(str(environ.get("QUERY_STRING", ""))).get("parallelism", [""])[0]
            if not wanted.isdecimal() or int(wanted) < 1:
                raise invalid_argument("parallelism is a whole number from 1 on")
            return self._life.rescale(application, int(wanted))
