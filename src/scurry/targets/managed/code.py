"""The code of an application in S3: content-addressed, uploaded once, with the object's version recorded.

The service starts the main class that a jar's manifest names; where the spec names another one, the uploaded copy says
so. A PyFlink zip is told by a group of runtime properties what of it is run.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scurry.model.desired import ArtifactKind
from scurry.model.errors import ArtifactError, TargetUnsuitable
from scurry.targets.managed.faults import Answered, calling
from scurry.targets.rest.program import jar_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scurry.model.desired import Artifact, Desired
    from scurry.model.ports import Activity
    from scurry.targets.managed.aws import Aws

MOST_BYTES = 512 << 20
LIBRARIES, REQUIREMENTS = "lib/", "requirements.txt"
_MANIFEST = "META-INF/MANIFEST.MF"
_PART_BYTES = 16 << 20
_THEN = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """Where the service finds the code."""

    bucket: str
    key: str
    version: str | None = None
    """None: the bucket keeps no versions; the key is never written again with other bytes"""
    run_options: Mapping[str, str] = field(default_factory=dict)
    """of a PyFlink application"""

    @property
    def location(self) -> dict[str, Any]:
        """`S3ContentLocation`."""
        version = {"ObjectVersion": self.version} if self.version else {}
        return {"BucketARN": f"arn:aws:s3:::{self.bucket}", "FileKey": self.key, **version}

    @property
    def ref(self) -> str:
        """How a journal writes it."""
        return f"s3://{self.bucket}/{self.key}" + (f"?versionId={self.version}" if self.version else "")


def key_of(desired: Desired, prefix: str) -> str:
    """Return the key of a wish's code: another one for other bytes."""
    artifact, digest = desired.artifact, desired.artifact.digest
    if desired.entry and artifact.kind is ArtifactKind.JAR:
        digest = hashlib.sha256(f"{digest} {desired.entry}".encode()).hexdigest()
    name = jar_name(artifact.file_name.removesuffix(".zip"), digest)
    return prefix + (name.removesuffix(".jar") + ".zip" if artifact.kind is ArtifactKind.PYTHON else name)


class Store:
    """The bucket that code goes to."""

    def __init__(self, aws: Aws, bucket: str) -> None:
        self._aws = aws
        self._bucket = bucket

    def find(self, key: str) -> str | None:
        """Return the version of an object, empty where the bucket keeps none; None when there is no such object."""
        try:
            answer = self._aws.call("s3", "head_object", Bucket=self._bucket, Key=key)
        except Answered as error:
            if error.word in {"404", "NoSuchKey", "NotFound"}:
                return None
            raise
        return str(answer.get("VersionId") or "")

    def check(self) -> None:
        """Raise `TargetUnsuitable` when there is no such bucket."""
        try:
            self._aws.call("s3", "head_bucket", Bucket=self._bucket)
        except Answered as error:
            raise TargetUnsuitable(
                f"there is no bucket {self._bucket!r}, where target {self._aws.target!r} puts code",
                target=self._aws.target,
                hint=f"To make one:\n  aws s3 mb s3://{self._bucket}\nOr name another one as `bucket` of the target.",
            ).concerning("targets", self._aws.target, "bucket", in_project=True) from error

    def upload(self, path: Path, key: str, activity: Activity) -> str:
        """Upload a file, unless it is there already; return the object's version."""
        found = self.find(key)
        if found is not None:
            return found
        from boto3.s3.transfer import TransferConfig

        config = TransferConfig(multipart_threshold=_PART_BYTES, multipart_chunksize=_PART_BYTES)
        client = self._aws.client("s3")
        # Not `upload_file`, which wraps what S3 answers in an exception of its own.
        with path.open("rb") as content, calling(self._aws.target, f"s3 upload to {self._bucket}"):
            client.upload_fileobj(content, self._bucket, key, Config=config, Callback=activity.advance)
        return self.find(key) or ""


@contextmanager
def as_uploaded(desired: Desired, path: Path) -> Iterator[Path]:
    """Give the file that is uploaded: the artifact, or a copy whose manifest names the wish's main class."""
    if desired.artifact.kind is not ArtifactKind.JAR or desired.entry in {None, main_class(path)}:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        shutil.copyfile(path, copy)
        _name_main_class(copy, str(desired.entry))
        yield copy


