"""S3 and IAM as the service uses them: through the emulator's own endpoint, as any client would."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from scurry.emulator.code import ObjectMissing
from scurry.emulator.enhanced_transfer import TransferFailed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scurry.emulator.code import Location

KEY, SECRET = "emulator", "emulator"
"""what moto takes; there is nothing to protect"""
_NO_BUCKET = frozenset({"NoSuchBucket"})


class Objects:
    """Objects in S3, and whether a role is there."""

    def __init__(self, region: str) -> None:
        self.url = ""
        self._region = region

    def size(self, location: Location) -> int:
        """Return an object's size. Raises `ObjectMissing`."""
        return int(self._call("head_object", location)["ContentLength"])

    def download(self, location: Location, path: Path) -> None:
        """Write an object to a file. Raises `ObjectMissing`."""
        body = self._call("get_object", location)["Body"]
        with path.open("wb") as file:
            for piece in body.iter_chunks(1 << 20):
                file.write(piece)

    def keys(self, bucket: str, prefix: str) -> list[str]:
        """Return the keys right below a prefix that ends with a slash. Raises `TransferFailed`."""
        found: list[str] = []
        with _told(bucket):
            pages = self._client("s3").get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=bucket, Prefix=prefix, Delimiter="/"):
                found.extend(each["Key"] for each in page.get("Contents", ()))
        return found

    def upload(self, path: Path, bucket: str, key: str) -> None:
        """Write a file to an object. Raises `TransferFailed`."""
        with _told(bucket):
            self._client("s3").upload_file(str(path), bucket, key)

    def fetch(self, bucket: str, key: str, path: Path) -> None:
        """Write an object to a file. Raises `TransferFailed`."""
        with _told(bucket):
            self._client("s3").download_file(bucket, key, str(path))

    def has_role(self, arn: str) -> bool:
        """Whether a role is in this account's IAM."""
        from botocore.exceptions import ClientError, ParamValidationError

        try:
            found = self._client("iam").get_role(RoleName=arn.rpartition("/")[2])["Role"]["Arn"]
        except (ClientError, ParamValidationError):
            return False
        return bool(found == arn)

    def _call(self, name: str, location: Location) -> Any:
        from botocore.exceptions import ClientError

        version = {"VersionId": location.version} if location.version else {}
        try:
            return getattr(self._client("s3"), name)(Bucket=location.bucket, Key=location.key, **version)
        except ClientError as error:
            raise ObjectMissing(str(error)) from error

    def _client(self, service: str) -> Any:
        return _client(service, self.url, self._region)


@cache
def _client(service: str, url: str, region: str) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.session.Session().client(
        service,
        endpoint_url=url,
        region_name=region,
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        config=Config(s3={"addressing_style": "path"}),
    )


@contextmanager
def _told(bucket: str) -> Iterator[None]:
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (Boto3Error, BotoCoreError, ClientError) as error:
        cause = error.__context__ if isinstance(error, Boto3Error) else error  # it wraps what S3 has said
        if isinstance(cause, ClientError) and cause.response["Error"]["Code"] in _NO_BUCKET:
            raise TransferFailed("BucketNotFound", f"The bucket {bucket} does not exist") from error
        raise TransferFailed("BucketNotAccessible", f"The bucket {bucket} cannot be used: {error}") from error
