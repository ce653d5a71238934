"""The wire: JSON 1.1 over HTTP, as botocore's model of the service describes it. A WSGI application.

Timestamps go out as numbers: an ISO text passes in boto3 but breaks Go's SDK, and so Terraform.
"""

from __future__ import annotations

import json
import logging
import secrets
from functools import cache
from typing import TYPE_CHECKING, Any

from scurry.emulator.errors import ServiceError
from scurry.emulator.validation import check

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from botocore.model import ServiceModel

    from scurry.emulator.service import Service

TARGET_PREFIX = "KinesisAnalytics_20180523."
CONTENT_TYPE = "application/x-amz-json-1.1"
_MOST_BYTES = 128 << 20
"""of a request: 50 MiB of code in base64, and more"""
_log = logging.getLogger("scurry.emulator")


def is_ours(environ: WSGIEnvironment) -> bool:
    """Whether a request is for this service; all others are moto's."""
    return str(environ.get("HTTP_X_AMZ_TARGET", "")).startswith(TARGET_PREFIX)


@cache
def service_model() -> ServiceModel:
    """Return the newest model of the service that the installed botocore has."""
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    return ServiceModel(Loader().load_service_model("kinesisanalyticsv2", "service-2"))


class Wire:
    """Reads requests, calls the service, writes answers and errors."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request_id = secrets.token_hex(16)
        try:
            status, body = 200, self.answer(str(environ["HTTP_X_AMZ_TARGET"]), _body(environ))
        except ServiceError as error:
            status, body = error.status, _error(error)
        except Exception as error:
            _log.exception("the emulator failed, request %s", request_id)
            status = 500
            body = _error(ServiceError("InternalFailure", f"the emulator failed: {type(error).__name__}: {error}"))
        content = json.dumps(body).encode()
        headers = [
            ("Content-Type", CONTENT_TYPE),
            ("Content-Length", str(len(content))),
            ("x-amzn-RequestId", request_id),
        ]
        start_response(f"{status} {'OK' if status == 200 else 'Error'}", headers)
        return [content]

    def answer(self, target: str, body: bytes) -> dict[str, Any]:
        """Run the operation that a target names. Raises `ServiceError`."""
        name = target.removeprefix(TARGET_PREFIX)
        model = service_model()
        if name not in model.operation_names:
            raise ServiceError("UnknownOperationException", f"There is no operation {name}")
        try:
            request = json.loads(body or b"{}")
        except ValueError as error:
            raise ServiceError("SerializationException", f"The request is not JSON: {error}") from error
        shape = model.operation_model(name).input_shape
        return self._service.call(name, check(shape, request) if shape else {})


def _body(environ: WSGIEnvironment) -> bytes:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > _MOST_BYTES:
        message = f"{length} bytes are more than a request may have"
        raise ServiceError("RequestEntityTooLargeException", message, status=413)
    return bytes(environ["wsgi.input"].read(length))


def _error(error: ServiceError) -> dict[str, str]:
    member = "message" if error.code == "TooManyTagsException" else "Message"
    return {"__type": error.code, member: error.message, "message": error.message}
