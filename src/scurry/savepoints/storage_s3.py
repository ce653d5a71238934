"""Snapshots in S3 and in what speaks like it, by boto3.

Credentials are found the ways that boto3 finds them. Nothing that was listed or read is remembered: a snapshot comes
and goes while we look.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

from scurry.model.errors import MissingExtra, SnapshotNotFound, StorageError
from scurry.model.values import MASKED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

BLOCK = 16 << 20
"""bytes of one part of an upload; S3 takes 10,000 of them at most, and 5 MiB at least"""

S3_PREFIXES = ("s3.", "s3a.", "fs.s3a.", "presto.s3.")
"""of Flink's options for S3 (the prefixes of its plug-ins' `S3FileSystemFactory`)"""
_ENDPOINT = ("endpoint",)
_PATH_STYLE = ("path.style.access", "path-style-access")
_REGION = ("endpoint.region", "region")
_KEY = ("access-key", "access.key")
_SECRET = ("secret-key", "secret.key")
_TOKEN = ("session-token", "session.token")
_NO_OBJECT = frozenset({"404", "NoSuchKey", "NoSuchVersion"})
_NO_BUCKET = "NoSuchBucket"
_DENIED = frozenset({"403", "401", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"})
_WHO_HINT = "To see whose credentials are found, run:\n  aws sts get-caller-identity"
_REACH_HINT = "Check the address, the endpoint and the network"


class S3Store:
    """Objects by their whole addresses."""

    def __init__(self, client: Any) -> None:
        """`client`: boto3's of S3."""
        self._client = client

    @classmethod
    def of(cls, options: Mapping[str, str]) -> Self:
        """Return S3 as the environment, or else Flink's options say: which store, and whose keys.

        Raises `MissingExtra`.
        """
        try:
            import boto3
            from botocore.config import Config
        except ImportError as error:
            raise MissingExtra("s3", purpose="reading and writing snapshots in S3") from error
        endpoint = None if _is_set("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3") else _first(options, _ENDPOINT)
        if endpoint and "://" not in endpoint:
            endpoint = f"https://{endpoint}"
        style = {"addressing_style": "path"} if (_first(options, _PATH_STYLE) or "").lower() == "true" else {}
        client = boto3.session.Session().client(
            "s3",
            endpoint_url=endpoint,
            region_name=None if _is_set("AWS_REGION", "AWS_DEFAULT_REGION") else _first(options, _REGION),
            config=Config(s3=style, connect_timeout=10, read_timeout=60, retries={"mode": "standard"}),
            **_keys(options),
        )
        return cls(client)

    def size(self, path: str) -> int:
        """Bytes of an object. Raises `SnapshotNotFound`, `StorageError`."""
        with self._told(path, "read"):
            return int(self._client.head_object(**_place(path))["ContentLength"])

    def read(self, path: str, start: int, length: int) -> bytes:
        """Read up to that many bytes. Raises `SnapshotNotFound`, `StorageError`."""
        if length <= 0:
            return b""
        with self._told(path, "read"):
            try:
                answer = self._client.get_object(**_place(path), Range=f"bytes={start}-{start + length - 1}")
            except Exception as error:
                if _code(error) in {"InvalidRange", "416"}:  # it begins behind the object's end
                    return b""
                raise
            return bytes(answer["Body"].read())

    def write(self, path: str, chunks: Iterable[bytes]) -> None:
        """Write an object, which is seen when all of it is there. Raises `StorageError`."""
        blocks = _blocks(chunks)
        first = next(blocks, b"")
        with self._told(path, "written"):
            if len(first) < BLOCK:
                self._client.put_object(**_place(path), Body=first)
            else:
                self._write_parts(_place(path), first, blocks)

    def _write_parts(self, place: dict[str, str], first: bytes, blocks: Iterator[bytes]) -> None:
        upload = place | {"UploadId": self._client.create_multipart_upload(**place)["UploadId"]}
        parts: list[dict[str, Any]] = []
        block: bytes | None = first
        try:
            while block is not None:
                number = len(parts) + 1
                answer = self._client.upload_part(**upload, PartNumber=number, Body=block)
                parts.append({"PartNumber": number, "ETag": answer["ETag"]} | _checksum(answer))
                block = next(blocks, None)
            self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        except BaseException:
            with suppress(Exception):  # parts that are left are seen by nobody; what broke it off counts more
                self._client.abort_multipart_upload(**upload)
            raise

    def listing(self, path: str) -> Mapping[str, int]:
        """Sizes of all objects below a prefix, by their name behind it. Raises `StorageError`."""
        place = _place(path)
        prefix = place["Key"].rstrip("/") + "/"
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=place["Bucket"], Prefix=prefix)
        with self._told(path, "listed"):
            return {
                each["Key"].removeprefix(prefix): int(each["Size"])
                for page in pages
                for each in page.get("Contents", ())
                if each["Key"] != prefix
            }

    def delete(self, path: str) -> None:
        """Delete an object; none is no error. Raises `StorageError`."""
        with suppress(SnapshotNotFound), self._told(path, "deleted"):
            self._client.delete_object(**_place(path))

    @contextmanager
    def _told(self, path: str, done: str) -> Iterator[None]:
        """Turn what boto3 raises into our errors."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            raise self._error(path, done, error) from error
        except (BotoCoreError, ValueError) as error:  # ValueError: what cannot be an endpoint or a name of a bucket
            hint = _WHO_HINT if "redential" in str(error) else _REACH_HINT
            raise StorageError(f"{path!r} cannot be {done}: {str(error).rstrip('.')}", hint=hint) from error

    def _error(self, path: str, done: str, error: Exception) -> StorageError | SnapshotNotFound:
        code, bucket = _code(error), _place(path)["Bucket"]
        if code == _NO_BUCKET or (code in _NO_OBJECT and not self._has(bucket)):
            kind = SnapshotNotFound if done == "read" else StorageError
            return kind(f"{path!r} cannot be {done}: there is no bucket {bucket!r}")
        if code in _NO_OBJECT:
            return SnapshotNotFound(f"there is no object {path!r}", hint="Check the address")
        why = str(error).rstrip(".")
        return StorageError(f"{path!r} cannot be {done}: {why}", hint=_WHO_HINT if code in _DENIED else _REACH_HINT)

    def _has(self, bucket: str) -> bool:
        """Whether there is a bucket: what is asked about an object alone tells no more than that it is not there."""
        try:
            self._client.head_bucket(Bucket=bucket)
        except Exception as error:
            return _code(error) not in {"404", _NO_BUCKET}
        return True


def _blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Give the same bytes in blocks of `BLOCK`, the last one shorter."""
    gathered = bytearray()
    for chunk in chunks:
        gathered += chunk
        while len(gathered) >= BLOCK:
            yield bytes(gathered[:BLOCK])
            del gathered[:BLOCK]
    if gathered:
        yield bytes(gathered)


def _checksum(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the checksum that a part was told with: where it has one, the whole is put together with it."""
    return {key: value for key, value in answer.items() if key.startswith("Checksum") and key != "ChecksumType"}


def _keys(options: Mapping[str, str]) -> dict[str, str | None]:
    """Return Flink's own keys, both of them or none: a secret that Flink masks is of no use."""
    key, secret = _first(options, _KEY), _first(options, _SECRET)
    if key is None or secret is None or _is_set("AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        return {}
    return {
        "aws_access_key_id": key,
        "aws_secret_access_key": secret,
        "aws_session_token": _first(options, _TOKEN),
    }


def _is_set(*variables: str) -> bool:
    return any(variable in os.environ for variable in variables)


def _first(options: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    found = (options.get(f"{prefix}{name}") for prefix in S3_PREFIXES for name in names)
    return next((str(value).strip() for value in found if value and value != MASKED), None)


def _place(path: str) -> dict[str, str]:
    """Return bucket and key. Flink escapes nothing in its URIs."""
    bucket, _, key = path.partition("://")[2].partition("/")
    return {"Bucket": bucket, "Key": key}


def _code(error: Exception) -> str:
    """Return the store's own code of an error, as botocore has it."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))
