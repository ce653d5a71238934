"""Files that a job reads on the cluster's machines: its properties, and the code of a PyFlink application.

They go to a directory that this machine and the cluster's share; on a cluster of this very machine, the workspace.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from scurry.model.errors import ArtifactError, TargetUnsuitable, WorkspaceError
from scurry.model.leftover import Leftover, LeftoverKind
from scurry.model.values import SecretRef

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from scurry.flink.runtimes import Runtimes
    from scurry.model.desired import Desired
    from scurry.model.ports import Reporter
    from scurry.targets.rest.program import Resolving

PROPERTIES_OPTION = "scurry.application-properties"
"""the Flink option that tells a job where its `application_properties.json` is"""
PROPERTIES_FILE = "application_properties.json"
DELIVERED = "delivered"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredProperties:
    """How a job finds its properties."""

    config: dict[str, str] = field(default_factory=dict, repr=False)
    parameters: dict[str, str] = field(default_factory=dict, repr=False)
    """`group.key` → value, for the global job parameters, which Flink's web interface shows"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveredPython:
    """A Python application, where the cluster's machines see it."""

    script: Path
    code: Path
    """the folder with all of its code"""
    python: Path
    """the interpreter, with PyFlink and the application's requirements"""

    @property
    def config(self) -> dict[str, str]:
        """Flink options. As arguments of the driver they would not reach the TaskManagers (measured on 2.3.0)."""
        connectors = sorted((self.code / "lib").glob("*.jar"))
        jars = {"pipeline.classpaths": ";".join(jar.as_uri() for jar in connectors)} if connectors else {}
        return {
            "python.client.executable": str(self.python),
            "python.executable": str(self.python),
            "python.files": str(self.code),
            **jars,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Brings files to where the cluster's machines read them."""

    target: str
    shared: Path | None
    """None: no directory is shared"""
    runtimes: Runtimes
    reporter: Reporter

    def properties(self, desired: Desired, resolve: Resolving) -> DeliveredProperties:
        """Deliver the properties: as a file where one can be shared, and what is no secret as job parameters, too."""
        if not desired.properties:
            return DeliveredProperties()
        plain, secret = _resolved(desired, resolve)
        if self.shared is None:
            self._warn(bool(secret))
            return DeliveredProperties(parameters=_flat(plain, without=set()))
        path = self._folder(*_properties_folder(desired)) / PROPERTIES_FILE
        _write(path, _content(plain))
        return delivered_at(str(path), desired, resolve)

    def python(self, desired: Desired, archive: Path) -> DeliveredPython:
        """Deliver a Python application and return what Flink's Python driver needs to run it."""
        from scurry.flink.python import python_environment

        if self.shared is None:
            raise TargetUnsuitable(
                f"target {self.target!r}: a PyFlink application needs a directory that this machine and the cluster's"
                " see under the same path, and none is known",
                target=self.target,
                hint="Set `shared_directory` of the target.",
            )
        code = self._unpacked(archive, desired.artifact.digest)
        script = code / (desired.entry or "main.py")
        if not script.is_file():
            raise ArtifactError(f"there is no script {desired.entry!r} in {desired.artifact.file_name!r}")
        requirements = code / "requirements.txt"
        environment = python_environment(
            cache=self.runtimes.cache,
            flink_version=desired.flink_version,
            requirements=requirements.read_text() if requirements.is_file() else None,
            python=None,
            reporter=self.reporter,
        )
        return DeliveredPython(script=script, code=code, python=environment.python)

    def _unpacked(self, archive: Path, digest: str) -> Path:
        folder = self._folder(*_python_folder(digest))
        code = folder / "code"
        if code.is_dir():
            os.utime(folder)  # used now: `leftovers` leaves it
            return code
        draft = Path(tempfile.mkdtemp(dir=folder))
        try:
            with zipfile.ZipFile(archive) as packed:
                packed.extractall(draft)
            draft.chmod(0o755)
            draft.rename(code)
        except (zipfile.BadZipFile, OSError) as error:
            shutil.rmtree(draft, ignore_errors=True)
            if not code.is_dir():  # else another process was faster
                raise ArtifactError(f"the Python application {archive.name!r} cannot be unpacked: {error}") from error
        return code

    def _folder(self, *parts: str) -> Path:
        if self.shared is None:
            raise AssertionError("only asked for when there is one")
        folder = self.shared.joinpath(DELIVERED, *parts)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkspaceError(f"cannot write to {str(folder)!r}: {error.strerror}") from error
        return folder

    def _warn(self, secret: bool) -> None:
        shown = "; Flink's web interface shows them, secrets included" if secret else ""
        self.reporter.warn(
            f"target {self.target!r} has no `shared_directory`: the job gets its properties as global job parameters"
            f" only, not as {PROPERTIES_FILE}{shown}"
        )


def properties_content(desired: Desired, resolve: Resolving) -> bytes:
    """Return what the file of an application's properties holds, secrets included."""
    return _content(_resolved(desired, resolve)[0])


def delivered_at(path: str, desired: Desired, resolve: Resolving) -> DeliveredProperties:
    """Return how a job finds its properties in a file that is at that path."""
    plain, secret = _resolved(desired, resolve)
    return DeliveredProperties(config={PROPERTIES_OPTION: path}, parameters=_flat(plain, without=secret))


def leftovers(directory: Path, needed: Sequence[Desired], *, before: datetime) -> tuple[Leftover, ...]:
    """Return what was delivered to a workspace's own folder before a time, and that none of these wishes reads.

    Never asked of a `shared_directory`: other projects may deliver to the same one.
    """
    wanted = {_properties_folder(desired) for desired in needed}
    wanted |= {_python_folder(desired.artifact.digest) for desired in needed}
    found = (folder for kind in ("properties", "python") for folder in directory.glob(f"{DELIVERED}/{kind}/*"))
    return tuple(
        Leftover(
            kind=LeftoverKind.DELIVERED,
            name=f"{folder.parent.name}/{folder.name}",
            ref=str(folder),
            size_bytes=sum(file.lstat().st_size for file in folder.rglob("*") if not file.is_dir()),
        )
        for folder in sorted(found)
        if (folder.parent.name, folder.name) not in wanted and folder.stat().st_mtime < before.timestamp()
    )


def discard(leftover: Leftover) -> None:
    """Delete what was delivered. Raises `WorkspaceError`."""
    try:
        shutil.rmtree(leftover.ref)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise WorkspaceError(f"cannot delete {leftover.ref!r}: {error.strerror}") from error


def _properties_folder(desired: Desired) -> tuple[str, str]:
    told = msgspec.json.encode(desired.properties, order="deterministic")
    return "properties", hashlib.sha256(told).hexdigest()[:16]


def _python_folder(digest: str) -> tuple[str, str]:
    return "python", digest.rpartition(":")[2][:40]


def _resolved(desired: Desired, resolve: Resolving) -> tuple[dict[str, dict[str, str]], set[tuple[str, str]]]:
    """Return the properties by group and key, and which of them are secrets."""
    plain = {group: {key: resolve(text) for key, text in of.items()} for group, of in desired.properties.items()}
    secret = {(g, k) for g, of in desired.properties.items() for k, text in of.items() if isinstance(text, SecretRef)}
    return plain, secret


def _content(plain: dict[str, dict[str, str]]) -> bytes:
    groups = [{"PropertyGroupId": group, "PropertyMap": values} for group, values in plain.items()]
    return msgspec.json.format(msgspec.json.encode(groups), indent=2)


def _flat(groups: dict[str, dict[str, str]], *, without: set[tuple[str, str]]) -> dict[str, str]:
    return {
        f"{group}.{key}": value
        for group, values in groups.items()
        for key, value in values.items()
        if (group, key) not in without
    }


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, readable by its owner only: there may be secrets in it."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(draft).replace(path)
    except OSError as error:
        Path(draft).unlink(missing_ok=True)
        raise WorkspaceError(f"cannot write {str(path)!r}: {error.strerror}") from error
