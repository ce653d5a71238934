"""The bytes of enhanced snapshots to and from S3: a savepoint's folder becomes objects below a prefix, and back.

A canonical savepoint is one flat folder whose `_metadata` names the files beside it by relative paths, so it is whole
wherever it is. `_metadata` is written last: a prefix without it is no savepoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

METADATA = "_metadata"
_MAGIC = (0x4960672D).to_bytes(4, "big")
"""what `_metadata` begins with: Flink's `Checkpoints.HEADER_MAGIC_NUMBER`"""
_NO_NAMES = frozenset({"", ".", ".."})


class TransferFailed(Exception):
    """An export or import cannot go on: a code and a text for its operation."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Buckets(Protocol):
    """S3 and IAM."""

    def keys(self, bucket: str, prefix: str) -> list[str]:
        """Return the keys right below a prefix that ends with a slash. Raises `TransferFailed`."""

    def upload(self, path: Path, bucket: str, key: str) -> None:
        """Write a file to an object. Raises `TransferFailed`."""

    def fetch(self, bucket: str, key: str, path: Path) -> None:
        """Write an object to a file. Raises `TransferFailed`."""

    def has_role(self, arn: str) -> bool:
        """Whether a role is in this account's IAM."""


def savepoint_in(folder: Path) -> Path:
    """Return the savepoint's own folder: Flink makes one below that which it is told. Raises `TransferFailed`."""
    found = next(iter(folder.glob(f"*/{METADATA}")), None)
    if found is None:
        raise TransferFailed("SnapshotDataNotFound", "The data of the snapshot is not there any more")
    return found.parent


def size_of(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def write_out(folder: Path, buckets: Buckets, place: Mapping[str, str], *, role: str, prefix: str) -> None:
    """Write a savepoint below a prefix of a bucket; `place` is an `S3PrefixLocation`. Raises `TransferFailed`."""
    bucket = _bucket(place, buckets, role)
    savepoint = savepoint_in(folder)
    names = sorted(path.name for path in savepoint.iterdir())
    for name in sorted(names, key=lambda name: name == METADATA):
        buckets.upload(savepoint / name, bucket, f"{prefix.rstrip('/')}/{name}")


def read_in(folder: Path, buckets: Buckets, place: Mapping[str, str], *, role: str) -> str:
    """Read a savepoint from a prefix of a bucket, and return its place here as a URI. Raises `TransferFailed`."""
    bucket = _bucket(place, buckets, role)
    prefix = f"{place['KeyPrefix'].rstrip('/')}/"
    keys = [key for key in buckets.keys(bucket, prefix) if key.removeprefix(prefix) not in _NO_NAMES]
    if f"{prefix}{METADATA}" not in keys:
        raise TransferFailed("SavepointNotFound", f"There is no {METADATA} of a savepoint at s3://{bucket}/{prefix}")
    savepoint = folder / "savepoint"
    savepoint.mkdir(parents=True, exist_ok=True)
    for key in keys:
        buckets.fetch(bucket, key, savepoint / key.removeprefix(prefix))
    with (savepoint / METADATA).open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise TransferFailed("SavepointNotValid", f"s3://{bucket}/{prefix}{METADATA} is not that of a savepoint")
    return savepoint.as_uri()


def _bucket(place: Mapping[str, str], buckets: Buckets, role: str) -> str:
    if not buckets.has_role(role):
        raise TransferFailed("RoleNotFound", f"The role {role} does not exist")
    return place["BucketARN"].rpartition(":")[2]