def main_class(path: Path) -> str | None:
    """Return the main class that a jar's manifest names. Raises `ArtifactError` when it is no jar."""
    for line in _main_section(path):
        if line.lower().startswith("main-class:"):
            return line.partition(":")[2].strip()
    return None


def check_artifact(artifact: Artifact, desired: Desired, path: Path) -> None:
    """Raise `ArtifactError` when the service could not run it."""
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise ArtifactError(
            f"{artifact.file_name!r} has {size >> 20} MiB; the managed service takes {MOST_BYTES >> 20} MiB at most",
            hint="Leave out what Flink has itself: mark its dependencies as provided.",
        )
    if artifact.kind is ArtifactKind.PYTHON:
        run_options(desired, path)
    elif desired.entry is None and main_class(path) is None:
        raise ArtifactError(
            f"the manifest of {artifact.file_name!r} names no Main-Class, which is what the managed service starts",
            hint="Name it as `code.main_class`.",
        )


def run_options(desired: Desired, path: Path) -> dict[str, str]:
    """Return what of a PyFlink zip is run; empty for a jar. Raises `ArtifactError`."""
    if desired.artifact.kind is not ArtifactKind.PYTHON:
        return {}
    script = desired.entry or "main.py"
    with zipfile.ZipFile(path) as packed:
        names = packed.namelist()
    if script not in names:
        raise ArtifactError(f"there is no script {script!r} in {desired.artifact.file_name!r}")
    jars = [name for name in names if name.startswith(LIBRARIES) and name.endswith(".jar")]
    if len(jars) > 1:
        raise ArtifactError(
            f"the managed service takes one jar for a PyFlink application, and there are {len(jars)}: "
            + ", ".join(name.removeprefix(LIBRARIES) for name in jars),
            hint="Make one jar of them (Maven's shade plug-in), and name that as the only connector.",
        )
    tops = {name.split("/")[0] + ("/" if "/" in name else "") for name in names if not name.startswith(LIBRARIES)}
    beside = sorted(tops - {script, REQUIREMENTS})
    options = {"python": script}
    if jars:
        options["jarfile"] = jars[0]
    if beside:
        options["pyFiles"] = ",".join(beside)
    return options


def has_requirements(desired: Desired, path: Path) -> bool:
    """Whether a PyFlink zip asks for packages, which the service does not install by itself."""
    if desired.artifact.kind is not ArtifactKind.PYTHON:
        return False
    with zipfile.ZipFile(path) as packed:
        return REQUIREMENTS in packed.namelist()


def _manifest(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as packed:
            return packed.read(_MANIFEST).decode("utf-8", "replace") if _MANIFEST in packed.namelist() else ""
    except (zipfile.BadZipFile, OSError) as error:
        raise ArtifactError(f"{path.name!r} is no jar: {error}") from error


def _name_main_class(path: Path, entry: str) -> None:
    """Replace the manifest; the old one stays as bytes that no directory names, which costs nothing to leave."""
    lines = [line for line in _main_section(path) if not line.lower().startswith("main-class:")]
    text = "".join(_folded(line) for line in (*(lines or ("Manifest-Version: 1.0",)), f"Main-Class: {entry}"))
    with zipfile.ZipFile(path, "a") as packed:
        packed.filelist[:] = [info for info in packed.filelist if info.filename != _MANIFEST]
        packed.NameToInfo.pop(_MANIFEST, None)
        packed.writestr(zipfile.ZipInfo(_MANIFEST, date_time=_THEN), text)


def _main_section(path: Path) -> list[str]:
    """Return a manifest's main attributes, a line each: the sections of single classes say nothing of the whole."""
    text = _manifest(path).replace("\r\n", "\n").lstrip("\n")
    return text.split("\n\n")[0].replace("\n ", "").splitlines()


def _folded(line: str) -> str:
    """Return a line as a manifest has it: 72 bytes at most, what is longer goes on behind a space."""
    return "\n ".join([line[:70], *(line[at : at + 69] for at in range(70, len(line), 69))]) + "\n"
