"""One endpoint for all that an application needs: this service, and S3, IAM, STS, CloudWatch, Secrets Manager by moto.

All in one process, behind one port on the loopback; requests of ours are known by their target header.
"""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from scurry.emulator.cloudwatch import CloudWatch
from scurry.emulator.code import Codes
from scurry.emulator.control import Control, is_control
from scurry.emulator.lifecycle import Lifecycle, Limits
from scurry.emulator.log_events import LogSender
from scurry.emulator.metrics import Sampler
from scurry.emulator.neighbours import Neighbours
from scurry.emulator.objects import KEY, SECRET, Objects
from scurry.emulator.protocol import Wire, is_ours
from scurry.emulator.records import Records
from scurry.emulator.scaling import Autoscaler
from scurry.emulator.service import ACCOUNT, REGION, Service
from scurry.flink.releases import EARLIEST
from scurry.model.errors import MissingExtra, WorkspaceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from scurry.emulator.metrics import Note
    from scurry.emulator.records import Application
    from scurry.emulator.scaling import Rule
    from scurry.flink.runtimes import Runtimes
    from scurry.model.ports import Reporter

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How an emulator is served."""

    directory: Path
    """its state"""
    port: int = 0
    """0: a free one"""
    scale: float = 0.25
    """part of a KPU's memory that each TaskManager gets"""
    limits: Limits = field(default_factory=Limits)
    metrics_s: float = 5.0
    """seconds between two samples of CloudWatch metrics"""
    autoscale: Rule | None = None
    """None: never by itself"""
    keeps_others: bool = True
    """whether what is in the other services is kept over a restart, too"""


def environment_of(port: int) -> dict[str, str]:
    """Return what a shell needs so that the AWS CLI, boto3 and Terraform come to the endpoint on a port."""
    return {
        "AWS_ENDPOINT_URL": f"http://{LOOPBACK}:{port}",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


class Emulator:
    """A running emulator."""

    def __init__(self, settings: Settings, runtimes: Runtimes, reporter: Reporter) -> None:
        self._lock = _only_one(settings.directory)
        runtimes = runtimes.since(EARLIEST)
        self._objects = Objects(REGION)
        codes = Codes(self._objects, runtimes, reporter, most_bytes=settings.limits.code_bytes)
        self.lifecycle = Lifecycle(
            Records(settings.directory), runtimes, codes, reporter, limits=settings.limits, scale=settings.scale
        )
        self._wire = Wire(Service(self.lifecycle, codes, self._objects))
        self._control = Control(self.lifecycle)
        self._others = _moto()
        self._neighbours = Neighbours(
            folder=settings.directory / "others", account=ACCOUNT, region=REGION, reporter=reporter
        )
        self._keeps_others = settings.keeps_others
        cloudwatch = CloudWatch(account=ACCOUNT, region=REGION)
        self._sampler = Sampler(cloudwatch, settings.metrics_s, note=self._autoscaler(settings))
        self._log_sender = LogSender(cloudwatch, self.lifecycle.records)
        self._server = _server(settings.port, self)
        self.port: int = self._server.port
        self.url = f"http://{LOOPBACK}:{self.port}"
        self._objects.url = self.url

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request: ours, or one of the services that moto has."""
        if is_control(environ):
            return self._control(environ, start_response)
        if is_ours(environ):
            return self._wire(environ, start_response)
        answer = self._others(environ, start_response)
        self._neighbours.note(environ)
        return answer

    def _autoscaler(self, settings: Settings) -> Note | None:
        if settings.autoscale is None:
            return None
        works, life = self.lifecycle.works, self.lifecycle

        def rescale(application: Application, parallelism: int) -> None:
            with works.lock:
                life.rescale(application, parallelism)

        return Autoscaler(rule=settings.autoscale, most_kpus=settings.limits.kpus, rescale=rescale).note

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs so that its AWS clients come here."""
        return environment_of(self.port)

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve for the time of the block; then stop every Flink. What ran runs again when its state is served next."""
        if self._keeps_others:
            self._neighbours.load()
        thread = threading.Thread(target=self._server.serve_forever, name="endpoint", daemon=True)
        thread.start()
        try:
            self.lifecycle.resume()
            works, closed = self.lifecycle.works, self.lifecycle.closed
            works.run(lambda: self._sampler.run(self.lifecycle.running, closed))
            works.run(lambda: self._log_sender.run(closed))
            if self._keeps_others:
                works.run(lambda: self._neighbours.run(closed))
            yield
        finally:
            self._server.shutdown()
            self.lifecycle.close()
            if self._keeps_others:
                self._neighbours.save()
            self._server.server_close()
            self._lock.release()


def _only_one(directory: Path) -> FileLock:
    """Lock a state directory until the emulator ends, however it does. Raises `WorkspaceError`."""
    directory.mkdir(parents=True, exist_ok=True)
    lock = FileLock(directory / "lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise WorkspaceError(
            f"another emulator serves the state in {str(directory)!r}",
            hint="Stop it, or keep another state with --state DIR; --ephemeral keeps none.",
        ) from error
    return lock


def _moto() -> WSGIApplication:
    try:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    except ImportError as error:
        raise MissingExtra("emulator", purpose="emulating the managed service") from error
    app: WSGIApplication = DomainDispatcherApplication(create_backend_app)
    return app


def _server(port: int, app: WSGIApplication) -> Any:
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, type: str, message: str, *args: Any) -> None:
            """Say nothing: the emulator's own log tells what matters."""

    try:
        # Bound here: werkzeug itself would write its own words and end the process.
        listening = socket.create_server((LOOPBACK, port))
    except OSError as error:
        raise WorkspaceError(
            f"port {port} is taken on {LOOPBACK}: {error.strerror}",
            hint="Choose another one, or 0 for any, with --port.",
        ) from error
    with listening:
        return make_server(LOOPBACK, port, app, threaded=True, request_handler=Quiet, fd=listening.detach())
