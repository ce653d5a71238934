"""Jars from the web and from S3, kept in the cache: transferred again only when they changed there.

CACHE/downloads/<digest of the address>/app.jar    and beside it the tag (ETag) that it had
"""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from scurry.artifacts.disk import settle, staging, writing
from scurry.artifacts.repository import because, open_pool
from scurry.model.errors import ArtifactError, MissingExtra

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from scurry.model.reporting import Reporter

_CHUNK = 1 << 20
_TAG = ".tag"
_OBJECT = re.compile(r"s3://([^/]+)/(.*[^/])")


class Downloads:
    """What was fetched from addresses that are not Maven's."""

    def __init__(self, cache: Path, reporter: Reporter, *, offline: bool = False) -> None:
        self._folder = cache / "downloads"
        self._reporter = reporter
        self._offline = offline

    def web(self, url: str) -> Path:
        """Return the file behind an http(s) address. Without the network, what was fetched before has to do.

        Raises `ArtifactError`.
        """
        import urllib3

        known = self._known(url, urlsplit(url).path)
        if self._offline:
            return self._as_before(known, url, "the network is not to be used")
        tag = _tag_of(known)
        headers = {**_authorization(url), **({"If-None-Match": tag} if tag else {})}
        try:
            response = open_pool(url).request("GET", url, headers=headers, preload_content=False)
            with response:
                if response.status == 304:
                    return known
                if response.status != 200:
                    answer = f"{response.status} {response.reason or ''}".rstrip()
                    raise ArtifactError(f"{_shown(url)!r} answers {answer}", hint="Check the address in the spec")
                size = int(response.headers.get("Content-Length") or 0)
                chunks = response.stream(_CHUNK, decode_content=False)
                return self._receive(chunks, known, size, response.headers.get("ETag"))
        except urllib3.exceptions.HTTPError as error:
            return self._as_before(known, url, because(error))

    def s3(self, url: str) -> Path:
        """Return an object of S3, with the credentials that boto3 finds. Raises `ArtifactError`, `MissingExtra`."""
        match = _OBJECT.fullmatch(url)
        if match is None:
            raise ArtifactError(f"{url!r} is not the address of an object", hint="Write s3://bucket/path/to/app.jar")
        try:
            import boto3
            from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError
        except ImportError as error:
            raise MissingExtra("s3", purpose=f"fetching {url!r}") from error
        known = self._known(url, match[2])
        if self._offline:
            return self._as_before(known, url, "the network is not to be used")
        tag = _tag_of(known)
        try:
            client: Any = boto3.session.Session().client("s3")
            given: Any = client.get_object(Bucket=match[1], Key=match[2], **({"IfNoneMatch": tag} if tag else {}))
            return self._receive(
                given["Body"].iter_chunks(_CHUNK), known, int(given["ContentLength"]), given.get("ETag")
            )
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 304:
                return known
            raise _refused_by_s3(url, error.response.get("Error", {})) from error
        except EndpointConnectionError as error:
            return self._as_before(known, url, str(error))
        except (BotoCoreError, OSError) as error:
            raise ArtifactError(
                f"{url!r} cannot be fetched: {error}",
                hint="To see which credentials are found:\n  aws sts get-caller-identity",
            ) from error

    def _receive(self, chunks: Iterable[bytes], final: Path, size: int, tag: str | None) -> Path:
        with self._arriving(final) as file:
            with (
                file.open("wb") as out,
                self._reporter.activity(f"Downloading {final.name}", total=size or None) as activity,
            ):
                for chunk in chunks:
                    out.write(chunk)
                    activity.advance(len(chunk))
            settle(file)
            (final.parent / _TAG).unlink(missing_ok=True)  # rather none than one that is not this file's
            file.replace(final)
            if tag:
                (final.parent / _TAG).write_text(tag, "utf-8")
        return final

    @contextmanager
    def _arriving(self, final: Path) -> Iterator[Path]:
        with writing(final):
            final.parent.mkdir(parents=True, exist_ok=True)
            with staging(final.parent) as area:
                yield area / final.name

    def _known(self, url: str, path: str) -> Path:
        name = re.sub(r"[^A-Za-z0-9._+-]", "_", unquote(path).rpartition("/")[2]) or "download"
        return self._folder / hashlib.sha256(url.encode()).hexdigest()[:24] / name.lstrip(".")

    def _as_before(self, known: Path, url: str, why: str) -> Path:
        if known.is_file():
            self._reporter.warn(f"{_shown(url)!r} cannot be asked for ({why}); what was fetched before is used")
            return known
        raise ArtifactError(
            f"{_shown(url)!r} was not fetched before, and cannot be now: {why}",
            hint="Check the network and the address",
        )


def _tag_of(known: Path) -> str | None:
    tag = known.parent / _TAG
    return tag.read_text("utf-8") if known.is_file() and tag.is_file() else None


def _authorization(url: str) -> dict[str, str]:
    from urllib3.util import make_headers

    parts = urlsplit(url)
    if parts.username is None:
        return {}
    return dict(make_headers(basic_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}"))


def _shown(url: str) -> str:
    """The address without what may be secret: user, password, and the query of a signed address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _refused_by_s3(url: str, told: Any) -> ArtifactError:
    code, message = str(told.get("Code", "")), str(told.get("Message", "")).rstrip(".")
    if code in ("NoSuchKey", "NoSuchBucket", "404"):
        what = "the bucket" if code == "NoSuchBucket" else "the object"
        return ArtifactError(f"{url!r} cannot be fetched: {what} does not exist", hint="Check the address in the spec")
    return ArtifactError(
        f"{url!r} cannot be fetched: {message or code} ({code})",
        hint="To see whose credentials are used:\n  aws sts get-caller-identity",
    )
