"""Snapshots in object stores, by fsspec: S3 and what speaks like it, Google Cloud Storage.

Credentials are found the ways that their own libraries find them. Nothing that was listed or read is remembered:
a snapshot comes and goes while we look.
"""

from __future__ import annotations

import itertools
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
_AWS_HINT = "To see whose credentials are found, run:\n  aws sts get-caller-identity"
_GOOGLE_HINT = "To see whose credentials are found, run:\n  gcloud auth list"


class ObjectStore:
    """Objects by their whole addresses."""

    def __init__(self, files: Any, *, denied_hint: str) -> None:
        self._files = files
        self._denied_hint = denied_hint

    @classmethod
    def s3(cls, options: Mapping[str, str]) -> Self:
        """Return S3 as the environment, or else Flink's options say: which store, and whose keys.

        Raises `MissingExtra`.
        """
        try:
            import s3fs
        except ImportError as error:
            raise MissingExtra("s3", purpose="reading and writing snapshots in S3") from error
        endpoint = None if _is_set("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3") else _first(options, _ENDPOINT)
        if endpoint and "://" not in endpoint:
            endpoint = f"https://{endpoint}"
        style = {"addressing_style": "path"} if (_first(options, _PATH_STYLE) or "").lower() == "true" else {}
        region = None if _is_set("AWS_REGION", "AWS_DEFAULT_REGION") else _first(options, _REGION)
        files = s3fs.S3FileSystem(
            endpoint_url=endpoint,
            client_kwargs={"region_name": region} if region else {},
            use_listings_cache=False,
            skip_instance_cache=True,
            default_block_size=BLOCK,
            config_kwargs={"s3": style, "connect_timeout": 10, "read_timeout": 60},
            **_keys(options),
        )
        return cls(files, denied_hint=_AWS_HINT)

    @classmethod
    def gs(cls) -> Self:
        """Return Google Cloud Storage. Raises `MissingExtra`."""
        try:
            import gcsfs
        except ImportError as error:
            raise MissingExtra("gcs", purpose="reading and writing snapshots in Google Cloud Storage") from error
        files = gcsfs.GCSFileSystem(use_listings_cache=False, skip_instance_cache=True, block_size=BLOCK)
        return cls(files, denied_hint=_GOOGLE_HINT)

    def size(self, path: str) -> int:
        """Bytes of an object. Raises `SnapshotNotFound`, `StorageError`."""
        with self._told(path, "read"):
            found = self._files.info(_key(path))
        if found["type"] != "file":
            raise SnapshotNotFound(f"there is no object {path!r}; it is the beginning of others' names")
        return int(found["size"])

    def read(self, path: str, start: int, length: int) -> bytes:
        """Read up to that many bytes. Raises `SnapshotNotFound`, `StorageError`."""
        if length <= 0:
            return b""
        with self._told(path, "read"):
            try:
                return bytes(self._files.cat_file(_key(path), start=start, end=start + length))
            except OSError as error:
                if _code(error) in {"InvalidRange", "416"}:  # it begins behind the object's end
                    return b""
                raise

    def write(self, path: str, chunks: Iterable[bytes]) -> None:
        """Write an object, which is seen when all of it is there. Raises `StorageError`."""
        bits = iter(chunks)
        first = bytearray()
        for chunk in bits:
            first += chunk
            if len(first) >= BLOCK:
                break
        with self._told(path, "written"):
            if len(first) < BLOCK:
                self._files.pipe_file(_key(path), bytes(first))
            else:
                self._write_parts(path, itertools.chain([bytes(first)], bits))

    def _write_parts(self, path: str, chunks: Iterable[bytes]) -> None:
        file = self._files.open(_key(path), "wb", block_size=BLOCK)
        try:
            for chunk in chunks:
                file.write(chunk)
            file.close()
        except BaseException:
            # Closing, and fsspec closes when it collects garbage, would make an object of the half that is there.
            file.closed = True
            with suppress(Exception):
                file.discard()
            raise

    def listing(self, path: str) -> Mapping[str, int]:
        """Sizes of all objects below a prefix, by their name behind it. Raises `StorageError`."""
        prefix = _key(path).rstrip("/") + "/"
        try:
            with self._told(path, "listed"):
                found = self._files.find(prefix, detail=True)
        except SnapshotNotFound:
            return {}
        return {
            name.removeprefix(prefix): int(each["size"] or 0) for name, each in found.items() if name.startswith(prefix)
        }

    def delete(self, path: str) -> None:
        """Delete an object; none is no error. Raises `StorageError`."""
        with suppress(SnapshotNotFound), self._told(path, "deleted"):
            self._files.rm_file(_key(path))

    @contextmanager
    def _told(self, path: str, done: str) -> Iterator[None]:
        """Turn what the store's library raises into our errors."""
        try:
            yield
        except FileNotFoundError as error:
            if _code(error) == "NoSuchBucket" or "bucket does not exist" in str(error).lower():
                bucket = _key(path).partition("/")[0]
                kind = SnapshotNotFound if done == "read" else StorageError
                raise kind(f"{path!r} cannot be {done}: there is no bucket {bucket!r}") from error
            raise SnapshotNotFound(f"there is no object {path!r}", hint="Check the address") from error
        except PermissionError as error:
            why = str(error).rstrip(".") or "access denied"
            raise StorageError(f"{path!r} cannot be {done}: {why}", hint=self._denied_hint) from error
        except (SnapshotNotFound, StorageError):
            raise
        except OSError as error:
            raise StorageError(f"{path!r} cannot be {done}: {str(error) or type(error).__name__}") from error
        except Exception as error:
            if not _is_of_the_library(error):
                raise
            hint = self._denied_hint if "redential" in str(error) else "Check the address, the endpoint and the network"
            raise StorageError(f"{path!r} cannot be {done}: {str(error).rstrip('.')}", hint=hint) from error


def _keys(options: Mapping[str, str]) -> dict[str, str | None]:
    """Return Flink's own keys, both of them or none: a secret that Flink masks is of no use."""
    key, secret = _first(options, _KEY), _first(options, _SECRET)
    if key is None or secret is None or _is_set("AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        return {}
    return {"key": key, "secret": secret, "token": _first(options, _TOKEN)}


def _is_set(*variables: str) -> bool:
    return any(variable in os.environ for variable in variables)


def _first(options: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    found = (options.get(f"{prefix}{name}") for prefix in S3_PREFIXES for name in names)
    return next((str(value).strip() for value in found if value and value != MASKED), None)


def _key(path: str) -> str:
    """Return bucket and key: what fsspec calls a path. Flink escapes nothing in its URIs."""
    return path.partition("://")[2]


def _code(error: BaseException) -> str:
    """Return the store's own code of an error, as botocore has it."""
    cause: Any = error.__cause__ or error
    return str(getattr(cause, "response", {}).get("Error", {}).get("Code", ""))


def _is_of_the_library(error: Exception) -> bool:
    """Whether an exception comes from what talks to the store; their bases are not ours to import."""
    return type(error).__module__.split(".")[0] in {"botocore", "aiobotocore", "aiohttp", "fsspec", "gcsfs", "google"}
