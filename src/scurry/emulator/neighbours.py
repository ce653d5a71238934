"""What is in the services beside ours, kept over a restart: S3, IAM, log groups, secrets. Metrics are not.

moto has no store of its own; its objects are written down as they are, for the same release of moto only. What cannot
be read is left aside with a warning: it is never worth an emulator that does not start.
"""

from __future__ import annotations

import io
import pickle
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path
    from wsgiref.types import WSGIEnvironment

    from scurry.model.ports import Reporter

_SAVE_S = 1.0
_CREDENTIAL = re.compile(r"/([a-z0-9-]+)/aws4_request")
_READS = re.compile(r"\.(Describe|Get|List|Filter)[A-Za-z]*$")
_GLOBAL = "aws"
_HARMLESS = frozenset(
    {("re", "_compile"), ("requests.structures", "CaseInsensitiveDict"), ("werkzeug.datastructures.headers", "Headers")}
    | {("builtins", name) for name in ("set", "frozenset", "bytearray", "object", "dict", "list", "tuple")}
    | {("collections", name) for name in ("OrderedDict", "defaultdict")}
    | {("datetime", name) for name in ("datetime", "date", "timedelta", "timezone")}
    | {("copyreg", "_reconstructor")}
)


@dataclass(slots=True, kw_only=True)
class Neighbours:
    """moto's services of one account and region, and their files."""

    folder: Path
    account: str
    region: str
    reporter: Reporter
    _changed: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def load(self) -> None:
        """Put back what was written down."""
        for service in self._services():
            path = self._file(service)
            if not path.exists():
                continue
            try:
                kept = _read(path.read_bytes())
            except Exception as error:
                self.reporter.warn(f"what was in {service} is not to be had again: {path} cannot be read: {error}")
                continue
            self._backend(service).__dict__.update(kept)

    def note(self, environ: WSGIEnvironment) -> None:
        """Take a request that was answered: it may have changed something."""
        if environ["REQUEST_METHOD"] in {"GET", "HEAD"} or _READS.search(str(environ.get("HTTP_X_AMZ_TARGET", ""))):
            return
        signed = f"{environ.get('HTTP_AUTHORIZATION', '')} {environ.get('QUERY_STRING', '').replace('%2F', '/')}"
        found = _CREDENTIAL.search(signed)
        if found and found[1] in self._services():
            self._changed.add(found[1])

    def run(self, closed: threading.Event) -> None:
        """Write down what changes until the event is set."""
        while not closed.wait(_SAVE_S):
            self.save()

    def save(self) -> None:
        """Write down what has changed. What changes at this very moment is written the next time."""
        with self._lock:
            while self._changed:
                service = self._changed.pop()
                try:
                    self._write(service)
                except RuntimeError:  # a dictionary changed while it was read
                    self._changed.add(service)
                    return
                except Exception as error:
                    self.reporter.warn(f"what is in {service} cannot be kept: {error}")

    def _write(self, service: str) -> None:
        content = io.BytesIO()
        _WithVersions(content).dump((_release(), self._backend(service).__dict__))
        path = self._file(service)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        draft.write_bytes(content.getvalue())
        draft.replace(path)

    def _services(self) -> dict[str, str]:
        """The services that are kept → moto's word for where they are."""
        return {"s3": _GLOBAL, "iam": _GLOBAL, "logs": self.region, "secretsmanager": self.region}

    def _backend(self, service: str) -> Any:
        from importlib import import_module

        backends = getattr(import_module(f"moto.{service}.models"), f"{service}_backends")
        return backends[self.account][self._services()[service]]

    def _file(self, service: str) -> Path:
        return self.folder / f"{service}.pickle"


def _release() -> str:
    from importlib.metadata import version

    return version("moto")


def _read(content: bytes) -> dict[str, Any]:
    release, kept = _OnlyMoto(io.BytesIO(content)).load()
    if release != _release():
        raise pickle.UnpicklingError(f"it is moto {release}'s")
    found: dict[str, Any] = kept
    return found


def _fill(store: Any, lists: dict[str, list[Any]]) -> None:
    for key, versions in lists.items():
        store.setlist(key, versions)


class _WithVersions(pickle.Pickler):
    """Writes all versions of S3's objects: moto's dictionary of them shows a pickler the newest only."""

    def reducer_override(self, thing: Any) -> Any:
        """Say how to write a thing that is not written as all others."""
        if type(thing).__name__ != "_VersionedKeyStore":
            return NotImplemented
        lists = {key: thing.getlist(key) for key in list(thing)}
        return type(thing), (), lists, None, None, _fill


class _OnlyMoto(pickle.Unpickler):
    """Makes objects of moto's classes, and of nothing that could do harm."""

    def find_class(self, module: str, name: str) -> Any:
        """Return a class. Raises `UnpicklingError` for one that has no business in such a file."""
        if (module, name) == (__name__, _fill.__name__):
            return _fill
        if not module.startswith("moto.") and (module, name) not in _HARMLESS:
            raise pickle.UnpicklingError(f"it holds a {module}.{name}")
        return super().find_class(module, name)
